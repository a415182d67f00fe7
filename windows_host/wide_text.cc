#include "windows_host/wide_text.h"

#include <windows.h>

#include <climits>

namespace mxc::windows {

Result<std::wstring> Widen(std::string_view text) {
  if (text.empty()) return std::wstring();
  if (text.size() > INT_MAX) return Error(Code::kInvalid, "text of more than 2 GiB");
  int size = static_cast<int>(text.size());
  int needed = ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), size, nullptr, 0);
  if (needed == 0) return Error(Code::kInvalid, "\"" + std::string(text) + "\" is not UTF-8");
  std::wstring wide(static_cast<size_t>(needed), L'\0');
  ::MultiByteToWideChar(CP_UTF8, MB_ERR_INVALID_CHARS, text.data(), size, wide.data(), needed);
  return wide;
}

Result<std::string> Narrow(std::wstring_view text) {
  if (text.empty()) return std::string();
  if (text.size() > INT_MAX) return Error(Code::kInvalid, "text of more than 2 GiB");
  int size = static_cast<int>(text.size());
  int needed = ::WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text.data(), size, nullptr, 0, nullptr, nullptr);
  if (needed == 0) return Error(Code::kInvalid, "it holds half of a UTF-16 surrogate pair, which is no character");
  std::string narrow(static_cast<size_t>(needed), '\0');
  ::WideCharToMultiByte(CP_UTF8, WC_ERR_INVALID_CHARS, text.data(), size, narrow.data(), needed, nullptr, nullptr);
  return narrow;
}

}  // namespace mxc::windows
