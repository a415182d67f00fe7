#include "shared/oci/extension.h"

#include <random>

#include "doctest/doctest.h"

namespace mxc::oci {
namespace {

using Annotations = std::map<std::string, std::string>;

class RandomExtension {
 public:
  explicit RandomExtension(uint32_t seed) : random_(seed) {}

  Extension Next() {
    Extension x;
    x.empty_root = Coin();
    for (const std::string& path : Paths()) x.files[path] = Text();
    x.if_present = Paths();
    x.caller_owned = Paths();
    for (const std::string& path : Paths()) x.denied.push_back({path, Text(), Coin()});
    for (const std::string& path : Paths()) x.protect.push_back({path, Text(), Coin()});
    x.on_exposed = static_cast<OnExposed>(random_() % 2);
    x.on_missing = static_cast<OnMissing>(random_() % 3);
    x.identity = static_cast<Identity>(random_() % 3);
    if (Coin()) {
      x.landlock = LandlockSpec{Coin(), Coin(), Coin(), {}, {}};
      if (Coin()) x.landlock->tcp_bind = std::vector<uint16_t>{80, 65535};
      if (Coin()) x.landlock->tcp_connect = std::vector<uint16_t>{};
    }
    x.nesting = Coin();
    x.init = Coin();
    x.timeout_ms = Coin() ? 0 : random_();
    if (Coin()) {
      for (const char* line : {"deny tcp 10.0.0.0/8 25 a", "deny any host * b \" c", "allow udp 2001:db8::/32 1-9 d",
                               "deny any 0.0.0.0/0 * e", "deny any ::/0 * e"}) {
        x.network.push_back(*network::ParseRule(line));
      }
    }
    if (Coin()) x.named_limits = {"pids", "memory"};
    x.run_name = Text();
    x.policy_digest = Text();
    x.profile = Text();
    return x;
  }

 private:
  bool Coin() { return random_() % 2 == 0; }
  std::string Text() {
    static const char* const kPieces[] = {"", "a", "\"", "\\", "\n", "é", "#/", "\t"};
    return std::string(kPieces[random_() % 8]) + kPieces[random_() % 8];
  }
  std::vector<std::string> Paths() {
    std::vector<std::string> paths;
    for (uint32_t i = 0, n = random_() % 4; i < n; ++i) paths.push_back("/" + std::to_string(i) + Text());
    return paths;
  }
  std::mt19937 random_;
};

TEST_CASE("an extension survives writing and reading") {
  RandomExtension random(7);
  for (int i = 0; i < 3000; ++i) {
    Extension x = random.Next();
    Annotations annotations{{"org.other", "not JSON"}};
    WriteExtension(x, annotations);
    auto back = ReadExtension(annotations);
    REQUIRE_MESSAGE(back.ok(), back.error().Describe());
    CHECK(*back == x);
  }
}

TEST_CASE("what is at its default is not written") {
  Annotations annotations;
  WriteExtension({}, annotations);
  CHECK(annotations.empty());
}

TEST_CASE("values are JSON text") {
  Annotations annotations;
  Extension x;
  x.empty_root = true;
  x.init = true;
  x.timeout_ms = 5000;
  x.denied = {{"/a", "p.json#/filesystem/deniedPaths/0", true}, {"/b", "", false}};
  WriteExtension(x, annotations);
  CHECK(annotations.at("dev.mxc.root") == "\"empty\"");
  CHECK(annotations.at("dev.mxc.init") == "true");
  CHECK(annotations.at("dev.mxc.timeout-ms") == "5000");
  CHECK(annotations.at("dev.mxc.denied") ==
        R"([{"path":"/a","rule":"p.json#/filesystem/deniedPaths/0"},{"path":"/b","watch":false}])");
}

TEST_CASE("network rules are whole, or an error") {
  const std::string end = R"("deny any 0.0.0.0/0 * d", "deny any ::/0 * d"])";
  CHECK(ReadExtension({{"dev.mxc.network", R"(["allow any 192.0.2.1/32 * a", )" + end}}).ok());
  for (const std::string& bad :
       {std::string(R"({})"), std::string(R"([])"), std::string(R"(["deny any 0.0.0.0/0 * d"])"),
        std::string(R"(["deny any ::/0 * d", "deny any 0.0.0.0/0 * d"])"),
        std::string(R"(["allow any 0.0.0.0/0 * d", "deny any ::/0 * d"])"),
        std::string(R"(["deny tcp 0.0.0.0/0 * d", "deny any ::/0 * d"])"), R"(["allow any everywhere * a", )" + end,
        R"(["allow any 192.0.2.1/24 * a", )" + end, R"([7, )" + end}) {
    CAPTURE(bad);
    const Result<Extension> read = ReadExtension({{"dev.mxc.network", bad}});
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().position()->pointer == "/annotations/dev.mxc.network");
  }
}

TEST_CASE("other prefixes are not looked at") {
  CHECK(ReadExtension({{"dev.mxcx", "?"}, {"dev.mxc", "?"}, {"io.x", "?"}}).ok());
}

TEST_CASE("a malformed or unknown annotation is an error that names it") {
  const std::pair<const char*, const char*> kBad[] = {
      {"dev.mxc.", "true"},
      {"dev.mxc.newer", "true"},
      {"dev.mxc.Init", "true"},
      {"dev.mxc.init", "1"},
      {"dev.mxc.init", "\"true\""},
      {"dev.mxc.init", ""},
      {"dev.mxc.init", "true true"},
      {"dev.mxc.init", "null"},
      {"dev.mxc.root", "\"full\""},
      {"dev.mxc.root", "true"},
      {"dev.mxc.files", "{\"a\":\"\"}"},
      {"dev.mxc.files", "{\"/a\":1}"},
      {"dev.mxc.files", "{\"/a\":\"1\",\"/a\":\"2\"}"},
      {"dev.mxc.if-present", "[\"a\"]"},
      {"dev.mxc.if-present", "[\"/a\",\"/a\"]"},
      {"dev.mxc.caller-owned", "\"/a\""},
      {"dev.mxc.denied", "[\"/a\"]"},
      {"dev.mxc.denied", "[{}]"},
      {"dev.mxc.denied", "[{\"path\":\"a\"}]"},
      {"dev.mxc.denied", "[{\"path\":\"/a\",\"mode\":1}]"},
      {"dev.mxc.denied", "[{\"path\":\"/a\"},{\"path\":\"/a\"}]"},
      {"dev.mxc.denied", "[{\"path\":\"/a\\u0000b\"}]"},
      {"dev.mxc.protect", "{}"},
      {"dev.mxc.on-exposed", "\"watch\""},
      {"dev.mxc.on-missing", "0"},
      {"dev.mxc.identity", "\"spec\""},
      {"dev.mxc.landlock", "true"},
      {"dev.mxc.landlock", "{\"enabled\":1}"},
      {"dev.mxc.landlock", "{\"udp\":[1]}"},
      {"dev.mxc.landlock", "{\"tcpBind\":[65536]}"},
      {"dev.mxc.landlock", "{\"tcpBind\":[1,1]}"},
      {"dev.mxc.timeout-ms", "-1"},
      {"dev.mxc.timeout-ms", "1.5"},
      {"dev.mxc.timeout-ms", "4294967296"},
      {"dev.mxc.named-limits", "[\"disk\"]"},
      {"dev.mxc.named-limits", "[\"pids\",\"pids\"]"},
      {"dev.mxc.run", "7"},
  };
  for (const auto& [name, value] : kBad) {
    auto x = ReadExtension({{name, value}});
    REQUIRE_FALSE_MESSAGE(x.ok(), name << " = " << value);
    REQUIRE(x.error().position().has_value());
    CHECK(x.error().position()->pointer == std::string("/annotations/") + name);
    CHECK_FALSE(x.error().message().empty());
  }
}

}  // namespace
}  // namespace mxc::oci
