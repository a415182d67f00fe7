#include "shared/translate/translate.h"

#include "doctest/doctest.h"
#include "shared/oci/extension.h"
#include "shared/oci/json.h"
#include "shared/oci/validate.h"
#include "shared/translate/test_policy.h"

namespace mxc::translate {
namespace {

using policy::Access;
using policy::EffectivePolicy;

struct Done {
  oci::Spec spec;
  oci::Extension extension;
  std::vector<std::string> notes;

  const oci::Mount* Find(const std::string& path) const {
    for (const oci::Mount& mount : spec.mounts) {
      if (mount.destination == path) return &mount;
    }
    return nullptr;
  }
  bool Has(const std::string& path, const std::string& option) const {
    const oci::Mount* mount = Find(path);
    return mount && std::find(mount->options.begin(), mount->options.end(), option) != mount->options.end();
  }
  const oci::Rlimit* Limit(const std::string& type) const {
    for (const oci::Rlimit& limit : spec.process->rlimits) {
      if (limit.type == type) return &limit;
    }
    return nullptr;
  }
};

bool Contains(const std::vector<std::string>& list, const std::string& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

bool Mentions(const std::vector<std::string>& list, const std::string& word) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& text) { return text.find(word) != std::string::npos; });
}

bool HasPath(const std::vector<oci::DeniedPath>& list, const std::string& path) {
  return std::any_of(list.begin(), list.end(), [&](const oci::DeniedPath& denied) { return denied.path == path; });
}

// Translates, and requires that what comes out is valid and survives JSON.
Done Must(const EffectivePolicy& policy, const HostFacts& facts = HostFacts::Generic()) {
  auto result = Translate(policy, facts, FindTestSeccomp);
  REQUIRE_MESSAGE(result.ok(), result.error().Describe());
  auto extension = oci::ReadExtension(result->spec.annotations);
  REQUIRE_MESSAGE(extension.ok(), extension.error().Describe());
  CHECK(*extension == result->extension);
  auto valid = oci::Validate(result->spec, *extension);
  REQUIRE_MESSAGE(valid.ok(), valid.error().Describe());
  auto back = oci::ReadSpec(oci::WriteSpec(result->spec, false), "");
  REQUIRE(back.ok());
  CHECK(*back == result->spec);
  return {std::move(result->spec), *extension, std::move(result->notes)};
}

Error MustFail(const EffectivePolicy& policy, const HostFacts& facts = HostFacts::Generic()) {
  auto result = Translate(policy, facts, FindTestSeccomp);
  REQUIRE_FALSE(result.ok());
  CHECK_FALSE(result.error().hint().empty());
  return result.error();
}

TEST_CASE("the tight defaults") {
  Done done = Must(BasePolicy());
  const oci::Process& process = *done.spec.process;
  CHECK(process.no_new_privileges);
  REQUIRE(process.capabilities.has_value());
  CHECK(*process.capabilities == oci::Capabilities{});
  CHECK(process.user.uid == 1000);
  CHECK(process.user.gid == 1000);
  CHECK_FALSE(process.oom_score_adj.has_value());
  std::vector<std::string> namespaces;
  for (const oci::Namespace& one : done.spec.linux.namespaces) namespaces.push_back(one.type);
  CHECK(namespaces == std::vector<std::string>{"user", "mount", "pid", "network", "ipc", "uts", "cgroup"});
  CHECK(done.spec.root->path == oci::kEmptyRootPath);
  CHECK(done.spec.root->readonly);
  CHECK(done.extension.empty_root);
  CHECK(done.extension.init);
  CHECK(done.extension.identity == oci::Identity::kCaller);
  CHECK(done.extension.landlock->enabled);
  CHECK(done.extension.landlock->files);
  CHECK(done.spec.linux.resources->memory.limit == int64_t{4} << 30);
  CHECK(done.spec.linux.resources->memory.swap == int64_t{4} << 30);
  CHECK(done.spec.linux.resources->pids.limit == 1024);
  CHECK(done.Limit("RLIMIT_CORE")->hard == 0);
  CHECK(done.Limit("RLIMIT_NOFILE")->soft == 65536);
  CHECK(done.Limit("RLIMIT_NPROC") == nullptr);
  CHECK(done.Limit("RLIMIT_FSIZE") == nullptr);
  CHECK(done.Has("/tmp", "size=1073741824"));
  CHECK(done.Has("/tmp", "nr_inodes=262144"));
  CHECK(done.Has("/dev/shm", "size=268435456"));
  CHECK(done.Has("/dev/pts", "newinstance"));
  CHECK(done.Find("/sys") == nullptr);
  CHECK(done.notes.empty());
  CHECK(Contains(done.spec.linux.masked_paths, "/proc/kcore"));
  CHECK(Contains(done.spec.linux.readonly_paths, "/proc/sys"));
}

TEST_CASE("grants become binds, parents first, with denied and protected names on top") {
  Done done = Must(MixedPolicy());
  CHECK(done.Has("/usr", "rro"));
  CHECK_FALSE(Contains(done.extension.if_present, "/usr"));
  CHECK(Contains(done.extension.if_present, "/bin"));
  CHECK(Contains(done.extension.caller_owned, "/home/user/work"));
  CHECK_FALSE(Contains(done.extension.caller_owned, "/usr"));
  CHECK(done.Has("/home/user/work", "rw"));
  CHECK(done.Has("/home/user/work/secret/open", "rro"));
  CHECK(done.Has("/home/user/work-b", "rro"));
  CHECK(done.Has("/data", "rro"));
  CHECK(done.Has("/data/out", "rw"));
  for (const oci::Mount& mount : done.spec.mounts) {
    if (mount.type != "bind") continue;
    CHECK(Contains(mount.options, "nosuid"));
    CHECK(Contains(mount.options, "nodev"));
    CHECK(mount.source == mount.destination);
  }
  CHECK(done.Find("/home/user/work") < done.Find("/home/user/work/secret/open"));
  REQUIRE(done.extension.denied.size() == 2);
  CHECK(done.extension.denied[0].path == "/home/user/work/secret");
  CHECK(done.extension.denied[1].path == "/nowhere/secret");  // may be another name of something that is shown
  CHECK(done.extension.denied[0].rule == "p.json#/filesystem/deniedPaths/0");
  // /data is read-only and /other isn't shown: nothing to protect there.
  REQUIRE(done.extension.protect.size() == 1);
  CHECK(done.extension.protect[0].path == "/home/user/work/.git/hooks");
  CHECK(done.spec.process->cwd == "/home/user/work");
}

TEST_CASE("a denied folder that holds a grant is kept though nothing is shown above it") {
  EffectivePolicy policy = BasePolicy();
  AddRules(policy, {Rule("/home/user", Access::kDeny), Rule("/home/user/work", Access::kReadWrite)});
  Done done = Must(policy);
  CHECK(HasPath(done.extension.denied, "/home/user"));
  CHECK(done.Has("/home/user/work", "rw"));
}

TEST_CASE("redundant mounts are left out, unless a different rule lies between or the name has to exist") {
  EffectivePolicy policy = BasePolicy();
  AddRules(policy, {Baseline("/usr/share/fonts"), Rule("/w", Access::kReadWrite), Rule("/w/ro", Access::kReadOnly),
                    Rule("/w/ro/rw", Access::kReadWrite), Rule("/w/same", Access::kReadWrite)});
  policy::PathRule optional = Rule("/w/optional", Access::kReadWrite);
  optional.if_present = true;
  AddRules(policy, {optional});
  Done done = Must(policy);
  CHECK(done.Find("/usr/share/fonts") == nullptr);
  CHECK(done.Find("/w/optional") == nullptr);
  CHECK(done.Has("/w/ro", "rro"));
  CHECK(done.Has("/w/ro/rw", "rw"));
  CHECK(done.Has("/w/same", "rw"));
}

TEST_CASE("paths that only share letters are not above each other") {
  EffectivePolicy policy = BasePolicy();
  AddRules(policy, {Rule("/a", Access::kReadWrite), Rule("/a-b", Access::kDeny), Rule("/a-b/c", Access::kReadOnly),
                    Rule("/a/x", Access::kDeny)});
  Done done = Must(policy);
  CHECK(HasPath(done.extension.denied, "/a/x"));
  CHECK(HasPath(done.extension.denied, "/a-b"));  // it holds a grant
}

TEST_CASE("what a profile denies elsewhere holds for other names of it, once anything is granted") {
  policy::PathRule elsewhere = Rule("/home/other/.ssh", Access::kDeny);
  elsewhere.origin.layer = policy::Layer::kProfile;
  EffectivePolicy none = BasePolicy();
  AddRules(none, {elsewhere});
  CHECK_FALSE(HasPath(Must(none).extension.denied, "/home/other/.ssh"));
  EffectivePolicy granted = BasePolicy();
  AddRules(granted, {elsewhere, Rule("/link/to/home", Access::kReadOnly)});
  CHECK(HasPath(Must(granted).extension.denied, "/home/other/.ssh"));
}

TEST_CASE("grants that replace or meet the sandbox's own file systems") {
  EffectivePolicy policy = BasePolicy();
  AddRules(policy, {Rule("/tmp", Access::kReadWrite), Rule("/dev/null", Access::kReadWrite),
                    Rule("/proc", Access::kReadOnly), Rule("/run/user/1000/x", Access::kReadOnly)});
  Done done = Must(policy);
  CHECK(done.Find("/tmp")->type == "bind");
  CHECK(std::count_if(done.spec.mounts.begin(), done.spec.mounts.end(),
                      [](const oci::Mount& mount) { return mount.destination == "/tmp"; }) == 1);
  CHECK(done.Find("/dev/null") == nullptr);
  CHECK(done.Find("/proc")->type == "proc");
  CHECK(done.Find("/run")->type == "tmpfs");
  CHECK(done.Find("/run/user/1000/x")->type == "bind");
  CHECK(Mentions(done.notes, "/proc"));
  for (const char* path : {"/", "/dev/kvm", "/proc/sys/kernel"}) {
    EffectivePolicy bad = BasePolicy();
    AddRules(bad, {Rule(path, Access::kReadWrite, "/filesystem/readwritePaths/0")});
    Error error = MustFail(bad);
    CHECK(error.code() == Code::kUnsupported);
    CHECK(error.position()->pointer == "/filesystem/readwritePaths/0");
    CHECK(error.position()->source == "p.json");
  }
}

TEST_CASE("names denied by a profile in file systems of our own cost nothing, those of the policy hold") {
  EffectivePolicy policy = BasePolicy();
  policy::PathRule door = Rule("/run/docker.sock", Access::kDeny);
  door.origin.layer = policy::Layer::kBuiltin;
  AddRules(policy, {door, Rule("/tmp/x", Access::kDeny), Rule("/proc/version", Access::kDeny)});
  Done done = Must(policy);
  CHECK_FALSE(HasPath(done.extension.denied, "/run/docker.sock"));
  CHECK(HasPath(done.extension.denied, "/tmp/x"));
  CHECK(HasPath(done.extension.denied, "/proc/version"));
  AddRules(policy, {Rule("/run", Access::kReadOnly)});
  CHECK(HasPath(Must(policy).extension.denied, "/run/docker.sock"));
}

TEST_CASE("generated files, except where the host's own is shown") {
  HostFacts facts = HostFacts::Generic();
  facts.caller.user = "ann";
  Done done = Must(BasePolicy(), facts);
  CHECK(done.extension.files.at("/etc/passwd").find("ann:x:1000:1000::/home/user:/bin/sh\n") != std::string::npos);
  CHECK(done.extension.files.at("/etc/hostname") == "sandbox\n");
  CHECK(done.extension.files.at("/etc/hosts").find("127.0.0.1 localhost sandbox\n") == 0);
  CHECK_FALSE(done.extension.files.contains("/etc/nsswitch.conf"));  // BasePolicy shows the host's
  CHECK(done.extension.files.contains("/etc/resolv.conf"));

  facts.caller.user = "x:x:0:0\nroot2";
  facts.caller.home = "/home/a:b";
  std::string passwd = Must(BasePolicy(), facts).extension.files.at("/etc/passwd");
  CHECK(passwd.find("root2") == std::string::npos);
  CHECK(passwd.find("user:x:1000:1000::/:/bin/sh\n") != std::string::npos);

  EffectivePolicy policy = BasePolicy();
  AddRules(policy, {Rule("/etc", Access::kReadOnly)});
  CHECK(Must(policy).extension.files.empty());
}

TEST_CASE("the working directory") {
  HostFacts facts = HostFacts::Generic();
  EffectivePolicy policy = MixedPolicy();
  policy.cwd.value.reset();
  facts.caller.cwd = "/home/user/work/sub";
  CHECK(Must(policy, facts).spec.process->cwd == "/home/user/work/sub");
  for (const char* hidden : {"/srv", "/home/user/work/secret", "/tmp/x", "", "relative"}) {
    facts.caller.cwd = hidden;
    CHECK(Must(policy, facts).spec.process->cwd == "/");
  }
  for (const char* fine : {"/", "/home", "/tmp", "/usr/bin", "/home/user/work/secret/open/x"}) {
    policy.cwd.value = fine;
    CHECK(Must(policy).spec.process->cwd == fine);
  }
  policy.cwd.origin = {policy::Layer::kPolicy, "p.json", "/process/cwd", 4};
  for (const char* bad : {"/srv", "/home/user/work/secret/x", "/home/user2"}) {
    policy.cwd.value = bad;
    CHECK(MustFail(policy).position()->pointer == "/process/cwd");
  }
}

TEST_CASE("the environment: the policy's own, then what may be passed on and isn't set") {
  EffectivePolicy policy = BasePolicy();
  policy.env_pass = {{"TZ", {}}, {"LANG", {}}, {"PAT", {}}, {"ABSENT", {}}};
  HostFacts facts = HostFacts::Generic();
  facts.caller.env = {{"TZ", "UTC"}, {"LANG", "de"}, {"PAT", "1"}, {"SECRET", "x"}};
  CHECK(Must(policy, facts).spec.process->env ==
        std::vector<std::string>{"PATH=/usr/bin:/bin", "LANG=C.UTF-8", "TZ=UTC", "PAT=1"});
}

TEST_CASE("limits without cgroups: rlimits for defaults, errors for what the policy names") {
  HostFacts facts = HostFacts::Generic();
  facts.cgroup = {};
  EffectivePolicy policy = BasePolicy();
  policy.resources.value.cpus = 2;
  Done done = Must(policy, facts);
  CHECK_FALSE(done.spec.linux.resources.has_value());
  CHECK(done.Limit("RLIMIT_NPROC")->hard == 1024);
  CHECK(done.Limit("RLIMIT_DATA")->hard == uint64_t{4} << 30);
  CHECK(done.notes.size() == 3);
  for (const char* name : {"memory", "swap", "pids", "cpus"}) {
    policy.named_limits = {name};
    Error error = MustFail(policy, facts);
    CHECK(error.code() == Code::kUnsupported);
    CHECK(error.message().find(name) != std::string::npos);
  }
  policy.named_limits = {"memory", "cpus", "pids", "tmp"};
  CHECK(Must(policy).extension.named_limits == std::vector<std::string>{"memory", "pids", "cpu"});
}

TEST_CASE("rlimits that the caller can't raise") {
  HostFacts facts = HostFacts::Generic();
  facts.hard_limits["RLIMIT_NOFILE"] = 4096;
  EffectivePolicy policy = BasePolicy();
  Done done = Must(policy, facts);
  CHECK(done.Limit("RLIMIT_NOFILE")->hard == 4096);
  CHECK(Mentions(done.notes, "RLIMIT_NOFILE"));
  policy.named_limits = {"openFiles"};
  CHECK(MustFail(policy, facts).code() == Code::kUnsupported);
  facts.raises_limits = true;
  CHECK(Must(policy, facts).Limit("RLIMIT_NOFILE")->hard == 65536);
}

TEST_CASE("Landlock follows the kernel") {
  HostFacts facts = HostFacts::Generic();
  facts.landlock_abi = 0;
  EffectivePolicy policy = BasePolicy();
  Done done = Must(policy, facts);
  CHECK_FALSE(done.extension.landlock->enabled);
  CHECK(Mentions(done.notes, "Landlock"));
  policy.landlock_required.value = true;
  CHECK(MustFail(policy, facts).message().find("landlock.required") != std::string::npos);
  policy.landlock_required.value = false;
  policy.tcp_bind = std::vector<uint16_t>{8080};
  facts.landlock_abi = 3;
  CHECK(MustFail(policy, facts).message().find("tcpBind") != std::string::npos);
  facts.landlock_abi = 4;
  CHECK(*Must(policy, facts).extension.landlock->tcp_bind == std::vector<uint16_t>{8080});
}

TEST_CASE("nesting leaves /proc whole, and root is an ordinary user inside") {
  EffectivePolicy policy = BasePolicy();
  policy.nesting.value = true;
  HostFacts facts = HostFacts::Generic();
  facts.root = true;
  facts.caller.uid = facts.caller.gid = 0;
  Done done = Must(policy, facts);
  CHECK(done.spec.linux.masked_paths.empty());
  CHECK(done.spec.linux.readonly_paths.empty());
  CHECK(done.spec.process->user.uid == 1000);
  CHECK(Mentions(done.notes, "nothing in /proc is masked"));
}

TEST_CASE("host-root is root's alone, and has no user namespace") {
  EffectivePolicy policy = BasePolicy();
  policy.identity.value = policy::Identity::kHostRoot;
  CHECK(MustFail(policy).code() == Code::kUnsupported);
  HostFacts facts = HostFacts::Generic();
  facts.root = true;
  Done done = Must(policy, facts);
  for (const oci::Namespace& one : done.spec.linux.namespaces) CHECK(one.type != "user");
  CHECK(Mentions(done.notes, "host-root"));
}

TEST_CASE("the GPU of WSL is a device, its drivers and where the loader finds them") {
  EffectivePolicy policy = MixedPolicy();
  policy.gpu.value = policy::Gpu::kWsl;
  HostFacts facts = HostFacts::Generic();
  auto refused = Translate(policy, facts, FindTestSeccomp);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().message().find("/dev/dxg") != std::string::npos);
  facts.wsl.gpu = true;
  Done done = Must(policy, facts);
  REQUIRE(done.Find("/dev/dxg") != nullptr);
  CHECK_FALSE(done.Has("/dev/dxg", "nodev"));
  CHECK(Mentions(done.notes, "gpu"));
  auto path = [&] {
    for (const std::string& entry : done.spec.process->env) {
      if (entry.starts_with("LD_LIBRARY_PATH=")) return entry.substr(16);
    }
    return std::string();
  };
  CHECK(path() == "/usr/lib/wsl/lib");
  policy.env.push_back({"LD_LIBRARY_PATH=/opt/lib", {}});
  done = Must(policy, facts);
  CHECK(path() == "/usr/lib/wsl/lib:/opt/lib");
}

TEST_CASE("nesting needs its seccomp list") {
  EffectivePolicy policy = BasePolicy();
  policy.nesting.value = true;
  Done done = Must(policy);
  CHECK(*done.spec.linux.seccomp == *FindTestSeccomp("nesting"));
  CHECK_FALSE(done.extension.landlock->files);
  CHECK(Mentions(done.notes, "nesting"));
  policy.seccomp_profile.value = "ml";
  CHECK(MustFail(policy).code() == Code::kUnsupported);
  policy.nesting.value = false;
  policy.seccomp_profile.value = "none-such";
  CHECK(MustFail(policy).code() == Code::kNotFound);
}

TEST_CASE("a root file system instead of the baseline") {
  EffectivePolicy policy = MixedPolicy();
  policy.rootfs.value = "/srv/rootfs";
  AddRules(policy, {Rule("/opt/secret", Access::kDeny)});
  Done done = Must(policy);
  CHECK(done.spec.root->path == "/srv/rootfs");
  CHECK(done.spec.root->readonly);
  CHECK_FALSE(done.extension.empty_root);
  CHECK(done.extension.files.empty());
  CHECK(done.Find("/usr") == nullptr);
  CHECK(done.Has("/home/user/work", "rw"));
  CHECK(HasPath(done.extension.denied, "/opt/secret"));
  CHECK(HasPath(done.extension.denied, "/nowhere/secret"));
}

TEST_CASE("hosts without user namespaces need root") {
  HostFacts facts = HostFacts::Generic();
  facts.user_namespaces = false;
  CHECK(MustFail(BasePolicy(), facts).code() == Code::kUnsupported);
  facts.root = true;
  CHECK(Translate(BasePolicy(), facts, FindTestSeccomp).ok());
}

TEST_CASE("a path that JSON can't say is refused") {
  EffectivePolicy policy = BasePolicy();
  AddRules(policy, {Rule("/w\xff", Access::kDeny)});
  auto result = Translate(policy, HostFacts::Generic(), FindTestSeccomp);
  REQUIRE_FALSE(result.ok());
  CHECK(result.error().code() == Code::kInvalid);
}

// "Declaration alone is not evidence": every field of the model has to reach the specification, or be refused.
TEST_CASE("flipping any field of the policy changes the specification or is refused by name") {
  struct Flip {
    const char* name;
    void (*apply)(EffectivePolicy&);
  };
  const Flip kFlips[] = {
      {"run_name", [](auto& p) { p.run_name = "other"; }},
      {"argv", [](auto& p) { p.argv.value = {"ls"}; }},
      {"cwd", [](auto& p) { p.cwd.value = "/tmp"; }},
      {"env", [](auto& p) { p.env.pop_back(); }},
      {"env_pass",
       [](auto& p) {
         p.env_pass = {{"TZ", {}}};
       }},
      {"timeout_ms", [](auto& p) { p.timeout_ms.value = 1; }},
      {"paths: grant ro", [](auto& p) { AddRules(p, {Rule("/x", Access::kReadOnly)}); }},
      {"paths: grant rw", [](auto& p) { AddRules(p, {Rule("/x", Access::kReadWrite)}); }},
      {"paths: deny", [](auto& p) { AddRules(p, {Rule("/data/x", Access::kDeny)}); }},
      {"paths: protect", [](auto& p) { AddRules(p, {Protect("/data/out/x")}); }},
      {"paths: if_present",
       [](auto& p) {
         for (auto& r : p.paths) r.if_present = !r.if_present;
       }},
      {"paths: baseline",
       [](auto& p) {
         for (auto& r : p.paths) r.baseline = !r.baseline;
       }},
      {"paths: origin",
       [](auto& p) {
         for (auto& r : p.paths) r.origin.pointer = "/y";
       }},
      {"rootfs", [](auto& p) { p.rootfs.value = "/r"; }},
      {"egress", [](auto& p) { p.egress.value = policy::Default::kAllow; }},
      {"ingress", [](auto& p) { p.ingress.value = policy::Default::kAllow; }},
      {"host_loopback", [](auto& p) { p.host_loopback.value = policy::Default::kAllow; }},
      {"memory_bytes", [](auto& p) { p.resources.value.memory_bytes = 1 << 30; }},
      {"swap_bytes", [](auto& p) { p.resources.value.swap_bytes = 1 << 30; }},
      {"cpus", [](auto& p) { p.resources.value.cpus = 1.5; }},
      {"pids", [](auto& p) { p.resources.value.pids = 7; }},
      {"tmp_bytes", [](auto& p) { p.resources.value.tmp_bytes = 4096; }},
      {"shm_bytes", [](auto& p) { p.resources.value.shm_bytes = 4096; }},
      {"tmpfs_inodes", [](auto& p) { p.resources.value.tmpfs_inodes = 99; }},
      {"open_files", [](auto& p) { p.resources.value.open_files = 99; }},
      {"file_bytes", [](auto& p) { p.resources.value.file_bytes = 99; }},
      {"memlock_bytes", [](auto& p) { p.resources.value.memlock_bytes = UINT64_MAX; }},
      {"stack_bytes", [](auto& p) { p.resources.value.stack_bytes = 1 << 20; }},
      {"core_bytes", [](auto& p) { p.resources.value.core_bytes = 99; }},
      {"named_limits", [](auto& p) { p.named_limits = {"pids"}; }},
      {"seccomp_profile", [](auto& p) { p.seccomp_profile.value = "ml"; }},
      {"landlock_required", [](auto& p) { p.landlock_required.value = true; }},
      {"tcp_bind", [](auto& p) { p.tcp_bind.emplace(); }},
      {"tcp_connect", [](auto& p) { p.tcp_connect.emplace(); }},
      {"on_exposed", [](auto& p) { p.on_exposed.value = policy::OnExposed::kKill; }},
      {"on_missing: refuse", [](auto& p) { p.on_missing.value = policy::OnMissing::kRefuse; }},
      {"on_missing: seal", [](auto& p) { p.on_missing.value = policy::OnMissing::kSeal; }},
      {"identity", [](auto& p) { p.identity.value = policy::Identity::kHostRoot; }},
      {"gpu", [](auto& p) { p.gpu.value = policy::Gpu::kWsl; }},
      {"nesting", [](auto& p) { p.nesting.value = true; }},
      {"time_namespace", [](auto& p) { p.time_namespace.value = true; }},
      {"hostname", [](auto& p) { p.hostname.value = "other"; }},
      {"profile", [](auto& p) { p.profile = "other"; }},
      {"sysfs", [](auto& p) { p.sysfs = true; }},
      {"digest", [](auto& p) { p.digest = "sha256:1111"; }},
  };
  HostFacts facts = HostFacts::Generic();
  facts.landlock_abi = 7;
  facts.caller.env["TZ"] = "UTC";
  const Done before = Must(MixedPolicy(), facts);
  for (const Flip& flip : kFlips) {
    EffectivePolicy policy = MixedPolicy();
    flip.apply(policy);
    auto after = Translate(policy, facts, FindTestSeccomp);
    if (after.ok()) {
      CHECK_MESSAGE(oci::WriteSpec(after->spec, true) != oci::WriteSpec(before.spec, true), flip.name);
    } else {
      CHECK_MESSAGE(after.error().code() == Code::kUnsupported, flip.name);
      CHECK_FALSE(after.error().hint().empty());
    }
  }
}

TEST_CASE("Network rules reach the annotation as they are; without root and a link only those of TCP") {
  EffectivePolicy policy = MixedPolicy();
  for (const char* line : {"allow tcp 192.0.2.0/24 443 p.json#/network/egress/allow/0",
                           "allow udp 192.0.2.53/32 53 p.json#x", "deny any 0.0.0.0/0 * d", "deny any ::/0 * d"}) {
    policy.egress_rules.push_back(*network::ParseRule(line));
  }
  HostFacts facts = HostFacts::Generic();
  facts.nameservers = {"192.0.2.53", "192.0.2.54", "127.0.0.53", "nonsense", "2001:db8::1"};
  CHECK(Must(policy, facts).extension.network == policy.egress_rules);
  facts.link_missing = "pasta is not installed";
  auto refused = Translate(policy, facts, FindTestSeccomp);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().code() == Code::kUnsupported);
  CHECK(refused.error().message().find("/network/egress") != std::string::npos);
  facts.root = true;
  const Done done = Must(policy, facts);
  CHECK(done.extension.network == policy.egress_rules);
  CHECK(done.spec.annotations.at("dev.mxc.network")
            .starts_with(R"(["allow tcp 192.0.2.0/24 443 p.json#/network/egress/allow/0",)"));
  // Only the servers that the rules let it ask.
  CHECK(done.extension.files.at("/etc/resolv.conf") == "nameserver 192.0.2.53\noptions timeout:2 attempts:2\n");

  policy.identity.value = policy::Identity::kHostRoot;
  CHECK_FALSE(Translate(policy, facts, FindTestSeccomp).ok());
  policy.identity.value = policy::Identity::kCaller;
  facts.root = false;
  policy.egress_rules.erase(policy.egress_rules.begin() + 1);
  CHECK(Must(policy, facts).extension.network == policy.egress_rules);
}

TEST_CASE("Names and ports reach their annotations, and look-ups go to the sandbox's own resolver") {
  EffectivePolicy policy = MixedPolicy();
  policy.name_rules.push_back(*network::ParseNameRule("allow pypi.org p#/x-linux/domains/allow/0"));
  policy.port_rules.push_back(*network::ParsePortRule("in tcp 127.0.0.1/32 80 80 p#/x-linux/ports/0"));
  policy.host_loopback = {policy::Default::kAllow,
                          {policy::Layer::kPolicy, "p.json", "/network/ingress/hostLoopback", 3}};
  HostFacts facts = HostFacts::Generic();
  facts.nameservers = {"192.0.2.53"};
  const Done done = Must(policy, facts);
  CHECK(done.extension.names == policy.name_rules);
  CHECK(done.extension.ports == policy.port_rules);
  CHECK(done.extension.files.at("/etc/resolv.conf").starts_with("nameserver 198.19.0.1\n"));
  CHECK(done.spec.annotations.at("dev.mxc.names") == R"(["allow pypi.org p#/x-linux/domains/allow/0"])");

  // Which ports, nobody can guess.
  policy.port_rules.clear();
  auto refused = Translate(policy, facts, FindTestSeccomp);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().position()->pointer == "/network/ingress/hostLoopback");
}

}  // namespace
}  // namespace mxc::translate
