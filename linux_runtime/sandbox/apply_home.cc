#include "linux_runtime/sandbox/apply_home.h"

#include <string.h>

#include "linux_runtime/sandbox/process_plan.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr std::string_view kName = "HOME=";

std::string_view Field(std::string_view line, int number) {
  for (; number > 0; --number) {
    size_t colon = line.find(':');
    if (colon == std::string_view::npos) return {};
    line.remove_prefix(colon + 1);
  }
  return line.substr(0, line.find(':'));
}

bool IsNumber(std::string_view text, uint32_t wanted) {
  uint64_t value = 0;
  for (char digit : text) {
    if (digit < '0' || digit > '9') return false;
    value = value * 10 + static_cast<uint64_t>(digit - '0');
    if (value > UINT32_MAX) return false;
  }
  return !text.empty() && value == wanted;
}

// Whether the line was the user's.
bool UseLine(char* entry, std::string_view line, uint32_t uid) {
  std::string_view home = HomeInLine(line, uid);
  if (home.empty() || kName.size() + home.size() >= kHomeSize) return false;
  memcpy(entry + kName.size(), home.data(), home.size());
  entry[kName.size() + home.size()] = '\0';
  return true;
}

// Lines longer than the buffer are passed over.
void Search(int file, char* entry, uint32_t uid) {
  char buffer[4096];
  size_t filled = 0;
  bool skipping = false;
  for (;;) {
    long got = sys::Read(file, buffer + filled, sizeof buffer - filled);
    if (got < 0) return;
    filled += static_cast<size_t>(got);
    size_t start = 0;
    while (const void* found = memchr(buffer + start, '\n', filled - start)) {
      const size_t end = static_cast<size_t>(static_cast<const char*>(found) - buffer);
      if (!skipping && UseLine(entry, {buffer + start, end - start}, uid)) return;
      skipping = false;
      start = end + 1;
    }
    if (got == 0) {
      if (!skipping) UseLine(entry, {buffer + start, filled - start}, uid);
      return;
    }
    memmove(buffer, buffer + start, filled - start);
    filled -= start;
    if (filled == sizeof buffer) {
      skipping = true;
      filled = 0;
    }
  }
}

}  // namespace

std::string_view HomeInLine(std::string_view line, uint32_t uid) {
  if (!IsNumber(Field(line, 2), uid)) return {};
  std::string_view home = Field(line, 5);
  return home.starts_with('/') ? home : std::string_view();
}

void FillHome(char* entry, uint32_t uid) {
  int file = sys::OpenAt2(AT_FDCWD, "/etc/passwd", O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, RESOLVE_NO_MAGICLINKS);
  if (file < 0) return;
  struct stat found;
  // A pipe or a device of the bundle's could hold this process up.
  if (sys::Fstat(file, &found) == 0 && S_ISREG(found.st_mode)) Search(file, entry, uid);
  sys::Close(file);
}

}  // namespace mxc::sandbox
