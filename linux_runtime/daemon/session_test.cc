#include "linux_runtime/daemon/session.h"

#include <sys/socket.h>
#include <unistd.h>

#include "doctest/doctest.h"

namespace mxc::daemon {
namespace {

// A connection whose other side is gone: the first byte that is sent to it fails.
sys::UniqueFd GoneClient() {
  int pair[2];
  REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  ::close(pair[1]);
  return sys::UniqueFd(pair[0]);
}

int Run(wire::Operation operation, const wire::PolicyPart& policy) {
  SessionStart start;
  start.id = "s-test";
  start.request.id = 1;
  start.request.operation = operation;
  start.request.policy = policy;
  start.client = GoneClient();
  return RunSession(std::move(start));
}

TEST_CASE("A client that has gone before it is answered is no trouble") {
  wire::PolicyPart policy;
  policy.argv = {"true"};
  CHECK(Run(wire::Operation::kFacts, policy) == 0);
  policy.text = "{ this is no policy";
  CHECK(Run(wire::Operation::kRun, policy) == 125);
}

}  // namespace
}  // namespace mxc::daemon
