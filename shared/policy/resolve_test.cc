#include "shared/policy/resolve.h"

#include <doctest/doctest.h>

#include <algorithm>

#include "shared/policy/digest.h"
#include "shared/policy/path_tree.h"
#include "shared/policy/resolve_testing.h"

namespace mxc::policy {
namespace {

// "none", "deny", "ro" or "rw".
std::string AccessTo(const EffectivePolicy& policy, std::string_view path) {
  const PathRule* rule = Lookup(policy.paths, path);
  if (rule == nullptr) return "none";
  return rule->access == Access::kDeny ? "deny" : rule->access == Access::kReadOnly ? "ro" : "rw";
}

std::string Variable(const EffectivePolicy& policy, const std::string& name) {
  for (const auto& entry : policy.env) {
    if (entry->starts_with(name + "=")) return entry->substr(name.size() + 1);
  }
  return "(unset)";
}

EffectivePolicy Must(Result<EffectivePolicy> result) {
  REQUIRE_MESSAGE(result.ok(), result.error().Describe());
  return *std::move(result);
}

TEST_CASE("a policy that says nothing gets the default profile, with every limit set") {
  const auto policy = Must(ResolveText(""));
  CHECK(policy.profile == "default");
  CHECK(*policy.argv == std::vector<std::string>{"sh", "-c", "true"});
  CHECK(AccessTo(policy, "/usr/bin/python3") == "ro");
  CHECK(AccessTo(policy, "/etc/ssl/private/key.pem") == "none");
  CHECK(AccessTo(policy, "/etc/shadow") == "none");
  CHECK(AccessTo(policy, "/home/alice") == "none");
  CHECK(AccessTo(policy, "/") == "none");
  CHECK(*policy.egress == Default::kDeny);
  CHECK(*policy.seccomp_profile == "default");
  CHECK(policy.resources->memory_bytes == uint64_t{4} << 30);
  CHECK(policy.resources->core_bytes == 0);
  CHECK(policy.named_limits.empty());
  CHECK(*policy.timeout_ms == 0);
  CHECK_FALSE(*policy.nesting);
  CHECK(Digest(policy).size() == 7 + 64);
  CHECK(std::none_of(policy.paths.begin(), policy.paths.end(),
                     [](const PathRule& rule) { return rule.access == Access::kReadWrite; }));
  CHECK(Find(policy.paths, "/usr")->baseline);
}

TEST_CASE("grants and denials of the policy, and where they came from") {
  const auto policy = Must(ResolveText(R"("filesystem":{"readonlyPaths":["/data/"],
"readwritePaths":["/data/../desk","C:\\out"],"deniedPaths":["/desk/secret"]})",
                                       {}, [] {
                                         Caller caller = AliceInProject();
                                         caller.distro = "Debian";
                                         return caller;
                                       }()));
  CHECK(AccessTo(policy, "/data/x") == "ro");
  CHECK(AccessTo(policy, "/desk/x") == "rw");
  CHECK(AccessTo(policy, "/desk/secret/x") == "deny");
  CHECK(AccessTo(policy, "/mnt/c/out") == "rw");
  CHECK(AccessTo(policy, "/mnt/c") == "none");
  const PathRule* rule = Find(policy.paths, "/desk");
  REQUIRE(rule != nullptr);
  CHECK(rule->origin.layer == Layer::kPolicy);
  CHECK(rule->origin.name == "p.json");
  CHECK(rule->origin.pointer == "/filesystem/readwritePaths/0");
  CHECK(rule->origin.line == 3);
}

TEST_CASE("secrets stay shut when the home is granted, and fall only to their own name") {
  const auto home = Must(ResolveText(R"("filesystem":{"readwritePaths":["/home/alice"]})"));
  for (const char* secret : {".ssh", ".ssh/id_ed25519", ".aws/credentials", ".netrc", ".config/gh/hosts.yml",
                             ".cache/huggingface/token", ".docker/config.json", ".bash_history", ".mozilla/x"}) {
    CAPTURE(secret);
    CHECK(AccessTo(home, std::string("/home/alice/") + secret) == "deny");
  }
  for (const char* file : {".bashrc", ".gitconfig", ".config/systemd/user/x.service", ".git/hooks/post-commit",
                           ".envrc", ".claude/settings.json"}) {
    CAPTURE(file);
    CHECK(AccessTo(home, std::string("/home/alice/") + file) == "ro");
  }
  CHECK(AccessTo(home, "/home/alice/proj/x") == "rw");
  CHECK(AccessTo(home, "/home/alice/.config/mxc/profiles") == "ro");
  CHECK(AccessTo(home, "/home/alice/.cache/mxc") == "deny");

  const auto named = Must(ResolveText(
      R"("filesystem":{"readwritePaths":["/home/alice","/home/alice/.bashrc"],"readonlyPaths":["/home/alice/.aws"]})"));
  CHECK(AccessTo(named, "/home/alice/.aws/config") == "ro");
  CHECK(AccessTo(named, "/home/alice/.bashrc") == "rw");
  CHECK(AccessTo(named, "/home/alice/.ssh") == "deny");
}

TEST_CASE("all of the disk may be granted; what leads out stays shut") {
  Caller caller = AliceInProject();
  caller.distro = "Debian";
  const auto policy = Must(ResolveText(R"("filesystem":{"readwritePaths":["/"]})", {}, caller));
  CHECK(AccessTo(policy, "/srv/x") == "rw");
  for (const char* shut : {"/run/mxc/socket", "/run/user/1000/mxc", "/tmp/mxc-1000", "/run/WSL/1_interop", "/init",
                           "/run/docker.sock", "/run/dbus/system_bus_socket", "/run/user/1000/bus", "/mnt/wsl/x",
                           "/mnt/wslg/distro/etc", "/mnt/c/Users", "/mnt/z", "/tmp/.X11-unix/X0", "/home/alice/.ssh"}) {
    CAPTURE(shut);
    CHECK(AccessTo(policy, shut) == "deny");
  }
  // sudo clears WSL_DISTRO_NAME.
  caller.distro.clear();
  caller.wsl = true;
  CHECK(AccessTo(Must(ResolveText(R"("filesystem":{"readwritePaths":["/mnt"]})", {}, caller)), "/mnt/c/Users") ==
        "deny");
  for (const char* own :
       {"/etc/mxc/policy.d/x", "/usr/local/bin/mxc", "/usr/local/libexec/mxc/mxc-relay", "/home/alice/.config/mxc"}) {
    CAPTURE(own);
    CHECK(AccessTo(policy, own) == "ro");
  }
}

TEST_CASE("sockets stay shut wherever a grant leads and whatever the environment says") {
  Caller caller = AliceInProject();
  caller.env.emplace_back("XDG_RUNTIME_DIR", "/elsewhere");
  const auto policy = Must(ResolveText(R"("filesystem":{"readwritePaths":["/srv/x","/run/user/1000"]})", {}, caller));
  for (const char* shut : {"/run/docker.sock", "/run/dbus", "/run/user/1000/bus", "/elsewhere/bus"}) {
    CAPTURE(shut);
    CHECK(AccessTo(policy, shut) == "deny");
  }
}

TEST_CASE("what is never granted is refused by name") {
  const char* const refused[] = {"/proc",
                                 "/proc/1",
                                 "/sys/fs/cgroup",
                                 "/dev/null",
                                 "/run/mxc/socket",
                                 "/run/docker.sock",
                                 "/var/run/docker.sock",
                                 "/run/user/1000/bus",
                                 "/run/WSL",
                                 "/mnt/wslg/distro",
                                 "/mnt/wsl",
                                 "/init",
                                 "/etc/mxc",
                                 "/usr/local/bin/mxc",
                                 "/home/alice/.config/mxc/x",
                                 "/tmp/.X11-unix",
                                 "/run/user/1000/gnupg/S.gpg-agent"};
  for (const char* path : refused) {
    CAPTURE(path);
    const auto result = ResolveText(std::string(R"("filesystem":{"readwritePaths":[")") + path + "\"]}");
    REQUIRE_FALSE(result.ok());
    CHECK(result.error().position()->pointer == "/filesystem/readwritePaths/0");
    CHECK(result.error().message().find(path) != std::string::npos);
    CHECK_FALSE(result.error().hint().empty());
  }
  CHECK(ResolveText(R"("filesystem":{"readonlyPaths":["/etc/mxc"]})").ok());
  CHECK(ResolveText(R"("filesystem":{"deniedPaths":["/proc/kcore","/run/mxc"]})").ok());
}

TEST_CASE("the environment of MXC") {
  const ProfileSet profiles = EmbeddedProfiles();
  const auto resolve = [&](const std::string& process, const std::string& members = "") {
    return Must(Resolve(PolicyWith(members, process), profiles, {}, AliceInProject(), {}));
  };
  auto policy = resolve(R"({"commandLine":"x"})");
  CHECK(Variable(policy, "PATH") == "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
  CHECK(Variable(policy, "TERM") == "xterm-256color");
  CHECK(Variable(policy, "HOME") == "/tmp");
  CHECK(Variable(policy, "TZ") == "UTC");
  CHECK(Variable(policy, "API_KEY") == "(unset)");
  CHECK(Variable(policy, "OMP_NUM_THREADS") == "(unset)");
  CHECK(Variable(resolve(R"({"commandLine":"x","cwd":"/desk"})"), "HOME") == "/desk");
  CHECK(Variable(resolve(R"({"commandLine":"x"})", R"("filesystem":{"readonlyPaths":["/home"]})"), "HOME") ==
        "/home/alice");
  CHECK(resolve(R"({"commandLine":"x","env":[]})").env.empty());
  policy = resolve(R"({"commandLine":"x","env":["A=1","B=2","A=3"]})");
  REQUIRE(policy.env.size() == 2);
  CHECK(*policy.env[0] == "A=3");
  policy = resolve(R"({"commandLine":"x","env":["TERM=dumb"],"inheritDefaultEnv":true})");
  CHECK(Variable(policy, "TERM") == "dumb");
  CHECK(Variable(policy, "PATH") != "(unset)");
  policy =
      resolve(R"({"commandLine":"x"})", R"("x-linux":{"env":{"pass":["API_KEY","ABSENT"]},"resources":{"cpus":1.5}})");
  CHECK(Variable(policy, "API_KEY") == "k");
  CHECK(Variable(policy, "ABSENT") == "(unset)");
  CHECK(Variable(policy, "OMP_NUM_THREADS") == "2");
  for (const char* never : {"DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER", "WSL_INTEROP", "WSLENV", "LD_PRELOAD",
                            "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK"}) {
    CAPTURE(never);
    const auto refused = ResolveText(std::string(R"("x-linux":{"env":{"pass":[")") + never + "\"]}}");
    REQUIRE_FALSE(refused.ok());
    CHECK(refused.error().position()->pointer == "/x-linux/env/pass/0");
  }
}

TEST_CASE("limits: the policy's are named, the others come from the profile") {
  const auto policy = Must(ResolveText(R"("x-linux":{"profile":"build","resources":{"memory":"2GiB","cpus":2}})"));
  CHECK(policy.resources->memory_bytes == uint64_t{2} << 30);
  CHECK(policy.resources->pids == 8192);
  CHECK(policy.resources->open_files == 65536);  // build says nothing, so default does
  CHECK(policy.named_limits == std::vector<std::string>{"memory", "cpus"});
}

TEST_CASE("nesting takes the seccomp list that allows it, unless one is named") {
  CHECK(*Must(ResolveText(R"("x-linux":{"nesting":true})")).seccomp_profile == "nesting");
  CHECK(*Must(ResolveText(R"("x-linux":{"nesting":true,"seccomp":{"profile":"ml"}})")).seccomp_profile == "ml");
}

TEST_CASE("the command line's profile and command win over the policy's") {
  CommandLine line;
  line.profile = "untrusted-code";
  line.argv = {"python3", "x.py"};
  const auto policy = Must(ResolveText(R"("x-linux":{"profile":"build"})", {}, AliceInProject(), line));
  CHECK(policy.profile == "untrusted-code");
  CHECK(*policy.argv == line.argv);
  CHECK(*policy.timeout_ms == 30000);
  CHECK(*policy.on_exposed == OnExposed::kKill);
  line.profile = "nope";
  const auto missing = ResolveText("", {}, AliceInProject(), line);
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().hint().find("ml-train") != std::string::npos);
}

TEST_CASE("profiles that open the working directory refuse a home or the whole disk") {
  Caller caller = AliceInProject();
  const auto build = R"("x-linux":{"profile":"build"})";
  CHECK(AccessTo(Must(ResolveText(build, {}, caller)), "/home/alice/proj/src") == "rw");
  CHECK(AccessTo(Must(ResolveText(build, {}, caller)), "/home/alice/proj/.git/hooks/x") == "ro");
  for (const char* cwd : {"/home/alice", "/home", "/", ""}) {
    CAPTURE(cwd);
    caller.cwd = cwd;
    CHECK_FALSE(ResolveText(build, {}, caller).ok());
  }
  caller.cwd = "/home/alice";
  CHECK(
      ResolveText(R"("x-linux":{"profile":"build"},"filesystem":{"readwritePaths":["/home/alice"]})", {}, caller).ok());
}

TEST_CASE("a rootfs replaces the base system") {
  const auto policy =
      Must(ResolveText(R"("x-linux":{"rootfs":"/srv/root"},"filesystem":{"readwritePaths":["/desk"]})"));
  CHECK(**policy.rootfs == "/srv/root");
  CHECK(AccessTo(policy, "/usr/bin") == "none");
  CHECK_FALSE(ResolveText(R"("x-linux":{"rootfs":"/"})").ok());
  CHECK_FALSE(ResolveText(R"("x-linux":{"rootfs":"/srv/root"},"filesystem":{"readonlyPaths":["/"]})").ok());
}

TEST_CASE("the digest follows what is allowed, not where it was written") {
  const auto a = Must(ResolveText(R"("filesystem":{"readonlyPaths":["/a"],"deniedPaths":["/a/b"]})"));
  const auto b =
      Must(ResolveText(R"("containerId":"other",   "filesystem":{"deniedPaths":["/a//b"],"readonlyPaths":["/a/."]})"));
  const auto c = Must(ResolveText(R"("filesystem":{"readwritePaths":["/a"],"deniedPaths":["/a/b"]})"));
  CHECK(Digest(a) == Digest(b));
  CHECK(Digest(a) != Digest(c));
  const auto d = Must(ResolveText(
      R"("filesystem":{"readonlyPaths":["/a"],"deniedPaths":["/a/b"]},"x-linux":{"landlock":{"tcpBind":[]}})"));
  CHECK(Digest(a) != Digest(d));
}

TEST_CASE("no command is an error") {
  const ProfileSet profiles = EmbeddedProfiles();
  Policy policy = PolicyWith("");
  policy.process.reset();
  CHECK_FALSE(Resolve(policy, profiles, {}, AliceInProject(), {}).ok());
  CommandLine line;
  line.argv = {"true"};
  CHECK(Resolve(policy, profiles, {}, AliceInProject(), line).ok());
}

std::string NamesOf(const EffectivePolicy& policy) {
  std::string text;
  for (const network::NameRule& rule : policy.name_rules) text += network::Spell(rule) + "\n";
  return text;
}

TEST_CASE("Names: what the policy says, its groups, and what tools are configured for; a denial comes first") {
  Caller caller = AliceInProject();
  caller.configured_hosts = [](std::string_view tool) {
    return tool == "pip" ? std::vector<std::string>{"mirror.example:8443", "10.0.0.1"} : std::vector<std::string>();
  };
  auto policy = ResolveText(
      R"("x-linux":{"domains":{"allow":["a.example"],"deny":["b.example"],"groups":["pytorch","pypi","npm"]}})", {},
      caller);
  REQUIRE(policy.ok());
  CHECK(NamesOf(*policy) ==
        "deny b.example p.json#/x-linux/domains/deny/0\n"
        "allow a.example p.json#/x-linux/domains/allow/0\n"
        "allow download.pytorch.org pytorch#/domains/0\n"
        "allow download-r2.pytorch.org pytorch#/domains/1\n"
        "allow pypi.org pypi#/domains/0\n"
        "allow files.pythonhosted.org pypi#/domains/1\n"
        "allow pypi.nvidia.com pypi#/domains/2\n"
        "allow *.pypi.nvidia.com pypi#/domains/3\n"
        "allow mirror.example:8443 pip's configuration, by pypi#/hostsOf/0\n");
}

TEST_CASE("A group that doesn't exist, or is none, is an error that lists those there are") {
  for (const char* group : {"pypy", "secrets"}) {
    auto policy = ResolveText(R"("x-linux":{"domains":{"groups":[")" + std::string(group) + R"("]}})");
    REQUIRE_FALSE(policy.ok());
    CHECK(policy.error().message().find(group) != std::string::npos);
    CHECK(policy.error().hint().find("pypi") != std::string::npos);
  }
}

TEST_CASE("A profile's names are a default, which a policy that says deny, or has a proxy, doesn't get") {
  const std::string profile = R"("x-linux":{"profile":"pip-install"})";
  CHECK(NamesOf(*ResolveText(profile)).starts_with("allow pypi.org pypi#/domains/0"));
  CHECK(NamesOf(*ResolveText(profile + R"(,"network":{"ingress":{"hostLoopback":"deny"}})")).size() > 0);
  CHECK(NamesOf(*ResolveText(profile + R"(,"network":{"egress":{"default":"deny"}})")).empty());
  CHECK(NamesOf(*ResolveText(profile + R"(,"runtimeConfig":{"networkProxy":"http://localhost:1"})")).empty());
  for (const char* closed : {"default", "build", "ml-train", "ml-infer", "untrusted-code"}) {
    CAPTURE(closed);
    CHECK(NamesOf(*ResolveText(R"("x-linux":{"profile":")" + std::string(closed) + R"("})")).empty());
  }
}

TEST_CASE("A floor that forbids egress forbids names and the proxy") {
  const std::vector<std::pair<std::string, std::string>> floor = {
      {"/etc/mxc/policy.d/a.yaml", "floor: 1\nforbid: [egress]\n"}};
  CHECK(ResolveText("", floor).ok());
  CHECK_FALSE(ResolveText(R"("x-linux":{"domains":{"allow":["a.example"]}})", floor).ok());
  CHECK_FALSE(ResolveText(R"("x-linux":{"profile":"pip-install"})", floor).ok());
  CHECK_FALSE(ResolveText(R"("runtimeConfig":{"networkProxy":"http://localhost:1"})", floor).ok());
}

}  // namespace
}  // namespace mxc::policy
