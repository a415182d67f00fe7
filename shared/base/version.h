// The version of every program of the project.
#pragma once

namespace mxc {

inline constexpr char kVersion[] = "0.1.0";

}  // namespace mxc
