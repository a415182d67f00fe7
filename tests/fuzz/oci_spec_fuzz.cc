// The reader of config.json on any bytes: no crash, and what is accepted survives writing and reading again. Then the
// checks, which must cope with everything that was accepted.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "shared/oci/extension.h"
#include "shared/oci/json.h"
#include "shared/oci/validate.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  auto spec = mxc::oci::ReadSpec(text, "fuzz");
  if (!spec.ok()) {
    if (spec.error().Describe().empty()) std::abort();
    return 0;
  }
  auto back = mxc::oci::ReadSpec(mxc::oci::WriteSpec(*spec, size % 2 == 0), "fuzz");
  if (!back.ok() || !(*back == *spec)) std::abort();
  auto extension = mxc::oci::ReadExtension(spec->annotations);
  if (!extension.ok()) std::abort();  // ReadSpec has read it
  std::map<std::string, std::string> annotations;
  mxc::oci::WriteExtension(*extension, annotations);
  auto again = mxc::oci::ReadExtension(annotations);
  if (!again.ok() || !(*again == *extension)) std::abort();
  auto valid = mxc::oci::Validate(*spec, *extension);
  if (!valid.ok() && !valid.error().position()) std::abort();
  return 0;
}
