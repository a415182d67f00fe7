// JSON policies: whatever the bytes are, reading ends with a policy or one error in its place; and what was read, written
// again, reads the same.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/policy_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxc::policy::FuzzPolicy({reinterpret_cast<const char*>(data), size}, mxc::policy::Format::kJson);
  return 0;
}
