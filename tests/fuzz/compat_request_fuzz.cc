// What lxc-exec reads for callers of Microsoft's library: SDK 0.9's requests, state-aware requests, base64. Whatever the bytes
// are, each ends with a value or one error; what is converted is a document.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>

#include "linux_runtime/compat/base64.h"
#include "linux_runtime/compat/ffi_text.h"
#include "linux_runtime/compat/request_spec.h"
#include "shared/policy/document.h"
#include "shared/policy/state_aware.h"

namespace mxc {
namespace {

void Fuzz(const std::string& text) {
  const policy::ReadOptions options{.source = "request", .format = policy::Format::kJson};
  if (const Result<compat::FromSpec> from = compat::ReadRequestSpec({"request", text}); from.ok()) {
    if (!policy::ParseDocument(from->config.text, "request", policy::Format::kJson).ok()) std::abort();
    (void)policy::ReadPolicy(from->config.text, options);
  }
  if (const Result<policy::StateAwareRequest> request = policy::ReadStateAware(text, options); request.ok()) {
    (void)policy::CheckSandboxId(*request);
    if (!policy::HasPhase(text, options)) std::abort();
  }
  (void)compat::DecodeBase64(text);
  if (!compat::IsUtf8(compat::Readable(text))) std::abort();
}

}  // namespace
}  // namespace mxc

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxc::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
