#include "shared/oci/extension.h"

#include <algorithm>
#include <set>
#include <string_view>
#include <type_traits>
#include <utility>

#include "nlohmann/json.hpp"
#include "shared/base/plain_text.h"
#include "shared/oci/strict_json.h"

namespace mxc::oci {
namespace {

using Json = StrictJson;

constexpr size_t kMaxAnnotationBytes = 4u << 20;

// ---- enumerations and their spellings ---------------------------------------------------------------------------

template <class E>
struct Spelling {
  E value;
  const char* text;
};

constexpr Spelling<OnExposed> kOnExposed[] = {{OnExposed::kCover, "cover"}, {OnExposed::kKill, "kill"}};
constexpr Spelling<OnMissing> kOnMissing[] = {
    {OnMissing::kWatch, "watch"}, {OnMissing::kRefuse, "refuse"}, {OnMissing::kSeal, "seal"}};
constexpr Spelling<Identity> kIdentity[] = {{Identity::kCaller, "caller"}, {Identity::kHostRoot, "host-root"}};
constexpr Spelling<bool> kIsolation[] = {{false, "process"}, {true, "session"}};
constexpr const char* kLimits[] = {"memory", "cpu", "pids"};

// ---- reading ----------------------------------------------------------------------------------------------------

// One annotation. A Read… returns false after it has set `problem`.
struct Value {
  std::string problem;

  bool Fail(std::string what) {
    if (problem.empty()) problem = std::move(what);
    return false;
  }
  bool Expect(const char* wanted, const Json& json) {
    return Fail(std::string("expected ") + wanted + ", found " + TypeName(json));
  }

  bool Read(const Json& json, bool& out) {
    if (!json.is_boolean()) return Expect("true or false", json);
    out = json.get<bool>();
    return true;
  }
  bool Read(const Json& json, std::string& out) {
    if (!json.is_string()) return Expect("a string", json);
    out = json.get_ref<const std::string&>();
    return out.find('\0') == std::string::npos || Fail("the string holds a NUL byte");
  }
  template <class T>
  requires(std::is_unsigned_v<T> && !std::is_same_v<T, bool>) bool Read(const Json& json, T& out) {
    if (!json.is_number_unsigned()) return Expect("a whole number", json);
    auto value = json.get<uint64_t>();
    if (!std::in_range<T>(value)) return Fail(json.dump() + " is too large");
    out = static_cast<T>(value);
    return true;
  }
  template <class T>
  bool Read(const Json& json, std::vector<T>& out) {
    if (!json.is_array()) return Expect("a list", json);
    std::set<T> seen;
    for (const Json& item : json) {
      if (!Read(item, out.emplace_back())) return false;
      if (!seen.insert(out.back()).second) return Fail(item.dump() + " stands twice in the list");
    }
    return true;
  }
  template <class T>
  bool Read(const Json& json, std::optional<T>& out) {
    return Read(json, out.emplace());
  }
  template <class E, size_t N>
  bool Read(const Json& json, E& out, const Spelling<E> (&spellings)[N]) {
    std::string text;
    if (!Read(json, text)) return false;
    std::string known;
    for (const auto& [value, name] : spellings) {
      if (text == name) {
        out = value;
        return true;
      }
      known += std::string(known.empty() ? "" : ", ") + name;
    }
    return Fail("\"" + text + "\" is not one of " + known);
  }
};

bool ReadPath(Value& value, const Json& json, std::string& out) {
  if (!value.Read(json, out)) return false;
  return out.starts_with('/') || value.Fail("\"" + out + "\" is not an absolute path");
}

bool ReadPaths(Value& value, const Json& json, std::vector<std::string>& out) {
  if (!value.Read(json, out)) return false;
  for (const std::string& path : out) {
    if (!path.starts_with('/')) return value.Fail("\"" + path + "\" is not an absolute path");
  }
  return true;
}

// Walks the members of an object; `member(name, json)` returns false for a name it doesn't know or a bad value.
template <class F>
bool ReadMembers(Value& value, const Json& json, F member) {
  if (!json.is_object()) return value.Expect("an object", json);
  for (const auto& item : json.items()) {
    if (!member(item.key(), item.value())) return value.Fail("\"" + item.key() + "\" is not a name that is known here");
  }
  return true;
}

bool ReadDenied(Value& value, const Json& json, std::vector<DeniedPath>& out) {
  if (!json.is_array()) return value.Expect("a list", json);
  std::set<std::string> seen;
  for (const Json& item : json) {
    DeniedPath& denied = out.emplace_back();
    bool good = ReadMembers(value, item, [&](const std::string& name, const Json& member) {
      if (name == "path") return ReadPath(value, member, denied.path);
      if (name == "rule") return value.Read(member, denied.rule);
      if (name == "watch") return value.Read(member, denied.if_missing_watch);
      return false;
    });
    if (!good) return false;
    if (denied.path.empty()) return value.Fail("an entry has no \"path\"");
    if (!seen.insert(denied.path).second) return value.Fail("\"" + denied.path + "\" stands twice in the list");
  }
  return true;
}

bool ReadFiles(Value& value, const Json& json, std::map<std::string, std::string>& out) {
  if (!json.is_object()) return value.Expect("an object", json);
  for (const auto& item : json.items()) {
    if (!item.key().starts_with('/')) return value.Fail("\"" + item.key() + "\" is not an absolute path");
    if (item.key().find('\0') != std::string::npos) return value.Fail("a path holds a NUL byte");
    if (!item.value().is_string()) return value.Expect("a string", item.value());
    out[item.key()] = item.value().get_ref<const std::string&>();
  }
  return true;
}

bool ReadLandlock(Value& value, const Json& json, std::optional<LandlockSpec>& out) {
  LandlockSpec& landlock = out.emplace();
  return ReadMembers(value, json, [&](const std::string& name, const Json& member) {
    if (name == "enabled") return value.Read(member, landlock.enabled);
    if (name == "required") return value.Read(member, landlock.required);
    if (name == "files") return value.Read(member, landlock.files);
    if (name == "tcpBind") return value.Read(member, landlock.tcp_bind);
    if (name == "tcpConnect") return value.Read(member, landlock.tcp_connect);
    return false;
  });
}

bool ReadLimits(Value& value, const Json& json, std::vector<std::string>& out) {
  if (!value.Read(json, out)) return false;
  for (const std::string& name : out) {
    bool known = false;
    for (const char* limit : kLimits) known |= name == limit;
    if (!known) return value.Fail("\"" + name + "\" is not one of memory, cpu, pids");
  }
  return true;
}

template <class Rule>
bool ReadLines(Value& value, const Json& json, Result<Rule> (*parse)(std::string_view), std::vector<Rule>& out) {
  if (!json.is_array()) return value.Expect("a list", json);
  for (const Json& item : json) {
    std::string line;
    if (!value.Read(item, line)) return false;
    Result<Rule> rule = parse(line);
    if (!rule.ok()) return value.Fail(rule.error().message());
    out.push_back(*std::move(rule));
  }
  return true;
}

bool ReadNetwork(Value& value, const Json& json, network::Ruleset& out) {
  if (!ReadLines(value, json, network::ParseRule, out)) return false;
  // A list that ends early would leave the rest of the world to whatever the engine does then.
  return network::HasDefaults(out) || value.Fail("the list doesn't end in a default for IPv4 and one for IPv6");
}

bool ReadRoot(Value& value, const Json& json, bool& empty) {
  std::string text;
  if (!value.Read(json, text)) return false;
  empty = text == "empty";
  return empty || value.Fail("\"" + text + "\" is not \"empty\", the only value");
}

// false with an empty problem: no such annotation.
bool ReadOne(Value& value, std::string_view name, const Json& json, Extension& out) {
  if (name == "root") return ReadRoot(value, json, out.empty_root);
  if (name == "files") return ReadFiles(value, json, out.files);
  if (name == "if-present") return ReadPaths(value, json, out.if_present);
  if (name == "windows") return ReadFiles(value, json, out.windows);
  if (name == "caller-owned") return ReadPaths(value, json, out.caller_owned);
  if (name == "denied") return ReadDenied(value, json, out.denied);
  if (name == "protect") return ReadDenied(value, json, out.protect);
  if (name == "on-exposed") return value.Read(json, out.on_exposed, kOnExposed);
  if (name == "on-missing") return value.Read(json, out.on_missing, kOnMissing);
  if (name == "identity") return value.Read(json, out.identity, kIdentity);
  if (name == "isolation") return value.Read(json, out.own_session, kIsolation);
  if (name == "landlock") return ReadLandlock(value, json, out.landlock);
  if (name == "nesting") return value.Read(json, out.nesting);
  if (name == "init") return value.Read(json, out.init);
  if (name == "timeout-ms") return value.Read(json, out.timeout_ms);
  if (name == "named-limits") return ReadLimits(value, json, out.named_limits);
  if (name == "network") return ReadNetwork(value, json, out.network);
  if (name == "names") return ReadLines(value, json, network::ParseNameRule, out.names);
  if (name == "name-sent-bytes") return value.Read(json, out.name_sent_bytes.emplace());
  if (name == "ports") return ReadLines(value, json, network::ParsePortRule, out.ports);
  if (name == "run") return value.Read(json, out.run_name);
  if (name == "policy-digest") return value.Read(json, out.policy_digest);
  if (name == "profile") return value.Read(json, out.profile);
  return false;
}

// ---- writing ----------------------------------------------------------------------------------------------------

template <class E, size_t N>
const char* Spell(E value, const Spelling<E> (&spellings)[N]) {
  for (const auto& [known, text] : spellings) {
    if (known == value) return text;
  }
  return "";
}

// Appends values as JSON text. The values are simple and every start writes them: building nlohmann's tree first took
// most of the time of a whole translation.
class Text {
 public:
  Text& String(std::string_view value) {
    const size_t begin = text_.size();
    text_ += '"';
    std::string_view rest = value;
    for (size_t plain; (plain = PlainPrefix<true>(rest)) < rest.size(); rest.remove_prefix(plain + 1)) {
      if (rest[plain] != '\n') {
        text_.resize(begin);
        return Raw(Json(value).dump(-1, ' ', false, Json::error_handler_t::replace));
      }
      text_.append(rest.substr(0, plain)).append("\\n");
    }
    text_.append(rest) += '"';
    return *this;
  }
  Text& Bool(bool value) { return Raw(value ? "true" : "false"); }
  Text& Raw(std::string_view text) {
    text_.append(text);
    return *this;
  }
  // Between the items of a list or object that starts with `open`.
  Text& Comma(char open) {
    if (text_.back() != open) text_ += ',';
    return *this;
  }
  void Reserve(size_t size) { text_.reserve(size); }
  std::string Take() { return std::move(text_); }

 private:
  std::string text_;
};

std::string WriteDenied(const std::vector<DeniedPath>& list) {
  Text text;
  size_t size = 2;
  for (const DeniedPath& denied : list) size += denied.path.size() + denied.rule.size() + 40;
  text.Reserve(size);
  text.Raw("[");
  for (const DeniedPath& denied : list) {
    text.Comma('[').Raw("{\"path\":").String(denied.path);
    if (!denied.rule.empty()) text.Raw(",\"rule\":").String(denied.rule);
    if (!denied.if_missing_watch) text.Raw(",\"watch\":false");
    text.Raw("}");
  }
  return text.Raw("]").Take();
}

std::string WriteStrings(const std::vector<std::string>& list) {
  Text text;
  size_t size = 2;
  for (const std::string& item : list) size += item.size() + 3;
  text.Reserve(size);
  text.Raw("[");
  for (const std::string& item : list) text.Comma('[').String(item);
  return text.Raw("]").Take();
}

std::string WriteFiles(const std::map<std::string, std::string>& files) {
  Text text;
  text.Raw("{");
  for (const auto& [path, content] : files) text.Comma('{').String(path).Raw(":").String(content);
  return text.Raw("}").Take();
}

void WritePorts(Text& text, const char* name, const std::optional<std::vector<uint16_t>>& ports) {
  if (!ports) return;
  text.Raw(",\"").Raw(name).Raw("\":[");
  for (uint16_t port : *ports) text.Comma('[').Raw(std::to_string(port));
  text.Raw("]");
}

std::string WriteLandlock(const LandlockSpec& landlock) {
  Text text;
  text.Raw("{\"enabled\":").Bool(landlock.enabled).Raw(",\"required\":").Bool(landlock.required);
  text.Raw(",\"files\":").Bool(landlock.files);
  WritePorts(text, "tcpBind", landlock.tcp_bind);
  WritePorts(text, "tcpConnect", landlock.tcp_connect);
  return text.Raw("}").Take();
}

template <class Rule>
std::string WriteLines(const std::vector<Rule>& rules) {
  std::vector<std::string> lines;
  lines.reserve(rules.size());
  for (const Rule& rule : rules) lines.push_back(network::Spell(rule));
  return WriteStrings(lines);
}

std::string WriteString(std::string_view value) { return Text().String(value).Take(); }

}  // namespace

Result<Extension> ReadExtension(const std::map<std::string, std::string>& annotations) {
  constexpr std::string_view kPrefix = kAnnotationPrefix;
  Extension extension;
  for (auto at = annotations.lower_bound(kAnnotationPrefix); at != annotations.end(); ++at) {
    const auto& [name, text] = *at;
    if (!name.starts_with(kPrefix)) break;
    Position position{"", 0, 0, "/annotations/" + EscapePointer(name)};
    auto json = ParseStrictJson(text, "", kMaxAnnotationBytes);
    if (!json.ok()) {
      return Error(Code::kInvalid,
                   "the annotation's value is not the JSON text it has to be: " + json.error().message())
          .WithHint("write a string with its quotation marks: \"\\\"empty\\\"\"")
          .WithPosition(std::move(position));
    }
    Value value;
    if (ReadOne(value, std::string_view(name).substr(kPrefix.size()), *json, extension)) continue;
    if (!value.problem.empty()) return Error(Code::kInvalid, value.problem).WithPosition(std::move(position));
    return Error(Code::kUnsupported, "this version knows no annotation " + name)
        .WithHint("the specification comes from a newer mxc, or the name is misspelt")
        .WithPosition(std::move(position));
  }
  return extension;
}

void WriteExtension(const Extension& x, std::map<std::string, std::string>& annotations) {
  auto write = [&](const char* name, std::string json) {
    annotations.insert_or_assign(std::string(kAnnotationPrefix) + name, std::move(json));
  };
  if (x.empty_root) write("root", "\"empty\"");
  if (!x.files.empty()) write("files", WriteFiles(x.files));
  if (!x.if_present.empty()) write("if-present", WriteStrings(x.if_present));
  if (!x.windows.empty()) write("windows", WriteFiles(x.windows));
  if (!x.caller_owned.empty()) write("caller-owned", WriteStrings(x.caller_owned));
  if (!x.denied.empty()) write("denied", WriteDenied(x.denied));
  if (!x.protect.empty()) write("protect", WriteDenied(x.protect));
  if (x.on_exposed != OnExposed::kCover) write("on-exposed", WriteString(Spell(x.on_exposed, kOnExposed)));
  if (x.on_missing != OnMissing::kWatch) write("on-missing", WriteString(Spell(x.on_missing, kOnMissing)));
  if (x.identity != Identity::kSpec) write("identity", WriteString(Spell(x.identity, kIdentity)));
  if (x.own_session) write("isolation", WriteString("session"));
  if (x.landlock) write("landlock", WriteLandlock(*x.landlock));
  if (x.nesting) write("nesting", "true");
  if (x.init) write("init", "true");
  if (x.timeout_ms != 0) write("timeout-ms", std::to_string(x.timeout_ms));
  if (!x.named_limits.empty()) write("named-limits", WriteStrings(x.named_limits));
  if (!x.network.empty()) write("network", WriteLines(x.network));
  if (!x.names.empty()) write("names", WriteLines(x.names));
  if (x.name_sent_bytes) write("name-sent-bytes", std::to_string(*x.name_sent_bytes));
  if (!x.ports.empty()) write("ports", WriteLines(x.ports));
  if (!x.run_name.empty()) write("run", WriteString(x.run_name));
  if (!x.policy_digest.empty()) write("policy-digest", WriteString(x.policy_digest));
  if (!x.profile.empty()) write("profile", WriteString(x.profile));
}

}  // namespace mxc::oci
