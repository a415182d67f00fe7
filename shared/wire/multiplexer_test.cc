#include "shared/wire/multiplexer.h"

#include <map>
#include <string>
#include <vector>

#include "doctest/doctest.h"

namespace mxc::wire {
namespace {

class Ear : public Receiver {
 public:
  Result<void> OnHello(std::string_view json) override {
    hello = json;
    return {};
  }
  Result<void> OnMessage(std::string_view json) override {
    messages.emplace_back(json);
    return {};
  }
  void OnData(uint32_t stream, std::string_view bytes) override { data[stream].append(bytes); }
  void OnEnd(uint32_t stream) override { ended.push_back(stream); }
  void OnReset(uint32_t stream) override { reset.push_back(stream); }
  void OnBye() override { bye = true; }

  std::string hello;
  std::vector<std::string> messages;
  std::map<uint32_t, std::string> data;
  std::vector<uint32_t> ended, reset;
  bool bye = false;
};

struct Two {
  Two() {
    here.SendHello("{}");
    there.SendHello("{}");
    Carry();
  }
  // Everything that waits goes over, in pieces of `step` bytes.
  void Carry(size_t step = SIZE_MAX) {
    while (!here.Pending().empty() || !there.Pending().empty()) {
      Move(here, there, step);
      Move(there, here, step);
    }
  }
  static void Move(Multiplexer& from, Multiplexer& to, size_t step) {
    const std::string bytes(from.Pending().substr(0, step));
    from.Sent(bytes.size());
    REQUIRE(to.Receive(bytes).ok());
  }
  Ear here_ear, there_ear;
  Multiplexer here{here_ear}, there{there_ear};
};

TEST_CASE("Messages and streams arrive whole however the transport cuts them") {
  for (const size_t step : {size_t{1}, size_t{7}, size_t{4096}, SIZE_MAX}) {
    Two two;
    REQUIRE(two.here.OpenWriter(1));
    REQUIRE(two.there.OpenReader(1));
    two.here.SendMessage("{\"type\":\"x\"}");
    CHECK(two.here.Write(1, "abc") == 3);
    CHECK(two.here.Write(1, "def") == 3);
    two.here.End(1);
    two.Carry(step);
    CHECK(two.there_ear.hello == "{}");
    CHECK(two.there_ear.messages == std::vector<std::string>{"{\"type\":\"x\"}"});
    CHECK(two.there_ear.data[1] == "abcdef");
    CHECK(two.there_ear.ended == std::vector<uint32_t>{1});
    CHECK_FALSE(two.here.IsOpen(1));
    CHECK_FALSE(two.there.IsOpen(1));
  }
}

TEST_CASE("A stream whose reader stands still stops at its window, and others go on") {
  Two two;
  for (const uint32_t stream : {1u, 2u}) {
    REQUIRE(two.here.OpenWriter(stream));
    REQUIRE(two.there.OpenReader(stream));
  }
  const std::string block(kMaxData, 'x');
  size_t sent = 0;
  for (int i = 0; i < 100; ++i) {
    sent += two.here.Write(1, block);
    two.Carry();
  }
  CHECK(sent == kWindow);
  CHECK(two.here.Room(1) == 0);
  size_t other = 0;
  for (int i = 0; i < 100; ++i) {
    other += two.here.Write(2, block);
    two.Carry();
    two.there.Consumed(2, block.size());
    two.Carry();
  }
  CHECK(other == 100 * kMaxData);
  two.there.Consumed(1, kWindow);
  two.Carry();
  CHECK(two.here.Room(1) == kMaxData);
}

TEST_CASE("What waits for the transport is bounded") {
  Two two;
  size_t total = 0;
  for (uint32_t stream = 1; stream <= 100; ++stream) {
    REQUIRE(two.here.OpenWriter(stream));
    for (;;) {
      const size_t taken = two.here.Write(stream, std::string(kMaxData, 'x'));
      if (taken == 0) break;
      total += taken;
    }
  }
  CHECK(total <= Multiplexer::kBacklog + kMaxData);
  for (int i = 0; i < 100000; ++i) two.here.Receive(std::string("\x08\0\0\0\0\0\0\0\x07\0\0\0", 12) + "12345678").ok();
  CHECK(two.here.Pending().size() <= 3 * Multiplexer::kBacklog);
}

TEST_CASE("So many frames are taken in a turn, and none from who doesn't read") {
  Ear ear;
  Multiplexer here(ear);
  std::string bytes;
  AppendFrame(FrameType::kHello, 0, "{}", bytes);
  for (int i = 0; i < 3 * Multiplexer::kFramesATurn; ++i) AppendFrame(FrameType::kMessage, 0, "{}", bytes);
  REQUIRE(here.Receive(bytes).ok());
  CHECK(ear.messages.size() == Multiplexer::kFramesATurn - 1);
  CHECK(here.stalled());
  here.SendMessage(std::string(5 * Multiplexer::kBacklog, 'x'));
  REQUIRE(here.Receive("").ok());
  CHECK(ear.messages.size() == Multiplexer::kFramesATurn - 1);
  CHECK(here.stalled());
  here.Sent(here.Pending().size());
  while (here.stalled()) REQUIRE(here.Receive("").ok());
  CHECK(ear.messages.size() == 3 * Multiplexer::kFramesATurn);
}

TEST_CASE("A writer hears that nobody reads") {
  Two two;
  REQUIRE(two.here.OpenWriter(3));
  REQUIRE(two.there.OpenReader(3));
  two.here.Write(3, "late");
  two.there.Reset(3);
  two.Carry();
  CHECK(two.here_ear.reset == std::vector<uint32_t>{3});
  CHECK(two.there_ear.data[3].empty());
  CHECK(two.here.Room(3) == 0);
  CHECK(two.here.Write(3, "x") == 0);
}

TEST_CASE("Numbers of streams only rise, and so many may be open") {
  Two two;
  CHECK_FALSE(two.here.OpenReader(0));
  CHECK(two.here.OpenReader(5));
  CHECK_FALSE(two.here.OpenReader(5));
  CHECK_FALSE(two.here.OpenWriter(4));
  for (uint32_t stream = 6; stream < 6 + kMaxStreams - 1; ++stream) CHECK(two.here.OpenReader(stream));
  CHECK_FALSE(two.here.OpenReader(5000));
}

std::string FrameOf(uint32_t size, uint32_t stream, int type, std::string_view payload, char padding = 0) {
  std::string bytes;
  AppendU32(size, bytes);
  AppendU32(stream, bytes);
  bytes.push_back(static_cast<char>(type));
  bytes.append(2, '\0');
  bytes.push_back(padding);
  return bytes.append(payload);
}

TEST_CASE("What breaks the protocol ends the connection") {
  const std::string data64k(kMaxData, 'x');
  struct Broken {
    const char* what;
    std::string bytes;
  };
  const Broken cases[] = {
      {"type 0", FrameOf(0, 0, 0, "")},
      {"type 10", FrameOf(0, 0, 10, "")},
      {"padding", FrameOf(8, 0, 7, "12345678", 1)},
      {"a second hello", FrameOf(2, 0, 1, "{}")},
      {"message on a stream", FrameOf(2, 1, 2, "{}")},
      {"data on the connection", FrameOf(1, 0, 3, "x")},
      {"empty data", FrameOf(0, 1, 3, "")},
      {"too much data, announced only", FrameOf(kMaxData + 1, 1, 3, "")},
      {"a huge message, announced only", FrameOf(0xffffffff, 0, 2, "")},
      {"data for a writer", FrameOf(1, 1, 3, "x")},
      {"credit for a reader", FrameOf(4, 2, 6, std::string("\1\0\0\0", 4))},
      {"reset of a reader", FrameOf(0, 2, 5, "")},
      {"an end of a writer", FrameOf(0, 1, 4, "")},
      {"data for nobody", FrameOf(1, 3, 3, "x")},
      {"credit above the window", FrameOf(4, 1, 6, std::string("\1\0\0\0", 4))},
      {"credit that wraps around", FrameOf(4, 1, 6, "\xff\xff\xff\xff")},
      {"an end with a payload", FrameOf(1, 2, 4, "x")},
      {"a short ping", FrameOf(7, 0, 7, "1234567")},
      {"a frame after goodbye", FrameOf(0, 0, 9, "") + FrameOf(8, 0, 7, "12345678")},
  };
  for (const Broken& broken : cases) {
    CAPTURE(broken.what);
    Two two;
    REQUIRE(two.here.OpenWriter(1));
    REQUIRE(two.here.OpenReader(2));
    CHECK_FALSE(two.here.Receive(broken.bytes).ok());
  }
  SUBCASE("no hello first") {
    Ear ear;
    Multiplexer here(ear);
    CHECK_FALSE(here.Receive(FrameOf(2, 0, 2, "{}")).ok());
    CHECK(ear.messages.empty());
  }
  SUBCASE("more data than credit") {
    Two two;
    REQUIRE(two.here.OpenReader(2));
    for (uint32_t i = 0; i < kWindow / kMaxData; ++i) REQUIRE(two.here.Receive(FrameOf(kMaxData, 2, 3, data64k)).ok());
    CHECK_FALSE(two.here.Receive(FrameOf(1, 2, 3, "x")).ok());
  }
  SUBCASE("frames for a stream that was closed here are late, not wrong") {
    Two two;
    REQUIRE(two.here.OpenReader(2));
    two.here.Reset(2);
    CHECK(two.here.Receive(FrameOf(1, 2, 3, "x") + FrameOf(0, 2, 4, "")).ok());
  }
}

TEST_CASE("A ping is answered, and goodbye is heard") {
  Two two;
  two.here.SendPing(0x1122334455667788);
  Two::Move(two.here, two.there, SIZE_MAX);
  CHECK(two.there.Pending() == FrameOf(8, 0, 8, "\x88\x77\x66\x55\x44\x33\x22\x11"));
  two.here.SendBye();
  two.Carry();
  CHECK(two.there_ear.bye);
}

}  // namespace
}  // namespace mxc::wire
