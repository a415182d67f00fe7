#include "shared/translate/host_facts.h"

#include <algorithm>
#include <type_traits>
#include <utility>

#include "nlohmann/json.hpp"
#include "shared/oci/strict_json.h"

namespace mxc::translate {
namespace {

using Json = oci::StrictJson;

constexpr size_t kMaxFactsBytes = 1u << 20;
constexpr std::pair<CgroupLayout, const char*> kLayouts[] = {{CgroupLayout::kNone, "none"},
                                                             {CgroupLayout::kV1, "v1"},
                                                             {CgroupLayout::kHybrid, "hybrid"},
                                                             {CgroupLayout::kV2, "v2"}};

// The same walk serves reading and writing: `visit(name, member)` for each member.
template <class V, class T>
requires std::is_same_v<std::remove_const_t<T>, CgroupFacts>
void Walk(V& visit, T& x) {
  visit("layout", x.layout);
  visit("controllers", x.controllers);
  visit("delegated", x.delegated);
}
template <class V, class T>
requires std::is_same_v<std::remove_const_t<T>, CallerFacts>
void Walk(V& visit, T& x) {
  visit("uid", x.uid);
  visit("gid", x.gid);
  visit("user", x.user);
  visit("group", x.group);
  visit("home", x.home);
  visit("cwd", x.cwd);
  visit("groups", x.groups);
  visit("env", x.env);
  visit("ownPrograms", x.own_programs);
}
template <class V, class T>
requires std::is_same_v<std::remove_const_t<T>, WslFacts>
void Walk(V& visit, T& x) {
  visit("isWsl", x.is_wsl);
  visit("networkingMode", x.networking_mode);
  visit("distribution", x.distribution);
  visit("gpu", x.gpu);
}
template <class V, class T>
requires std::is_same_v<std::remove_const_t<T>, HostFacts>
void Walk(V& visit, T& x) {
  visit("kernelMajor", x.kernel_major);
  visit("kernelMinor", x.kernel_minor);
  visit("landlockAbi", x.landlock_abi);
  visit("cgroup", x.cgroup);
  visit("root", x.root);
  visit("userNamespaces", x.user_namespaces);
  visit("timeNamespaces", x.time_namespaces);
  visit("mapsSeveralIds", x.maps_several_ids);
  visit("raisesLimits", x.raises_limits);
  visit("hardLimits", x.hard_limits);
  visit("caller", x.caller);
  visit("wsl", x.wsl);
  visit("cpus", x.cpus);
  visit("memoryBytes", x.memory_bytes);
  visit("mergedUsr", x.merged_usr);
  visit("nameservers", x.nameservers);
  visit("linkMissing", x.link_missing);
}

template <class T>
concept Object = std::is_same_v<T, CgroupFacts> || std::is_same_v<T, CallerFacts> || std::is_same_v<T, WslFacts> ||
    std::is_same_v<T, HostFacts>;

// ---- reading ----------------------------------------------------------------------------------------------------

class Reader {
 public:
  explicit Reader(const std::string& source) : source_(source) {}

  void Read(const Json& json, bool& out) {
    if (!json.is_boolean()) return Fail("expected true or false, found " + oci::TypeName(json));
    out = json.get<bool>();
  }
  void Read(const Json& json, std::string& out) {
    if (!json.is_string()) return Fail("expected a string, found " + oci::TypeName(json));
    out = json.get_ref<const std::string&>();
    if (out.find('\0') != std::string::npos) Fail("the string holds a NUL byte");
  }
  template <class T>
  requires(std::is_unsigned_v<T> && !std::is_same_v<T, bool>) void Read(const Json& json, T& out) {
    if (!json.is_number_unsigned()) return Fail("expected a whole number, found " + oci::TypeName(json));
    auto value = json.get<uint64_t>();
    if (!std::in_range<T>(value)) return Fail(json.dump() + " is too large");
    out = static_cast<T>(value);
  }
  void Read(const Json& json, CgroupLayout& out) {
    std::string text;
    Read(json, text);
    for (const auto& [layout, name] : kLayouts) {
      if (text == name) {
        out = layout;
        return;
      }
    }
    Fail("\"" + text + "\" is not one of none, v1, hybrid, v2");
  }
  template <class T>
  void Read(const Json& json, std::vector<T>& out) {
    if (!json.is_array()) return Fail("expected a list, found " + oci::TypeName(json));
    for (size_t i = 0; i < json.size(); ++i) Below(std::to_string(i), json[i], out.emplace_back());
  }
  template <class T>
  void Read(const Json& json, std::map<std::string, T>& out) {
    if (!json.is_object()) return Fail("expected an object, found " + oci::TypeName(json));
    for (const auto& item : json.items()) Below(item.key(), item.value(), out[item.key()]);
  }
  template <Object T>
  void Read(const Json& json, T& out) {
    if (!json.is_object()) return Fail("expected an object, found " + oci::TypeName(json));
    size_t known = 0;
    std::vector<std::string_view> names;
    auto visit = [&](const char* name, auto& member) {
      names.emplace_back(name);
      auto found = json.find(name);
      if (found == json.end()) return;
      ++known;
      Below(name, *found, member);
    };
    Walk(visit, out);
    if (known == json.size()) return;
    for (const auto& item : json.items()) {
      if (std::find(names.begin(), names.end(), item.key()) != names.end()) continue;
      Descend(item.key(), [&] { Fail("unknown name"); });
      return;
    }
  }

  std::optional<Error>& error() { return error_; }

 private:
  template <class F>
  void Descend(const std::string& name, F f) {
    size_t length = pointer_.size();
    pointer_ += '/' + oci::EscapePointer(name);
    f();
    pointer_.resize(length);
  }
  template <class T>
  void Below(const std::string& name, const Json& json, T& out) {
    Descend(name, [&] { Read(json, out); });
  }
  void Fail(std::string message) {
    if (!error_) error_ = Error(Code::kInvalid, "host facts: " + message).WithPosition({source_, 0, 0, pointer_});
  }

  const std::string& source_;
  std::string pointer_;
  std::optional<Error> error_;
};

// ---- writing ----------------------------------------------------------------------------------------------------

Json Write(CgroupLayout layout) {
  for (const auto& [known, name] : kLayouts) {
    if (known == layout) return name;
  }
  return nullptr;
}
template <class T>
requires(!Object<T>) Json Write(const T& value) { return Json(value); }
template <Object T>
Json Write(const T& value) {
  Json json = Json::object();
  auto visit = [&](const char* name, const auto& member) { json[name] = Write(member); };
  Walk(visit, value);
  return json;
}

}  // namespace

bool CgroupFacts::Has(std::string_view controller) const {
  return std::find(controllers.begin(), controllers.end(), controller) != controllers.end();
}

HostFacts HostFacts::Generic() {
  HostFacts facts;
  facts.kernel_major = 6;
  facts.kernel_minor = 6;
  facts.landlock_abi = 3;
  facts.cgroup = {CgroupLayout::kV2, {"cpu", "memory", "pids"}, true};
  facts.caller.uid = 1000;
  facts.caller.gid = 1000;
  facts.caller.user = "user";
  facts.caller.group = "user";
  facts.caller.home = "/home/user";
  facts.caller.cwd = "/";
  facts.cpus = 4;
  facts.memory_bytes = uint64_t{8} << 30;
  return facts;
}

Result<HostFacts> ReadHostFacts(std::string_view json, const std::string& source) {
  Json document = MXC_TRY(oci::ParseStrictJson(json, source, kMaxFactsBytes));
  HostFacts facts;
  Reader reader(source);
  reader.Read(document, facts);
  if (reader.error()) return std::move(*reader.error());
  return facts;
}

std::string WriteHostFacts(const HostFacts& facts) {
  return Write(facts).dump(2, ' ', false, Json::error_handler_t::replace) + '\n';
}

}  // namespace mxc::translate
