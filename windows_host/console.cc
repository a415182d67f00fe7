#include "windows_host/console.h"

#include <windows.h>

#include <algorithm>
#include <string>

#include "windows_host/wide_text.h"

namespace mxc::windows {

Output::Output(Stream stream)
    : handle_(::GetStdHandle(stream == Stream::kOut ? STD_OUTPUT_HANDLE : STD_ERROR_HANDLE)),
      console_(::GetConsoleMode(handle_, &mode_) != 0) {}

Output::~Output() {
  if (mode_changed_) ::SetConsoleMode(handle_, mode_);
}

bool Output::EnableColors() {
  if (!console_) return false;
  if ((mode_ & ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0) return true;
  mode_changed_ = ::SetConsoleMode(handle_, mode_ | ENABLE_VIRTUAL_TERMINAL_PROCESSING) != 0;
  return mode_changed_;
}

int Output::width() const {
  CONSOLE_SCREEN_BUFFER_INFO info{};
  if (!console_ || !::GetConsoleScreenBufferInfo(handle_, &info)) return 80;
  // One less: a line that fills the last column wraps in older consoles.
  return std::clamp(info.srWindow.Right - info.srWindow.Left, 40, 120);
}

bool Output::Write(std::string_view text) { return console_ ? WriteCharacters(text) : WriteBytes(text); }

bool Output::WriteBytes(std::string_view bytes) {
  while (!bytes.empty()) {
    DWORD written = 0;
    DWORD size = static_cast<DWORD>(std::min<size_t>(bytes.size(), 1u << 20));
    if (!::WriteFile(handle_, bytes.data(), size, &written, nullptr) || written == 0) return false;
    bytes.remove_prefix(written);
  }
  return true;
}

// Not through SetConsoleOutputCP: it would stay changed for the programs that use the console after us.
bool Output::WriteCharacters(std::string_view text) {
  Result<std::wstring> wide = Widen(text);
  if (!wide.ok()) return WriteBytes(text);
  std::wstring_view rest = *wide;
  while (!rest.empty()) {
    DWORD written = 0;
    // Consoles refuse more than 64 KiB at once.
    DWORD size = static_cast<DWORD>(std::min<size_t>(rest.size(), 16384));
    // A pair of surrogates stays together.
    if (size < rest.size() && size > 1 && rest[size - 1] >= 0xD800 && rest[size - 1] < 0xDC00) --size;
    if (!::WriteConsoleW(handle_, rest.data(), size, &written, nullptr) || written == 0) return false;
    rest.remove_prefix(written);
  }
  return true;
}

}  // namespace mxc::windows
