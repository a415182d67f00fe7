// What the contract allows and the readers accept, but no sandbox of ours can enforce yet.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/policy.h"

namespace mxc::policy {

// Refuses (kUnsupported) the first field that is not built yet, by name, in its place, with what would help. Everything
// that resolves a policy calls this: a field that isn't enforced must end the run, not be skipped.
Result<void> RefuseUnbuilt(const Policy& policy);

// A field that is read and changes nothing, on no Linux: said by `mxc check`, an error of `mxc check --strict`.
struct NoEffect {
  std::string pointer;
  std::string why;
};
std::vector<NoEffect> FieldsWithoutEffect(const Policy& policy);

}  // namespace mxc::policy
