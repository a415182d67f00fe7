// The request of Microsoft's SDK 0.9, which its library took in place of a configuration: a policy in the SDK's own words, a
// command, and where it runs. Source: the SDK's dist/bindings/request.d.ts.
#pragma once

#include "linux_runtime/compat/config.h"
#include "shared/base/result.h"

namespace mxc::compat {

struct FromSpec {
  Config config;  // of the contract version that the request's policy names
  bool experimental = false;
};

// Fields that aren't known are errors, as everywhere. Errors: kInvalid with the pointer in the request.
Result<FromSpec> ReadRequestSpec(const Config& request);

}  // namespace mxc::compat
