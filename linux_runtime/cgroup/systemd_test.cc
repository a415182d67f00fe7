// What systemd is asked for. No systemd runs where these tests run: they compare busctl's words, and a stand-in takes
// busctl's place.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include "linux_runtime/cgroup/busctl.h"
#include "linux_runtime/cgroup/systemd_scope.h"
#include "linux_runtime/cgroup/test_tree.h"

using namespace mxc;
using namespace mxc::cgroup;

namespace {

using Words = std::vector<std::string>;

std::string Joined(const Words& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::string Joined(const std::vector<UnitProperty>& properties) {
  Words words;
  for (const UnitProperty& property : properties) {
    words.push_back(property.name + " " + property.signature + " " + Joined(property.words));
  }
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : "; ") + word;
  return text;
}

}  // namespace

TEST_CASE("slice:prefix:name gives the slice and the scope; absent parts have defaults") {
  struct Row {
    const char* path;
    bool rootless;
    ScopeName expected;
  };
  const Row rows[] = {
      {"machine.slice:libpod:abc", false, {"machine.slice", "libpod-abc.scope"}},
      {"", false, {"system.slice", "mxc-c1.scope"}},
      {"", true, {"user.slice", "mxc-c1.scope"}},
      {":cri-containerd:abc", false, {"system.slice", "cri-containerd-abc.scope"}},
      {"user.slice::abc", true, {"user.slice", "abc.scope"}},
      {"kubepods-besteffort-pod1_2.slice:crio:x", false, {"kubepods-besteffort-pod1_2.slice", "crio-x.scope"}},
  };
  for (const Row& row : rows) {
    CAPTURE(row.path);
    auto name = ReadScopePath(row.path, "c1", row.rootless);
    REQUIRE_MESSAGE(name.ok(), name.error().Describe());
    CHECK(*name == row.expected);
  }
  for (const char* path : {"/a/b", "a:b", "a.slice:b:c:d", "a:b:c", "../x.slice:b:c", "a.slice:b:", "a.slice:b:x/y",
                           "a.slice:b c:d", "a.slice:b:c.slice", ".slice:b:c", "-.slice:-b:c"}) {
    CAPTURE(path);
    auto name = ReadScopePath(path, "c1", false);
    REQUIRE_FALSE(name.ok());
    CHECK(name.error().message().starts_with("linux.cgroupsPath: "));
  }
}

TEST_CASE("limits that systemd has a property for") {
  Limits limits;
  limits.memory_bytes = 1000;
  limits.memory_and_swap_bytes = 1500;
  limits.reservation_bytes = 500;
  limits.cpu_shares = 1024;
  limits.cpu_quota_us = 50'500;
  limits.cpu_period_us = 100'000;
  limits.cpuset_cpus = "0-2,9";
  limits.cpuset_mems = "0";
  limits.pids = kUnlimited;
  CHECK(Joined(LimitProperties(limits, Version::kV2)) ==
        "MemoryMax t 1000; MemoryLow t 500; MemorySwapMax t 500; CPUWeight t 39; AllowedCPUs ay 2 7 2; "
        "AllowedMemoryNodes ay 1 1; "
        "CPUQuotaPerSecUSec t 510000; CPUQuotaPeriodUSec t 100000; TasksMax t 18446744073709551615");
  limits.block_io.weight = 300;
  CHECK(Joined(LimitProperties(limits, Version::kHybrid)) ==
        "MemoryLimit t 1000; CPUShares t 1024; BlockIOWeight t 300; CPUQuotaPerSecUSec t 510000; CPUQuotaPeriodUSec t "
        "100000; "
        "TasksMax t 18446744073709551615");
  limits.cpu_quota_us = kUnlimited;
  limits.cpuset_cpus = "x";
  CHECK(Joined(LimitProperties(limits, Version::kV2)).find("CPUQuotaPerSecUSec t 18446744073709551615") !=
        std::string::npos);
  CHECK(LimitProperties({}, Version::kV2).empty());
}

TEST_CASE("devices by number, by driver, or not at all where systemd has no words") {
  DeviceTable table;
  table.exceptions = {{{'c', 1, 3}, kAllAccess},
                      {{'c', 136, -1}, kReadDevice},
                      {{'b', -1, -1}, kMknod},
                      {{'c', -1, 5}, kReadDevice},
                      {{'c', 99, -1}, kReadDevice}};
  CHECK(Joined(DeviceProperties(table,
                                "Character devices:\n  1 mem\n136 pts\n\nBlock devices:\n 99 other\n136 wrong\n")) ==
        "DevicePolicy s strict; DeviceAllow a(ss) 3 block-* m /dev/char/1:3 rwm char-pts r");
  table.allow_by_default = true;
  CHECK(DeviceProperties(table, "").empty());
}

TEST_CASE("annotated properties in GVariant's text form") {
  auto read = [](const char* name, const char* value) {
    auto list = AnnotatedProperties({{std::string("org.systemd.property.") + name, value}, {"other", "x"}});
    return list ? Joined(*list) : "refused: " + list.error().message();
  };
  CHECK(read("CollectMode", "'inactive-or-failed'") == "CollectMode s inactive-or-failed");
  CHECK(read("CollectMode", "\"x y\"") == "CollectMode s x y");
  CHECK(read("SendSIGHUP", "true") == "SendSIGHUP b true");
  CHECK(read("TimeoutStopUSec", "uint64 123456789") == "TimeoutStopUSec t 123456789");
  CHECK(read("TimeoutStopSec", "int32 5") == "TimeoutStopUSec t 5000000");
  CHECK(read("CPUWeight", "7") == "CPUWeight i 7");
  CHECK(read("X", "x").starts_with("refused: annotation org.systemd.property.X: "));
  for (const char* value :
       {"", "x", "'", "'a'b'", "'a\\n'", "uint64", "uint64 ", "uint64 x", "[1, 2]", "true x", "99x"}) {
    CAPTURE(value);
    CHECK(read("Good", value).starts_with("refused: annotation org.systemd.property.Good: the value"));
  }
  CHECK(read("Bad-Name", "true").starts_with("refused"));
  CHECK(read("TimeoutSec", "uint64 18446744073709551615").starts_with("refused"));
}

TEST_CASE("busctl is told to make the scope around a process") {
  ScopeRequest request;
  request.name = {"machine.slice", "libpod-abc.scope"};
  request.id = "abc";
  request.pid = 1234;
  request.limits = {{"TasksMax", "t", {"5"}}};
  request.annotated = {{"CollectMode", "s", {"inactive-or-failed"}}};
  CHECK(
      Joined(StartScopeCall(request)) ==
      "-- call org.freedesktop.systemd1 /org/freedesktop/systemd1 org.freedesktop.systemd1.Manager StartTransientUnit "
      "ssa(sv)a(sa(sv)) libpod-abc.scope replace 11 Description s mxc container abc Slice s machine.slice Delegate b "
      "true "
      "PIDs au 1 1234 MemoryAccounting b true CPUAccounting b true IOAccounting b true TasksAccounting b true "
      "DefaultDependencies b false TasksMax t 5 CollectMode s inactive-or-failed 0");
  CHECK(Joined(SetPropertiesCall("a.scope", {{"TasksMax", "t", {"5"}}}))
            .ends_with("SetUnitProperties sba(sv) a.scope true 1 TasksMax t 5"));
  CHECK(Joined(StopUnitCall("a.scope")).ends_with("StopUnit ss a.scope replace"));
  CHECK(Joined(ResetFailedCall("a.scope")).ends_with("ResetFailedUnit s a.scope"));
}

TEST_CASE("a stand-in for busctl gets every word as it is; what it says is the error") {
  Tree tree;
  tree.Put("busctl", "#!/bin/sh\nfor word; do echo \"$word\" >>" + tree.Path("words") +
                         "; done\n"
                         "case $* in *refuse*) echo 'Unit exists.' >&2; exit 1;; esac\n");
  REQUIRE(::chmod(tree.Path("busctl").c_str(), 0700) == 0);
  Bus bus{tree.Path("busctl"), true};
  REQUIRE(CallSystemd(bus, {"--", "call", "a b", "", "-1"}).ok());
  CHECK(tree.Get("words") == "--user\n--quiet\n--\ncall\na b\n\n-1\n");
  auto refused = CallSystemd({tree.Path("busctl"), false}, {"--", "call", "s", "o", "i", "refuse"});
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().ends_with("(refuse): Unit exists."));
  auto missing = CallSystemd({tree.Path("nothing"), false}, {"call"});
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().system_errno() == ENOENT);
}
