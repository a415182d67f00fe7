#include "shared/policy/contract_support.h"

#include <string>
#include <string_view>

namespace mxc::policy {
namespace {

struct Unbuilt {
  bool asked;
  std::string_view pointer;
  std::string_view what;
  std::string_view hint;
};

}  // namespace

Result<void> RefuseUnbuilt(const Policy& policy) {
  constexpr std::string_view kNoDesktop =
      "remove it: without it no window, clipboard or input of the desktop is reachable";
  constexpr std::string_view kNoImage =
      "remove it: this system's own programs are shown read-only; or name a folder in x-linux.rootfs";
  static const Wslc kNone;
  const Wslc& wslc = policy.wslc ? *policy.wslc : kNone;
  const Unbuilt all[] = {
      {wslc.gpu, "/wslc/gpu", "the GPU", "remove it, or set it to false"},
      {wslc.image.has_value(), "/wslc/image", "an image's root file system", kNoImage},
      {wslc.image_tar_path.has_value(), "/wslc/imageTarPath", "an image's root file system", kNoImage},
      {wslc.storage_path.has_value(), "/wslc/storagePath", "storage of the container's own",
       "remove it, and grant a folder in filesystem.readwritePaths"},
      {wslc.target_os.value_or("linux") != "linux", "/wslc/targetOs", "another system than Linux",
       "remove it, or write \"linux\""},
      {!wslc.port_mappings.empty(), "/wslc/portMappings", "this spelling of shared ports",
       "write x-linux.ports, and network.ingress.hostLoopback \"allow\""},
      {!policy.ui.disable, "/ui/disable", "access to the desktop", kNoDesktop},
      {policy.ui.clipboard != Clipboard::kNone, "/ui/clipboard", "access to the clipboard", kNoDesktop},
      {policy.ui.injection, "/ui/injection", "input into other windows", kNoDesktop},
  };
  for (const Unbuilt& one : all) {
    if (!one.asked) continue;
    const std::string pointer(one.pointer);
    const auto place = policy.positions.find(pointer);
    return Error(Code::kUnsupported, std::string(one.what) + ": not built yet")
        .WithHint(std::string(one.hint))
        .WithPosition(place != policy.positions.end() ? place->second : Position{policy.source, 0, 0, pointer});
  }
  return {};
}

std::vector<NoEffect> FieldsWithoutEffect(const Policy& policy) {
  std::vector<NoEffect> fields;
  if (policy.positions.contains("/fallback/allowDaclMutation")) {
    fields.push_back({"/fallback/allowDaclMutation", "Linux has no access lists of that kind to change"});
  }
  if (policy.telemetry) fields.push_back({"/telemetry/enabled", "mxc sends no telemetry"});
  if (!policy.lifecycle.destroy_on_exit)
    fields.push_back({"/lifecycle/destroyOnExit", "nothing of a sandbox outlives it"});
  if (policy.lifecycle.preserve_policy) {
    fields.push_back({"/lifecycle/preservePolicy", "the rules are the sandbox's own and go with it"});
  }
  if (policy.lxc && !(policy.x_linux && policy.x_linux->rootfs)) {
    fields.push_back({"/lxc", "this system's own programs are shown read-only, not those of " +
                                  policy.lxc->distribution + " " + policy.lxc->release +
                                  "; x-linux.rootfs names another root"});
  }
  return fields;
}

}  // namespace mxc::policy
