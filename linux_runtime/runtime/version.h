// What --version prints, in the lines that runc's callers parse.
#pragma once

#include <string>

namespace mxc::runtime {

inline constexpr char kSpecVersion[] = "1.2.0";

std::string VersionText();

}  // namespace mxc::runtime
