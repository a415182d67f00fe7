#include "linux_runtime/container/container.h"

#include <doctest/doctest.h>
#include <signal.h>

namespace mxc::container {
namespace {

TEST_CASE("signals by name and by number") {
  CHECK(SignalNumber("9") == 9);
  CHECK(SignalNumber("0") == 0);
  CHECK(SignalNumber("KILL") == SIGKILL);
  CHECK(SignalNumber("SIGKILL") == SIGKILL);
  CHECK(SignalNumber("sigterm") == SIGTERM);
  CHECK(SignalNumber("CLD") == SIGCHLD);
  CHECK(SignalNumber("RTMIN") == SIGRTMIN);
  CHECK(SignalNumber("SIGRTMIN+3") == SIGRTMIN + 3);
  CHECK(SignalNumber("RTMAX-1") == SIGRTMAX - 1);
  for (const char* wrong :
       {"", "SIG", "-1", "65", "999999999999", "KILLL", "RTMIN-1", "RTMIN+", "RTMIN+99", "RTMAX+1", "9 ", "+9"}) {
    CAPTURE(wrong);
    CHECK_FALSE(SignalNumber(wrong).has_value());
  }
}

}  // namespace
}  // namespace mxc::container
