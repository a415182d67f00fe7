#include "linux_runtime/network/veth_network.h"

#include <dirent.h>

#include <algorithm>
#include <memory>
#include <string_view>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

constexpr std::string_view kMark = "net-";  // of a file in the state folder: this run has a table on the host

// As TakeIdRange in linux_runtime/run: the kernel gives the address back however the process ends.
Result<sys::UniqueFd> TakeSlot(const std::string& folder, uint32_t* slot) {
  const std::string path = folder + "/addresses";
  sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDWR | O_CREAT | O_NOFOLLOW, 0600));
  if (!file.valid()) return sys::SystemError("open " + path, -file.get());
  const uint32_t start = (static_cast<uint32_t>(::getpid()) * 2654435761u >> 8) % kSlots;
  for (uint32_t tried = 0; tried < kSlots; ++tried) {
    *slot = (start + tried) % kSlots;
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = *slot;
    lock.l_len = 1;
    if (::fcntl(file.get(), F_OFD_SETLK, &lock) == 0) return file;
    if (errno != EAGAIN && errno != EACCES) return sys::SystemError("lock an address in " + path, errno);
  }
  return Error(Code::kRefused, "all " + std::to_string(kSlots) + " addresses for sandboxes are in use");
}

bool NeedsV6(const Ruleset& rules) {
  return std::any_of(rules.begin(), rules.end(), [](const Rule& rule) { return rule.allow && rule.to.v6; });
}

Result<void> Commit(Netfilter& netfilter, const NftTransaction& table, const char* what) {
  const int error = netfilter.Commit(table);
  if (error >= 0) return {};
  Error failure = sys::SystemError(what, -error);
  if (error != -ENOENT && error != -EOPNOTSUPP) return failure;
  return std::move(failure).WithHint(
      "the kernel lacks a part of nf_tables: modprobe nft_ct, nft_log, nft_masq and nft_reject_inet, or see `mxc "
      "doctor`");
}

void RemoveHostTable(const std::string& name) {
  Result<Netfilter> host = Netfilter::Open();
  if (host.ok()) (void)host->Commit(NftTransaction(name).RemoveTable());
}

// Of this process's network namespace: what was done to another one can't be undone from here.
std::string NamespaceName() {
  struct stat found {};
  (void)::stat("/proc/self/ns/net", &found);
  return std::to_string(found.st_ino);
}

std::string MarkPrefix() { return std::string(kMark) + NamespaceName() + "-"; }
std::string MarkOf(const std::string& folder, const std::string& name) { return folder + "/" + MarkPrefix() + name; }
std::string ForwardingFile(const std::string& folder) { return folder + "/forwarding-" + NamespaceName(); }

}  // namespace

Result<std::unique_ptr<VethNetwork>> VethNetwork::Prepare(Ruleset rules, const std::string& folder,
                                                          const std::string& name) {
  std::unique_ptr<VethNetwork> network(new VethNetwork);
  network->slot_ = MXC_TRY(TakeSlot(folder, &network->link_.slot));
  network->host_ = MXC_TRY(HostAddresses());
  network->link_.v6 = NeedsV6(rules);
  network->rules_ = std::move(rules);
  network->folder_ = folder;
  network->name_ = name;
  return network;
}

Result<void> VethNetwork::Attach(int pid) {
  const std::string path = "/proc/" + std::to_string(pid) + "/ns/net";
  sys::UniqueFd netns(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY));
  if (!netns.valid()) return sys::SystemError("open " + path, -netns.get());
  inside_.emplace(MXC_TRY(Netfilter::OpenIn(netns.get())));
  log_.emplace(MXC_TRY(DenialLog::OpenIn(netns.get(), kLogGroup)));
  MXC_TRY(Commit(*inside_, SandboxTable(rules_, host_), "load the sandbox's network rules"));

  const sys::UniqueFd mark(sys::OpenAt(AT_FDCWD, MarkOf(folder_, name_).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!mark.valid()) return sys::SystemError("make " + MarkOf(folder_, name_), -mark.get());
  marked_ = true;
  forwarding_.emplace(MXC_TRY(Forwarding::Hold(ForwardingFile(folder_), link_.v6)));
  Netfilter host = MXC_TRY(Netfilter::Open());
  MXC_TRY(Commit(host, HostTable(name_, link_, rules_, host_, forwarding_->was_off()),
                 "load the host's rules for the sandbox"));
  tabled_ = true;
  MXC_TRY(MakeLink(link_, netns.get()));
  linked_ = true;
  return {};
}

Result<std::vector<Refusal>> VethNetwork::Refusals() {
  if (!log_) return std::vector<Refusal>();
  log_->Read(100'000);  // the program is gone: what is there is all
  std::vector<Refusal> all = log_->Refusals();
  std::map<uint32_t, uint64_t> counted = MXC_TRY(inside_->Counters(kSandboxTable, kEgressChain));
  counted.merge(MXC_TRY(inside_->Counters(kSandboxTable, kIngressChain)));
  for (const Refusal& one : all) {
    uint64_t& left = counted[one.label];
    left -= std::min(left, one.count);
  }
  for (const auto& [label, left] : counted) {
    if (left != 0) all.push_back({label, "other destinations", left});
  }
  return all;
}

std::string VethNetwork::OriginOf(uint32_t label) const {
  if (label < rules_.size()) return rules_[label].origin;
  return label == kLabelOptions ? "IPv4 options are always refused" : "/network/ingress/default";
}

void VethNetwork::Remove(bool everything_died) {
  log_.reset();
  inside_.reset();
  // Without the host's table no link may stay. Who gets the address next removes a link that is there still (MakeLink).
  if (std::exchange(linked_, false) && !everything_died) RemoveLink(link_);
  if (std::exchange(tabled_, false)) RemoveHostTable(name_);
  forwarding_.reset();
  if (std::exchange(marked_, false)) ::unlink(MarkOf(folder_, name_).c_str());
}

void SweepNetworks(const std::string& folder, const std::function<bool(const std::string& name)>& alive) {
  std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), ::closedir);
  const std::string prefix = MarkPrefix();
  bool found = false;
  while (const dirent* entry = stream ? ::readdir(stream.get()) : nullptr) {
    const std::string_view file = entry->d_name;
    if (!file.starts_with(prefix)) continue;
    const std::string name(file.substr(prefix.size()));
    if (alive(name)) continue;
    RemoveHostTable(name);
    ::unlink(MarkOf(folder, name).c_str());
    found = true;
  }
  if (found) Forwarding::PutBackUnheld(ForwardingFile(folder));
}

}  // namespace mxc::network
