#include "linux_runtime/sandbox/process_attributes.h"

#include <doctest/doctest.h>

#include "linux_runtime/sandbox/apply_home.h"
#include "linux_runtime/sandbox/linux_attributes.h"
#include "linux_runtime/sandbox/process_names.h"

namespace mxc::sandbox {
namespace {

TEST_CASE("lists of numbers") {
  CHECK(ParseNumberList("")->empty());
  CHECK(*ParseNumberList("0") == std::vector<unsigned long>{1});
  CHECK(*ParseNumberList("0-3, 7") == std::vector<unsigned long>{0x8f});
  CHECK(*ParseNumberList("64") == std::vector<unsigned long>{0, 1});
  for (const char* bad : {"x", ",", "1,", "3-1", "-1", "1-", "99999", "1 2", "0x1"})
    CHECK_FALSE(ParseNumberList(bad).ok());
}

TEST_CASE("kernel parameters: the first separator decides") {
  CHECK(SysctlPath("net.ipv4.ip_forward") == "net/ipv4/ip_forward");
  CHECK(SysctlPath("net/ipv4/ip_forward") == "net/ipv4/ip_forward");
  CHECK(SysctlPath("net.ipv4.conf.eth0/1.forwarding") == "net/ipv4/conf/eth0.1/forwarding");
  CHECK(SysctlPath("net/ipv4/conf/eth0.1/forwarding") == "net/ipv4/conf/eth0.1/forwarding");
  CHECK(SysctlPath("kernel") == "kernel");
}

TEST_CASE("a line of passwd") {
  CHECK(HomeInLine("root:x:0:0:root:/root:/bin/sh", 0) == "/root");
  CHECK(HomeInLine("u:x:1000:1000::/home/u", 1000) == "/home/u");
  CHECK(HomeInLine("u:x:4294967295:0::/h:", UINT32_MAX) == "/h");
  for (const char* line : {"u:x:1000:1000::/home/u", "root:x:00x:0::/r:", "root:x::0::/r:", "root:x:0:0:root:relative:",
                           "root:x:0", "root:x:4294967296:0::/wrapped:", "", ":::::"}) {
    CAPTURE(line);
    CHECK(HomeInLine(line, 0).empty());
  }
}

TEST_CASE("names are the kernel's numbers") {
  CHECK(SchedulerPolicyNumber("SCHED_DEADLINE") == 6u);
  CHECK_FALSE(SchedulerPolicyNumber("DEADLINE"));
  CHECK(SchedulerFlagNumber("SCHED_FLAG_KEEP_PARAMS") == 0x10u);
  CHECK(IoClassNumber("IOPRIO_CLASS_IDLE") == 3);
  CHECK(MemoryPolicyMode("MPOL_WEIGHTED_INTERLEAVE") == 6);
  CHECK(MemoryPolicyFlag("MPOL_F_STATIC_NODES") == 1 << 15);
}

oci::Process Least() {
  oci::Process process;
  process.args = {"true"};
  return process;
}

TEST_CASE("a bundle's environment: the last of two entries, and room for HOME") {
  PlanContext context;
  context.bundle = true;
  oci::Process process = Least();
  process.env = {"A=1", "B=2", "A=3"};
  Plan plan;
  REQUIRE(PlanProcess(plan, process, context).ok());
  REQUIRE(plan.env.size() == 4);
  CHECK(plan.env[0] == std::string("B=2"));
  CHECK(plan.env[1] == std::string("A=3"));
  CHECK(plan.env[2] == std::string("HOME=/"));
  CHECK(plan.env[2] == plan.process.home);
  CHECK(plan.env[3] == nullptr);
  CHECK(plan.umask == 0022);
}

TEST_CASE("a sandbox of ours gets its environment as the policy says, and no part of a bundle's process") {
  oci::Process process = Least();
  process.env = {"A=1"};
  Plan plan;
  REQUIRE(PlanProcess(plan, process, {}).ok());
  CHECK(plan.env.size() == 2);
  CHECK_FALSE(plan.process.exact);
  CHECK(plan.umask == -1);
}

TEST_CASE("what only a bundle can have is refused for a sandbox") {
  oci::Spec spec;
  CHECK(RefuseBundleFields(spec).ok());
  spec.process = Least();
  CHECK(RefuseBundleFields(spec).ok());
  spec.process->scheduler.emplace();
  CHECK(RefuseBundleFields(spec).error().message().starts_with("/process/scheduler"));
  spec.process->scheduler.reset();
  spec.linux.sysctl = {{"net.ipv4.ip_forward", "1"}};
  CHECK(RefuseBundleFields(spec).error().message().starts_with("/linux/sysctl"));
}

TEST_CASE("capability sets: in a user namespace all that the kernel knows; ambient needs permitted and inheritable") {
  PlanContext context;
  context.bundle = true;
  oci::Process process = Least();
  process.capabilities.emplace();
  process.capabilities->permitted = {"CAP_SYS_RESOURCE", "CAP_KILL"};
  process.capabilities->effective = {"CAP_KILL", "CAP_CHOWN"};
  process.capabilities->inheritable = {"CAP_KILL"};
  process.capabilities->ambient = {"CAP_KILL", "CAP_SYS_RESOURCE"};
  Plan plan;
  plan.process.user_namespace = true;
  REQUIRE(PlanProcess(plan, process, context).ok());
  CHECK(plan.permitted == (1u << 24 | 1u << 5));
  CHECK(plan.effective == 1u << 5);
  CHECK(plan.ambient == 1u << 5);
  CHECK(plan.notes.size() == 2);
}

TEST_CASE(
    "a user's working filter without no_new_privs keeps CAP_SYS_ADMIN until exec, and one that notifies comes early") {
  oci::Spec spec;
  Plan plan;
  plan.no_new_privileges = false;
  plan.seccomp.emplace_back();
  REQUIRE(FinishBundlePlan(plan, spec, {}).ok());
  CHECK(plan.process.admin_until_exec);
  CHECK_FALSE(plan.process.filters_early);
  plan.no_new_privileges = true;
  plan.seccomp.back().notifies = true;
  REQUIRE(FinishBundlePlan(plan, spec, {}).ok());
  CHECK_FALSE(plan.process.admin_until_exec);
  CHECK(plan.process.filters_early);
  CHECK(plan.steps.empty());
  plan.process.oom_score_adj = std::string("1");
  REQUIRE(FinishBundlePlan(plan, spec, {}).ok());
  CHECK(plan.steps.front().op == Op::kAwaitParent);
}

}  // namespace
}  // namespace mxc::sandbox
