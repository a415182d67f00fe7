#include "linux_runtime/container/process.h"

#include <stdlib.h>
#include <string.h>

#include <string>

#include "linux_runtime/sys/raw.h"

namespace mxc::container {

std::optional<ProcessLook> LookAtProcess(pid_t pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/stat";
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!file.valid()) return std::nullopt;
  char text[1024];
  const long size = sys::Read(file.get(), text, sizeof text - 1);
  if (size <= 0) return std::nullopt;
  text[size] = '\0';
  // The second field is the program's name in parentheses, which may hold any byte; what follows the last one is plain.
  const char* at = strrchr(text, ')');
  if (at == nullptr || at[1] != ' ') return std::nullopt;
  ProcessLook look;
  look.state = at[2];
  constexpr int kStateField = 3, kStartField = 22;
  const char* field = at + 1;
  for (int number = kStateField; number <= kStartField; ++number) {
    if (number > kStateField) field = strchr(field, ' ');
    if (field == nullptr) return std::nullopt;
    ++field;
  }
  look.start_ticks = ::strtoull(field, nullptr, 10);
  return look;
}

std::optional<sys::UniqueFd> OpenProcess(const ProcessIdentity& process) {
  if (process.pid <= 0) return std::nullopt;
  sys::UniqueFd pidfd(sys::PidfdOpen(process.pid));
  if (!pidfd.valid()) return std::nullopt;
  // Looked at after it was opened: what is seen now is the process that the descriptor holds, or it is gone.
  std::optional<ProcessLook> look = LookAtProcess(process.pid);
  if (!look || look->start_ticks != process.start_ticks || look->state == 'Z' || look->state == 'X')
    return std::nullopt;
  if (sys::PidfdSendSignal(pidfd.get(), 0) == -ESRCH) return std::nullopt;
  return pidfd;
}

bool AwaitProcessEnd(int pidfd, int milliseconds) {
  pollfd end{pidfd, POLLIN, 0};
  long ready;
  while ((ready = sys::Check(::poll(&end, 1, milliseconds))) == -EINTR) {
  }
  return ready > 0;
}

}  // namespace mxc::container
