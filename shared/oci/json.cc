#include "shared/oci/json.h"

#include <limits>
#include <set>
#include <type_traits>

#include "nlohmann/json.hpp"
#include "shared/oci/extension.h"
#include "shared/oci/fields.h"
#include "shared/oci/strict_json.h"

namespace mxc::oci {
namespace {

using Json = StrictJson;

// ---- reading ----------------------------------------------------------------------------------------------------

// Walks a document into a Spec. Every Read returns false after the first error, which is kept in error_.
class Reader {
 public:
  explicit Reader(const std::string& source) : source_(source) {}

  template <class T>
  bool Read(const Json& json, T& out) {
    if constexpr (fields::Object<T>) {
      return ReadObject(json, out);
    } else if constexpr (std::is_same_v<T, bool>) {
      if (!json.is_boolean()) return Fail("expected true or false, found " + TypeName(json));
      out = json.get<bool>();
      return true;
    } else {
      static_assert(std::is_integral_v<T>);
      return ReadInteger(json, out);
    }
  }

  bool Read(const Json& json, std::string& out) {
    if (!json.is_string()) return Fail("expected a string, found " + TypeName(json));
    out = json.get_ref<const std::string&>();
    if (out.find('\0') != std::string::npos)
      return Fail("the string holds a NUL byte, which no kernel interface takes");
    return true;
  }

  template <class T>
  bool Read(const Json& json, std::optional<T>& out) {
    return Read(json, out.emplace());
  }

  bool Read(const Json& json, std::shared_ptr<const LinuxSeccomp>& out) {
    auto seccomp = std::make_shared<LinuxSeccomp>();
    if (!Read(json, *seccomp)) return false;
    out = std::move(seccomp);
    return true;
  }

  template <class T>
  bool Read(const Json& json, std::vector<T>& out) {
    if (!json.is_array()) return Fail("expected a list, found " + TypeName(json));
    out.reserve(json.size());
    for (size_t index = 0; index < json.size(); ++index) {
      Step step(*this, std::to_string(index));
      if (!Read(json[index], out.emplace_back())) return false;
    }
    return true;
  }

  template <class T>
  bool Read(const Json& json, std::map<std::string, T>& out) {
    if (!json.is_object()) return Fail("expected an object, found " + TypeName(json));
    for (const auto& item : json.items()) {
      Step step(*this, item.key());
      if (item.key().find('\0') != std::string::npos) return Fail("the name holds a NUL byte");
      if (!Read(item.value(), out[item.key()])) return false;
    }
    return true;
  }

  Error TakeError() && { return std::move(*error_); }

 private:
  // One component of the JSON pointer, for as long as it lives.
  struct Step {
    Step(Reader& reader, std::string name) : reader(reader) { reader.path_.push_back(std::move(name)); }
    ~Step() { reader.path_.pop_back(); }
    Reader& reader;
  };

  template <class T>
  bool ReadObject(const Json& json, T& out) {
    if (!json.is_object()) return Fail("expected an object, found " + TypeName(json));
    for (const auto& item : json.items()) {
      if (item.key().starts_with(kAnnotationPrefix)) {
        Step step(*this, item.key());
        return Fail("names under dev.mxc. belong into /annotations");
      }
    }
    return std::apply([&](const auto&... field) { return (ReadField(json, out, field) && ...); }, fields::kOf<T>);
  }

  template <class T, class F>
  bool ReadField(const Json& json, T& out, const F& field) {
    auto found = json.find(field.name);
    Step step(*this, field.name);
    if (found == json.end() || found->is_null()) {
      return field.need != fields::Need::kRequired || Fail("the field is required and missing");
    }
    return Read(*found, out.*field.member);
  }

  template <class T>
  bool ReadInteger(const Json& json, T& out) {
    if (!json.is_number_integer()) return Fail("expected an integer, found " + TypeName(json));
    bool fits = false;
    if (json.is_number_unsigned()) {
      auto value = json.get<uint64_t>();
      fits = std::in_range<T>(value);
      out = static_cast<T>(value);
    } else {
      auto value = json.get<int64_t>();
      fits = std::in_range<T>(value);
      out = static_cast<T>(value);
    }
    if (fits) return true;
    return Fail(json.dump() + " is out of range, allowed are " + std::to_string(std::numeric_limits<T>::min()) +
                " to " + std::to_string(std::numeric_limits<T>::max()));
  }

  bool Fail(std::string message) {
    if (error_) return false;
    std::string pointer;
    for (const std::string& step : path_) pointer += '/' + EscapePointer(step);
    error_ = Error(Code::kInvalid, std::move(message)).WithPosition({source_, 0, 0, std::move(pointer)});
    return false;
  }

  const std::string& source_;
  std::vector<std::string> path_;
  std::optional<Error> error_;
};

// ---- writing ----------------------------------------------------------------------------------------------------

// Says says whether a value that may be left out has to be written.
inline bool Says(bool value) { return value; }
inline bool Says(const std::string& value) { return !value.empty(); }
inline bool Says(const std::shared_ptr<const LinuxSeccomp>& value) { return value != nullptr; }
template <class T>
bool Says(const std::optional<T>& value) {
  return value.has_value();
}
template <class T>
bool Says(const std::vector<T>& value) {
  return !value.empty();
}
template <class T>
bool Says(const std::map<std::string, T>& value) {
  return !value.empty();
}
template <class T>
requires(std::is_integral_v<T> && !std::is_same_v<T, bool>) bool Says(T value) { return value != 0; }
template <fields::Object T>
bool Says(const T& value) {
  return !(value == T{});
}

template <class T>
Json Write(const T& value);

template <class T>
Json Write(const std::optional<T>& value) {
  return Write(*value);
}
inline Json Write(const std::shared_ptr<const LinuxSeccomp>& value) { return Write(*value); }
template <class T>
Json Write(const std::vector<T>& list) {
  Json json = Json::array();
  for (const T& value : list) json.push_back(Write(value));
  return json;
}
template <class T>
Json Write(const std::map<std::string, T>& map) {
  Json json = Json::object();
  for (const auto& [key, value] : map) json[key] = Write(value);
  return json;
}

template <class T>
Json Write(const T& value) {
  if constexpr (fields::Object<T>) {
    Json json = Json::object();
    auto write = [&](const auto& field) {
      const auto& member = value.*field.member;
      if (field.need != fields::Need::kOptional || Says(member)) json[field.name] = Write(member);
    };
    std::apply([&](const auto&... field) { (write(field), ...); }, fields::kOf<T>);
    return json;
  } else {
    return Json(value);
  }
}

}  // namespace

template <class T>
Result<T> ReadPart(std::string_view json, const std::string& source) {
  Json document = MXC_TRY(ParseStrictJson(json, source, kMaxSpecBytes));
  T part;
  Reader reader(source);
  if (!reader.Read(document, part)) return std::move(reader).TakeError();
  return part;
}

Result<Process> ReadProcess(std::string_view json, const std::string& source) {
  return ReadPart<Process>(json, source);
}
Result<Resources> ReadResources(std::string_view json, const std::string& source) {
  return ReadPart<Resources>(json, source);
}

Result<Spec> ReadSpec(std::string_view json, const std::string& source) {
  Spec spec = MXC_TRY(ReadPart<Spec>(json, source));
  auto extension = ReadExtension(spec.annotations);
  if (!extension.ok()) {
    Error error = std::move(extension).error();
    Position position = error.position().value_or(Position{});
    position.source = source;
    return std::move(error).WithPosition(std::move(position));
  }
  return spec;
}

std::string WriteSpec(const Spec& spec, bool pretty) {
  return Write(spec).dump(pretty ? 2 : -1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mxc::oci
