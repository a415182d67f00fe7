// How mxc's own messages look on a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "shared/base/result.h"

namespace mxc {

// "mxc: error: MESSAGE", then "  hint: HINT" if there is one, each line ended by a newline, wrapped at 80 columns
// between words, untrusted text in it escaped. color: ANSI attributes; the caller decides (a terminal, NO_COLOR unset).
// Appends `text` and a line break, broken at spaces to 80 columns. column: where it starts; indent: where its further
// lines do.
void AppendWrapped(std::string_view text, size_t column, size_t indent, std::string& out);

std::string FormatError(const Error& error, bool color);

}  // namespace mxc
