// Landlock: the second layer behind the mounts. Nothing outside the rules can be opened, read-only trees stay so, and
// where the kernel has it TCP ports, abstract unix sockets and signals to processes outside are shut.
//
// What it can't do: it has no deny (a denied path inside a granted tree rests on the mounts alone); chdir, stat, access,
// chmod, chown, utime, flock and extended attributes are not its matter; descriptors opened before keep working; UDP and
// other protocols pass; a ruleset with file rules forbids every change of mounts, hence LandlockSpec::files.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "linux_runtime/sys/landlock.h"
#include "shared/base/result.h"
#include "shared/oci/extension.h"

namespace mxc::sandbox {

// The newest ABI this code knows; a newer kernel's is used as this one.
inline constexpr int kNewestLandlockAbi = 7;

enum class LandlockAccess : uint8_t {
  kListOnly,   // list folders, at any depth below
  kReadOnly,   // read, list, execute
  kReadWrite,  // … and write, create (no device nodes), rename, link, remove
  kWriteOnly,  // read and write what is there; nothing is created, renamed to, linked or removed
  kDevice,     // read, write and ioctl of device nodes; list their folder
};

struct LandlockPath {
  std::string path;  // absolute, inside the container; no component may be a symbolic link
  LandlockAccess access = LandlockAccess::kReadOnly;
  bool optional = false;  // left out where the path doesn't exist or is a symbolic link
};

struct LandlockRule {
  std::string path;
  uint64_t access = 0;  // kLandlock* of sys/landlock.h; file rights only are used where path isn't a folder
  bool optional = false;
};

struct LandlockPort {
  uint16_t port = 0;
  uint64_t access = 0;
};

// Plain data: what ApplyLandlock does.
struct LandlockPlan {
  int abi = 0;  // 0: nothing is applied
  uint64_t handled_files = 0;
  uint64_t handled_tcp = 0;
  uint64_t scopes = 0;
  uint32_t restrict_flags = 0;
  // Streams 0 to 2 that are files or terminals from outside may be opened again (/dev/stdout) in the mode they have.
  bool standard_streams = true;
  std::vector<LandlockRule> rules;
  std::vector<LandlockPort> ports;
  std::vector<std::string> notes;  // what this kernel's ABI can't hold, in sentences for plan and report

  bool enabled() const { return abi > 0; }
};

// abi: sys::LandlockAbi(); 0 or negative: the kernel has none.
// Errors: kUnsupported when the spec requires Landlock or names TCP ports and this ABI can't hold them.
Result<LandlockPlan> PlanLandlock(int abi, const std::vector<LandlockPath>& paths, const oci::LandlockSpec& spec);

struct LandlockFailure {
  const char* step = "";  // "make ruleset", "open", "add rule", "add port", "restrict"
  const char* path = "";  // the rule's path, or ""
  int error = 0;          // errno, positive
};

// In the child, after pivot_root and with no_new_privs set: opens the rules' paths, and confines the calling thread.
// 0 or -errno; on failure `failure` says where, and nothing was confined. Allocates nothing, async-signal-safe.
int ApplyLandlock(const LandlockPlan& plan, LandlockFailure* failure);

// The same in two steps, since the first needs no more than pivot_root and takes most of the time. MakeLandlockRuleset
// returns a descriptor or -errno; RestrictToRuleset closes it.
int MakeLandlockRuleset(const LandlockPlan& plan, LandlockFailure* failure);
int RestrictToRuleset(const LandlockPlan& plan, int ruleset, LandlockFailure* failure);

// "execute read-file read-dir" for plan output and reports.
std::string DescribeLandlockAccess(uint64_t access);

}  // namespace mxc::sandbox
