// YAML policies, as policy_json_fuzz.cc.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/policy_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxc::policy::FuzzPolicy({reinterpret_cast<const char*>(data), size}, mxc::policy::Format::kYaml);
  return 0;
}
