#include "windows_host/windows_host.h"

#include "shared/client/prepare.h"
#include "windows_host/handle.h"

namespace mxc::windows {
namespace {

// Above the readers' own limit, so that they get to say what is wrong with a large input.
constexpr size_t kMaxInput = (1u << 20) + 1;

}  // namespace

Result<std::string> WindowsHost::ReadFile(const std::string& path) {
  return path == "-" ? ReadStandardInput(kMaxInput) : ReadWholeFile(path, kMaxInput);
}

Result<policy::Caller> WindowsHost::Caller() { return client::CallerOf(translate::HostFacts::Generic()); }

Result<translate::HostFacts> WindowsHost::Facts() { return translate::HostFacts::Generic(); }

std::string WindowsHost::FactsName() const {
  return "A WSL 2 distribution as Microsoft ships it (yours was not asked; see --host-facts)";
}

}  // namespace mxc::windows
