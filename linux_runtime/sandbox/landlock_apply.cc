// Runs between clone and exec: system calls only.
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "linux_runtime/sandbox/landlock.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

int AddPathRule(int ruleset, const LandlockRule& rule, LandlockFailure* failure) {
  failure->path = rule.path.c_str();
  failure->step = "open";
  // No symbolic links: one planted in a writable tree by an earlier run would widen the rules.
  int fd = sys::OpenAt2(AT_FDCWD, rule.path.c_str(), O_PATH, 0, RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS);
  if (fd < 0) return rule.optional && (fd == -ENOENT || fd == -ELOOP || fd == -ENOTDIR) ? 0 : fd;
  struct stat status {};
  int result = sys::Fstat(fd, &status);
  uint64_t access = rule.access;
  if (!S_ISDIR(status.st_mode)) access &= sys::kLandlockFileRights;
  failure->step = "add rule";
  if (result == 0 && access != 0) result = sys::LandlockAddPath(ruleset, {access, fd});
  sys::Close(fd);
  return result;
}

// Streams that were redirected to a file or are a terminal lie outside every rule; scripts open them again by name.
void AddStreamRule(int ruleset, int fd, uint64_t handled) {
  int flags = static_cast<int>(sys::Check(::fcntl(fd, F_GETFL)));
  struct stat status {};
  if (flags < 0 || (flags & O_PATH) != 0 || sys::Fstat(fd, &status) != 0) return;
  if (!S_ISREG(status.st_mode) && !S_ISCHR(status.st_mode)) return;  // pipes and sockets need no rule
  uint64_t access = 0;
  if ((flags & O_ACCMODE) != O_WRONLY) access |= sys::kLandlockReadFile;
  if ((flags & O_ACCMODE) != O_RDONLY) access |= sys::kLandlockWriteFile | sys::kLandlockTruncate;
  if (S_ISCHR(status.st_mode)) access |= sys::kLandlockIoctlDev;
  // A file that no path leads to (a memfd) is refused with EBADFD and needs no rule either.
  (void)sys::LandlockAddPath(ruleset, {access & handled, fd});
}

int Fill(int ruleset, const LandlockPlan& plan, LandlockFailure* failure) {
  for (const LandlockRule& rule : plan.rules) {
    int result = AddPathRule(ruleset, rule, failure);
    if (result != 0) return result;
  }
  failure->path = "";
  if (plan.standard_streams && plan.handled_files != 0)
    for (int fd = 0; fd <= 2; ++fd) AddStreamRule(ruleset, fd, plan.handled_files);
  failure->step = "add port";
  for (const LandlockPort& port : plan.ports) {
    int result = sys::LandlockAddPort(ruleset, {port.access, port.port});
    if (result != 0) return result;
  }
  return 0;
}

}  // namespace

int MakeLandlockRuleset(const LandlockPlan& plan, LandlockFailure* failure) {
  failure->step = "make ruleset";
  failure->path = "";
  int ruleset = sys::LandlockCreateRuleset({plan.handled_files, plan.handled_tcp, plan.scopes});
  int result = ruleset < 0 ? ruleset : Fill(ruleset, plan, failure);
  if (result == 0) return ruleset;
  failure->error = -result;
  if (ruleset >= 0) sys::Close(ruleset);
  return result;
}

int RestrictToRuleset(const LandlockPlan& plan, int ruleset, LandlockFailure* failure) {
  failure->step = "restrict";
  failure->path = "";
  int result = sys::LandlockRestrictSelf(ruleset, plan.restrict_flags);
  failure->error = -result;
  sys::Close(ruleset);
  return result;
}

int ApplyLandlock(const LandlockPlan& plan, LandlockFailure* failure) {
  LandlockFailure ignored;
  if (failure == nullptr) failure = &ignored;
  if (!plan.enabled()) return 0;
  int ruleset = MakeLandlockRuleset(plan, failure);
  return ruleset < 0 ? ruleset : RestrictToRuleset(plan, ruleset, failure);
}

}  // namespace mxc::sandbox
