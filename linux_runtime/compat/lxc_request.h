// A configuration as Microsoft's callers give it: one-shot requests of the MXC contract, under the rules of their own Linux
// executor where these are stricter than ours.
#pragma once

#include <string>

#include "linux_runtime/cli/linux_host.h"
#include "linux_runtime/compat/config.h"
#include "shared/policy/policy.h"

namespace mxc::compat {

// The host's view, but for the configuration, which may have come with the command line or through a descriptor.
class ConfigHost : public cli::LinuxHost {
 public:
  ConfigHost(const char* const* environment, const Config& config) : LinuxHost(environment), config_(config) {}
  Result<std::string> ReadFile(const std::string& path) override {
    if (path == config_.source) return config_.text;
    return LinuxHost::ReadFile(path);
  }

 private:
  const Config& config_;
};

// experimental: the caller asked for what is experimental. Without it, or MXC_ALLOW_X_LINUX=1 in the environment, x-linux is
// an unknown field, as it is for Microsoft's executor.
// Errors: IsContainment, for a containment that a caller of Microsoft's never had on Linux; else the request is wrong.
Result<policy::Policy> ReadLxcRequest(const Config& config, bool experimental);

bool IsContainment(const Error& error);

}  // namespace mxc::compat
