#include "windows_host/handle.h"

#include <windows.h>

#include "windows_host/system_error.h"
#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

// Windows takes a path of 260 characters and more only in its absolute form behind \\?\.
Result<std::wstring> Openable(const std::string& path) {
  std::wstring wide = MXC_TRY_AS("open the file", Widen(path));
  if (wide.find(L'\0') != std::wstring::npos) return Error(Code::kInvalid, "a file name holds a NUL character");
  constexpr size_t kLong = 248;  // MAX_PATH without room for a short name
  if (wide.size() < kLong || wide.starts_with(L"\\\\")) return wide;
  DWORD needed = ::GetFullPathNameW(wide.c_str(), 0, nullptr, nullptr);
  std::wstring full(needed, L'\0');
  DWORD size = needed == 0 ? 0 : ::GetFullPathNameW(wide.c_str(), needed, full.data(), nullptr);
  if (size == 0 || size >= needed) return SystemError("open " + path, ::GetLastError());
  full.resize(size);
  return L"\\\\?\\" + full;
}

}  // namespace

UniqueHandle::~UniqueHandle() {
  if (handle_ != nullptr && handle_ != INVALID_HANDLE_VALUE) ::CloseHandle(handle_);
}

Result<std::string> ReadAll(void* handle, const std::string& name, size_t limit) {
  std::string text;
  char buffer[65536];
  for (;;) {
    DWORD count = 0;
    if (!::ReadFile(handle, buffer, sizeof buffer, &count, nullptr)) {
      DWORD error = ::GetLastError();
      // How a pipe says that its writer has closed it.
      if (error == ERROR_BROKEN_PIPE || error == ERROR_HANDLE_EOF) return text;
      return SystemError("read " + name, error);
    }
    if (count == 0) return text;
    text.append(buffer, count);
    if (text.size() > limit) {
      return Error(Code::kInvalid, name + ": more than " + std::to_string(limit >> 20) + " MiB, which no policy needs")
          .WithHint("is it the right file?");
    }
  }
}

Result<std::string> ReadWholeFile(const std::string& path, size_t limit) {
  std::wstring name = MXC_TRY(Openable(path));
  UniqueHandle file(::CreateFileW(name.c_str(), GENERIC_READ, FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE,
                                  nullptr, OPEN_EXISTING, FILE_ATTRIBUTE_NORMAL, nullptr));
  if (file.get() == INVALID_HANDLE_VALUE) {
    DWORD error = ::GetLastError();
    DWORD attributes = ::GetFileAttributesW(name.c_str());
    if (attributes != INVALID_FILE_ATTRIBUTES && (attributes & FILE_ATTRIBUTE_DIRECTORY) != 0) {
      return Error(Code::kSystem, "open " + path + ": it is a folder");
    }
    return SystemError("open " + path, error);
  }
  return ReadAll(file.get(), path, limit);
}

Result<std::string> ReadStandardInput(size_t limit) {
  HANDLE input = ::GetStdHandle(STD_INPUT_HANDLE);
  DWORD mode;
  if (input == nullptr || input == INVALID_HANDLE_VALUE || ::GetConsoleMode(input, &mode)) {
    return Error(Code::kUsage, "\"-\" stands for standard input, and that is a console or closed")
        .WithHint("name a file, or pipe one in");
  }
  return ReadAll(input, "standard input", limit);
}

}  // namespace mxc::windows
