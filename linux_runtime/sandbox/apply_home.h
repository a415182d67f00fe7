// A user's home folder as /etc/passwd inside the container says, without libc's getpwuid(3), which allocates and loads
// modules that the container brings.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace mxc::sandbox {

// Writes "HOME=…" for uid into `entry` (kHomeSize bytes, process_plan.h) when /etc/passwd of the present root has a line
// for it with an absolute folder; else leaves it as it is. Async-signal-safe.
void FillHome(char* entry, uint32_t uid);

// The home folder in one line of passwd(5) that is the user's; "" when it is another's or malformed.
std::string_view HomeInLine(std::string_view line, uint32_t uid);

}  // namespace mxc::sandbox
