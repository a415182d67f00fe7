#include <doctest/doctest.h>

#include <string>

#include "shared/policy/read_case.h"

namespace mxc::policy {
namespace {

std::string X(const std::string& body) { return With("\"x-linux\":{" + body + "}"); }

TEST_CASE("x-linux: each bad field has one error in its place") {
  const std::string known =
      " | known here: profile, rootfs, resources, seccomp, landlock, env, ifPresent, protect, on_exposed, on_missing, "
      "identity, gpu, nesting, timeNamespace, hostname, domains, ports, isolation, bundle, image, devices, sockets";
  const std::string size = " | write a whole number of bytes, or a text like \"512MiB\" (KiB, MiB, GiB, TiB)";
  const std::string name = " | at most 64 letters, digits, '-', '_' and '.'; the first a letter, digit or '_'";
  std::vector<ReadCase> cases = {
      {X(""), "ok"},
      {With("\"x-linux\":null"), "2:11 /x-linux: expected an object, found null | leave the field out instead of null"},
      {X("\"profil\":\"a\""), "2:12 /x-linux/profil: unknown field \"profil\"; did you mean \"profile\"?" + known},
      {X("\"onMissing\":\"a\""),
       "2:12 /x-linux/onMissing: unknown field \"onMissing\"; did you mean \"on_missing\"?" + known},
      {X("\"_comment\":\"a\""), "2:12 /x-linux/_comment: unknown field \"_comment\"" + known},
      {X("\"profile\":\"ml-train\""), "ok"},
      {X("\"profile\":\"\""), "2:22 /x-linux/profile: expected a string that is not empty, found the string \"\""},
      {X("\"profile\":\"../x\""), "2:22 /x-linux/profile: \"../x\" is no name" + name},
      {X("\"profile\":\"a/b\""), "2:22 /x-linux/profile: \"a/b\" is no name" + name},
      {X("\"profile\":\"-x\""), "2:22 /x-linux/profile: \"-x\" is no name" + name},
      {X("\"rootfs\":\"a\""), "2:21 /x-linux/rootfs: the path \"a\" is not absolute | write it from / on"},
      {X("\"resources\":{\"memory\":\"2GB\"}"),
       "2:34 /x-linux/resources/memory: expected a size in bytes, found the string \"2GB\"" + size},
      {X("\"resources\":{\"memory\":0}"),
       "2:34 /x-linux/resources/memory: the size is below 1048576 bytes, too small to work with"},
      {X("\"resources\":{\"memory\":\"9000000TiB\"}"),
       "2:34 /x-linux/resources/memory: the size is larger than any file or memory can be"},
      {X("\"resources\":{\"tmp\":0}"),
       "2:31 /x-linux/resources/tmp: the size is below 4096 bytes, too small to work with"},
      {X("\"resources\":{\"swap\":0,\"core\":0,\"fileSize\":0,\"memlock\":\"unlimited\"}"), "ok"},
      {X("\"resources\":{\"cpus\":0}"),
       "2:32 /x-linux/resources/cpus: expected a number from 0.01 to 4096, found the number 0"},
      {X("\"resources\":{\"cpus\":\"2\"}"),
       "2:32 /x-linux/resources/cpus: expected a number from 0.01 to 4096, found the string \"2\""},
      {X("\"resources\":{\"pids\":0}"),
       "2:32 /x-linux/resources/pids: expected a whole number from 1 to 4194304, found the number 0"},
      {X("\"resources\":{\"tmpfsInodes\":0}"),
       "2:39 /x-linux/resources/tmpfsInodes: expected a whole number from 16 to 2147483647, found the number 0"},
      {X("\"resources\":{\"mem\":1}"),
       "2:25 /x-linux/resources/mem: unknown field \"mem\"; did you mean \"memory\"? | known here: memory, swap, cpus, "
       "pids, tmp, "
       "shm, tmpfsInodes, openFiles, fileSize, memlock, stack, core"},
      {X("\"seccomp\":\"default\""), "2:22 /x-linux/seccomp: expected an object, found the string \"default\""},
      {X("\"seccomp\":{\"profile\":\"a b\"}"), "2:33 /x-linux/seccomp/profile: \"a b\" is no name" + name},
      {X("\"landlock\":{\"tcpBind\":[0,8080],\"tcpConnect\":[443]}"), "ok"},
      {X("\"landlock\":{\"tcpConnect\":[0]}"),
       "2:38 /x-linux/landlock/tcpConnect/0: expected a whole number from 1 to 65535, found the number 0"},
      {X("\"landlock\":{\"required\":\"yes\"}"),
       "2:35 /x-linux/landlock/required: expected true or false, found the string \"yes\" | write true, without "
       "quotes"},
      {X("\"env\":{\"pass\":[\"LANG\",\"A=1\"]}"),
       "2:34 /x-linux/env/pass/1: a variable's name holds no = | values belong into process.env; here is only the "
       "name"},
      {X("\"env\":{\"pass\":[\"\"]}"),
       "2:27 /x-linux/env/pass/0: expected a string that is not empty, found the string \"\""},
      {X("\"ifPresent\":{\"readonlyPaths\":[\"/a\"],\"readwritePaths\":[\"b\"]}"),
       "2:66 /x-linux/ifPresent/readwritePaths/0: the path \"b\" is not absolute | write it from / on"},
      {X("\"ifPresent\":{\"deniedPaths\":[]}"),
       "2:25 /x-linux/ifPresent/deniedPaths: unknown field \"deniedPaths\" | known here: readonlyPaths, "
       "readwritePaths"},
      {X("\"protect\":[\"~/.bashrc\"]"),
       "2:23 /x-linux/protect/0: the path \"~/.bashrc\" is not absolute | ~ is not expanded; write the home directory "
       "out"},
      {X("\"on_exposed\":\"Kill\""),
       "2:25 /x-linux/on_exposed: expected one of \"cover\", \"kill\", found the string \"Kill\" | "
       "did you mean \"kill\"?"},
      {X("\"on_missing\":\"x\""),
       "2:25 /x-linux/on_missing: expected one of \"watch\", \"refuse\", \"seal\", found the string \"x\""},
      {X("\"identity\":\"root\""),
       "2:23 /x-linux/identity: expected one of \"caller\", \"host-root\", found the string \"root\""},
      {X("\"hostname\":\"a_b\""),
       "2:23 /x-linux/hostname: \"a_b\" is no host name | at most 64 letters, digits, '-' and '.'"},
      {X("\"isolation\":\"process\""), "ok"},
      {X("\"isolation\":\"microvm\""),
       "2:24 /x-linux/isolation: UNSUPPORTED x-linux.isolation \"microvm\" is not built yet | use \"process\", which "
       "is also the default, or \"session\""},
      {X("\"isolation\":\"session\""), "ok"},
      {X("\"domains\":{\"allow\":[\"a.org\",\"10.0.0.1\"]}"),
       "2:40 /x-linux/domains/allow/1: \"10.0.0.1\" is an address, no domain name | addresses are allowed by "
       "network.egress.allow"},
      {X("\"domains\":{\"alow\":[]}"),
       "2:23 /x-linux/domains/alow: unknown field \"alow\"; did you mean \"allow\"? | known here: allow, deny, groups, "
       "maxSent"},
      {X("\"domains\":{\"groups\":[\"../x\"]}"),
       "2:33 /x-linux/domains/groups/0: \"../x\" is no name | at most 64 letters, digits, '-', '_' and '.'; the first "
       "a "
       "letter, digit or '_'"},
      {X("\"ports\":[{\"hostPort\":1}]"),
       "2:21 /x-linux/ports/0/containerPort: required field \"containerPort\" is missing"},
      {X("\"ports\":[{\"containerPort\":0}]"),
       "2:38 /x-linux/ports/0/containerPort: expected a whole number from 1 to 65535, found the number 0"},
      {X("\"ports\":[{\"containerPort\":1,\"hostAddress\":\"10.0.0.0/8\"}]"),
       "2:54 /x-linux/ports/0/hostAddress: \"10.0.0.0/8\" is a range, and only an address can be bound or connected "
       "to"},
      {X("\"ports\":[{\"containerPort\":1,\"hostAddress\":\"localhost\"}]"),
       "2:54 /x-linux/ports/0/hostAddress: \"localhost\" is no IP address or CIDR range | write \"192.0.2.0/24\" or "
       "\"2001:db8::/32\"; host names are not resolved"},
      {X("\"ports\":[{\"containerPort\":1,\"protocol\":\"icmp\"}]"),
       "2:51 /x-linux/ports/0/protocol: expected one of \"tcp\", \"udp\", found the string \"icmp\""},
      {X("\"gpu\":true"), "2:18 /x-linux/gpu: expected one of \"none\", \"wsl\", found true"},
      {X("\"gpu\":\"nvidia\""), "2:18 /x-linux/gpu: expected one of \"none\", \"wsl\", found the string \"nvidia\""},
      {X("\"isolation\":\"none\""),
       "2:24 /x-linux/isolation: expected one of \"process\", \"session\", \"microvm\", found the string \"none\""},
  };
  for (const std::string unbuilt : {"bundle", "image", "devices", "sockets"}) {
    cases.push_back(
        {X("\"" + unbuilt + "\":true"), "2:12 /x-linux/" + unbuilt + ": UNSUPPORTED x-linux." + unbuilt +
                                            " is not built yet | remove the field; this version can't do what it asks "
                                            "for"});
  }
  CheckReads(cases);
}

TEST_CASE("x-linux: the model holds what the document says") {
  auto policy = ReadPolicy(R"(
version: 1.0.0
process: {commandLine: x}
x-linux:
  profile: build
  rootfs: /srv/root
  resources: {memory: 1GiB, swap: 4096, cpus: 1.5, pids: 9, tmp: 1MiB, shm: 8192, tmpfsInodes: 100, openFiles: 64,
    fileSize: 5B, memlock: unlimited, stack: 8MiB, core: 0}
  seccomp: {profile: ml}
  landlock: {required: true, tcpBind: [], tcpConnect: [443]}
  env: {pass: [LANG]}
  ifPresent: {readonlyPaths: [/r], readwritePaths: [/w]}
  protect: [/p]
  on_exposed: kill
  on_missing: seal
  identity: host-root
  nesting: true
  timeNamespace: true
  hostname: box
)",
                           {.source = "p.yaml"});
  REQUIRE_MESSAGE(policy.ok(), policy.error().Describe());
  const XLinux& x = *policy->x_linux;
  CHECK(x.profile == "build");
  CHECK(x.rootfs == "/srv/root");
  CHECK(x.resources.memory_bytes == 1u << 30);
  CHECK(x.resources.swap_bytes == 4096);
  CHECK(x.resources.cpus == 1.5);
  CHECK(x.resources.pids == 9);
  CHECK(x.resources.tmp_bytes == 1 << 20);
  CHECK(x.resources.shm_bytes == 8192);
  CHECK(x.resources.tmpfs_inodes == 100);
  CHECK(x.resources.open_files == 64);
  CHECK(x.resources.file_bytes == 5);
  CHECK(x.resources.memlock_bytes == UINT64_MAX);
  CHECK(x.resources.stack_bytes == 8 << 20);
  CHECK(x.resources.core_bytes == 0);
  CHECK(x.seccomp.profile == "ml");
  CHECK(x.landlock.required == true);
  CHECK(x.landlock.tcp_bind == std::vector<uint16_t>{});
  CHECK(x.landlock.tcp_connect == std::vector<uint16_t>{443});
  CHECK(x.env_pass == std::vector<std::string>{"LANG"});
  CHECK(x.readonly_if_present == std::vector<ConditionalPath>{{"/r", true}});
  CHECK(x.readwrite_if_present == std::vector<ConditionalPath>{{"/w", true}});
  CHECK(x.protect == std::vector<std::string>{"/p"});
  CHECK(x.on_exposed == OnExposed::kKill);
  CHECK(x.on_missing == OnMissing::kSeal);
  CHECK(x.identity == Identity::kHostRoot);
  CHECK(x.nesting == true);
  CHECK(x.time_namespace == true);
  CHECK(x.hostname == "box");
}

}  // namespace
}  // namespace mxc::policy
