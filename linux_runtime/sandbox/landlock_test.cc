#include "linux_runtime/sandbox/landlock.h"

#include <doctest/doctest.h>

namespace mxc::sandbox {
namespace {

const std::vector<LandlockPath> kPaths = {{"/", LandlockAccess::kListOnly, false},
                                          {"/usr", LandlockAccess::kReadOnly, false},
                                          {"/tmp", LandlockAccess::kReadWrite, false},
                                          {"/dev", LandlockAccess::kDevice, true}};

LandlockPlan Plan(int abi, const oci::LandlockSpec& spec = {}) {
  auto plan = PlanLandlock(abi, kPaths, spec);
  REQUIRE_MESSAGE(plan.ok(), plan.error().Describe());
  return std::move(plan).value();
}

TEST_CASE("masks of every ABI") {
  struct Expected {
    int abi;
    uint64_t handled, read_write, device, scopes;
    uint32_t flags;
    size_t notes;
  };
  // Handled: 13 rights in ABI 1, REFER in 2, TRUNCATE in 3, IOCTL_DEV in 5.
  const Expected table[] = {
      {1, 0x1fff, 0x17bf, 0x000e, 0, 0, 4}, {2, 0x3fff, 0x37bf, 0x000e, 0, 0, 3}, {3, 0x7fff, 0x77bf, 0x400e, 0, 0, 2},
      {4, 0x7fff, 0x77bf, 0x400e, 0, 0, 2}, {5, 0xffff, 0x77bf, 0xc00e, 0, 0, 1}, {6, 0xffff, 0x77bf, 0xc00e, 3, 0, 0},
      {7, 0xffff, 0x77bf, 0xc00e, 3, 2, 0}, {9, 0xffff, 0x77bf, 0xc00e, 3, 2, 0},
  };
  for (const Expected& e : table) {
    CAPTURE(e.abi);
    LandlockPlan plan = Plan(e.abi);
    CHECK(plan.enabled());
    CHECK(plan.abi == std::min(e.abi, 7));
    CHECK(plan.handled_files == e.handled);
    CHECK(plan.handled_tcp == 0);
    CHECK(plan.scopes == e.scopes);
    CHECK(plan.restrict_flags == e.flags);
    CHECK(plan.notes.size() == e.notes);
    REQUIRE(plan.rules.size() == 4);
    CHECK(plan.rules[0].access == 0x8);
    CHECK(plan.rules[1].access == 0xd);
    CHECK(plan.rules[2].access == e.read_write);
    CHECK(plan.rules[3].access == e.device);
    CHECK(plan.rules[3].optional);
  }
}

TEST_CASE("without Landlock: a note, or a refusal when it is required or asked for TCP") {
  LandlockPlan plan = Plan(-38);
  CHECK_FALSE(plan.enabled());
  CHECK(plan.notes.size() == 1);
  oci::LandlockSpec required;
  required.required = true;
  CHECK(PlanLandlock(0, kPaths, required).error().code() == Code::kUnsupported);
  CHECK(PlanLandlock(1, kPaths, required).ok());
  oci::LandlockSpec tcp;
  tcp.tcp_connect = std::vector<uint16_t>{443};
  CHECK(PlanLandlock(-38, kPaths, tcp).error().code() == Code::kUnsupported);
  CHECK(PlanLandlock(3, kPaths, tcp).error().code() == Code::kUnsupported);
  CHECK(PlanLandlock(4, kPaths, tcp).ok());
  oci::LandlockSpec off;
  off.enabled = false;
  CHECK_FALSE(Plan(7, off).enabled());
}

TEST_CASE("nesting leaves the files out, and what stays depends on the ABI") {
  oci::LandlockSpec spec;
  spec.files = false;
  LandlockPlan plan = Plan(7, spec);
  CHECK(plan.enabled());
  CHECK(plan.handled_files == 0);
  CHECK(plan.rules.empty());
  CHECK(plan.scopes == 3);
  CHECK_FALSE(Plan(5, spec).enabled());
}

TEST_CASE("TCP ports: one rule a port; an empty list allows none") {
  oci::LandlockSpec spec;
  spec.tcp_bind = std::vector<uint16_t>{8080, 80};
  spec.tcp_connect = std::vector<uint16_t>{80};
  LandlockPlan plan = Plan(4, spec);
  CHECK(plan.handled_tcp == 3);
  REQUIRE(plan.ports.size() == 2);
  CHECK(plan.ports[1].port == 80);
  CHECK(plan.ports[1].access == 3);
  oci::LandlockSpec none;
  none.tcp_connect = std::vector<uint16_t>{};
  LandlockPlan closed = Plan(4, none);
  CHECK(closed.handled_tcp == 2);
  CHECK(closed.ports.empty());
}

TEST_CASE("access in words") {
  CHECK(DescribeLandlockAccess(0xd) == "execute read-file read-dir");
  CHECK(DescribeLandlockAccess(0) == "");
}

}  // namespace
}  // namespace mxc::sandbox
