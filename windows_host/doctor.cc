#include "windows_host/doctor.h"

#include <windows.h>

#include <vector>

#include "shared/client/remote.h"
#include "windows_host/ask.h"
#include "windows_host/handle.h"
#include "windows_host/registry.h"
#include "windows_host/relay_process.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

constexpr char kWslPolicies[] = "SOFTWARE\\Policies\\WSL";
constexpr size_t kMostConfig = 256 << 10;

// version.dll is none of those that Windows takes from its own folder in any case: one beside mxc.exe would be loaded.
std::string VersionOf(const std::wstring& file) {
  static const HMODULE kLibrary = ::LoadLibraryExW(L"version.dll", nullptr, LOAD_LIBRARY_SEARCH_SYSTEM32);
  if (kLibrary == nullptr) return "";
  auto find = []<class Function>(const char* name) {
    return reinterpret_cast<Function*>(reinterpret_cast<void*>(::GetProcAddress(kLibrary, name)));
  };
  const auto size_of = find.template operator()<decltype(::GetFileVersionInfoSizeW)>("GetFileVersionInfoSizeW");
  const auto read = find.template operator()<decltype(::GetFileVersionInfoW)>("GetFileVersionInfoW");
  const auto query = find.template operator()<decltype(::VerQueryValueW)>("VerQueryValueW");
  if (size_of == nullptr || read == nullptr || query == nullptr) return "";
  DWORD unused = 0;
  std::vector<char> block(size_of(file.c_str(), &unused));
  void* found = nullptr;
  UINT size = 0;
  if (block.empty() || !read(file.c_str(), 0, static_cast<DWORD>(block.size()), block.data()) ||
      !query(block.data(), L"\\", &found, &size) || size < sizeof(VS_FIXEDFILEINFO)) {
    return "";
  }
  const auto* info = static_cast<const VS_FIXEDFILEINFO*>(found);
  return std::to_string(HIWORD(info->dwFileVersionMS)) + "." + std::to_string(LOWORD(info->dwFileVersionMS)) + "." +
         std::to_string(HIWORD(info->dwFileVersionLS)) + "." + std::to_string(LOWORD(info->dwFileVersionLS));
}

std::map<std::string, std::string> ConfigOfUser() {
  wchar_t profile[4096];
  const DWORD size = ::GetEnvironmentVariableW(L"USERPROFILE", profile, 4096);
  if (size == 0 || size >= 4096) return {};
  Result<std::string> folder = Narrow({profile, size});
  if (!folder.ok()) return {};
  Result<std::string> text = ReadWholeFile(*folder + "\\.wslconfig", kMostConfig);
  return text.ok() ? ReadWslConfig(*text) : std::map<std::string, std::string>();
}

Result<Inside> LookInside(const client::Options& options, const ManagedPolicy& managed, HostSockets& sockets) {
  const std::string distribution = MXC_TRY(DistributionFor(options.distribution, managed));
  wire::Opening opening;
  opening.user = options.user;
  std::unique_ptr<RelayProcess> relay =
      MXC_TRY(RelayProcess::Start({distribution, options.user, managed.hvsocket_required}, opening, sockets));
  Conversation mxcd(*relay);
  wire::Request request;
  request.operation = wire::Operation::kFacts;
  request.policy.emplace();
  const wire::Reply answer = MXC_TRY(mxcd.Ask(request));
  Inside inside;
  inside.greeting = relay->greeting();
  inside.mxcd = mxcd.program();
  inside.facts = MXC_TRY(translate::ReadHostFacts(answer.text, "facts of the distribution"));
  relay->CloseInput();
  return inside;
}

}  // namespace

Seen LookAround(const client::Options& options, HostSockets& sockets, bool elevated) {
  Seen seen;
  seen.wanted = options.distribution;
  seen.elevated = elevated;
  if (Result<std::wstring> wsl = FindWsl(); wsl.ok()) {
    Result<std::string> path = Narrow(*wsl);
    seen.wsl.emplace(path.ok() ? *path : "wsl.exe");
    seen.wsl_version = VersionOf(*wsl);
  }
  seen.distributions = ReadDistributions();
  seen.config = ConfigOfUser();
  if (Result<std::optional<RegistryKey>> key = ReadRegistryKey(Hive::kMachine, kWslPolicies); key.ok() && *key) {
    for (const RegistryValue& value : (*key)->values) {
      if (const auto* number = std::get_if<uint32_t>(&value.data)) seen.wsl_policies[value.name] = *number;
    }
  }
  seen.managed = ReadManagedPolicy();
  seen.hvsocket = sockets.Available();
  if (seen.managed.ok() && seen.managed->enabled) {
    seen.inside = LookInside(options, *seen.managed, sockets);
  } else {
    seen.inside = Error(Code::kRefused, "not asked, as the machine's policy stops mxc.exe");
  }
  return seen;
}

}  // namespace mxc::windows
