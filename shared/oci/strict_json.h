// JSON parsing that two readers can't understand differently: a name twice in one object is an error. Includes
// nlohmann/json.hpp, so for .cc files only.
#pragma once

#include <string>
#include <string_view>

#include "nlohmann/json.hpp"
#include "shared/base/result.h"

namespace mxc::oci {

// Keeps the order of names.
using StrictJson = nlohmann::ordered_json;

inline constexpr size_t kMaxJsonDepth = 64;

// Errors (kInvalid): more than max_bytes, not JSON (with line and column), a name twice in one object (with its
// pointer), nesting over kMaxJsonDepth. No comments, no trailing text.
Result<StrictJson> ParseStrictJson(std::string_view text, const std::string& source, size_t max_bytes);

// The same without the order of names, for messages of strangers: keeping the order takes time that grows with the square of an
// object's names.
Result<nlohmann::json> ParseSortedJson(std::string_view text, const std::string& source, size_t max_bytes);

// "a list", "a string", … for messages.
std::string TypeName(const StrictJson& json);

// A name as a component of a JSON pointer (RFC 6901: ~ is ~0, / is ~1).
std::string EscapePointer(std::string_view name);

}  // namespace mxc::oci
