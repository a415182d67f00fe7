// Reads policies/seccomp/*.yaml at build time. The files' format stands at the top of default.yaml.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "shared/base/result.h"

namespace mxc::seccomp_gen {

struct Condition {
  unsigned arg = 0;
  uint32_t mask = 0;
  uint32_t value = 0;
};
using Alternative = std::vector<Condition>;  // all must hold

struct Group {
  std::string list;  // the file's name
  std::string name;
  std::string why;
  std::string when;     // the conditions as text
  std::string verdict;  // "kAllow", "kErrno", "kKill"
  int error = 0;
  std::string error_name;
  std::vector<std::string> calls;
  std::vector<Alternative> alternatives;  // one must hold; empty: always
};

struct List {
  std::string name;
  std::string summary;
  std::string inherits;
  std::vector<std::string> flags;
  std::vector<Group> groups;
};

// name → list, with what it inherits: a call that a list names replaces everything its parent says about that call.
// Errors name file and line.
Result<std::map<std::string, List>> ReadLists(const std::vector<std::string>& files);

// "Not in values" as blocks of equal leading bits: the conditions of which exactly one holds for every other number.
std::vector<Condition> Complement(unsigned arg, std::vector<uint32_t> values);

}  // namespace mxc::seccomp_gen
