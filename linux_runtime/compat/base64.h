// Base64 as RFC 4648 section 4 has it: with padding, without line breaks, and no bits left over.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mxc::compat {

// Nothing when the text is no base64.
std::optional<std::string> DecodeBase64(std::string_view text);

}  // namespace mxc::compat
