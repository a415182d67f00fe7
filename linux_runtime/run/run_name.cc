#include "linux_runtime/run/run_name.h"

#include <errno.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <string_view>

namespace mxc::run {

std::string NewRunName() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return kRunPrefix + std::to_string(::getpid()) + "-" + std::to_string(now.tv_sec * 1'000'000 + now.tv_nsec / 1000);
}

bool RunLives(const std::string& name) {
  const std::string_view number = std::string_view(name).substr(std::min(name.size(), sizeof kRunPrefix - 1));
  int pid = 0;
  std::from_chars(number.data(), number.data() + number.size(), pid);
  return pid > 0 && (::kill(pid, 0) == 0 || errno != ESRCH);
}

}  // namespace mxc::run
