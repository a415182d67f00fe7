#include "shared/policy/write.h"

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

namespace mxc::policy {
namespace {

using Json = nlohmann::ordered_json;

// Adds members only when they differ from what their absence means.
class Object {
 public:
  template <class T>
  void Set(const char* name, const std::optional<T>& value) {
    if (value) json_[name] = *value;
  }
  template <class T>
  void Set(const char* name, const T& value, const T& absent) {
    if (!(value == absent)) json_[name] = value;
  }
  void SetList(const char* name, const std::vector<std::string>& list) {
    if (!list.empty()) json_[name] = list;
  }
  // An object with nothing in it is left out, unless it is asked for.
  void SetObject(const char* name, Object&& value, bool always = false) {
    if (always || !value.json_.empty()) json_[name] = std::move(value.json_);
  }
  void SetJson(const char* name, Json value) { json_[name] = std::move(value); }
  const Json& json() const { return json_; }

 private:
  Json json_ = Json::object();
};

std::string Name(Containment containment) {
  switch (containment) {
    case Containment::kProcess:
      return "process";
    case Containment::kProcessContainer:
      return "processcontainer";
    case Containment::kLxc:
      return "lxc";
    case Containment::kBubblewrap:
      return "bubblewrap";
    case Containment::kSeatbelt:
      return "seatbelt";
    case Containment::kIsolationSession:
      return "isolation_session";
    case Containment::kWslc:
      return "wslc";
    case Containment::kVm:
      return "vm";
    case Containment::kWindowsSandbox:
      return "windows_sandbox";
    case Containment::kMicrovm:
      return "microvm";
    case Containment::kHyperlight:
      return "hyperlight";
    case Containment::kMxc:
      return "mxc";
  }
  return "process";
}
std::string Name(Default value) { return value == Default::kAllow ? "allow" : "deny"; }
std::string Name(Clipboard clipboard) {
  switch (clipboard) {
    case Clipboard::kNone:
      return "none";
    case Clipboard::kRead:
      return "read";
    case Clipboard::kWrite:
      return "write";
    case Clipboard::kAll:
      return "all";
  }
  return "none";
}
std::string Name(Protocol protocol) {
  switch (protocol) {
    case Protocol::kAny:
      return "any";
    case Protocol::kTcp:
      return "tcp";
    case Protocol::kUdp:
      return "udp";
    case Protocol::kIcmp:
      return "icmp";
  }
  return "any";
}
std::string Name(OnExposed value) { return value == OnExposed::kKill ? "kill" : "cover"; }
std::string Name(OnMissing value) {
  switch (value) {
    case OnMissing::kWatch:
      return "watch";
    case OnMissing::kRefuse:
      return "refuse";
    case OnMissing::kSeal:
      return "seal";
  }
  return "watch";
}
std::string Name(Gpu value) { return value == Gpu::kWsl ? "wsl" : "none"; }
std::string Name(Identity value) { return value == Identity::kHostRoot ? "host-root" : "caller"; }
template <class E>
std::optional<std::string> Name(const std::optional<E>& value) {
  return value ? std::optional(Name(*value)) : std::nullopt;
}

Object WriteProcess(const Process& process) {
  Object object;
  object.Set("commandLine", process.command_line, std::string());
  object.Set("cwd", process.cwd);
  object.Set("env", process.env);
  object.Set("inheritDefaultEnv", process.inherit_default_env, false);
  object.Set("timeout", process.timeout_ms, 0u);
  return object;
}

Json WriteRules(const std::vector<NetworkRule>& rules) {
  Json list = Json::array();
  for (const NetworkRule& rule : rules) {
    Object object;
    Json to = Json::array(), ports = Json::array();
    for (const NetworkPeer& peer : rule.to) {
      Object one;
      one.SetJson("cidr", peer.cidr);
      one.SetList("except", peer.except);
      to.push_back(one.json());
    }
    for (const NetworkPort& port : rule.ports) {
      Object one;
      one.Set("protocol", Name(port.protocol), Name(Protocol::kAny));
      one.Set("port", port.port);
      one.Set("endPort", port.end_port);
      ports.push_back(one.json());
    }
    if (!to.empty()) object.SetJson("to", std::move(to));
    if (!ports.empty()) object.SetJson("ports", std::move(ports));
    list.push_back(object.json());
  }
  return list;
}

Object WriteNetwork(const Network& network) {
  const std::string deny = Name(Default::kDeny);
  Object egress, ingress, object;
  egress.Set("default", Name(network.egress), deny);
  if (!network.egress_allow.empty()) egress.SetJson("allow", WriteRules(network.egress_allow));
  if (!network.egress_deny.empty()) egress.SetJson("deny", WriteRules(network.egress_deny));
  ingress.Set("default", Name(network.ingress), deny);
  ingress.Set("hostLoopback", Name(network.host_loopback), deny);
  object.SetObject("egress", std::move(egress));
  object.SetObject("ingress", std::move(ingress));
  return object;
}

Object WriteWslc(const Wslc& wslc) {
  Object object;
  object.Set("cpuCount", wslc.cpu_count);
  object.Set("memoryMb", wslc.memory_mb);
  object.Set("gpu", wslc.gpu, false);
  object.Set("image", wslc.image);
  object.Set("imageTarPath", wslc.image_tar_path);
  object.Set("storagePath", wslc.storage_path);
  object.Set("targetOs", wslc.target_os);
  Json mappings = Json::array();
  for (const PortMapping& mapping : wslc.port_mappings) {
    mappings.push_back({{"containerPort", mapping.container_port}, {"windowsPort", mapping.host_port}});
  }
  if (!mappings.empty()) object.SetJson("portMappings", std::move(mappings));
  return object;
}

Object WriteResources(const Resources& resources) {
  Object object;
  object.Set("memory", resources.memory_bytes);
  object.Set("swap", resources.swap_bytes);
  object.Set("cpus", resources.cpus);
  object.Set("pids", resources.pids);
  object.Set("tmp", resources.tmp_bytes);
  object.Set("shm", resources.shm_bytes);
  object.Set("tmpfsInodes", resources.tmpfs_inodes);
  object.Set("openFiles", resources.open_files);
  object.Set("fileSize", resources.file_bytes);
  if (resources.memlock_bytes == UINT64_MAX) {
    object.SetJson("memlock", "unlimited");
  } else {
    object.Set("memlock", resources.memlock_bytes);
  }
  object.Set("stack", resources.stack_bytes);
  object.Set("core", resources.core_bytes);
  return object;
}

std::vector<std::string> PathsOf(const std::vector<ConditionalPath>& conditional) {
  std::vector<std::string> paths;
  for (const ConditionalPath& one : conditional) paths.push_back(one.path);
  return paths;
}

std::vector<std::string> SpelledPatterns(const std::vector<DomainPattern>& patterns) {
  std::vector<std::string> texts;
  texts.reserve(patterns.size());
  for (const DomainPattern& pattern : patterns) texts.push_back(SpellDomainPattern(pattern));
  return texts;
}

Json WriteSharedPorts(const std::vector<SharedPort>& ports) {
  Json list = Json::array();
  for (const SharedPort& port : ports) {
    Object object;
    object.Set("direction", std::string(port.inward ? "in" : "out"), std::string("in"));
    object.Set("protocol", std::string(port.udp ? "udp" : "tcp"), std::string("tcp"));
    object.Set("hostAddress", port.host_address);
    object.Set("hostPort", port.host_port, port.container_port);
    object.SetJson("containerPort", port.container_port);
    list.push_back(object.json());
  }
  return list;
}

Object WriteXLinux(const XLinux& x) {
  Object object, seccomp, landlock, env, if_present, domains;
  object.Set("profile", x.profile);
  object.Set("rootfs", x.rootfs);
  object.SetObject("resources", WriteResources(x.resources));
  seccomp.Set("profile", x.seccomp.profile);
  object.SetObject("seccomp", std::move(seccomp));
  landlock.Set("required", x.landlock.required);
  landlock.Set("tcpBind", x.landlock.tcp_bind);
  landlock.Set("tcpConnect", x.landlock.tcp_connect);
  object.SetObject("landlock", std::move(landlock));
  env.SetList("pass", x.env_pass);
  object.SetObject("env", std::move(env));
  if_present.SetList("readonlyPaths", PathsOf(x.readonly_if_present));
  if_present.SetList("readwritePaths", PathsOf(x.readwrite_if_present));
  object.SetObject("ifPresent", std::move(if_present));
  object.SetList("protect", x.protect);
  object.Set("on_exposed", Name(x.on_exposed));
  object.Set("on_missing", Name(x.on_missing));
  object.Set("identity", Name(x.identity));
  object.Set("gpu", Name(x.gpu));
  if (x.own_session) object.Set("isolation", std::optional<std::string>("session"));
  object.Set("nesting", x.nesting);
  object.Set("timeNamespace", x.time_namespace);
  object.Set("hostname", x.hostname);
  domains.SetList("allow", SpelledPatterns(x.domains.allow));
  domains.SetList("deny", SpelledPatterns(x.domains.deny));
  domains.SetList("groups", x.domain_groups);
  domains.Set("maxSent", x.domain_sent_bytes);
  object.SetObject("domains", std::move(domains));
  if (!x.ports.empty()) object.SetJson("ports", WriteSharedPorts(x.ports));
  return object;
}

// Everything but source and positions.
auto Content(const Policy& policy) {
  return std::tie(policy.version, policy.container_id, policy.containment, policy.process, policy.filesystem,
                  policy.network, policy.network_proxy, policy.ui, policy.lifecycle, policy.allow_dacl_mutation,
                  policy.telemetry, policy.lxc, policy.wslc, policy.x_linux);
}

}  // namespace

std::string WritePolicy(const Policy& policy) {
  Object root;
  root.SetJson("version", policy.version);
  root.Set("containerId", policy.container_id);
  root.Set("containment", Name(policy.containment), Name(Containment::kProcess));
  Object lifecycle;
  lifecycle.Set("destroyOnExit", policy.lifecycle.destroy_on_exit, true);
  lifecycle.Set("preservePolicy", policy.lifecycle.preserve_policy, false);
  root.SetObject("lifecycle", std::move(lifecycle));
  if (policy.process) root.SetObject("process", WriteProcess(*policy.process), true);
  Object files;
  files.SetList("readonlyPaths", policy.filesystem.readonly_paths);
  files.SetList("readwritePaths", policy.filesystem.readwrite_paths);
  files.SetList("deniedPaths", policy.filesystem.denied_paths);
  root.SetObject("filesystem", std::move(files));
  Object fallback;
  fallback.Set("allowDaclMutation", policy.allow_dacl_mutation, true);
  root.SetObject("fallback", std::move(fallback));
  root.SetObject("network", WriteNetwork(policy.network));
  Object runtime;
  runtime.Set("networkProxy", policy.network_proxy);
  root.SetObject("runtimeConfig", std::move(runtime));
  Object ui;
  ui.Set("disable", policy.ui.disable, true);
  ui.Set("clipboard", Name(policy.ui.clipboard), Name(Clipboard::kNone));
  ui.Set("injection", policy.ui.injection, false);
  root.SetObject("ui", std::move(ui));
  if (policy.lxc) {
    Object lxc;
    lxc.SetJson("distribution", policy.lxc->distribution);
    lxc.SetJson("release", policy.lxc->release);
    root.SetObject("lxc", std::move(lxc), true);
  }
  if (policy.wslc) root.SetObject("wslc", WriteWslc(*policy.wslc), true);
  Object telemetry;
  telemetry.Set("enabled", policy.telemetry, false);
  root.SetObject("telemetry", std::move(telemetry));
  if (policy.x_linux) root.SetObject("x-linux", WriteXLinux(*policy.x_linux), true);
  // Replacing what is no UTF-8 instead of throwing: such text can't come from a reader.
  return root.json().dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

bool SamePolicy(const Policy& a, const Policy& b) { return Content(a) == Content(b); }

}  // namespace mxc::policy
