#include "linux_runtime/sandbox/intel_rdt.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <map>
#include <sstream>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

constexpr char kField[] = "/linux/intelRdt: ";

Result<void> WriteFile(const std::string& path, const std::string& text) {
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY));
  if (!file.valid()) return sys::SystemError(kField + std::string("open ") + path, -file.get());
  long written = sys::Write(file.get(), text.data(), text.size());
  if (written < 0)
    return sys::SystemError(kField + std::string("write \"") + text + "\" to " + path, static_cast<int>(-written));
  return {};
}

// "L3:0=7f0;1=1f" → {"L3:0" → "7f0", "L3:1" → "1f"}, without the zeros and blanks that the kernel pads with.
std::map<std::string, std::string> ParseSchemata(const std::string& text) {
  std::map<std::string, std::string> parsed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    std::erase(line, ' ');
    const size_t colon = line.find(':');
    if (colon == std::string::npos) continue;
    std::istringstream domains(line.substr(colon + 1));
    for (std::string domain; std::getline(domains, domain, ';');) {
      const size_t equals = domain.find('=');
      if (equals == std::string::npos) continue;
      std::string value = domain.substr(equals + 1);
      value.erase(0, std::min(value.find_first_not_of('0'), value.size()));
      parsed[line.substr(0, colon + 1) + domain.substr(0, equals)] = value;
    }
  }
  return parsed;
}

Result<void> CompareSchemata(const std::string& path, const std::string& wanted) {
  std::ifstream file(path);
  if (!file) return Error(Code::kSystem, kField + std::string("read ") + path);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::map<std::string, std::string> there = ParseSchemata(text);
  for (const auto& [domain, value] : ParseSchemata(wanted)) {
    auto found = there.find(domain);
    if (found != there.end() && found->second == value) continue;
    return Error(Code::kRefused, kField + path + " has " + (found == there.end() ? "nothing" : found->second) +
                                     " for " + domain + ", not " + value)
        .WithHint("leave the schema out to use the group as it is, or name another closID");
  }
  return {};
}

// The lines of l3CacheSchema but those for memory bandwidth, when memBwSchema has the say; then memBwSchema; schemata last.
Result<std::string> Schemata(const oci::IntelRdt& wanted) {
  if (!wanted.mem_bw_schema.empty() &&
      (!wanted.mem_bw_schema.starts_with("MB:") || wanted.mem_bw_schema.find('\n') != std::string::npos)) {
    return Error(Code::kInvalid, "/linux/intelRdt/memBwSchema: not one line that begins with MB:");
  }
  std::string text;
  std::istringstream lines(wanted.l3_cache_schema);
  for (std::string line; std::getline(lines, line);) {
    if (!line.empty() && (wanted.mem_bw_schema.empty() || !line.starts_with("MB:"))) text += line + "\n";
  }
  if (!wanted.mem_bw_schema.empty()) text += wanted.mem_bw_schema + "\n";
  for (const std::string& line : wanted.schemata) text += line + "\n";
  return text;
}

bool IsFolderName(const std::string& name) {
  return !name.empty() && name != "." && name != ".." && name.find_first_of("/\n") == std::string::npos;
}

Result<void> RemoveFolder(const std::string& path) {
  if (::rmdir(path.c_str()) == 0 || errno == ENOENT) return {};
  return sys::SystemError(kField + std::string("remove ") + path, errno);
}

}  // namespace

std::optional<std::string> FindResctrl() {
  std::ifstream mounts("/proc/self/mountinfo");
  for (std::string line; std::getline(mounts, line);) {
    // id parent major:minor root MOUNT-POINT options … - TYPE source …
    const size_t dash = line.find(" - resctrl ");
    if (dash == std::string::npos) continue;
    std::istringstream words(line);
    std::string word;
    for (int field = 0; field < 5; ++field) words >> word;
    return word;
  }
  return std::nullopt;
}

Result<RdtPlan> PlanIntelRdt(const oci::IntelRdt& wanted, const std::string& container_id,
                             const std::optional<std::string>& root) {
  if (!root) {
    return Error(Code::kUnsupported, "/linux/intelRdt: no resctrl file system is mounted")
        .WithHint("the processor needs Intel RDT or AMD QoS, and the host `mount -t resctrl resctrl /sys/fs/resctrl`");
  }
  RdtPlan plan;
  plan.root = *root;
  plan.schemata = MXC_TRY(Schemata(wanted));
  plan.shared = !wanted.clos_id.empty();
  plan.group = plan.shared ? wanted.clos_id : container_id;
  if (!IsFolderName(plan.group)) return Error(Code::kInvalid, "/linux/intelRdt/closID: not the name of one folder");
  plan.must_exist = plan.shared && plan.schemata.empty();
  if (wanted.enable_cmt || wanted.enable_mbm || wanted.enable_monitoring) {
    if (!IsFolderName(container_id))
      return Error(Code::kInvalid, "/linux/intelRdt: a monitoring group needs the container's id");
    plan.monitor = container_id;
  }
  return plan;
}

Result<void> JoinIntelRdt(const RdtPlan& plan, int pid) {
  const std::string group = plan.root + "/" + plan.group;
  struct stat found {};
  const bool exists = ::stat(group.c_str(), &found) == 0;
  if (!exists && plan.must_exist) {
    return Error(Code::kNotFound, "/linux/intelRdt/closID: there is no group " + group)
        .WithHint("make it first, or give a schema");
  }
  if (!exists && ::mkdir(group.c_str(), 0755) != 0)
    return sys::SystemError(kField + std::string("make ") + group, errno);
  if (!plan.schemata.empty()) {
    const std::string file = group + "/schemata";
    MXC_TRY(exists && plan.shared ? CompareSchemata(file, plan.schemata) : WriteFile(file, plan.schemata));
  }
  MXC_TRY(WriteFile(group + "/tasks", std::to_string(pid)));
  if (plan.monitor.empty()) return {};
  const std::string monitor = group + "/mon_groups/" + plan.monitor;
  if (::mkdir(monitor.c_str(), 0755) != 0 && errno != EEXIST)
    return sys::SystemError(kField + std::string("make ") + monitor, errno);
  return WriteFile(monitor + "/tasks", std::to_string(pid));
}

Result<void> RemoveIntelRdt(const RdtPlan& plan) {
  const std::string group = plan.root + "/" + plan.group;
  if (!plan.monitor.empty()) MXC_TRY(RemoveFolder(group + "/mon_groups/" + plan.monitor));
  return plan.shared ? Result<void>() : RemoveFolder(group);
}

}  // namespace mxc::sandbox
