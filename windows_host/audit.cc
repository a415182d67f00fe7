#include "windows_host/audit.h"

#include <windows.h>

#include <string>

#include "windows_host/handle.h"
#include "windows_host/system_error.h"

namespace mxc::windows {
namespace {

constexpr wchar_t kFolder[] = L"\\MxcRuntime\\audit";
constexpr DWORD kWaitMs = 2000, kStepMs = 10;
constexpr LONGLONG kTail = 256 << 10;  // holds the last line, which is far shorter

int64_t Now() {
  FILETIME now;
  ::GetSystemTimePreciseAsFileTime(&now);
  const uint64_t ticks = uint64_t{now.dwHighDateTime} << 32 | now.dwLowDateTime;
  constexpr uint64_t kUnixEpoch = 116444736000000000;  // in 100 ns since 1601
  return static_cast<int64_t>((ticks - kUnixEpoch) / 10);
}

Result<std::wstring> MakeFolder() {
  std::wstring path(32'768, L'\0');
  const DWORD size = ::GetEnvironmentVariableW(L"LOCALAPPDATA", path.data(), static_cast<DWORD>(path.size()));
  if (size == 0 || size >= path.size())
    return Error(Code::kSystem, "LOCALAPPDATA is not set, and the audit lies below it");
  path.resize(size);
  const std::wstring above = path + L"\\MxcRuntime";
  path += kFolder;
  for (const std::wstring& folder : {above, path}) {
    if (!::CreateDirectoryW(folder.c_str(), nullptr) && ::GetLastError() != ERROR_ALREADY_EXISTS) {
      return SystemError("make the audit's folder", ::GetLastError());
    }
  }
  return path;
}

// Where the chain ends; what is torn or foreign behind the last whole line is passed over.
Result<audit::Chain> EndOf(HANDLE file) {
  LARGE_INTEGER size{};
  if (!::GetFileSizeEx(file, &size)) return SystemError("look at the audit", ::GetLastError());
  LARGE_INTEGER start{};
  start.QuadPart = size.QuadPart > kTail ? size.QuadPart - kTail : 0;
  std::string tail(static_cast<size_t>(size.QuadPart - start.QuadPart), '\0');
  DWORD got = 0;
  if (!::SetFilePointerEx(file, start, nullptr, FILE_BEGIN) ||
      !::ReadFile(file, tail.data(), static_cast<DWORD>(tail.size()), &got, nullptr)) {
    return SystemError("read the audit", ::GetLastError());
  }
  std::string_view text(tail.data(), got);
  while (!text.empty()) {
    const size_t end = text.rfind('\n');
    if (end == std::string_view::npos) break;
    text = text.substr(0, end);
    const size_t before = text.rfind('\n');
    const std::string_view line = before == std::string_view::npos ? text : text.substr(before + 1);
    if (Result<audit::Chain> said = audit::ReadChain(line); said.ok())
      return audit::Chain{said->sequence, audit::HashOf(line)};
  }
  return audit::Chain{};
}

}  // namespace

Result<void> AppendAudit(audit::Event event) {
  const std::wstring path = MXC_TRY(MakeFolder()) + L"\\audit.jsonl";
  HANDLE opened = INVALID_HANDLE_VALUE;
  for (DWORD waited = 0;; waited += kStepMs) {
    opened = ::CreateFileW(path.c_str(), GENERIC_READ | GENERIC_WRITE, FILE_SHARE_READ, nullptr, OPEN_ALWAYS,
                           FILE_ATTRIBUTE_NORMAL, nullptr);
    if (opened != INVALID_HANDLE_VALUE) break;
    if (::GetLastError() != ERROR_SHARING_VIOLATION || waited >= kWaitMs)
      return SystemError("open the audit", ::GetLastError());
    ::Sleep(kStepMs);
  }
  const UniqueHandle file(opened);
  audit::Chain chain = MXC_TRY(EndOf(file.get()));
  event.unix_us = Now();
  const std::string line = audit::WriteLine(event, chain);
  LARGE_INTEGER none{};
  DWORD written = 0;
  if (!::SetFilePointerEx(file.get(), none, nullptr, FILE_END) ||
      !::WriteFile(file.get(), line.data(), static_cast<DWORD>(line.size()), &written, nullptr) ||
      written != line.size()) {
    return SystemError("write the audit", ::GetLastError());
  }
  return {};
}

}  // namespace mxc::windows
