// Build-time tool: policies/seccomp/*.yaml → C++ data for shared/translate/seccomp_profiles.cc.
// Usage: generate OUTPUT LIST.yaml…
#include <cstdio>
#include <fstream>
#include <sstream>

#include "linux_runtime/sandbox/seccomp_gen/read_list.h"

namespace {

using namespace mxc::seccomp_gen;

std::string Quote(const std::string& text) {
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

void WriteNames(std::ostream& out, const std::string& variable, const std::vector<std::string>& names) {
  out << "constexpr std::string_view " << variable << "[] = {";
  for (const std::string& name : names) out << Quote(name) << ", ";
  out << "};\n";
}

void WriteList(std::ostream& out, const List& list) {
  std::ostringstream entries;
  int group_index = 0;
  for (const Group& group : list.groups) {
    std::string id = list.name + "_" + std::to_string(group_index++);
    WriteNames(out, "calls_" + id, group.calls);
    std::vector<Alternative> alternatives = group.alternatives;
    if (alternatives.empty()) alternatives.emplace_back();
    int index = 0;
    for (const Alternative& alternative : alternatives) {
      std::string conditions = "{}";
      if (!alternative.empty()) {
        conditions = "when_" + id + "_" + std::to_string(index++);
        out << "constexpr SeccompCondition " << conditions << "[] = {";
        for (const Condition& c : alternative) out << "{" << c.arg << ", " << c.mask << "u, " << c.value << "u}, ";
        out << "};\n";
      }
      entries << "    {" << Quote(group.list) << ", " << Quote(group.name) << ", " << Quote(group.why) << ", "
              << Quote(group.when) << ", SeccompVerdict::" << group.verdict << ", " << group.error << ", "
              << Quote(group.error_name) << ", calls_" << id << ", " << conditions << "},\n";
    }
  }
  out << "constexpr SeccompEntry entries_" << list.name << "[] = {\n" << entries.str() << "};\n";
  if (!list.flags.empty()) WriteNames(out, "flags_" + list.name, list.flags);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::fprintf(stderr, "usage: generate OUTPUT LIST.yaml...\n");
    return 2;
  }
  auto lists = ReadLists(std::vector<std::string>(argv + 2, argv + argc));
  if (!lists.ok()) {
    std::fprintf(stderr, "%s\n", lists.error().Describe().c_str());
    return 1;
  }
  std::ofstream out(argv[1]);
  out << "// Generated from policies/seccomp by linux_runtime/sandbox/seccomp_gen.\n";
  for (const auto& [name, list] : *lists) WriteList(out, list);
  out << "constexpr SeccompProfile kProfiles[] = {\n";
  for (const auto& [name, list] : *lists)
    out << "    {" << Quote(name) << ", " << Quote(list.summary) << ", " << Quote(list.inherits) << ", "
        << (list.flags.empty() ? "{}" : "flags_" + name) << ", entries_" << name << "},\n";
  out << "};\n";
  out.close();
  if (!out) {
    std::fprintf(stderr, "%s: can't write\n", argv[1]);
    return 1;
  }
  return 0;
}
