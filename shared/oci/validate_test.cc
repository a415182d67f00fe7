#include "shared/oci/validate.h"

#include "doctest/doctest.h"
#include "shared/oci/json.h"

namespace mxc::oci {
namespace {

constexpr char kGood[] = R"({"ociVersion":"1.2.0","hostname":"h",
  "process":{"cwd":"/","args":["true"],"env":["A=1","B="],"capabilities":{"bounding":["CAP_KILL"]},
             "rlimits":[{"type":"RLIMIT_NOFILE","soft":1,"hard":2}]},
  "root":{"path":"rootfs"},
  "mounts":[{"destination":"/proc","type":"proc"},{"destination":"/x","type":"bind","source":"x","options":["rbind"]}],
  "annotations":{"dev.mxc.if-present":"[\"/x\"]"},
  "linux":{"namespaces":[{"type":"user"},{"type":"mount"},{"type":"uts"},{"type":"ipc"},{"type":"network"},{"type":"time"}],
    "uidMappings":[{"containerID":0,"hostID":1000,"size":1}],"gidMappings":[{"containerID":0,"hostID":1000,"size":1}],
    "sysctl":{"net.ipv4.ip_forward":"1","kernel.shmmax":"1"},"maskedPaths":["/proc/kcore"],
    "resources":{"memory":{"limit":10,"swap":20},"hugepageLimits":[{"pageSize":"2MB","limit":1}],
                 "unified":{"memory.high":"1"},"devices":[{"allow":false,"access":"rwm"}]},
    "seccomp":{"defaultAction":"SCMP_ACT_ERRNO","architectures":["SCMP_ARCH_X86_64"],
      "syscalls":[{"names":["read"],"action":"SCMP_ACT_ERRNO","errnoRet":38,"args":[{"index":5,"value":1,"op":"SCMP_CMP_EQ"}]}]}}})";

Spec Good() { return *ReadSpec(kGood, "good"); }

Result<Validated> ValidateSpec(const Spec& spec) {
  auto extension = ReadExtension(spec.annotations);
  if (!extension.ok()) return std::move(extension).error();
  return Validate(spec, *extension);
}

TEST_CASE("a good specification passes without warnings") {
  auto result = ValidateSpec(Good());
  REQUIRE_MESSAGE(result.ok(), result.error().Describe());
  CHECK(result->warnings.empty());
}

TEST_CASE("one wrong value is named by its pointer") {
  struct Case {
    const char* pointer;
    void (*spoil)(Spec&);
  };
  const Case kCases[] = {
      {"/ociVersion", [](Spec& s) { s.oci_version = "2.0.0"; }},
      {"/ociVersion", [](Spec& s) { s.oci_version = "1.2"; }},
      {"/ociVersion", [](Spec& s) { s.oci_version = "1.2.0x"; }},
      {"/ociVersion", [](Spec& s) { s.oci_version.clear(); }},
      {"/root", [](Spec& s) { s.root.reset(); }},
      {"/root/path", [](Spec& s) { s.root->path.clear(); }},
      {"/root/path", [](Spec& s) { s.root->path = kEmptyRootPath; }},
      {"/root/path", [](Spec& s) { s.annotations["dev.mxc.root"] = "\"empty\""; }},
      {"/process/cwd", [](Spec& s) { s.process->cwd = "tmp"; }},
      {"/process/args", [](Spec& s) { s.process->args.clear(); }},
      {"/process/args/0", [](Spec& s) { s.process->args = {""}; }},
      {"/process/env/1", [](Spec& s) { s.process->env[1] = "B"; }},
      {"/process/env/0", [](Spec& s) { s.process->env[0] = "=1"; }},
      {"/process/user/umask", [](Spec& s) { s.process->user.umask = 01000; }},
      {"/process/user/uid", [](Spec& s) { s.process->user.uid = UINT32_MAX; }},
      {"/process/capabilities/bounding/0", [](Spec& s) { s.process->capabilities->bounding = {"KILL"}; }},
      {"/process/rlimits/0/type", [](Spec& s) { s.process->rlimits[0].type = "NOFILE"; }},
      {"/process/rlimits/0/soft", [](Spec& s) { s.process->rlimits[0].soft = 3; }},
      {"/process/rlimits/1", [](Spec& s) { s.process->rlimits.push_back(s.process->rlimits[0]); }},
      {"/process/oomScoreAdj", [](Spec& s) { s.process->oom_score_adj = 1001; }},
      {"/process/scheduler/policy",
       [](Spec& s) {
         s.process->scheduler = Scheduler{
             .policy = "FIFO", .nice = {}, .priority = {}, .flags = {}, .runtime = {}, .deadline = {}, .period = {}};
       }},
      {"/process/ioPriority/priority",
       [](Spec& s) {
         s.process->io_priority = IoPriority{"IOPRIO_CLASS_RT", 8};
       }},
      {"/process/execCPUAffinity/final",
       [](Spec& s) {
         s.process->exec_cpu_affinity = ExecCpuAffinity{"", "a"};
       }},
      {"/mounts/0/destination", [](Spec& s) { s.mounts[0].destination = "proc"; }},
      {"/mounts/1/source", [](Spec& s) { s.mounts[1].source.clear(); }},
      {"/mounts/1",
       [](Spec& s) {
         s.mounts[1].uid_mappings = {{0, 1, 1}};
       }},
      {"/hooks/poststop/0/path",
       [](Spec& s) {
         s.hooks.poststop = {{"h", {}, {}, {}}};
       }},
      {"/hooks/prestart/0/timeout",
       [](Spec& s) {
         s.hooks.prestart = {{"/h", {}, {}, 0}};
       }},
      {"/annotations", [](Spec& s) { s.annotations[""] = "x"; }},
      {"/annotations/dev.mxc.if-present", [](Spec& s) { s.annotations["dev.mxc.if-present"] = "[\"/proc\"]"; }},
      {"/annotations/dev.mxc.caller-owned", [](Spec& s) { s.annotations["dev.mxc.caller-owned"] = "[\"/y\"]"; }},
      {"/annotations/dev.mxc.files", [](Spec& s) { s.annotations["dev.mxc.files"] = "{\"/a\":\"\"}"; }},
      {"/annotations/dev.mxc.identity", [](Spec& s) { s.annotations["dev.mxc.identity"] = "\"caller\""; }},
      {"/annotations/dev.mxc.landlock",
       [](Spec& s) { s.annotations["dev.mxc.landlock"] = "{\"enabled\":false,\"required\":true}"; }},
      {"/linux/namespaces/0/type", [](Spec& s) { s.linux.namespaces[0].type = "net"; }},
      {"/linux/namespaces/1", [](Spec& s) { s.linux.namespaces[1].type = "user"; }},
      {"/linux/namespaces/1/path", [](Spec& s) { s.linux.namespaces[1].path = "ns"; }},
      {"/linux/uidMappings", [](Spec& s) { s.linux.namespaces.erase(s.linux.namespaces.begin()); }},
      {"/linux/uidMappings/0/size", [](Spec& s) { s.linux.uid_mappings[0].size = 0; }},
      {"/linux/uidMappings/0",
       [](Spec& s) {
         s.linux.uid_mappings[0] = {4294967290, 0, 10};
       }},
      {"/linux/gidMappings",
       [](Spec& s) {
         s.linux.gid_mappings = {{0, 100, 10}, {9, 200, 1}};
       }},
      {"/linux/gidMappings",
       [](Spec& s) {
         s.linux.gid_mappings = {{0, 100, 10}, {20, 109, 1}};
       }},
      {"/linux/sysctl/kernel.core_pattern", [](Spec& s) { s.linux.sysctl["kernel.core_pattern"] = "|/x"; }},
      {"/linux/sysctl/vm/swappiness", [](Spec& s) { s.linux.sysctl["vm/swappiness"] = "1"; }},
      {"/linux/sysctl/net/../kernel/x", [](Spec& s) { s.linux.sysctl["net/../kernel/x"] = "1"; }},
      {"/linux/sysctl/kernel.shmmax",
       [](Spec& s) { std::erase_if(s.linux.namespaces, [](auto& n) { return n.type == "ipc"; }); }},
      {"/linux/devices/0/type",
       [](Spec& s) {
         s.linux.devices = {{"x", "/dev/x", 1, 1, {}, {}, {}}};
       }},
      {"/linux/devices/0/path",
       [](Spec& s) {
         s.linux.devices = {{"c", "/dev/../x", 1, 1, {}, {}, {}}};
       }},
      {"/linux/netDevices",
       [](Spec& s) {
         s.linux.net_devices["eth0"];
         s.linux.sysctl.clear();
         std::erase_if(s.linux.namespaces, [](auto& n) { return n.type == "network"; });
       }},
      {"/linux/netDevices/eth0/name", [](Spec& s) { s.linux.net_devices["eth0"].name = "0123456789abcdef"; }},
      {"/linux/timeOffsets/x", [](Spec& s) { s.linux.time_offsets["x"]; }},
      {"/linux/timeOffsets",
       [](Spec& s) {
         s.linux.time_offsets["monotonic"];
         s.linux.namespaces.pop_back();
       }},
      {"/linux/timeOffsets/boottime/nanosecs",
       [](Spec& s) { s.linux.time_offsets["boottime"].nanosecs = 1'000'000'000; }},
      {"/linux/maskedPaths/0", [](Spec& s) { s.linux.masked_paths = {"proc"}; }},
      {"/linux/readonlyPaths/0", [](Spec& s) { s.linux.readonly_paths = {""}; }},
      {"/linux/rootfsPropagation", [](Spec& s) { s.linux.rootfs_propagation = "on"; }},
      {"/linux/cgroupsPath", [](Spec& s) { s.linux.cgroups_path = "/a/../b"; }},
      {"/linux/personality/domain",
       [](Spec& s) {
         s.linux.personality = Personality{"BSD", {}};
       }},
      {"/linux/memoryPolicy/mode",
       [](Spec& s) {
         s.linux.memory_policy = MemoryPolicy{"BIND", "0", {}};
       }},
      {"/linux/intelRdt/closID", [](Spec& s) { s.linux.intel_rdt.emplace().clos_id = "../x"; }},
      {"/linux/resources/memory/swap", [](Spec& s) { s.linux.resources->memory.swap = 9; }},
      {"/linux/resources/cpu/quota", [](Spec& s) { s.linux.resources->cpu.quota = 999; }},
      {"/linux/resources/cpu/period", [](Spec& s) { s.linux.resources->cpu.period = 999; }},
      {"/linux/resources/hugepageLimits/0/pageSize",
       [](Spec& s) { s.linux.resources->hugepage_limits[0].page_size = "2M"; }},
      {"/linux/resources/unified", [](Spec& s) { s.linux.resources->unified["../x"] = "1"; }},
      {"/linux/resources/devices/0/access", [](Spec& s) { s.linux.resources->devices[0].access = "x"; }},
      {"/hostname", [](Spec& s) { s.hostname = std::string(65, 'a'); }},
      {"/hostname", [](Spec& s) { std::erase_if(s.linux.namespaces, [](auto& n) { return n.type == "uts"; }); }},
  };
  for (const Case& one : kCases) {
    Spec spec = Good();
    one.spoil(spec);
    auto result = ValidateSpec(spec);
    REQUIRE_FALSE_MESSAGE(result.ok(), one.pointer);
    REQUIRE(result.error().position().has_value());
    CHECK_MESSAGE(result.error().position()->pointer == one.pointer, result.error().Describe());
  }
}

TEST_CASE("seccomp names are checked") {
  struct Case {
    const char* pointer;
    void (*spoil)(LinuxSeccomp&);
  };
  const Case kCases[] = {
      {"/linux/seccomp/defaultAction", [](LinuxSeccomp& s) { s.default_action = "SCMP_ACT_DENY"; }},
      {"/linux/seccomp/defaultErrnoRet", [](LinuxSeccomp& s) { s.default_errno_ret = 5000; }},
      {"/linux/seccomp/architectures/0", [](LinuxSeccomp& s) { s.architectures = {"x86_64"}; }},
      {"/linux/seccomp/flags/0", [](LinuxSeccomp& s) { s.flags = {"LOG"}; }},
      {"/linux/seccomp/listenerMetadata", [](LinuxSeccomp& s) { s.listener_metadata = "x"; }},
      {"/linux/seccomp/syscalls/0/action", [](LinuxSeccomp& s) { s.syscalls[0].action = ""; }},
      {"/linux/seccomp/syscalls/0/errnoRet", [](LinuxSeccomp& s) { s.syscalls[0].action = "SCMP_ACT_ALLOW"; }},
      {"/linux/seccomp/syscalls/0/names", [](LinuxSeccomp& s) { s.syscalls[0].names.clear(); }},
      {"/linux/seccomp/syscalls/0/args/0/index", [](LinuxSeccomp& s) { s.syscalls[0].args[0].index = 6; }},
      {"/linux/seccomp/syscalls/0/args/0/op", [](LinuxSeccomp& s) { s.syscalls[0].args[0].op = "=="; }},
  };
  for (const Case& one : kCases) {
    Spec spec = Good();
    LinuxSeccomp seccomp = *spec.linux.seccomp;
    one.spoil(seccomp);
    spec.linux.seccomp = std::make_shared<const LinuxSeccomp>(seccomp);
    auto result = ValidateSpec(spec);
    REQUIRE_FALSE_MESSAGE(result.ok(), one.pointer);
    CHECK_MESSAGE(result.error().position()->pointer == one.pointer, result.error().Describe());
  }
}

TEST_CASE("a capability that isn't known is a warning") {
  Spec spec = Good();
  spec.process->capabilities->effective = {"CAP_OF_THE_FUTURE"};
  auto result = ValidateSpec(spec);
  REQUIRE(result.ok());
  REQUIRE(result->warnings.size() == 1);
  CHECK(result->warnings[0].find("CAP_OF_THE_FUTURE") != std::string::npos);
}

}  // namespace
}  // namespace mxc::oci
