// For tests and fuzzing: reads what TerminalFilter let through with a parser of its own, written the other way round
// (it knows what is forbidden, the filter what is allowed).
#pragma once

#include <string>
#include <string_view>

namespace mxc::supervise {

// "" when `output` is nothing but valid UTF-8 text and complete control functions of which none is forbidden; else the
// first offence.
std::string FindForbidden(std::string_view output);

}  // namespace mxc::supervise
