// Turns the profiles of this folder into C++: `embed OUT.cc FILE.yaml…`, run by the build. They go through the same
// reader as at run time, so a mistake in one fails the build; the program starts without parsing anything, since the
// paths become constants.
#include <algorithm>
#include <fstream>
#include <iostream>
#include <iterator>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "shared/policy/profile.h"

namespace mxc::policy {
namespace {

std::string Literal(std::string_view text) {
  std::string literal = "\"";
  for (char c : text) {
    if (c == '"' || c == '\\') literal += '\\';
    if (c == '\n') {
      literal += "\\n";
    } else {
      literal += c;
    }
  }
  return literal + '"';
}

std::string Spelled(const Origin& origin) {
  return "{Layer::kProfile, " + Literal(origin.name) + ", " + Literal(origin.pointer) + ", " +
         std::to_string(origin.line) + "}";
}

const char* Spelled(bool value) { return value ? "true" : "false"; }

std::string Spelled(PathRoot root) {
  switch (root) {
    case PathRoot::kAbsolute:
      return "PathRoot::kAbsolute";
    case PathRoot::kHome:
      return "PathRoot::kHome";
    case PathRoot::kCwd:
      return "PathRoot::kCwd";
    case PathRoot::kRuntimeDir:
      return "PathRoot::kRuntimeDir";
    case PathRoot::kGranted:
      return "PathRoot::kGranted";
  }
  return "";
}

class Writer {
 public:
  explicit Writer(std::ostream& out) : out_(out) {
    out_ << "// Made by //policies:embed from policies/*.yaml.\n"
            "#include <iterator>\n\n"
            "#include \"policies/embedded_profiles.h\"\n\n"
            "namespace mxc::policy {\nnamespace {\n\n";
  }

  void Write(const Profile& profile, bool is_part) {
    const std::string number = std::to_string(calls_.size());
    WritePaths(number + "Baseline", profile.paths.baseline);
    WritePaths(number + "Readonly", profile.paths.readonly);
    WritePaths(number + "Readwrite", profile.paths.readwrite);
    WritePaths(number + "Denied", profile.paths.denied);
    WritePaths(number + "Protect", profile.paths.protect);
    out_ << "Profile Make" << number << "() {\n  Profile p;\n";
    Scalar("name", Literal(profile.name));
    Scalar("summary", Literal(profile.summary));
    Scalar("description", Literal(profile.description));
    AssignPaths(number + "Baseline", "baseline", profile.paths.baseline);
    AssignPaths(number + "Readonly", "readonly", profile.paths.readonly);
    AssignPaths(number + "Readwrite", "readwrite", profile.paths.readwrite);
    AssignPaths(number + "Denied", "denied", profile.paths.denied);
    AssignPaths(number + "Protect", "protect", profile.paths.protect);
    Texts("env", profile.env);
    Texts("env_pass", profile.env_pass);
    Texts("env_threads", profile.env_threads);
    Texts("hosts_of", profile.hosts_of);
    WriteDomains(profile.domains);
    if (!is_part) WriteOptions(profile);
    out_ << "  return p;\n}\n\n";
    calls_.push_back(std::string("  profiles.") + (is_part ? "AddPart" : "AddComplete") + "(Make" + number + "());\n");
  }

  void Finish() {
    out_ << "}  // namespace\n\nProfileSet EmbeddedProfiles() {\n  ProfileSet profiles;\n";
    for (const std::string& call : calls_) out_ << call;
    out_ << "  return profiles;\n}\n\n}  // namespace mxc::policy\n";
  }

 private:
  // Sorted as the rules made of them are, which spares each start sorting them. Their order means nothing.
  void WritePaths(const std::string& name, std::vector<PathPattern> paths) {
    if (paths.empty()) return;
    std::stable_sort(paths.begin(), paths.end(), [](const PathPattern& a, const PathPattern& b) {
      return a.root != b.root ? a.root < b.root : a.rest < b.rest;
    });
    out_ << "constexpr PathPattern k" << name << "[] = {\n";
    for (const PathPattern& path : paths) {
      out_ << "    {" << Spelled(path.root) << ", " << Spelled(path.has_uid) << ", " << Spelled(path.if_present) << ", "
           << path.line << ", " << Literal(path.rest) << ", " << Literal(path.file) << ", " << Literal(path.pointer)
           << "},\n";
    }
    out_ << "};\n";
  }

  void AssignPaths(const std::string& name, const char* list, const std::vector<PathPattern>& paths) {
    if (!paths.empty())
      out_ << "  p.paths." << list << ".assign(std::begin(k" << name << "), std::end(k" << name << "));\n";
  }

  void Texts(const char* field, const std::vector<Sourced<std::string>>& texts) {
    if (texts.empty()) return;
    out_ << "  p." << field << " = {\n";
    for (const auto& text : texts) out_ << "      {" << Literal(*text) << ", " << Spelled(text.origin) << "},\n";
    out_ << "  };\n";
  }

  void WriteDomains(const std::vector<Sourced<DomainPattern>>& domains) {
    if (domains.empty()) return;
    out_ << "  p.domains = {\n";
    for (const auto& domain : domains) {
      const DomainPattern& pattern = *domain;
      out_ << "      {{static_cast<DomainMatch>(" << static_cast<int>(pattern.match) << "), " << Literal(pattern.name)
           << ", ";
      if (pattern.ports) {
        out_ << "PortRange{" << pattern.ports->first << ", " << pattern.ports->last << "}";
      } else {
        out_ << "{}";
      }
      out_ << "}, " << Spelled(domain.origin) << "},\n";
    }
    out_ << "  };\n";
  }

  void Scalar(const char* field, const std::string& value) { out_ << "  p." << field << " = " << value << ";\n"; }

  template <class T>
  void Number(const char* field, const std::optional<T>& value) {
    if (!value) return;
    std::ostringstream text;
    text.precision(17);
    text << +*value;
    Scalar(field, text.str() + (std::is_integral_v<T> ? "u" : ""));
  }

  void WriteOptions(const Profile& p) {
    const Resources& r = p.resources;
    Number("resources.memory_bytes", r.memory_bytes);
    Number("resources.swap_bytes", r.swap_bytes);
    Number("resources.cpus", r.cpus);
    Number("resources.pids", r.pids);
    Number("resources.tmp_bytes", r.tmp_bytes);
    Number("resources.shm_bytes", r.shm_bytes);
    Number("resources.tmpfs_inodes", r.tmpfs_inodes);
    Number("resources.open_files", r.open_files);
    Number("resources.file_bytes", r.file_bytes);
    Number("resources.memlock_bytes", r.memlock_bytes);
    Number("resources.stack_bytes", r.stack_bytes);
    Number("resources.core_bytes", r.core_bytes);
    Scalar("resources_origin", Spelled(p.resources_origin));
    Wrapped("timeout_ms", "uint32_t", p.timeout_ms, std::to_string(**p.timeout_ms));
    Wrapped("seccomp", "std::string", p.seccomp, Literal(**p.seccomp));
    Wrapped("landlock_required", "bool", p.landlock_required, Spelled(**p.landlock_required));
    Wrapped("nesting", "bool", p.nesting, Spelled(**p.nesting));
    Wrapped("time_namespace", "bool", p.time_namespace, Spelled(**p.time_namespace));
    Wrapped("sysfs", "bool", p.sysfs, Spelled(**p.sysfs));
    Wrapped("hostname", "std::string", p.hostname, Literal(**p.hostname));
    Wrapped("on_exposed", "OnExposed", p.on_exposed,
            **p.on_exposed == OnExposed::kKill ? "OnExposed::kKill" : "OnExposed::kCover");
    const OnMissing missing = **p.on_missing;
    Wrapped("on_missing", "OnMissing", p.on_missing,
            missing == OnMissing::kSeal     ? "OnMissing::kSeal"
            : missing == OnMissing::kRefuse ? "OnMissing::kRefuse"
                                            : "OnMissing::kWatch");
  }

  template <class T>
  void Wrapped(const char* field, const char* type, const std::optional<Sourced<T>>& value,
               const std::string& spelled) {
    Scalar(field, std::string("Sourced<") + type + ">{" + spelled + ", " + Spelled(value->origin) + "}");
  }

  std::ostream& out_;
  std::vector<std::string> calls_;
};

int Run(std::span<char*> arguments) {
  if (arguments.size() < 3) {
    std::cerr << "usage: embed OUT.cc FILE.yaml...\n";
    return 2;
  }
  std::vector<std::pair<std::string, std::string>> texts;
  for (char* file : arguments.subspan(2)) {
    std::ifstream in(file);
    texts.emplace_back(file, std::string(std::istreambuf_iterator<char>(in), {}));
  }
  ProfileSet profiles;
  if (auto added = profiles.Add(texts); !added.ok()) {
    std::cerr << added.error().Describe() << "\n  " << added.error().hint() << '\n';
    return 1;
  }
  std::ofstream out(arguments[1]);
  Writer writer(out);
  for (const Profile& part : profiles.parts()) writer.Write(part, true);
  for (const Profile& profile : profiles.profiles()) writer.Write(profile, false);
  writer.Finish();
  return out.good() ? 0 : 1;
}

}  // namespace
}  // namespace mxc::policy

int main(int argc, char** argv) { return mxc::policy::Run({argv, static_cast<size_t>(argc)}); }
