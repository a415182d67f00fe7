// How mxc's own messages look on a terminal.
#pragma once

#include <string>

#include "shared/base/result.h"

namespace mxc {

// "mxc: error: MESSAGE", then "  hint: HINT" if there is one, each line ended by a newline, wrapped at 80 columns
// between words, untrusted text in it escaped. color: ANSI attributes; the caller decides (a terminal, NO_COLOR unset).
std::string FormatError(const Error& error, bool color);

}  // namespace mxc
