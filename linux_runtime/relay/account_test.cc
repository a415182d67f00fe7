#include "linux_runtime/relay/account.h"

#include "doctest/doctest.h"

namespace mxc::relay {
namespace {

constexpr const char* kPasswd =
    "root:x:0:0:root:/root:/bin/bash\nbroken\nann:x:1000:1001:Ann,,,:/home/ann:/bin/bash\nbob:x:x:1:b:/b:/bin/"
    "sh\nbob:x:7:8::/home/bob:\n";
constexpr const char* kGroup = "root:x:0:\ndocker:x:99:ann,bob\nbad:x:z:ann\nvideo:x:44:bob,ann\nanna:x:45:anna\n";

TEST_CASE("An account has its ids, home and groups") {
  Result<Account> ann = FindAccount("ann", kPasswd, kGroup);
  REQUIRE(ann.ok());
  CHECK(ann->uid == 1000);
  CHECK(ann->gid == 1001);
  CHECK(ann->home == "/home/ann");
  CHECK(ann->groups == std::vector<gid_t>{99, 44});
  CHECK(FindAccount("bob", kPasswd, kGroup)->uid == 7);
  for (const char* name : {"", "an", "broken", "1000", "ann:x"}) CHECK_FALSE(FindAccount(name, kPasswd, kGroup).ok());
}

TEST_CASE("The default user is wsl.conf's, else that of uid 1000, else root") {
  CHECK(DefaultUser("[user]\ndefault = bob\n", kPasswd) == "bob");
  CHECK(DefaultUser("[boot]\ndefault=eve\n[user]\r\n# default=x\ndefault=\"bob\"\r\n", kPasswd) == "bob");
  CHECK(DefaultUser("[user]\ndefaults=bob\n", kPasswd) == "ann");
  CHECK(DefaultUser("", kPasswd) == "ann");
  CHECK(DefaultUser("", "root:x:0:0::/root:\n") == "root");
}

}  // namespace
}  // namespace mxc::relay
