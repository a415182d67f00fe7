#include "windows_host/hold.h"

#include <windows.h>

#include <memory>
#include <utility>
#include <vector>

#include "shared/oci/strict_json.h"
#include "windows_host/ask.h"
#include "windows_host/handle.h"
#include "windows_host/relay_process.h"
#include "windows_host/system_error.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::chrono::minutes kOneConversation{8};  // mxcd ends one after ten

// A relay and a conversation with mxcd by it.
struct Held {
  std::unique_ptr<RelayProcess> relay;
  std::unique_ptr<Conversation> mxcd;
  Clock::time_point since;
};

Result<Held> Reach(const HoldOptions& options, HostSockets& sockets) {
  Held held;
  wire::Opening opening;
  opening.user = options.user;
  held.relay = MXC_TRY(
      RelayProcess::Start({options.distribution, options.user, options.away_required}, std::move(opening), sockets));
  held.mxcd = std::make_unique<Conversation>(*held.relay);
  held.since = Clock::now();
  return held;
}

// Sessions that are laid out only, or have ended, need nothing.
Result<bool> AnyRuns(Conversation& mxcd) {
  wire::Request request;
  request.operation = wire::Operation::kList;
  const wire::Reply reply = MXC_TRY(mxcd.Ask(request));
  const oci::StrictJson list = MXC_TRY(oci::ParseStrictJson(reply.text, "mxcd's answer", wire::kMaxMessage));
  for (const oci::StrictJson& one : list) {
    if (one.value("state", "") == "running" || one.value("state", "") == "starting") return true;
  }
  return false;
}

std::wstring HexOf(const std::wstring& text) {
  static constexpr wchar_t kDigits[] = L"0123456789abcdef";
  std::wstring hex;
  for (const wchar_t unit : text) {
    for (int shift = 12; shift >= 0; shift -= 4) hex += kDigits[(unit >> shift) & 15];
  }
  return hex;
}

}  // namespace

Result<void> StartHolder(const std::string& distribution, const std::string& user) {
  wchar_t own[4096];
  const DWORD size = ::GetModuleFileNameW(nullptr, own, 4096);
  if (size == 0 || size >= 4096) return SystemError("find mxc.exe", ::GetLastError());
  std::wstring command = QuoteArgument(own);
  for (const auto& [option, value] : {std::pair(L"--distribution", &distribution), std::pair(L"--user", &user)}) {
    if (!value->empty()) command += std::wstring(L" ") + option + L" " + QuoteArgument(MXC_TRY(Widen(*value)));
  }
  command += L" __hold";
  // Nothing of the caller's: who waits for the end of mxc.exe's output would wait for the holder's.
  SECURITY_ATTRIBUTES inherited{sizeof inherited, nullptr, TRUE};
  const UniqueHandle nothing(::CreateFileW(L"NUL", GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ | FILE_SHARE_WRITE,
                                           &inherited, OPEN_EXISTING, 0, nullptr));
  STARTUPINFOEXW startup{};
  startup.StartupInfo.cb = sizeof startup;
  startup.StartupInfo.dwFlags = STARTF_USESTDHANDLES;
  startup.StartupInfo.hStdInput = startup.StartupInfo.hStdOutput = startup.StartupInfo.hStdError = nothing.get();
  SIZE_T needed = 0;
  ::InitializeProcThreadAttributeList(nullptr, 1, 0, &needed);
  std::vector<char> memory(needed);
  startup.lpAttributeList = reinterpret_cast<LPPROC_THREAD_ATTRIBUTE_LIST>(memory.data());
  HANDLE only[] = {nothing.get()};
  if (!::InitializeProcThreadAttributeList(startup.lpAttributeList, 1, 0, &needed) ||
      !::UpdateProcThreadAttribute(startup.lpAttributeList, 0, PROC_THREAD_ATTRIBUTE_HANDLE_LIST, only, sizeof only,
                                   nullptr, nullptr)) {
    return SystemError("limit what the holder inherits", ::GetLastError());
  }
  PROCESS_INFORMATION started{};
  constexpr DWORD kFlags = CREATE_NO_WINDOW | CREATE_NEW_PROCESS_GROUP | EXTENDED_STARTUPINFO_PRESENT;
  wchar_t root[MAX_PATH];
  if (::GetSystemDirectoryW(root, MAX_PATH) == 0) return SystemError("find Windows", ::GetLastError());
  // A job that lets nobody out ends the holder with the caller: that is what such a job is for.
  for (const DWORD flags : {kFlags | CREATE_BREAKAWAY_FROM_JOB, kFlags}) {
    std::wstring line = command;
    if (::CreateProcessW(own, line.data(), nullptr, nullptr, TRUE, flags, nullptr, root, &startup.StartupInfo,
                         &started)) {
      ::CloseHandle(started.hThread);
      ::CloseHandle(started.hProcess);
      return {};
    }
  }
  return SystemError("start what keeps the distribution alive", ::GetLastError());
}

Result<void> Hold(const HoldOptions& options, HostSockets& sockets) {
  const std::wstring name = L"Local\\MxcHold-" + HexOf(MXC_TRY(Widen(options.distribution + "\n" + options.user)));
  const UniqueHandle mutex(::CreateMutexW(nullptr, TRUE, name.substr(0, MAX_PATH - 1).c_str()));
  if (mutex.get() == nullptr) return SystemError("see who holds the distribution", ::GetLastError());
  if (::GetLastError() == ERROR_ALREADY_EXISTS) return {};
  Held held = MXC_TRY(Reach(options, sockets));
  Clock::time_point needed = Clock::now();
  do {
    // The next one is there before the one before it goes: the distribution is never without.
    if (Clock::now() - held.since > kOneConversation) {
      Held next = MXC_TRY(Reach(options, sockets));
      std::swap(held, next);
    }
    if (MXC_TRY(AnyRuns(*held.mxcd))) needed = Clock::now();
    ::Sleep(static_cast<DWORD>(options.every.count()));
  } while (Clock::now() - needed < options.linger);
  return {};
}

}  // namespace mxc::windows
