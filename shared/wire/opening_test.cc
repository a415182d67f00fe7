#include "shared/wire/opening.h"

#include "doctest/doctest.h"

namespace mxc::wire {
namespace {

TEST_CASE("Greeting and opening come back as they were") {
  Result<Greeting> greeting = ReadGreeting(WriteGreeting({"mxc-relay 1", "boot", "{vm}", 783}));
  REQUIRE(greeting.ok());
  CHECK(greeting->program == "mxc-relay 1");
  CHECK(greeting->vm_id == "{vm}");
  CHECK(greeting->port == 783);
  Opening opening{"00112233445566778899aabbccddeeff", "me", "PC\\me", "S-1-5-21-1", "C:\\mxc.exe", "sha256:1"};
  Result<Opening> read = ReadOpening(WriteOpening(opening));
  REQUIRE(read.ok());
  CHECK(read->id == opening.id);
  CHECK(read->user == "me");
  CHECK(read->client_path == opening.client_path);
}

TEST_CASE("What is no greeting or opening is refused") {
  for (const char* broken : {"", "[]", "{\"port\":-1}", "{\"port\":4294967296}", "{\"port\":\"x\"}", "{\"vmId\":1}"})
    CHECK_FALSE(ReadGreeting(broken).ok());
  for (const char* broken : {"{}", "{\"id\":\"x\"}", "{\"id\":\"00112233445566778899AABBCCDDEEFF\"}", "{\"id\":1}"})
    CHECK_FALSE(ReadOpening(broken).ok());
}

TEST_CASE("Parts are taken whole, and large ones refused by their size alone") {
  std::string bytes = Part("abc") + Part("");
  const std::string whole = bytes;
  for (size_t size = 0; size < 7; ++size) {
    std::string cut = whole.substr(0, size);
    Result<std::optional<std::string>> part = TakePart(cut);
    REQUIRE(part.ok());
    CHECK_FALSE(part->has_value());
  }
  CHECK(TakePart(bytes)->value() == "abc");
  CHECK(TakePart(bytes)->value().empty());
  CHECK(bytes.empty());
  bytes = "\xff\xff\xff\xff";
  CHECK_FALSE(TakePart(bytes).ok());
}

TEST_CASE("The magic is found behind noise, and nothing else is") {
  std::string bytes = "w\0s\0l\0: update\r\n", noise;
  bytes += kRelayMagic.substr(0, 10);
  CHECK_FALSE(*TakeMagic(bytes, noise));
  bytes += kRelayMagic.substr(10);
  bytes += "rest";
  CHECK(*TakeMagic(bytes, noise));
  CHECK(bytes == "rest");
  CHECK(noise == "w");
  bytes = std::string(kMaxNoise + 1, 'x');
  CHECK_FALSE(TakeMagic(bytes, noise).ok());
}

}  // namespace
}  // namespace mxc::wire
