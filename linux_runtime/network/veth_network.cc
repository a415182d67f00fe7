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

Result<std::unique_ptr<VethNetwork>> VethNetwork::Prepare(const Ruleset& rules, const std::string& folder,
                                                          const std::string& name) {
  std::unique_ptr<VethNetwork> network(new VethNetwork);
  network->slot_ = MXC_TRY(TakeSlot(folder, &network->link_.slot));
  network->link_.v6 = NeedsV6(rules);
  network->folder_ = folder;
  network->name_ = name;
  return network;
}

Result<void> VethNetwork::Attach(const NetworkNamespace& there, const SandboxRules& rules) {
  const sys::UniqueFd mark(sys::OpenAt(AT_FDCWD, MarkOf(folder_, name_).c_str(), O_WRONLY | O_CREAT | O_EXCL, 0600));
  if (!mark.valid()) return sys::SystemError("make " + MarkOf(folder_, name_), -mark.get());
  marked_ = true;
  forwarding_.emplace(MXC_TRY(Forwarding::Hold(ForwardingFile(folder_), link_.v6)));
  Netfilter host = MXC_TRY(Netfilter::Open());
  MXC_TRY(CommitRules(host, HostTable(name_, link_, rules.rules(), rules.host(), forwarding_->was_off()),
                      "load the host's rules for the sandbox"));
  tabled_ = true;
  MXC_TRY(MakeLink(link_, there.net));
  linked_ = true;
  return {};
}

void VethNetwork::Remove(bool everything_died) {
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
