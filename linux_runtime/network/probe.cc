#include "linux_runtime/network/probe.h"

#include "linux_runtime/network/denial_log.h"
#include "linux_runtime/network/link.h"
#include "linux_runtime/network/rules.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

enum Missing { kNothing, kNamespace, kNetfilter, kSandboxRules, kLog, kHostRules, kLink };

constexpr const char* kWords[] = {"",
                                  "network namespaces",
                                  "nf_tables",
                                  "parts of nf_tables (nft_ct, nft_log, nft_redir, nft_reject_inet)",
                                  "nfnetlink_log",
                                  "address translation (nft_masq)",
                                  "veth"};

Missing Try() {
  const bool root = ::geteuid() == 0;
  if (sys::Unshare(CLONE_NEWNET | (root ? 0 : CLONE_NEWUSER)) < 0) return kNamespace;
  Ruleset rules(2);
  rules[1].to.v6 = true;
  Result<Netfilter> netfilter = Netfilter::Open();
  if (!netfilter.ok()) return kNetfilter;
  if (netfilter->Commit(SandboxTable(rules, {}, {.link = true, .names = true})) < 0) return kSandboxRules;
  sys::UniqueFd here(sys::OpenAt(AT_FDCWD, "/proc/self/ns/net", O_RDONLY));
  if (!DenialLog::OpenIn({here.get()}, kLogGroup).ok()) return kLog;
  if (!root) return kNothing;  // the rest is the host's
  const LinkPlan link;
  if (netfilter->Commit(HostTable("mxc-probe", link, rules, {}, true)) < 0) return kHostRules;
  return MakeLink(link, here.get()).ok() ? kNothing : kLink;
}

}  // namespace

std::string MissingForNetworks() {
  const pid_t pid = sys::Fork();
  if (pid < 0) return "a process to try it";
  if (pid == 0) ::_exit(Try());
  int status = 0;
  while (::waitpid(pid, &status, 0) < 0) {
    if (errno != EINTR) return "an answer";
  }
  const int missing = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  return missing >= kNothing && missing <= kLink ? kWords[missing] : "an answer";
}

}  // namespace mxc::network
