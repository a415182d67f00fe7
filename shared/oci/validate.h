// What a runtime must know about a specification before it does anything: that each value means something, and that the
// values fit together. No host is asked; whether this kernel can do it is the plan's question.
#pragma once

#include <string>
#include <vector>

#include "shared/base/result.h"
#include "shared/oci/extension.h"
#include "shared/oci/spec.h"

namespace mxc::oci {

struct Validated {
  // What the specification asks runtimes to warn of and go on, one sentence each.
  std::vector<std::string> warnings;
};

// `extension` is ReadExtension(spec.annotations). The first error found is returned (kInvalid), its position's pointer
// names the field; the source is left to the caller, who knows the file.
//
// Source of the rules: runtime-spec config.md and config-linux.md, and what the kernel would refuse only after half of
// the container stands.
Result<Validated> Validate(const Spec& spec, const Extension& extension);

}  // namespace mxc::oci
