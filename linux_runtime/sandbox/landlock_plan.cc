#include <algorithm>

#include "linux_runtime/sandbox/landlock.h"

namespace mxc::sandbox {
namespace {

using namespace sys;  // NOLINT(google-build-using-namespace): the kLandlock* rights

constexpr uint64_t kRead = kLandlockExecute | kLandlockReadFile | kLandlockReadDir;
// No device nodes: nothing inside may make one, and a tree that is granted holds none (nodev).
constexpr uint64_t kWrite = kLandlockWriteFile | kLandlockRemoveDir | kLandlockRemoveFile | kLandlockMakeDir |
                            kLandlockMakeReg | kLandlockMakeSock | kLandlockMakeFifo | kLandlockMakeSym |
                            kLandlockRefer | kLandlockTruncate;

// The file rights that an ABI can handle.
uint64_t FileRights(int abi) {
  uint64_t rights = (kLandlockMakeSym << 1) - 1;
  if (abi >= 2) rights |= kLandlockRefer;
  if (abi >= 3) rights |= kLandlockTruncate;
  if (abi >= 5) rights |= kLandlockIoctlDev;
  return rights;
}

uint64_t Rights(LandlockAccess access) {
  switch (access) {
    case LandlockAccess::kListOnly:
      return kLandlockReadDir;
    case LandlockAccess::kReadOnly:
      return kRead;
    case LandlockAccess::kReadWrite:
      return kRead | kWrite;
    case LandlockAccess::kWriteOnly:
      return kRead | kLandlockWriteFile | kLandlockTruncate;
    case LandlockAccess::kDevice:
      return kLandlockReadFile | kLandlockWriteFile | kLandlockReadDir | kLandlockTruncate | kLandlockIoctlDev;
  }
  return 0;
}

void AddPorts(LandlockPlan& plan, const std::optional<std::vector<uint16_t>>& ports, uint64_t right) {
  if (!ports) return;
  plan.handled_tcp |= right;
  for (uint16_t port : *ports) {
    auto found = std::find_if(plan.ports.begin(), plan.ports.end(), [&](const auto& p) { return p.port == port; });
    if (found == plan.ports.end())
      plan.ports.push_back({port, right});
    else
      found->access |= right;
  }
}

void AddNotes(LandlockPlan& plan, bool files) {
  auto note = [&](int since, const char* kernel, const char* lost) {
    if (plan.abi >= since) return;
    plan.notes.push_back("Landlock ABI " + std::to_string(plan.abi) + ": " + lost + " (ABI " + std::to_string(since) +
                         ", Linux " + kernel + ")");
  };
  if (files) {
    note(2, "5.19", "files can't be linked or renamed between folders");
    note(3, "6.2", "cutting files short (truncate) rests on the mounts alone");
    note(5, "6.10", "ioctl on devices rests on /dev and the seccomp list alone");
  }
  note(6, "6.12", "abstract unix sockets and signals rest on the namespaces alone");
}

}  // namespace

Result<LandlockPlan> PlanLandlock(int abi, const std::vector<LandlockPath>& paths, const oci::LandlockSpec& spec) {
  LandlockPlan plan;
  if (!spec.enabled) return plan;
  bool tcp = spec.tcp_bind || spec.tcp_connect;
  if (abi < 1) {
    if (spec.required)
      return Error(Code::kUnsupported, "landlock is required, but this kernel has none")
          .WithHint(
              "use a kernel with CONFIG_SECURITY_LANDLOCK (5.13 or later, 'landlock' among the LSMs at boot), or "
              "set x-linux.landlock.required to false");
    if (!tcp) {
      plan.notes.push_back("this kernel has no Landlock: files rest on the mounts alone");
      return plan;
    }
  }
  if (tcp && abi < 4)
    return Error(Code::kUnsupported, "landlock can't restrict TCP ports on this kernel: ABI " +
                                         std::to_string(std::max(abi, 0)) + ", needed is 4 (Linux 6.7)")
        .WithHint("use a newer kernel, or remove the tcp ports from x-linux.landlock");

  plan.abi = std::min(abi, kNewestLandlockAbi);
  if (spec.files) {
    plan.handled_files = FileRights(plan.abi);
    for (const LandlockPath& path : paths)
      plan.rules.push_back({path.path, Rights(path.access) & plan.handled_files, path.optional});
  }
  AddPorts(plan, spec.tcp_bind, kLandlockBindTcp);
  AddPorts(plan, spec.tcp_connect, kLandlockConnectTcp);
  if (plan.abi >= 6) plan.scopes = kLandlockScopeAbstractUnix | kLandlockScopeSignal;
  // Denials of what the container starts are what an audit wants to see; without this they end with the first exec.
  if (plan.abi >= 7) plan.restrict_flags = kLandlockLogNewExecOn;
  AddNotes(plan, spec.files);
  if (plan.handled_files == 0 && plan.handled_tcp == 0 && plan.scopes == 0) plan.abi = 0;
  return plan;
}

std::string DescribeLandlockAccess(uint64_t access) {
  static constexpr const char* kNames[] = {
      "execute",  "write-file", "read-file", "read-dir",   "remove-dir", "remove-file", "make-char", "make-dir",
      "make-reg", "make-sock",  "make-fifo", "make-block", "make-sym",   "refer",       "truncate",  "ioctl-dev"};
  std::string text;
  for (size_t bit = 0; bit < std::size(kNames); ++bit)
    if ((access >> bit & 1) != 0) text += (text.empty() ? "" : " ") + std::string(kNames[bit]);
  return text;
}

}  // namespace mxc::sandbox
