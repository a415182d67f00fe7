#include "linux_runtime/daemon/homes.h"

#include "doctest/doctest.h"

namespace mxc::daemon {
namespace {

TEST_CASE("a range that somebody else has is found by any of its ids") {
  constexpr uint32_t kFirst = kFirstSessionId, kCount = kIdsPerSession;
  struct Case {
    const char* text;
    bool meets;
  };
  for (const Case& one : {Case{"", false}, Case{"alice:100000:65536\n", false}, Case{"alice:2130702336:4096\n", false},
                          Case{"alice:2130706432:1", true}, Case{"alice:2130702336:4097\n", true},
                          Case{"x\n\nalice:2130710527:1\n", true}, Case{"alice:2130710528:1\n", false},
                          Case{"1000:1:4294967295\n", true}, Case{"alice:2130706432\n", false}}) {
    CAPTURE(one.text);
    CHECK(MeetsSubordinateIds(one.text, kFirst, kCount) == one.meets);
  }
  CHECK(MeetsAccounts("root:x:0:0::/root:/bin/sh\nodd:x:2130706433:5::/:/bin/sh\n", kFirst, kCount));
  CHECK_FALSE(MeetsAccounts("root:x:0:0::/root:/bin/sh\nodd:x:2130706431:5::/:/bin/sh\n", kFirst, kCount));
}

TEST_CASE("ids of sessions are told from others") {
  CHECK_FALSE(IsSessionId(0));
  CHECK_FALSE(IsSessionId(kFirstSessionId - 1));
  CHECK(IsSessionId(kFirstSessionId));
  CHECK_FALSE(IsSessionId(0x7fffffff));
}

TEST_CASE("nobody but a session empties a folder") {
  EmptyFolder(-1);  // as this user it returns, and nothing was ended
  CHECK(true);
}

}  // namespace
}  // namespace mxc::daemon
