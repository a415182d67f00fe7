#include "linux_runtime/sandbox/seccomp_gen/read_list.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <set>

namespace mxc::seccomp_gen {
namespace {

// Thrown inside this file only, caught in ReadLists.
struct Bad {
  YAML::Mark mark;
  std::string what;
};

uint32_t Number(const YAML::Node& node) {
  std::string text = node.Scalar();
  int base = text.starts_with("0x") ? 16 : 10;
  const char* begin = text.data() + (base == 16 ? 2 : 0);
  const char* end = text.data() + text.size();
  uint32_t value = 0;
  auto [stop, error] = std::from_chars(begin, end, value, base);
  if (error != std::errc() || stop != end || begin == end) throw Bad{node.Mark(), "'" + text + "' is no 32-bit number"};
  return value;
}

std::vector<uint32_t> Numbers(const YAML::Node& node) {
  if (!node.IsSequence() || node.size() == 0) throw Bad{node.Mark(), "expected a list of numbers"};
  std::vector<uint32_t> values;
  for (const auto& each : node) values.push_back(Number(each));
  return values;
}

void OnlyKeys(const YAML::Node& node, const std::set<std::string>& keys) {
  if (!node.IsMap()) throw Bad{node.Mark(), "expected a mapping"};
  std::set<std::string> seen;
  for (const auto& each : node) {
    std::string key = each.first.Scalar();
    if (!keys.contains(key)) throw Bad{each.first.Mark(), "unknown key '" + key + "'"};
    if (!seen.insert(key).second) throw Bad{each.first.Mark(), "key '" + key + "' stands twice"};
  }
}

std::vector<std::string> Names(const YAML::Node& node) {
  if (!node.IsSequence()) throw Bad{node.Mark(), "expected a list of names"};
  std::vector<std::string> names;
  for (const auto& each : node) names.push_back(each.Scalar());
  return names;
}

// One condition of the file is several where it has `in` or `not`: any of them may hold.
std::vector<Condition> ReadCondition(const YAML::Node& node, std::string& text) {
  OnlyKeys(node, {"arg", "is", "in", "not", "bits", "are", "clear"});
  if (!node["arg"]) throw Bad{node.Mark(), "a condition needs 'arg'"};
  unsigned arg = Number(node["arg"]);
  if (arg > 5) throw Bad{node.Mark(), "a system call has arguments 0 to 5"};
  text += "argument " + std::to_string(arg);
  auto scalar = [&](const char* key) { return node[key].Scalar(); };
  auto list = [&](const char* key) {
    std::string joined;
    for (const auto& each : node[key]) joined += (joined.empty() ? "" : ", ") + each.Scalar();
    return joined;
  };
  constexpr uint32_t kAll = 0xffffffff;
  if (node.size() == 2 && node["is"]) {
    text += " is " + scalar("is");
    return {{arg, kAll, Number(node["is"])}};
  }
  if (node.size() == 2 && node["clear"]) {
    text += " has none of the bits " + scalar("clear");
    return {{arg, Number(node["clear"]), 0}};
  }
  if (node.size() == 2 && node["in"]) {
    text += " is one of " + list("in");
    std::vector<Condition> any;
    for (uint32_t value : Numbers(node["in"])) any.push_back({arg, kAll, value});
    return any;
  }
  if (node.size() == 2 && node["not"]) {
    text += " is none of " + list("not");
    return Complement(arg, Numbers(node["not"]));
  }
  if (node.size() == 3 && node["bits"] && node["are"]) {
    text += " masked by " + scalar("bits") + " is " + scalar("are");
    Condition one{arg, Number(node["bits"]), Number(node["are"])};
    if ((one.value & ~one.mask) != 0) throw Bad{node.Mark(), "'are' has bits outside 'bits': it could never hold"};
    return {one};
  }
  throw Bad{node.Mark(), "a condition has one of: is, in, not, clear, bits with are"};
}

std::vector<Alternative> ReadWhen(const YAML::Node& node, std::string& text) {
  if (!node.IsSequence() || node.size() == 0) throw Bad{node.Mark(), "'when' is a list of alternatives"};
  std::vector<Alternative> alternatives;
  for (const auto& each : node) {
    if (!text.empty()) text += "; or ";
    std::vector<Alternative> product = {{}};
    auto conjoin = [&](const YAML::Node& condition) {
      std::vector<Alternative> next;
      for (const Condition& option : ReadCondition(condition, text))
        for (Alternative partial : product) {
          for (const Condition& other : partial)
            if (other.arg == option.arg) throw Bad{condition.Mark(), "one alternative names an argument twice"};
          partial.push_back(option);
          next.push_back(std::move(partial));
        }
      product = std::move(next);
    };
    if (each.IsSequence()) {
      bool first = true;
      for (const auto& condition : each) {
        if (!first) text += " and ";
        first = false;
        conjoin(condition);
      }
    } else {
      conjoin(each);
    }
    alternatives.insert(alternatives.end(), product.begin(), product.end());
  }
  return alternatives;
}

int ErrnoValue(const YAML::Node& node) {
  static const std::map<std::string, int> kErrors = {{"EPERM", EPERM},
                                                     {"ENOSYS", ENOSYS},
                                                     {"EACCES", EACCES},
                                                     {"EINVAL", EINVAL},
                                                     {"EAFNOSUPPORT", EAFNOSUPPORT},
                                                     {"EPROTONOSUPPORT", EPROTONOSUPPORT}};
  auto found = kErrors.find(node.Scalar());
  if (found == kErrors.end()) throw Bad{node.Mark(), "'" + node.Scalar() + "' is none of the errors that lists use"};
  return found->second;
}

Group ReadGroup(const YAML::Node& node, const std::string& list) {
  OnlyKeys(node, {"name", "why", "allow", "refuse", "errno", "kill", "when"});
  Group group;
  group.list = list;
  if (!node["name"] || !node["why"]) throw Bad{node.Mark(), "a group needs 'name' and 'why'"};
  group.name = node["name"].Scalar();
  group.why = node["why"].Scalar();
  if (node["allow"] && !node["refuse"] && !node["kill"] && !node["errno"]) {
    group.verdict = "kAllow";
    group.calls = Names(node["allow"]);
  } else if (node["refuse"] && node["errno"] && !node["allow"] && !node["kill"]) {
    group.verdict = "kErrno";
    group.calls = Names(node["refuse"]);
    group.error = ErrnoValue(node["errno"]);
    group.error_name = node["errno"].Scalar();
  } else if (node["kill"] && !node["allow"] && !node["refuse"] && !node["errno"]) {
    group.verdict = "kKill";
    group.calls = Names(node["kill"]);
  } else {
    throw Bad{node.Mark(), "a group has one of: allow, refuse with errno, kill"};
  }
  if (node["when"]) group.alternatives = ReadWhen(node["when"], group.when);
  return group;
}

// A call stands in one group, or in several that all have conditions.
void CheckCalls(const List& list, const YAML::Node& file) {
  std::map<std::string, std::pair<int, bool>> uses;  // count, some use is unconditional
  for (const Group& group : list.groups) {
    for (const std::string& call : group.calls) {
      auto& [count, always] = uses[call];
      ++count;
      always |= group.alternatives.empty();
      if (count > 1 && always) throw Bad{file.Mark(), "'" + call + "' stands in several groups, one without 'when'"};
    }
  }
}

List ReadList(const std::string& path, std::string name) {
  YAML::Node file = YAML::LoadFile(path);
  OnlyKeys(file, {"summary", "inherit", "flags", "groups"});
  List list;
  list.name = std::move(name);
  if (!file["summary"] || !file["groups"]) throw Bad{file.Mark(), "a list needs 'summary' and 'groups'"};
  list.summary = file["summary"].Scalar();
  if (file["inherit"]) list.inherits = file["inherit"].Scalar();
  if (file["flags"]) list.flags = Names(file["flags"]);
  for (const auto& each : file["groups"]) list.groups.push_back(ReadGroup(each, list.name));
  CheckCalls(list, file);
  return list;
}

// The parent's groups without the calls that the child names, after the child's own.
void Inherit(List& child, const List& parent) {
  std::set<std::string> own;
  for (const Group& group : child.groups) own.insert(group.calls.begin(), group.calls.end());
  for (Group group : parent.groups) {
    std::erase_if(group.calls, [&](const std::string& call) { return own.contains(call); });
    if (!group.calls.empty()) child.groups.push_back(std::move(group));
  }
}

}  // namespace

std::vector<Condition> Complement(unsigned arg, std::vector<uint32_t> values) {
  std::vector<Condition> blocks;
  std::sort(values.begin(), values.end());
  // A block is the numbers that share `value` under `mask`; split it while it holds a forbidden number.
  auto split = [&](auto& self, uint32_t value, uint32_t mask) -> void {
    bool inside = std::any_of(values.begin(), values.end(), [&](uint32_t v) { return (v & mask) == value; });
    if (!inside) {
      blocks.push_back({arg, mask, value});
    } else if (mask != 0xffffffff) {
      uint32_t bit = ~mask ^ (~mask >> 1);  // the highest that mask doesn't have yet
      self(self, value, mask | bit);
      self(self, value | bit, mask | bit);
    }
  };
  split(split, 0, 0);
  return blocks;
}

Result<std::map<std::string, List>> ReadLists(const std::vector<std::string>& files) {
  std::map<std::string, List> lists;
  std::string reading;
  try {
    for (const std::string& path : files) {
      reading = path;
      std::string name = path.substr(path.rfind('/') + 1);
      name = name.substr(0, name.rfind(".yaml"));
      lists[name] = ReadList(path, name);
    }
  } catch (const Bad& bad) {
    return Error(Code::kInvalid, reading + ":" + std::to_string(bad.mark.line + 1) + ": " + bad.what);
  } catch (const YAML::Exception& error) {
    return Error(Code::kInvalid, reading + ": " + error.what());
  }
  for (auto& [name, list] : lists) {
    if (list.inherits.empty()) continue;
    auto parent = lists.find(list.inherits);
    if (parent == lists.end() || !parent->second.inherits.empty())
      return Error(Code::kInvalid, name + ".yaml: 'inherit' must name a list that inherits nothing itself");
    Inherit(list, parent->second);
  }
  return lists;
}

}  // namespace mxc::seccomp_gen
