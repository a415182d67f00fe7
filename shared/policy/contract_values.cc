#include "shared/policy/contract_values.h"

#include <algorithm>

#include "shared/policy/windows_path.h"

namespace mxc::policy {
namespace {

constexpr size_t kLongestPath = 4095;
constexpr size_t kLongestComponent = 255;
constexpr size_t kLongestName = 64;

bool IsLetterOrDigit(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

// Reads the items of an array one by one.
template <class Read>
Result<std::vector<std::string>> Each(const Node& node, Read read) {
  std::vector<std::string> all;
  all.reserve(node.value().items.size());
  MXC_TRY(node.ForEach([&](const Node& item) -> Result<void> {
    all.push_back(MXC_TRY(read(item)));
    return {};
  }));
  return all;
}

}  // namespace

Result<std::string> ReadPath(const Node& node) {
  if (node.value().kind != Kind::kString) return node.Expected("a path");
  const std::string& path = node.value().text;
  if (path.empty()) return node.Invalid("the path is empty").WithHint("remove the entry");
  if (path.size() > kLongestPath) {
    return node.Invalid("the path is " + std::to_string(path.size()) + " bytes long; Linux takes at most " +
                        std::to_string(kLongestPath));
  }
  const bool windows = LooksLikeWindowsPath(path);
  if (!windows && path[0] != '/') {
    return node.Invalid("the path " + Quote(path) + " is not absolute")
        .WithHint(path[0] == '~' ? "~ is not expanded; write the home directory out" : "write it from / on");
  }
  size_t component = 0, longest = 0;
  for (const char c : path) {
    component = c == '/' || (windows && c == '\\') ? 0 : component + 1;
    longest = std::max(longest, component);
  }
  if (longest > kLongestComponent) {
    return node.Invalid("a name in the path is " + std::to_string(longest) + " bytes long; Linux takes at most " +
                        std::to_string(kLongestComponent));
  }
  return path;
}

Result<std::vector<std::string>> ReadPaths(const Node& node) { return Each(node, ReadPath); }

Result<std::vector<std::string>> ReadEnvironment(const Node& node) {
  return Each(node, [](const Node& item) -> Result<std::string> {
    const std::string entry = MXC_TRY(item.String());
    const size_t equals = entry.find('=');
    if (equals == std::string::npos) {
      return item.Invalid("the environment entry " + Quote(entry) + " has no =").WithHint("write \"NAME=VALUE\"");
    }
    if (equals == 0) return item.Invalid("the environment entry has no name before =").WithHint("write \"NAME=VALUE\"");
    return entry;
  });
}

Result<std::vector<std::string>> ReadVariableNames(const Node& node) {
  return Each(node, [](const Node& item) -> Result<std::string> {
    const std::string name = MXC_TRY(item.NonEmptyString());
    if (name.find('=') != std::string::npos) {
      return item.Invalid("a variable's name holds no =")
          .WithHint("values belong into process.env; here is only the name");
    }
    return name;
  });
}

Result<std::string> ReadName(const Node& node) {
  const std::string name = MXC_TRY(node.NonEmptyString());
  const bool good = name.size() <= kLongestName && name[0] != '.' && name[0] != '-' &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '_' || c == '.'; });
  if (good) return name;
  return node.Invalid(Quote(name) + " is no name")
      .WithHint("at most 64 letters, digits, '-', '_' and '.'; the first a letter, digit or '_'");
}

Result<std::string> ReadHostname(const Node& node) {
  const std::string name = MXC_TRY(node.NonEmptyString());
  const bool good =
      name.size() <= kLongestName && IsLetterOrDigit(name.front()) && IsLetterOrDigit(name.back()) &&
      std::all_of(name.begin(), name.end(), [](char c) { return IsLetterOrDigit(c) || c == '-' || c == '.'; });
  if (good) return name;
  return node.Invalid(Quote(name) + " is no host name").WithHint("at most 64 letters, digits, '-' and '.'");
}

}  // namespace mxc::policy
