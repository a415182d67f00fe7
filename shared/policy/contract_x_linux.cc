// x-linux: what MXC has no field for. Microsoft's closed readers refuse a document with it, which is the safe answer.
#include <cstdint>
#include <string>
#include <string_view>

#include "shared/policy/cidr.h"
#include "shared/policy/contract_sections.h"
#include "shared/policy/contract_values.h"

namespace mxc::policy {
namespace {

// A size from `least` to what the kernel's signed 64-bit sizes hold. tmpfs(5) takes 0 for "no limit", so a size of 0
// would mean its opposite.
template <uint64_t least>
Result<uint64_t> SizeFrom(const Node& node) {
  const uint64_t size = MXC_TRY(node.Size());
  if (size < least)
    return node.Invalid("the size is below " + std::to_string(least) + " bytes, too small to work with");
  if (size > INT64_MAX) return node.Invalid("the size is larger than any file or memory can be");
  return size;
}

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kMost = INT32_MAX;  // the kernel keeps these counts in a signed int

constexpr Field<Resources> kResources[] = {
    {"memory", [](const Node& node, Resources& to) { return Store(to.memory_bytes, SizeFrom<kMiB>(node)); }},
    {"swap", [](const Node& node, Resources& to) { return Store(to.swap_bytes, SizeFrom<0>(node)); }},
    {"cpus", [](const Node& node, Resources& to) { return Store(to.cpus, node.Number(0.01, 4096)); }},
    {"pids", [](const Node& node, Resources& to) { return Store(to.pids, node.U64(1, 4'194'304)); }},  // PID_MAX_LIMIT
    {"tmp", [](const Node& node, Resources& to) { return Store(to.tmp_bytes, SizeFrom<kPage>(node)); }},
    {"shm", [](const Node& node, Resources& to) { return Store(to.shm_bytes, SizeFrom<kPage>(node)); }},
    {"tmpfsInodes", [](const Node& node, Resources& to) { return Store(to.tmpfs_inodes, node.U64(16, kMost)); }},
    {"openFiles", [](const Node& node, Resources& to) { return Store(to.open_files, node.U64(16, kMost)); }},
    {"fileSize", [](const Node& node, Resources& to) { return Store(to.file_bytes, SizeFrom<0>(node)); }},
    {"memlock", [](const Node& node, Resources& to) { return Store(to.memlock_bytes, node.SizeOrUnlimited()); }},
    {"stack", [](const Node& node, Resources& to) { return Store(to.stack_bytes, SizeFrom<64 * 1024>(node)); }},
    {"core", [](const Node& node, Resources& to) { return Store(to.core_bytes, SizeFrom<0>(node)); }},
};

Result<std::vector<uint16_t>> ReadPorts(const Node& node, uint16_t least) {
  std::vector<uint16_t> ports;
  MXC_TRY(node.ForEach([&](const Node& item) -> Result<void> {
    ports.push_back(MXC_TRY(item.U16(least)));
    return {};
  }));
  return ports;
}

constexpr Field<LandlockOptions> kLandlock[] = {
    {"required", [](const Node& node, LandlockOptions& to) { return Store(to.required, node.Bool()); }},
    // Port 0 is the kernel's choice of one, which Landlock can allow by itself (landlock(7)).
    {"tcpBind", [](const Node& node, LandlockOptions& to) { return Store(to.tcp_bind, ReadPorts(node, 0)); }},
    {"tcpConnect", [](const Node& node, LandlockOptions& to) { return Store(to.tcp_connect, ReadPorts(node, 1)); }},
};

constexpr Field<SeccompOptions> kSeccomp[] = {
    {"profile", [](const Node& node, SeccompOptions& to) { return Store(to.profile, ReadName(node)); }},
};

constexpr Field<XLinux> kEnv[] = {
    {"pass", [](const Node& node, XLinux& to) { return Store(to.env_pass, ReadVariableNames(node)); }},
};

Result<void> ReadConditional(const Node& node, std::vector<ConditionalPath>& into) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    into.push_back({MXC_TRY(ReadPath(item)), true});
    return {};
  });
}
constexpr Field<XLinux> kIfPresent[] = {
    {"readonlyPaths", [](const Node& node, XLinux& to) { return ReadConditional(node, to.readonly_if_present); }},
    {"readwritePaths", [](const Node& node, XLinux& to) { return ReadConditional(node, to.readwrite_if_present); }},
};

constexpr Choice<OnExposed> kOnExposed[] = {{"cover", OnExposed::kCover}, {"kill", OnExposed::kKill}};
constexpr Choice<OnMissing> kOnMissing[] = {
    {"watch", OnMissing::kWatch}, {"refuse", OnMissing::kRefuse}, {"seal", OnMissing::kSeal}};
constexpr Choice<Identity> kIdentity[] = {{"caller", Identity::kCaller}, {"host-root", Identity::kHostRoot}};

Result<void> ReadPatterns(const Node& node, std::vector<DomainPattern>& into) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    const std::string text = MXC_TRY(item.String());
    Result<DomainPattern> pattern = ParseDomainPattern(text);
    if (!pattern.ok()) return std::move(pattern).error().WithPosition(item.Where());
    into.push_back(*std::move(pattern));
    return {};
  });
}

Result<void> ReadGroups(const Node& node, XLinux& to) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    to.domain_groups.push_back(MXC_TRY(ReadName(item)));
    return {};
  });
}

constexpr Field<XLinux> kDomains[] = {
    {"allow", [](const Node& node, XLinux& to) { return ReadPatterns(node, to.domains.allow); }},
    {"deny", [](const Node& node, XLinux& to) { return ReadPatterns(node, to.domains.deny); }},
    {"groups", ReadGroups},
    {"maxSent", [](const Node& node, XLinux& to) { return Store(to.domain_sent_bytes, SizeFrom<1>(node)); }},
};

constexpr Choice<Gpu> kGpu[] = {{"none", Gpu::kNone}, {"wsl", Gpu::kWsl}};

constexpr Choice<bool> kInward[] = {{"in", true}, {"out", false}};
constexpr Choice<bool> kUdp[] = {{"tcp", false}, {"udp", true}};

Result<std::string> ReadAddress(const Node& node) {
  std::string text = MXC_TRY(node.String());
  Result<Cidr> address = ParseCidr(text);
  if (!address.ok()) return std::move(address).error().WithPosition(node.Where());
  if (text.find('/') != std::string::npos) {
    return node.Invalid(Quote(text) + " is a range, and only an address can be bound or connected to");
  }
  return text;
}

constexpr Field<SharedPort> kSharedPort[] = {
    {"containerPort", [](const Node& node, SharedPort& to) { return Store(to.container_port, node.U16(1)); },
     kRequired},
    {"hostPort", [](const Node& node, SharedPort& to) { return Store(to.host_port, node.U16(1)); }},
    {"hostAddress", [](const Node& node, SharedPort& to) { return Store(to.host_address, ReadAddress(node)); }},
    {"protocol", [](const Node& node, SharedPort& to) { return Store(to.udp, node.Enum(kUdp)); }},
    {"direction", [](const Node& node, SharedPort& to) { return Store(to.inward, node.Enum(kInward)); }},
};

Result<void> ReadSharedPorts(const Node& node, XLinux& to) {
  return node.ForEach([&](const Node& item) -> Result<void> {
    SharedPort& port = to.ports.emplace_back();
    MXC_TRY(ReadObject(item, kSharedPort, port));
    if (port.host_port == 0) port.host_port = port.container_port;
    return {};
  });
}

enum class Isolation : uint8_t { kProcess, kSession, kMicrovm };
constexpr Choice<Isolation> kIsolation[] = {
    {"process", Isolation::kProcess}, {"session", Isolation::kSession}, {"microvm", Isolation::kMicrovm}};

Result<void> ReadIsolation(const Node& node, XLinux& to) {
  const Isolation isolation = MXC_TRY(node.Enum(kIsolation));
  to.own_session = isolation == Isolation::kSession;
  if (isolation != Isolation::kMicrovm) return {};
  return node.Fail(Code::kUnsupported, "x-linux.isolation " + Quote(node.value().text) + " is not built yet")
      .WithHint("use \"process\", which is also the default, or \"session\"");
}

Result<void> NotBuilt(const Node& node, XLinux&) {
  const std::string name = node.Pointer().substr(sizeof("/x-linux/") - 1);
  Position position = node.WhereName();
  return Error(Code::kUnsupported, "x-linux." + name + " is not built yet")
      .WithHint("remove the field; this version can't do what it asks for")
      .WithPosition(std::move(position));
}

// on_exposed and on_missing are spelled so in the project's documents; the others follow MXC's own spelling.
constexpr Field<XLinux> kXLinux[] = {
    {"profile", [](const Node& node, XLinux& to) { return Store(to.profile, ReadName(node)); }},
    {"rootfs", [](const Node& node, XLinux& to) { return Store(to.rootfs, ReadPath(node)); }},
    {"resources", [](const Node& node, XLinux& to) { return ReadObject(node, kResources, to.resources); }},
    {"seccomp", [](const Node& node, XLinux& to) { return ReadObject(node, kSeccomp, to.seccomp); }},
    {"landlock", [](const Node& node, XLinux& to) { return ReadObject(node, kLandlock, to.landlock); }},
    {"env", [](const Node& node, XLinux& to) { return ReadObject(node, kEnv, to); }},
    {"ifPresent", [](const Node& node, XLinux& to) { return ReadObject(node, kIfPresent, to); }},
    {"protect", [](const Node& node, XLinux& to) { return Store(to.protect, ReadPaths(node)); }},
    {"on_exposed", [](const Node& node, XLinux& to) { return Store(to.on_exposed, node.Enum(kOnExposed)); }},
    {"on_missing", [](const Node& node, XLinux& to) { return Store(to.on_missing, node.Enum(kOnMissing)); }},
    {"identity", [](const Node& node, XLinux& to) { return Store(to.identity, node.Enum(kIdentity)); }},
    {"gpu", [](const Node& node, XLinux& to) { return Store(to.gpu, node.Enum(kGpu)); }},
    {"nesting", [](const Node& node, XLinux& to) { return Store(to.nesting, node.Bool()); }},
    {"timeNamespace", [](const Node& node, XLinux& to) { return Store(to.time_namespace, node.Bool()); }},
    {"hostname", [](const Node& node, XLinux& to) { return Store(to.hostname, ReadHostname(node)); }},
    {"domains", [](const Node& node, XLinux& to) { return ReadObject(node, kDomains, to); }},
    {"ports", ReadSharedPorts},
    {"isolation", ReadIsolation},
    {"bundle", NotBuilt},
    {"image", NotBuilt},
    {"devices", NotBuilt},
    {"sockets", NotBuilt},
};

}  // namespace

Result<void> ReadXLinux(const Node& node, XLinux& into) { return ReadObject(node, kXLinux, into); }

}  // namespace mxc::policy
