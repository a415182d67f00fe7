#include "shared/policy/profile.h"

#include <doctest/doctest.h>

#include "shared/policy/path_tree.h"
#include "shared/policy/resolve_testing.h"

namespace mxc::policy {
namespace {

using Texts = std::vector<std::pair<std::string, std::string>>;

EffectivePolicy WithProfile(const std::string& name, const std::string& members = "") {
  CommandLine line;
  line.profile = name;
  auto policy = ResolveText(members, {}, AliceInProject(), line);
  REQUIRE_MESSAGE(policy.ok(), policy.error().Describe());
  return *std::move(policy);
}

bool Denied(const EffectivePolicy& policy, const std::string& path) {
  const PathRule* rule = Lookup(policy.paths, path);
  return rule != nullptr && rule->access == Access::kDeny;
}

TEST_CASE("the shipped profiles are there, each with a summary and a description that says what it gives up") {
  const ProfileSet profiles = EmbeddedProfiles();
  std::vector<std::string> names;
  for (const Profile& profile : profiles.profiles()) {
    names.push_back(profile.name);
    CHECK(profile.summary.size() > 20);
    CHECK(profile.description.find("It gives up:") != std::string::npos);
  }
  CHECK(names == std::vector<std::string>{"build", "coding-agent", "default", "ml-infer", "ml-train", "notebook",
                                          "pip-install", "untrusted-code"});
}

TEST_CASE("in every profile: secrets stay shut in a granted home, start-up files stay as they are, limits are set") {
  for (const char* name :
       {"build", "coding-agent", "default", "ml-infer", "ml-train", "notebook", "pip-install", "untrusted-code"}) {
    CAPTURE(name);
    const auto policy = WithProfile(name, R"("filesystem":{"readwritePaths":["/home/alice"]})");
    for (const char* secret : {".ssh",
                               ".gnupg",
                               ".aws",
                               ".azure",
                               ".config/gcloud",
                               ".kube",
                               ".docker/config.json",
                               ".netrc",
                               ".npmrc",
                               ".pypirc",
                               ".git-credentials",
                               ".config/gh",
                               ".cache/huggingface/token",
                               ".config/wandb",
                               ".kaggle",
                               ".config/pip/pip.conf",
                               ".vault-token",
                               ".mozilla/firefox",
                               ".config/google-chrome",
                               ".bash_history",
                               ".zsh_history"}) {
      CAPTURE(secret);
      CHECK(Denied(policy, std::string("/home/alice/") + secret));
    }
    for (const char* file :
         {".bashrc", ".profile", ".zshrc", ".local/bin/ls", ".gitconfig", ".claude", ".codex", ".vscode", "proj"}) {
      CAPTURE(file);
      const Access access = Lookup(policy.paths, std::string("/home/alice/") + file)->access;
      CHECK(access == (std::string(file) == "proj" ? Access::kReadWrite : Access::kReadOnly));
    }
    CHECK(*policy.egress == Default::kDeny);
    CHECK_FALSE(*policy.nesting);
    CHECK(policy.resources->memory_bytes);
    CHECK(policy.resources->pids);
    CHECK(policy.resources->core_bytes == 0);
    CHECK_FALSE(Find(policy.paths, "/usr")->if_present);
    CHECK(Lookup(policy.paths, "/etc/shadow") == nullptr);
    CHECK(Lookup(policy.paths, "/etc/ssl/private") == nullptr);
  }
}

TEST_CASE("build and ml-train open the working directory and keep git's hooks") {
  for (const char* name : {"build", "ml-train"}) {
    const auto policy = WithProfile(name);
    const auto access = [&](const char* path) { return Lookup(policy.paths, path)->access; };
    CHECK(access("/home/alice/proj/x.o") == Access::kReadWrite);
    CHECK(access("/home/alice/proj/.git/objects/ab") == Access::kReadWrite);
    CHECK(access("/home/alice/proj/.git/hooks/pre-commit") == Access::kReadOnly);
    CHECK(access("/home/alice/proj/.git/config") == Access::kReadOnly);
    CHECK(Find(policy.paths, "/home/alice/proj/.git/hooks")->protect);
    CHECK(Lookup(policy.paths, "/home/alice/other") == nullptr);
  }
}

TEST_CASE("ml-train: model caches read-only with their token shut, large shared memory, locked memory, /sys for NUMA") {
  const auto policy = WithProfile("ml-train");
  CHECK(Lookup(policy.paths, "/home/alice/.cache/huggingface/hub")->access == Access::kReadOnly);
  CHECK(Denied(policy, "/home/alice/.cache/huggingface/token"));
  CHECK(policy.resources->shm_bytes == uint64_t{16} << 30);
  CHECK(policy.resources->memlock_bytes == UINT64_MAX);
  CHECK(policy.sysfs);
  CHECK(*policy.seccomp_profile == "ml");
}

TEST_CASE("untrusted-code is short and small") {
  const auto policy = WithProfile("untrusted-code");
  CHECK(*policy.timeout_ms == 30000);
  CHECK(policy.resources->pids == 128);
  CHECK(policy.resources->memory_bytes == uint64_t{1} << 30);
  CHECK(policy.resources->file_bytes == uint64_t{64} << 20);
  CHECK(*policy.seccomp_profile == "untrusted");
  CHECK(*policy.on_exposed == OnExposed::kKill);
}

TEST_CASE("a profile of the machine builds on the shipped parts and the default profile") {
  ProfileSet profiles = EmbeddedProfiles();
  const Texts texts = {
      {"site.yaml",
       "profile: site\nsummary: ours\ndescription: ours\ninclude: [base-system, tools]\nresources: {pids: 7}\n"
       "filesystem: {readonly: [{path: '/opt/${uid}', ifPresent: true}]}\n"},
      {"tools.yaml", "part: tools\nsummary: ours\nfilesystem: {readonly: [/opt/tools]}\n"}};
  REQUIRE(profiles.Add(texts).ok());
  Policy policy = PolicyWith(R"("x-linux":{"profile":"site"})");
  const auto effective = Resolve(policy, profiles, {}, AliceInProject(), {});
  REQUIRE(effective.ok());
  CHECK(effective->resources->pids == 7);
  CHECK(effective->resources->memory_bytes == uint64_t{4} << 30);
  CHECK(Find(effective->paths, "/opt/tools")->origin.name == "tools");
  CHECK(Find(effective->paths, "/opt/1000")->if_present);
}

TEST_CASE("profiles that can't be right are refused") {
  const std::string head = "profile: x\nsummary: s\ndescription: d\n";
  for (const std::string& text :
       {std::string("profile: default\nsummary: s\ndescription: d\n"), std::string("profile: x\n"),
        head + "include: [nothing]\n", head + "network: allow\n", head + "filesystem: {readonly: [usr]}\n",
        head + "filesystem: {readonly: ['${granted}/x']}\n", head + "filesystem: {denied: ['~bob/x']}\n",
        head + "filesystem: {denied: ['${home}/x']}\n", head + "resources: {tmp: 0}\n", head + "seccomp: ../x\n"}) {
    CAPTURE(text);
    ProfileSet profiles = EmbeddedProfiles();
    CHECK_FALSE(profiles.Add(Texts{{"x.yaml", text}}).ok());
  }
}

TEST_CASE("patterns are spelled as they are written") {
  TextPool pool;
  for (const char* text : {"/usr", "~", "~/.ssh", "${cwd}", "${cwd}/a/b", "${xdg_runtime_dir}/bus", "${granted}/.envrc",
                           "/run/user/${uid}"}) {
    const auto pattern = ParsePathPattern(text, pool);
    REQUIRE(pattern.ok());
    CHECK(Spell(*pattern) == text);
  }
}

}  // namespace
}  // namespace mxc::policy
