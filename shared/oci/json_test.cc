#include "shared/oci/json.h"

#include "doctest/doctest.h"
#include "shared/oci/random_spec.h"

namespace mxc::oci {
namespace {

// Every wrong document, the pointer that the error has to name and a word of the message.
struct Bad {
  const char* json;
  const char* pointer;
  const char* word;
};

TEST_CASE("a specification survives writing and reading") {
  RandomSpec random(20260);
  for (int i = 0; i < 2000; ++i) {
    Spec spec = random.Next();
    std::string text = WriteSpec(spec, i % 2 == 0);
    auto back = ReadSpec(text, "spec.json");
    REQUIRE_MESSAGE(back.ok(), back.error().Describe() << "\n" << text);
    REQUIRE_MESSAGE(*back == spec, text);
    CHECK(WriteSpec(*back, true) == WriteSpec(spec, true));
  }
}

TEST_CASE("fields are read under the specification's names") {
  auto spec = ReadSpec(R"({"ociVersion":"1.2.0","hostname":"h","domainname":"d",
    "process":{"terminal":true,"consoleSize":{"height":24,"width":80},"cwd":"/w","args":["a"],"env":["A=1"],
      "user":{"uid":1,"gid":2,"umask":18,"additionalGids":[5]},"noNewPrivileges":true,"oomScoreAdj":-5,
      "capabilities":{"bounding":["CAP_KILL"]},"rlimits":[{"type":"RLIMIT_CORE","soft":0,"hard":18446744073709551615}],
      "ioPriority":{"class":"IOPRIO_CLASS_BE","priority":4},"scheduler":{"policy":"SCHED_BATCH","nice":-1},
      "execCPUAffinity":{"initial":"0","final":"1-3"}},
    "root":{"path":"rootfs","readonly":true},
    "mounts":[{"destination":"/x","type":"bind","source":"/y","options":["rbind"],
               "uidMappings":[{"containerID":0,"hostID":1000,"size":1}]}],
    "hooks":{"createRuntime":[{"path":"/bin/h","timeout":3}]},
    "annotations":{"a":"b"},
    "linux":{"resources":{"memory":{"limit":-1,"swap":2},"pids":{"limit":9},"cpu":{"quota":5,"period":10},
        "devices":[{"allow":false,"access":"rwm"}],"blockIO":{"throttleReadIOPSDevice":[{"major":8,"minor":0,"rate":7}]},
        "rdma":{"mlx":{"hcaHandles":2}},"unified":{"memory.high":"1"}},
      "namespaces":[{"type":"network","path":"/n"}],"timeOffsets":{"monotonic":{"secs":-3,"nanosecs":4}},
      "netDevices":{"eth0":{"name":"net1"}},"intelRdt":{"closID":"c"},"personality":{"domain":"LINUX32"},
      "seccomp":{"defaultAction":"SCMP_ACT_ERRNO","defaultErrnoRet":38,
        "syscalls":[{"names":["read"],"action":"SCMP_ACT_ALLOW",
                     "args":[{"index":1,"value":255,"valueTwo":40,"op":"SCMP_CMP_MASKED_EQ"}]}]}}})",
                       "x");
  REQUIRE_MESSAGE(spec.ok(), spec.error().Describe());
  CHECK(spec->process->console_size->width == 80);
  CHECK(spec->process->user.umask == 18u);
  CHECK(spec->process->rlimits.at(0).hard == UINT64_MAX);
  CHECK(spec->process->oom_score_adj == -5);
  CHECK(spec->process->capabilities->bounding == Strings{"CAP_KILL"});
  CHECK(spec->process->exec_cpu_affinity->final == "1-3");
  CHECK(spec->process->scheduler->nice == -1);
  CHECK(spec->mounts.at(0).uid_mappings.at(0).host_id == 1000);
  CHECK(spec->hooks.create_runtime.at(0).timeout == 3);
  CHECK(spec->linux.resources->memory.limit == -1);
  CHECK(spec->linux.resources->pids.limit == 9);
  CHECK(spec->linux.resources->block_io.throttle_read_iops_device.at(0).rate == 7);
  CHECK(spec->linux.resources->rdma.at("mlx").hca_handles == 2u);
  CHECK(spec->linux.time_offsets.at("monotonic").secs == -3);
  CHECK(spec->linux.net_devices.at("eth0").name == "net1");
  CHECK(spec->linux.seccomp->syscalls.at(0).args.at(0).value_two == 40);
  CHECK(spec->linux.seccomp->default_errno_ret == 38u);
}

TEST_CASE("unknown fields and null are tolerated") {
  auto spec = ReadSpec(R"({"ociVersion":"1.2.0","windows":{"layerFolders":[1]},"new":null,"hooks":null,
                          "process":{"cwd":"/","args":null,"future":{"x":[{}]}}})",
                       "x");
  REQUIRE_MESSAGE(spec.ok(), spec.error().Describe());
  CHECK(spec->process->cwd == "/");
}

TEST_CASE("every error names its place") {
  const Bad kBad[] = {
      {"[]", "", "object"},
      {"{}", "/ociVersion", "required"},
      {R"({"ociVersion":1})", "/ociVersion", "string"},
      {R"({"ociVersion":null})", "/ociVersion", "required"},
      {R"({"ociVersion":"1","process":{}})", "/process/cwd", "required"},
      {R"({"ociVersion":"1","process":{"cwd":"/","terminal":1}})", "/process/terminal", "true or false"},
      {R"({"ociVersion":"1","process":{"cwd":"/","user":{"uid":-1}}})", "/process/user/uid", "out of range"},
      {R"({"ociVersion":"1","process":{"cwd":"/","user":{"uid":4294967296}}})", "/process/user/uid", "out of range"},
      {R"({"ociVersion":"1","process":{"cwd":"/","user":{"uid":1.0}}})", "/process/user/uid", "integer"},
      {R"({"ociVersion":"1","process":{"cwd":"/","args":"ls"}})", "/process/args", "list"},
      {R"({"ociVersion":"1","process":{"cwd":"/","args":["ls",7]}})", "/process/args/1", "string"},
      {R"({"ociVersion":"1","process":{"cwd":"/\u0000"}})", "/process/cwd", "NUL"},
      {R"({"ociVersion":"1","mounts":{}})", "/mounts", "list"},
      {R"({"ociVersion":"1","mounts":[{"destination":"/"},{}]})", "/mounts/1/destination", "required"},
      {R"({"ociVersion":"1","linux":{"sysctl":{"a/b~c":1}}})", "/linux/sysctl/a~1b~0c", "string"},
      {R"({"ociVersion":"1","linux":{"resources":{"pids":{"limit":"5"}}}})", "/linux/resources/pids/limit", "integer"},
      {R"({"ociVersion":"1","linux":{"seccomp":{}}})", "/linux/seccomp/defaultAction", "required"},
      {R"({"ociVersion":"1","ociVersion":"2"})", "/ociVersion", "twice"},
      {R"({"ociVersion":"1","mounts":[{},{"a":{"b":1,"b":2}}]})", "/mounts/1/a/b", "twice"},
      {R"({"ociVersion":"1","annotations":{"dev.mxc.new":"1"}})", "/annotations/dev.mxc.new", "knows no"},
      {R"({"ociVersion":"1","annotations":{"dev.mxc.init":"yes"}})", "/annotations/dev.mxc.init", "JSON"},
      {R"({"ociVersion":"1","dev.mxc.root":"\"empty\""})", "/dev.mxc.root", "annotations"},
      {R"({"ociVersion":"1","process":{"cwd":"/","dev.mxc.x":1}})", "/process/dev.mxc.x", "annotations"},
  };
  for (const Bad& bad : kBad) {
    auto spec = ReadSpec(bad.json, "c.json");
    REQUIRE_FALSE_MESSAGE(spec.ok(), bad.json);
    REQUIRE(spec.error().position().has_value());
    CHECK_MESSAGE(spec.error().position()->pointer == bad.pointer, bad.json);
    CHECK(spec.error().position()->source == "c.json");
    CHECK_MESSAGE(spec.error().message().find(bad.word) != std::string::npos, spec.error().message());
  }
}

TEST_CASE("syntax errors have a line and a column") {
  auto spec = ReadSpec("{\n  \"ociVersion\": \"1\",\n  oops\n}", "c.json");
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().position()->line == 3);
  CHECK(spec.error().position()->column == 3);
  CHECK_FALSE(ReadSpec("", "c.json").ok());
  CHECK_FALSE(ReadSpec("{\"ociVersion\":\"1\"} x", "c.json").ok());
  CHECK_FALSE(ReadSpec("{\"ociVersion\":\"\xff\"}", "c.json").ok());
}

TEST_CASE("UTF-16, as Windows PowerShell writes it, is named") {
  auto spec = ReadSpec(std::string_view("\xFF\xFE{\0}\0", 6), "spec.json");
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().Describe() == "spec.json:1:1: not JSON: the text is UTF-16");
  CHECK(spec.error().hint().find("UTF-8") != std::string::npos);
}

TEST_CASE("deep nesting and huge input are refused") {
  std::string deep = R"({"ociVersion":"1","x":)" + std::string(100000, '[') + std::string(100000, ']') + "}";
  auto spec = ReadSpec(deep, "c.json");
  REQUIRE_FALSE(spec.ok());
  CHECK(spec.error().message().find("nested") != std::string::npos);
  CHECK_FALSE(ReadSpec(std::string(kMaxSpecBytes + 1, ' '), "c.json").ok());
}

}  // namespace
}  // namespace mxc::oci
