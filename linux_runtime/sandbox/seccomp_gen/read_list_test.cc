#include "linux_runtime/sandbox/seccomp_gen/read_list.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <fstream>

namespace mxc::seccomp_gen {
namespace {

// Reads "base" and, when given, "child".
Result<std::map<std::string, List>> Read(const std::string& base, const std::string& child = "") {
  const char* folder = std::getenv("TEST_TMPDIR");
  std::string path = std::string(folder != nullptr ? folder : "/tmp");
  std::vector<std::string> files = {path + "/base.yaml"};
  std::ofstream(files[0]) << base;
  if (!child.empty()) {
    files.push_back(path + "/child.yaml");
    std::ofstream(files[1]) << child;
  }
  return ReadLists(files);
}

int HowMany(const std::vector<Condition>& conditions, uint32_t value) {
  int count = 0;
  for (const Condition& c : conditions) count += (value & c.mask) == c.value;
  return count;
}

TEST_CASE("the complement holds for every other number, once") {
  std::vector<uint32_t> values = {0x5412, 0x541c, 0, 0xffffffff};
  auto blocks = Complement(1, values);
  for (uint32_t value : values) {
    CHECK(HowMany(blocks, value) == 0);
    for (int bit = 0; bit < 32; ++bit) {
      uint32_t near = value ^ (1u << bit);
      bool forbidden = false;
      for (uint32_t other : values) forbidden |= other == near;
      CHECK(HowMany(blocks, near) == (forbidden ? 0 : 1));
    }
  }
}

TEST_CASE("alternatives, lists of values, and inheritance by call") {
  auto lists = Read(
      "summary: s\ngroups:\n- {name: a, why: w, allow: [read, write, socket]}\n",
      "summary: s\ninherit: base\ngroups:\n- {name: b, why: w, kill: [write]}\n- name: c\n  why: w\n  allow: [socket]\n"
      "  when:\n  - [{arg: 0, in: [1, 2]}, {arg: 1, bits: 0xf, are: 3}]\n  - {arg: 2, clear: 0x8}\n");
  REQUIRE_MESSAGE(lists.ok(), lists.error().Describe());
  const List& child = lists->at("child");
  REQUIRE(child.groups.size() == 3);
  CHECK(child.groups[2].list == "base");
  CHECK(child.groups[2].calls == std::vector<std::string>{"read"});
  REQUIRE(child.groups[1].alternatives.size() == 3);
  CHECK(child.groups[1].alternatives[1][0].value == 2);
  CHECK(child.groups[1].alternatives[1][1].mask == 0xf);
  CHECK(child.groups[1].when ==
        "argument 0 is one of 1, 2 and argument 1 masked by 0xf is 3; or argument 2 has none of the bits 0x8");
}

TEST_CASE("mistakes in a list stop the build") {
  auto fails = [](const std::string& groups) { return !Read("summary: s\ngroups:\n" + groups).ok(); };
  CHECK_FALSE(fails("- {name: a, why: w, allow: [read]}\n"));
  CHECK(fails("- {name: a, allow: [read]}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read], kill: [write]}\n"));
  CHECK(fails("- {name: a, why: w, refuse: [read]}\n"));
  CHECK(fails("- {name: a, why: w, errno: EWHAT, refuse: [read]}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read], wehn: []}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read], when: [{arg: 6, is: 1}]}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read], when: [{arg: 0, is: 0x100000028}]}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read], when: [{arg: 0, is: 1, in: [2]}]}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read], when: [{arg: 0, bits: 0xf, are: 0x10}]}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read], when: [[{arg: 0, is: 1}, {arg: 0, is: 2}]]}\n"));
  CHECK(fails("- {name: a, why: w, allow: [read]}\n- {name: b, why: w, kill: [read]}\n"));
  CHECK_FALSE(Read("summary: s\ninherit: nobody\ngroups: []\n").ok());
}

}  // namespace
}  // namespace mxc::seccomp_gen
