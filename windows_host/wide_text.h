// UTF-8, which all of shared/ speaks, and UTF-16, which Windows speaks. Strict in both directions: a name that can't be
// told exactly is refused, since replacing a character would name another file.
#pragma once

#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace mxc::windows {

// Errors: kInvalid for what is not UTF-8.
Result<std::wstring> Widen(std::string_view text);

// Errors: kInvalid for half a surrogate pair, which file names of Windows may hold.
Result<std::string> Narrow(std::wstring_view text);

}  // namespace mxc::windows
