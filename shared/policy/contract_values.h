// Scalars with rules of their own that several sections share.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/decoder.h"

namespace mxc::policy {

// A path as a policy writes it: absolute, at most 4095 bytes (PATH_MAX without the NUL) with names of at most 255
// (NAME_MAX), or in a Windows spelling, which resolve translates. Relative ones and ~ are errors: Microsoft's
// executor resolves them against its own directory, which the author of the policy can't know.
Result<std::string> ReadPath(const Node& node);
Result<std::vector<std::string>> ReadPaths(const Node& node);

// KEY=VALUE. An entry without = or with nothing before it is an error; Microsoft's executor drops the one silently and
// fails late on the other, and a variable that is missing without a word may be the one that mattered.
Result<std::vector<std::string>> ReadEnvironment(const Node& node);

// Names of variables, without =.
Result<std::vector<std::string>> ReadVariableNames(const Node& node);

// The name of a profile or a list: letters, digits, '-', '_', '.', not starting with '.' or '-', at most 64. Such names
// become file names.
Result<std::string> ReadName(const Node& node);

// At most 64 letters, digits, '-' and '.': what sethostname(2) takes and programs expect.
Result<std::string> ReadHostname(const Node& node);

}  // namespace mxc::policy
