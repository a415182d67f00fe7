#include "shared/policy/environment.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "shared/policy/path_tree.h"
#include "shared/policy/resolve_paths.h"

namespace mxc::policy {
namespace {

constexpr struct {
  std::string_view name;  // a trailing * stands for any ending
  std::string_view why;
} kNeverPassed[] = {
    {"DISPLAY", "it leads to the desktop"},
    {"WAYLAND_*", "it leads to the desktop"},
    {"PULSE_*", "it leads to the desktop's sound"},
    {"XAUTHORITY", "it leads to the desktop"},
    {"ICEAUTHORITY", "it leads to the desktop"},
    {"SESSION_MANAGER", "it leads to the desktop"},
    {"WSLENV", "it carries variables to Windows"},
    {"WSL_INTEROP", "it leads to Windows"},
    {"WSL2_*", "it leads to Windows"},
    {"DBUS_*", "it names a message bus"},
    {"SSH_AUTH_SOCK", "it names an agent that signs with the caller's keys"},
    {"SSH_AGENT_PID", "it names an agent that signs with the caller's keys"},
    {"SSH_ASKPASS*", "it names a program that asks for passwords"},
    {"GIT_ASKPASS", "it names a program that asks for passwords"},
    {"SUDO_ASKPASS", "it names a program that asks for passwords"},
    {"GPG_AGENT_INFO", "it names an agent that signs with the caller's keys"},
    {"GNOME_KEYRING_*", "it names a store of passwords"},
    {"DOCKER_HOST", "it names a container engine"},
    {"CONTAINER_HOST", "it names a container engine"},
    {"XDG_RUNTIME_DIR", "that folder is not inside"},
    {"VSCODE_*", "it names sockets of an editor"},
    {"NOTIFY_SOCKET", "it names a socket of the service manager"},
    {"LISTEN_*", "it names descriptors that are not passed on"},
    {"LD_*", "it makes every program load code"},
    {"GCONV_PATH", "it makes every program load code"},
    {"BASH_ENV", "it makes every shell run a file"},
    {"ENV", "it makes every shell run a file"},
    {"MXC_*", "it configures mxc itself"},
};

class Block {
 public:
  void Set(std::string_view name, std::string_view value, const Origin& origin) {
    std::string entry;
    entry.reserve(name.size() + 1 + value.size());
    entry.append(name).append("=").append(value);
    for (auto& known : entries_) {
      const std::string& text = known.value;
      if (text.size() > name.size() && text[name.size()] == '=' && text.starts_with(name)) {
        known = {std::move(entry), origin};
        return;
      }
    }
    entries_.push_back({std::move(entry), origin});
  }

  // KEY=VALUE; the last one of a name wins. The reader of policies has refused what is none.
  void Set(std::string_view entry, const Origin& origin) {
    const size_t equals = entry.find('=');
    if (equals == 0 || equals == std::string_view::npos) return;
    Set(entry.substr(0, equals), entry.substr(equals + 1), origin);
  }

  std::vector<Sourced<std::string>> Take() && { return std::move(entries_); }

 private:
  std::vector<Sourced<std::string>> entries_;
};

std::string Home(const Caller& caller, const EffectivePolicy& effective) {
  if (*effective.cwd) return **effective.cwd;
  const PathRule* rule = IsNormal(caller.home) ? Lookup(effective.paths, caller.home) : nullptr;
  return rule != nullptr && rule->access != Access::kDeny ? caller.home : "/tmp";
}

void SetDefaults(const Profile& profile, const Caller& caller, const EffectivePolicy& effective, Block& block) {
  const Origin builtin{Layer::kBuiltin, "default environment", "", 0};
  block.Set("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", builtin);
  block.Set("TERM", "xterm-256color", builtin);
  block.Set("HOME", Home(caller, effective), (*effective.cwd) ? effective.cwd.origin : builtin);
  if (const auto& cpus = effective.resources.value.cpus) {
    // Many tools count the machine's processors, not the quota, and then run too many threads against it.
    const std::string threads = std::to_string(std::max<int64_t>(1, static_cast<int64_t>(std::ceil(*cpus))));
    for (const auto& name : profile.env_threads) block.Set(*name, threads, name.origin);
  }
  for (const auto& entry : profile.env) block.Set(*entry, entry.origin);
}

// Loopback addresses are the sandbox's own servers, which the proxy outside doesn't see.
void SetProxy(const EffectivePolicy& effective, Block& block) {
  if (!*effective.proxy) return;
  for (const char* name : {"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"}) {
    block.Set(name, **effective.proxy, effective.proxy.origin);
  }
  for (const char* name : {"NO_PROXY", "no_proxy"}) block.Set(name, "localhost,127.0.0.1,::1", effective.proxy.origin);
}

Result<void> PassOn(const Sourced<std::string>& name, const std::vector<Floor>& floors, const Caller& caller,
                    EffectivePolicy& effective, Block& block) {
  if (const std::string_view why = WhyNeverPassed(*name); !why.empty()) {
    return Error(Code::kRefused, "the variable " + *name + " is never passed on: " + std::string(why))
        .WithPosition({name.origin.name, name.origin.line, 0, name.origin.pointer})
        .WithHint("remove it; process.env can set a value of its own");
  }
  for (const Floor& floor : floors) {
    if (!MayPass(floor, *name)) return {};
  }
  effective.env_pass.push_back(name);
  for (const auto& [key, value] : caller.env) {
    if (key == *name) block.Set(key, value, name.origin);
  }
  return {};
}

}  // namespace

std::string_view WhyNeverPassed(std::string_view name) {
  for (const auto& never : kNeverPassed) {
    const bool prefix = never.name.ends_with('*');
    if (prefix ? name.starts_with(never.name.substr(0, never.name.size() - 1)) : name == never.name) return never.why;
  }
  return {};
}

Result<void> ResolveEnvironment(const Policy& policy, const Profile& profile, const std::vector<Floor>& floors,
                                const Caller& caller, EffectivePolicy& effective) {
  const bool has_list = policy.process && policy.process->env;
  Block block;
  if (!has_list || policy.process->inherit_default_env) {
    SetDefaults(profile, caller, effective, block);
    for (const auto& name : profile.env_pass) MXC_TRY(PassOn(name, floors, caller, effective, block));
  }
  if (policy.x_linux) {
    for (size_t i = 0; i < policy.x_linux->env_pass.size(); ++i) {
      const Sourced<std::string> name{policy.x_linux->env_pass[i],
                                      PolicyOrigin(policy, "/x-linux/env/pass/" + std::to_string(i))};
      MXC_TRY(PassOn(name, floors, caller, effective, block));
    }
  }
  SetProxy(effective, block);
  if (has_list) {
    for (size_t i = 0; i < policy.process->env->size(); ++i) {
      block.Set((*policy.process->env)[i], PolicyOrigin(policy, "/process/env/" + std::to_string(i)));
    }
  }
  effective.env = std::move(block).Take();
  return {};
}

}  // namespace mxc::policy
