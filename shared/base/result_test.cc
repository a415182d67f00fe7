#include "shared/base/result.h"

#include <doctest/doctest.h>

#include <memory>

namespace mxc {
namespace {

Result<std::unique_ptr<int>> Make(bool fail) {
  if (fail) return Error(Code::kSystem, "EPERM").WithErrno(1).WithHint("run as root").WithHint("too late");
  return std::make_unique<int>(7);
}

Result<int> Use(bool fail) {
  std::unique_ptr<int> made = MXC_TRY_AS("make it", Make(fail));
  return *made;
}

Result<void> Outer(bool fail) {
  MXC_TRY_AS("start", Use(fail));
  return {};
}

TEST_CASE("a value passes through, an error collects its context") {
  CHECK(Outer(false).ok());
  Result<void> failed = Outer(true);
  REQUIRE(!failed.ok());
  CHECK(failed.error().Describe() == "start: make it: EPERM");
  CHECK(failed.error().hint() == "run as root");
  CHECK(failed.error().system_errno() == 1);
}

TEST_CASE("a position comes first") {
  Error error = Error(Code::kInvalid, "unknown field").WithPosition({"p.json", 3, 7, "/process/args"});
  CHECK(error.Describe() == "p.json:3:7: /process/args: unknown field");
}

}  // namespace
}  // namespace mxc
