// Build-time tool: the shipped lists → BPF programs as C++ arrays for linux_runtime/sandbox/seccomp_shipped.cc.
// Usage: precompile OUTPUT
#include <cstdio>
#include <fstream>

#include "linux_runtime/sandbox/seccomp.h"
#include "shared/translate/seccomp_profiles.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: precompile OUTPUT\n");
    return 2;
  }
  std::ofstream out(argv[1]);
  out << "// Generated from the shipped lists by linux_runtime/sandbox/seccomp_gen.\n";
  std::string table;
  for (const auto& profile : mxc::translate::SeccompProfiles()) {
    std::string name(profile.name);
    auto program = mxc::sandbox::CompileSeccomp(*mxc::translate::FindSeccompProfile(name));
    if (!program.ok() || !program->skipped.empty()) {
      std::fprintf(stderr, "%s: %s\n", name.c_str(),
                   program.ok() ? ("unknown call " + program->skipped[0]).c_str() : program.error().Describe().c_str());
      return 1;
    }
    out << "constexpr sock_filter code_" << name << "[] = {\n";
    for (const sock_filter& i : program->code)
      out << "    {" << i.code << ", " << int{i.jt} << ", " << int{i.jf} << ", " << i.k << "u},\n";
    out << "};\n";
    table += "    {\"" + name + "\", " + std::to_string(program->flags) + "u, code_" + name + ", std::size(code_" +
             name + ")},\n";
  }
  out << "constexpr Shipped kShipped[] = {\n" << table << "};\n";
  out.close();
  if (!out) {
    std::fprintf(stderr, "%s: can't write\n", argv[1]);
    return 1;
  }
  return 0;
}
