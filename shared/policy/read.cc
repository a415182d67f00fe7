#include "shared/policy/read.h"

#include "shared/policy/contract.h"
#include "shared/policy/decoder.h"

namespace mxc::policy {

Result<Policy> ReadPolicy(std::string_view text, const ReadOptions& options) {
  Value document = MXC_TRY(ParseDocument(text, options.source, options.format));
  const Node root(document, options.source);
  const Contract* contract = MXC_TRY(FindContract(root));
  MXC_TRY(CheckFields(root, *contract));
  MXC_TRY(Lift(document, options.source, *contract));
  Policy policy;
  policy.declared_version = contract->spelling;
  policy.version = contract->bit < k10 ? kNewestStable : contract->spelling;
  policy.source = options.source;
  MXC_TRY(ReadRequest(root, options, policy));
  policy.positions = IndexPositions(document, options.source);
  return policy;
}

}  // namespace mxc::policy
