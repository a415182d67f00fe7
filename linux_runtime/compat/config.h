#pragma once

#include <string>

namespace mxc::compat {

// A configuration, as text; source names it in errors.
struct Config {
  std::string source, text;
};

}  // namespace mxc::compat
