// Names for what a run leaves behind only when it is killed: they say whose it is, so that the next run can sweep.
#pragma once

#include <string>

namespace mxc::run {

inline constexpr char kRunPrefix[] = "mxc-";

// "mxc-PID-TIME" of this process.
std::string NewRunName();
// Whether the process that the name was made by may still run.
bool RunLives(const std::string& name);

}  // namespace mxc::run
