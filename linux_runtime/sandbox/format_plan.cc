#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sandbox/plan.h"
#include "shared/base/escape_text.h"

namespace mxc::sandbox {
namespace {

void Word(std::string& list, const char* word) {
  if (!list.empty()) list += ", ";
  list += word;
}

std::string Propagation(uint64_t flags) {
  const char* kind = (flags & MS_SHARED) != 0       ? "shared"
                     : (flags & MS_UNBINDABLE) != 0 ? "unbindable"
                     : (flags & MS_SLAVE) != 0      ? "slave"
                                                    : "private";
  return std::string((flags & MS_REC) != 0 ? "r" : "") + kind;
}

std::string Attributes(const Step& step) {
  std::string list;
  const uint64_t flags = step.flags | step.top_flags;
  Word(list, (flags & MOUNT_ATTR_RDONLY) != 0 ? "ro" : "rw");
  if ((flags & MOUNT_ATTR_NOSUID) != 0) Word(list, "nosuid");
  if ((flags & MOUNT_ATTR_NODEV) != 0) Word(list, "nodev");
  if ((flags & MOUNT_ATTR_NOEXEC) != 0) Word(list, "noexec");
  if (step.recursive) Word(list, "recursive");
  if (step.propagation != 0) Word(list, Propagation(step.propagation).c_str());
  if (step.copy_up) Word(list, "copied up");
  for (const char* const* option = step.options; option != nullptr && *option != nullptr; option += 2) {
    list += std::string(", ") + option[0] + (option[1][0] == '\0' ? "" : "=") + option[1];
  }
  return " (" + list + ")";
}

// " (c 1:3, 0666)"
std::string Numbers(const Step& step) {
  const char kind = S_ISBLK(step.mode) ? 'b' : S_ISFIFO(step.mode) ? 'p' : 'c';
  char text[64];
  snprintf(text, sizeof text, " (%c %u:%u, %04o)", kind, major(step.device), minor(step.device), step.mode & 07777);
  return text;
}

std::string Path(const char* path) { return EscapeText(path); }

}  // namespace

std::string FormatStep(const Step& step) {
  switch (step.op) {
    case Op::kAwaitParent:
      return "wait until the id maps stand";
    case Op::kMapSelf:
      return std::string("map uid ") + step.text + ", gid " + step.path;
    case Op::kJoinCgroup:
      return "join the cgroup";
    case Op::kUnshareCgroup:
      return "new cgroup namespace";
    case Op::kSetIds:
      return "become uid " + std::to_string(step.flags) + ", gid " + std::to_string(step.extra) +
             (step.mode != 0 ? ", without supplementary groups" : "");
    case Op::kTieToParent:
      return "die with the supervisor";
    case Op::kPrivateMounts:
      return "make every mount " + Propagation(step.propagation);
    case Op::kNewRoot:
      return "new root: tmpfs" + Attributes(step);
    case Op::kBindRoot:
      return "new root: " + Path(step.text) + Attributes(step);
    case Op::kDirectory:
      return "folder " + Path(step.path);
    case Op::kSymlink:
      return "link " + Path(step.path) + " -> " + Path(step.text);
    case Op::kFile:
      return "file " + Path(step.path) + " (" + std::to_string(step.size) + " bytes)";
    case Op::kBind:
      return "bind " + Path(step.text) + " on " + Path(step.path) + Attributes(step);
    case Op::kTmpfs:
      return "mount tmpfs on " + Path(step.path) + Attributes(step);
    case Op::kProc:
      return "mount proc on " + Path(step.path) + Attributes(step);
    case Op::kDevpts:
      return "mount devpts on " + Path(step.path) + Attributes(step);
    case Op::kMqueue:
      return "mount mqueue on " + Path(step.path) + Attributes(step);
    case Op::kMakeCovers:
      return "make the covers of denied paths";
    case Op::kCover:
      return "cover " + Path(step.path) + (step.directory ? " (folder)" : " (file)");
    case Op::kMask:
      return "hide " + Path(step.path) + (step.optional ? " if present" : "");
    case Op::kReadonly:
      return "make " + Path(step.path) + " read-only" + (step.optional ? " if present" : "");
    case Op::kPin:
      return "pin " + Path(step.path) + ", so that it can't be renamed";
    case Op::kSealMount:
      return "seal " + Path(step.path) + " read-only";
    case Op::kEnterRoot:
      return "enter the new root; the old one is gone";
    case Op::kMeetParent:
      return "wait until denied and protected names are watched";
    case Op::kHostname:
      return "hostname " + Path(step.text);
    case Op::kDomainname:
      return "domainname " + Path(step.text);
    case Op::kLoopbackUp:
      return "network: a loopback device of its own";
    case Op::kJoinNamespace:
      return std::string("join the ") + step.text + " namespace";
    case Op::kHooks:
      return "run hooks";
    case Op::kConsole:
      return "terminal on /dev/console";
    case Op::kSysctl:
      return "/linux/sysctl: write \"" + Path(step.text) + "\" to /proc/" + Path(step.path);
    case Op::kTimeNamespace:
      return "/linux/timeOffsets: new time namespace (" + Path(step.text) + ")";
    case Op::kAppArmorLabel:
      return "/process/apparmorProfile: write \"" + Path(step.text) + "\" to /proc/" + Path(step.path);
    case Op::kSelinuxLabel:
      return "/process/selinuxLabel: write \"" + Path(step.text) + "\" to /proc/" + Path(step.path);
    case Op::kSessionKeyring:
      return "new session keyring";
    case Op::kWorkingFolder:
      return "/process/cwd: make " + Path(step.path) + " if missing";
    case Op::kFilesystem:
      return "mount " + EscapeText(step.type) + " on " + Path(step.path) + Attributes(step) +
             (step.or_bind ? ", else bind the host's" : "");
    case Op::kDevice:
      return "device " + Path(step.path) + Numbers(step);
    case Op::kHostDevice:
      return "bind the device " + Path(step.text) + " on " + Path(step.path) + Numbers(step);
    case Op::kDeviceLink:
      return "link " + Path(step.path) + " -> " + Path(step.text) + (step.replace ? "" : " unless something is there");
    case Op::kCopyLink:
      return "link " + Path(step.path) + " -> " + Path(step.text);
    case Op::kRemount:
      return "remount " + Path(step.path) + Attributes(step);
    case Op::kPropagation:
      return "make the root " + Propagation(step.flags);
  }
  return "";
}

std::string FormatPlan(const Plan& plan) {
  std::string text;
  auto line = [&](const std::string& words) { text += words + "\n"; };
  std::string namespaces;
  constexpr std::pair<uint64_t, const char*> kKinds[] = {
      {CLONE_NEWUSER, "user"}, {CLONE_NEWNS, "mount"}, {CLONE_NEWPID, "pid"},       {CLONE_NEWNET, "network"},
      {CLONE_NEWIPC, "ipc"},   {CLONE_NEWUTS, "uts"},  {CLONE_NEWCGROUP, "cgroup"}, {0x80, "time"}};
  for (auto [flag, name] : kKinds) {
    if ((plan.namespaces & flag) != 0) Word(namespaces, name);
  }
  line("clone: " + namespaces);
  for (const IdRange& range : plan.uid_map) {
    line("uid " + std::to_string(range.inside) + " inside is " +
         (plan.parent_writes_maps && !plan.use_newidmap ? "an id of its own range"
                                                        : std::to_string(range.outside) + " outside") +
         ", " + std::to_string(range.count) + " of them");
  }
  size_t number = 0;
  for (const Step& step : plan.steps) {
    std::string index = std::to_string(++number);
    line(std::string(index.size() < 3 ? 3 - index.size() : 0, ' ') + index + "  " + FormatStep(step));
  }
  if (plan.process.exact) {
    text += FormatProcess(plan);
  } else {
    line(plan.bounding == 0 && plan.permitted == 0 ? "capabilities: none" : "capabilities: as listed in the spec");
  }
  if (plan.no_new_privileges) line("no_new_privs");
  if (plan.use_landlock) {
    line("landlock: ABI " + std::to_string(plan.landlock.abi));
    for (const LandlockRule& rule : plan.landlock.rules) {
      line("     " + Path(rule.path.c_str()) + ": " + DescribeLandlockAccess(rule.access));
    }
  }
  for (const Rlimit& limit : plan.rlimits) {
    auto number_of = [](uint64_t value) {
      return value == UINT64_MAX ? std::string("unlimited") : std::to_string(value);
    };
    line("limit " + std::string(RlimitName(limit.resource)) + " " + number_of(limit.soft) + " " +
         number_of(limit.hard));
  }
  for (const SeccompProgram& program : plan.seccomp) {
    line("seccomp: " + program.origin + ", " + std::to_string(program.code.size()) + " instructions");
  }
  for (const std::string& rule : plan.network) line("network: " + EscapeText(rule));
  for (const GuardedPath& guarded : plan.guarded) {
    line(std::string(guarded.exists ? "keep " : "watch for ") + Path(guarded.path.c_str()) + " " +
         (guarded.protect ? "read-only" : "covered") + " (" + EscapeText(guarded.rule) + ")");
  }
  for (const std::string& note : plan.notes) line("note: " + EscapeText(note));
  std::string command;
  for (const char* argument : plan.argv) {
    if (argument != nullptr) command += " " + EscapeText(argument);
  }
  line("run:" + command);
  line("in " + Path(plan.cwd));
  return text;
}

}  // namespace mxc::sandbox
