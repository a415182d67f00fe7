#include "windows_host/system_error.h"

#include <windows.h>

#include "windows_host/wide_text.h"

namespace mxc::windows {
namespace {

// The system's own sentence in the user's language; "" when it has none.
std::string Sentence(uint32_t error) {
  wchar_t text[512];
  DWORD size = ::FormatMessageW(FORMAT_MESSAGE_FROM_SYSTEM | FORMAT_MESSAGE_IGNORE_INSERTS, nullptr, error, 0, text,
                                std::size(text), nullptr);
  while (size > 0 && (text[size - 1] == L'\n' || text[size - 1] == L'\r' || text[size - 1] == L'.')) --size;
  Result<std::string> sentence = Narrow({text, size});
  return sentence.ok() ? std::move(sentence).value() : "";
}

}  // namespace

Error SystemError(const std::string& what, uint32_t error) {
  bool missing = error == ERROR_FILE_NOT_FOUND || error == ERROR_PATH_NOT_FOUND || error == ERROR_INVALID_NAME ||
                 error == ERROR_BAD_NETPATH || error == ERROR_BAD_NET_NAME;
  std::string sentence = Sentence(error);
  std::string number = "error " + std::to_string(error);
  return Error(missing ? Code::kNotFound : Code::kSystem,
               what + ": " + (sentence.empty() ? number : sentence + " (" + number + ")"));
}

}  // namespace mxc::windows
