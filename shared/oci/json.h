// The runtime specification's config.json, read and written.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::oci {

// Longer input is refused before it is parsed. A large config.json with a full seccomp list has about 60 KB.
inline constexpr size_t kMaxSpecBytes = 16u << 20;

// Reads a config.json. Fields that spec.h doesn't have are ignored, as the specification asks of runtimes, except names
// under dev.mxc., which must be ones that extension.h knows. null means absent.
//
// Errors (kInvalid), with `source` and a JSON pointer or a line: no JSON, a name twice in one object, a wrong type, a
// number out of range, a NUL byte in a string, a required field that is missing, nesting over 64 levels.
// What the values mean isn't checked: validate.h.
Result<Spec> ReadSpec(std::string_view json, const std::string& source);

// The objects of /process (for exec) and /linux/resources (for update) by themselves. Errors as above.
Result<Process> ReadProcess(std::string_view json, const std::string& source);
Result<Resources> ReadResources(std::string_view json, const std::string& source);

// The specification as JSON text; `pretty`: indented by two spaces. ReadSpec(WriteSpec(x)) == x for values whose strings
// are UTF-8 (JSON can't say others; their bytes become U+FFFD) and hold no NUL.
std::string WriteSpec(const Spec& spec, bool pretty);

}  // namespace mxc::oci
