// Untrusted text (names of files, arguments, messages of programs) made fit for a terminal or a log line: it can move
// no cursor, hide or reorder nothing and start no line of its own.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mxc {

struct EscapeOptions {
  bool keep_newlines = false;                  // for text of ours with several lines; a file name must not have any
  size_t max_bytes = static_cast<size_t>(-1);  // of the result; what is cut off is shown as "…"
};

// Control bytes, DEL and bytes outside of UTF-8 become \xNN; C1 controls, bidirectional overrides and marks, line
// separators, zero-width and other invisible format characters become \u{NNNN}. Everything else stays, backslashes
// too: the result is for eyes, not for parsing back. (Reordering: CVE-2021-42574, "Trojan Source".)
std::string EscapeText(std::string_view text, const EscapeOptions& options = {});

}  // namespace mxc
