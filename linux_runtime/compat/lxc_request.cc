#include "linux_runtime/compat/lxc_request.h"

#include <stdlib.h>

#include <string_view>

#include "shared/policy/read.h"

namespace mxc::compat {
namespace {

constexpr char kContainment[] = "/containment";

bool MayUseXLinux(bool experimental) {
  const char* allowed = ::getenv("MXC_ALLOW_X_LINUX");
  return experimental || (allowed != nullptr && std::string_view(allowed) == "1");
}

Position PlaceOf(const policy::Policy& policy, const std::string& pointer) {
  const auto place = policy.positions.find(pointer);
  return place == policy.positions.end() ? Position{policy.source, 0, 0, pointer} : place->second;
}

}  // namespace

Result<policy::Policy> ReadLxcRequest(const Config& config, bool experimental) {
  policy::Policy policy =
      MXC_TRY(policy::ReadPolicy(config.text, {.source = config.source, .format = policy::Format::kJson}));
  if (policy.x_linux && !MayUseXLinux(experimental)) {
    return Error(Code::kInvalid, "unknown field \"x-linux\"")
        .WithHint("with --experimental, or MXC_ALLOW_X_LINUX=1 in the environment, mxc's own fields are taken")
        .WithPosition(PlaceOf(policy, "/x-linux"));
  }
  if (policy.containment == policy::Containment::kWslc) {
    return Error(Code::kUnsupported, "the 'wslc' backend is not available on Linux")
        .WithHint("`mxc run` takes this configuration")
        .WithPosition(PlaceOf(policy, kContainment));
  }
  return policy;
}

bool IsContainment(const Error& error) {
  return error.code() == Code::kUnsupported && error.position() && error.position()->pointer == kContainment;
}

}  // namespace mxc::compat
