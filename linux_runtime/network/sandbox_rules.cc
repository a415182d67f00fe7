#include "linux_runtime/network/sandbox_rules.h"

#include <algorithm>

#include "linux_runtime/sys/error.h"

namespace mxc::network {

Result<void> CommitRules(Netfilter& netfilter, const NftTransaction& table, const char* what) {
  const int error = netfilter.Commit(table);
  if (error >= 0) return {};
  Error failure = sys::SystemError(what, -error);
  if (error != -ENOENT && error != -EOPNOTSUPP) return failure;
  return std::move(failure).WithHint(
      "the kernel lacks a part of nf_tables: modprobe nft_ct, nft_log, nft_masq, nft_redir and nft_reject_inet, or see "
      "`mxc doctor`");
}

Result<void> SandboxRules::Load(const NetworkNamespace& there) {
  inside_.emplace(MXC_TRY(Netfilter::OpenIn(there)));
  log_.emplace(MXC_TRY(DenialLog::OpenIn(there, kLogGroup)));
  return CommitRules(*inside_, SandboxTable(rules_, host_, ways_), "load the sandbox's network rules");
}

Result<std::vector<Refusal>> SandboxRules::Refusals() {
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

std::string SandboxRules::OriginOf(uint32_t label) const {
  if (label < rules_.size()) return rules_[label].origin;
  if (label == kLabelOptions) return "IPv4 options are always refused";
  if (label == kLabelNamePool) return "only TCP goes to names";
  return "/network/ingress/default";
}

}  // namespace mxc::network
