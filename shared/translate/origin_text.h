// Where a rule came from, for messages and annotations.
#pragma once

#include <string>

#include "shared/base/result.h"
#include "shared/policy/effective.h"

namespace mxc::translate {

// "p.json#/filesystem/deniedPaths/0"
inline std::string RuleText(const policy::Origin& origin) {
  std::string text;
  text.reserve(origin.name.size() + 1 + origin.pointer.size());
  text += origin.name;
  text += '#';
  text += origin.pointer;
  return text;
}

inline Position PositionOf(const policy::Origin& origin) { return {origin.name, origin.line, 0, origin.pointer}; }

}  // namespace mxc::translate
