#include "shared/policy/read.h"

#include "shared/policy/contract.h"
#include "shared/policy/decoder.h"

namespace mxc::policy {

Result<Policy> ReadPolicy(std::string_view text, const ReadOptions& options) {
  const Value document = MXC_TRY(ParseDocument(text, options.source, options.format));
  const Node root(document, options.source);
  const Contract* contract = MXC_TRY(FindContract(root));
  Policy policy;
  policy.version = contract->spelling;
  policy.source = options.source;
  MXC_TRY(contract->read(root, options, policy));
  policy.positions = IndexPositions(document, options.source);
  return policy;
}

}  // namespace mxc::policy
