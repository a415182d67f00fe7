#include <doctest/doctest.h>
#include <fcntl.h>

#include <algorithm>
#include <random>

#include "linux_runtime/cgroup/device_program.h"
#include "linux_runtime/cgroup/device_rules.h"
#include "linux_runtime/cgroup/devices_v1.h"
#include "linux_runtime/cgroup/test_tree.h"

using namespace mxc;
using namespace mxc::cgroup;

namespace {

using Text = std::vector<std::string>;

// What a process asks for.
struct Request {
  char type;
  int64_t major, minor;
  uint8_t access;
};

// The specification of DeviceProgram, as plainly as it can be said.
bool Allowed(const std::vector<DeviceRule>& rules, const Request& request) {
  for (uint8_t bit : {kMknod, kReadDevice, kWriteDevice}) {
    if ((request.access & bit) == 0) continue;
    bool allowed = false;
    for (const DeviceRule& rule : rules) {
      bool matches = (rule.type == 'a' || rule.type == request.type) &&
                     (rule.major < 0 || rule.major == request.major) &&
                     (rule.minor < 0 || rule.minor == request.minor) && (rule.access & bit) != 0;
      if (matches) allowed = rule.allow;
    }
    if (!allowed) return false;
  }
  return true;
}

// Runs a program on a request, as the kernel does, and checks what its verifier does about jumps: forward and inside.
bool Run(const std::vector<bpf_insn>& code, const Request& request) {
  const uint32_t context[] = {static_cast<uint32_t>(request.type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR) |
                                  uint32_t{request.access} << 16,
                              static_cast<uint32_t>(request.major), static_cast<uint32_t>(request.minor)};
  uint64_t registers[10] = {};
  for (size_t at = 0; at < code.size(); ++at) {
    const bpf_insn& now = code[at];
    uint64_t& target = registers[now.dst_reg];
    auto immediate = static_cast<uint64_t>(static_cast<int64_t>(now.imm));
    switch (now.code) {
      case BPF_LDX | BPF_MEM | BPF_W:
        target = context[now.off / 4];
        break;
      case BPF_ALU64 | BPF_MOV | BPF_K:
        target = immediate;
        break;
      case BPF_ALU64 | BPF_MOV | BPF_X:
        target = registers[now.src_reg];
        break;
      case BPF_ALU64 | BPF_AND | BPF_K:
        target &= immediate;
        break;
      case BPF_ALU64 | BPF_RSH | BPF_K:
        target >>= immediate;
        break;
      case BPF_JMP | BPF_JNE | BPF_K:
      case BPF_JMP | BPF_JEQ | BPF_K:
        REQUIRE(now.off > 0);
        if ((target == immediate) == (BPF_OP(now.code) == BPF_JEQ)) at += static_cast<size_t>(now.off);
        break;
      case BPF_JMP | BPF_EXIT:
        return registers[0] != 0;
      default:
        FAIL("an instruction that the assembler doesn't have: ", int{now.code});
    }
  }
  FAIL("the program runs past its end");
  return false;
}

std::vector<DeviceRule> Rules(const std::vector<oci::DeviceCgroup>& given) {
  auto rules = DeviceRules(given);
  REQUIRE_MESSAGE(rules.ok(), rules.error().Describe());
  return *rules;
}

}  // namespace

TEST_CASE("everything is denied, then the bundle's rules, then the devices of every container") {
  auto rules = Rules({{true, "c", 10, 229, "rw"}});
  CHECK(rules[0] == DeviceRule{false, 'a', -1, -1, kAllAccess});
  CHECK(rules[1] == DeviceRule{true, 'c', 10, 229, kReadDevice | kWriteDevice});
  CHECK(Allowed(rules, {'c', 1, 3, kReadDevice | kWriteDevice}));
  CHECK(Allowed(rules, {'c', 10, 229, kReadDevice}));
  CHECK(Allowed(rules, {'b', 8, 0, kMknod}));
  CHECK_FALSE(Allowed(rules, {'b', 8, 0, kReadDevice}));
  CHECK_FALSE(Allowed(rules, {'c', 10, 200, kReadDevice}));
}

TEST_CASE("a rule that is none is named by its place") {
  const oci::DeviceCgroup bad[] = {{true, "x", {}, {}, "r"}, {true, "cb", {}, {}, "r"},
                                   {true, "c", {}, {}, ""},  {true, "c", {}, {}, "rx"},
                                   {true, "c", -2, {}, "r"}, {true, "c", 1, 1LL << 31, "r"}};
  for (const oci::DeviceCgroup& one : bad) {
    auto rules = DeviceRules({{false, "a", {}, {}, "rwm"}, one});
    REQUIRE_FALSE(rules.ok());
    CHECK(rules.error().message().starts_with("linux.resources.devices[1]: "));
  }
}

TEST_CASE("the program says what the last rule that matches says, for each kind of access on its own") {
  std::mt19937 random(7);
  auto pick = [&](int most) { return static_cast<int>(random() % static_cast<unsigned>(most)); };
  int allowed = 0, count = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<DeviceRule> rules = {{false, 'a', -1, -1, kAllAccess}};
    for (int i = pick(8); i > 0; --i) {
      rules.push_back({pick(2) == 0, "abc"[pick(3)], pick(3) - 1, pick(3) - 1, static_cast<uint8_t>(1 + pick(7))});
    }
    auto code = DeviceProgram(rules);
    CHECK(code.size() <= 8 + 10 * rules.size());
    for (char type : {'b', 'c'}) {
      for (int device = 0; device < 9; ++device) {
        for (uint8_t access = 1; access <= kAllAccess; ++access) {
          Request request{type, device / 3, device % 3, access};
          bool expected = Allowed(rules, request);
          REQUIRE(Run(code, request) == expected);
          allowed += expected ? 1 : 0;
          ++count;
        }
      }
    }
  }
  // Both answers came often enough for the comparison to mean something.
  CHECK(allowed > count / 10);
  CHECK(allowed < count - count / 10);
}

TEST_CASE("v1's table holds the same where it can say it") {
  auto table = TableOf(Rules({{true, "c", 10, 229, "rw"}, {true, "c", 10, 229, "m"}, {false, "c", 10, 229, "w"}}));
  REQUIRE_MESSAGE(table.ok(), table.error().Describe());
  CHECK_FALSE(table->allow_by_default);
  CHECK(table->Lines() == Text{"b *:* m", "c *:* m", "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm", "c 1:8 rwm", "c 1:9 rwm",
                               "c 5:0 rwm", "c 5:2 rwm", "c 10:229 rm", "c 136:* rwm"});

  auto privileged = TableOf(Rules({{true, "a", {}, {}, "rwm"}}));
  REQUIRE(privileged.ok());
  CHECK(*privileged == DeviceTable{true, {}});

  auto but_one = TableOf(Rules({{true, "", {}, {}, "rwm"}, {false, "b", 8, {}, "w"}}));
  REQUIRE(but_one.ok());
  CHECK(but_one->allow_by_default);
  CHECK(but_one->Lines() == Text{"b 8:* w"});

  // Denying what covers an allowance takes it away whole.
  auto wide = TableOf(Rules({{true, "c", 10, 1, "r"}, {true, "c", 10, 2, "r"}, {false, "c", 10, {}, "rwm"}}));
  REQUIRE(wide.ok());
  CHECK(*wide == *TableOf(Rules({})));
}

TEST_CASE("a hole in what a v1 rule covers can't be said there") {
  auto table = TableOf(Rules({{true, "c", 10, {}, "rw"}, {false, "c", 10, 200, "rw"}}));
  REQUIRE_FALSE(table.ok());
  CHECK(table.error().code() == Code::kUnsupported);
  CHECK(table.error().message() ==
        "linux.resources.devices: 'c 10:200 rw' takes a part out of 'c 10:* rw', which cgroup v1 can't do");
  // It makes no hole where the access differs.
  CHECK(TableOf(Rules({{true, "c", 10, {}, "r"}, {false, "c", 10, 200, "w"}})).ok());
}

TEST_CASE("devices.list is read back; other lines are nothing") {
  DeviceTable table = ParseDeviceList("c 1:3 rwm\nb *:* m\n");
  CHECK(table.Lines() == Text{"b *:* m", "c 1:3 rwm"});
  CHECK(ParseDeviceList("a *:* rwm\n") == DeviceTable{true, {}});
  for (const char* text : {"", "\n", "c", "c 1", "c 1:", "c 1:3", "c 1:3 ", "c 1:3 x", "x 1:3 r", "c -1:3 r",
                           "c 99999999999999999999:3 r"}) {
    CAPTURE(text);
    CHECK(ParseDeviceList(text) == DeviceTable{});
  }
}

TEST_CASE("a group in use is changed by what differs; a new one starts from nothing") {
  Tree tree;
  tree.Put("c1/devices.list", "c 1:3 rwm\nc 10:229 rw\n");
  auto group = Directory::Open(tree.Path("c1"), O_CREAT | O_APPEND);
  REQUIRE(group.ok());
  DeviceTable table;
  table.exceptions = {{{'c', 1, 3}, kAllAccess}, {{'c', 10, 229}, kReadDevice}, {{'c', 10, 1}, kReadDevice}};
  REQUIRE(SetDevicesV1(*group, table, true).ok());
  CHECK(tree.Get("c1/devices.allow") == "c 10:1 r");
  CHECK(tree.Get("c1/devices.deny") == "c 10:229 w");
  REQUIRE(SetDevicesV1(*group, table, false).ok());
  CHECK(tree.Get("c1/devices.deny") == "c 10:229 wa");
  CHECK(tree.Get("c1/devices.allow") == "c 10:1 rc 1:3 rwmc 10:1 rc 10:229 r");
}
