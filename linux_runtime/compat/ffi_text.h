// Text on its way into and out of C strings.
#pragma once

#include <string>
#include <string_view>

namespace mxc::compat {

bool IsUtf8(std::string_view text);

// With U+FFFD for every byte that is not of UTF-8, and for NUL, which no C string can hold.
std::string Readable(std::string_view bytes);

}  // namespace mxc::compat
