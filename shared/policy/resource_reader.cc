#include "shared/policy/resource_reader.h"

#include <string>

namespace mxc::policy {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kMiB = 1 << 20;
constexpr uint64_t kMostCount = uint64_t{1} << 31;  // counts that the kernel keeps in a signed int

// tmpfs(5) takes a size of 0 for "no limit", so a floor under sizes is part of their meaning.
template <uint64_t least>
Result<uint64_t> SizeFrom(const Node& node) {
  const uint64_t size = MXC_TRY(node.Size());
  if (size < least)
    return node.Invalid("the size is below " + std::to_string(least) + " bytes, too small to work with");
  if (size > INT64_MAX) return node.Invalid("the size is larger than any file or memory can be");
  return size;
}

constexpr Field<Resources> kFields[] = {
    {"memory", [](const Node& node, Resources& to) { return Store(to.memory_bytes, SizeFrom<kMiB>(node)); }},
    {"swap", [](const Node& node, Resources& to) { return Store(to.swap_bytes, SizeFrom<0>(node)); }},
    {"cpus", [](const Node& node, Resources& to) { return Store(to.cpus, node.Number(0.01, 4096)); }},
    {"pids", [](const Node& node, Resources& to) { return Store(to.pids, node.U64(1, 4'194'304)); }},  // PID_MAX_LIMIT
    {"tmp", [](const Node& node, Resources& to) { return Store(to.tmp_bytes, SizeFrom<kPage>(node)); }},
    {"shm", [](const Node& node, Resources& to) { return Store(to.shm_bytes, SizeFrom<kPage>(node)); }},
    {"tmpfsInodes", [](const Node& node, Resources& to) { return Store(to.tmpfs_inodes, node.U64(16, kMostCount)); }},
    {"openFiles", [](const Node& node, Resources& to) { return Store(to.open_files, node.U64(16, kMostCount)); }},
    {"fileSize", [](const Node& node, Resources& to) { return Store(to.file_bytes, SizeFrom<0>(node)); }},
    {"memlock", [](const Node& node, Resources& to) { return Store(to.memlock_bytes, node.SizeOrUnlimited()); }},
    {"stack", [](const Node& node, Resources& to) { return Store(to.stack_bytes, SizeFrom<64 * 1024>(node)); }},
    {"core", [](const Node& node, Resources& to) { return Store(to.core_bytes, SizeFrom<0>(node)); }},
};

}  // namespace

Result<void> ReadResources(const Node& node, Resources& into) { return ReadObject(node, kFields, into); }

Result<uint32_t> ReadTimeoutMs(const Node& node) {
  const uint64_t ms = MXC_TRY(node.DurationMs());
  if (ms > UINT32_MAX) return node.Invalid("a time-out of more than 49 days");
  return static_cast<uint32_t>(ms);
}

}  // namespace mxc::policy
