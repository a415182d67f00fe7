#include "shared/oci/strict_json.h"

#include <set>
#include <vector>

namespace mxc::oci {
namespace {

// What the parser is inside of: an object with the names it had so far, or a list with its length.
struct Level {
  bool object = false;
  std::set<std::string> names;
  std::string name;  // the current one
  size_t length = 0;
};

std::string Pointer(const std::vector<Level>& levels) {
  std::string pointer;
  for (const Level& level : levels) {
    pointer += '/';
    pointer += level.object ? EscapePointer(level.name) : std::to_string(level.length);
  }
  return pointer;
}

Position At(std::string_view text, size_t byte, const std::string& source) {
  Position position{source, 1, 1, ""};
  for (size_t i = 0; i + 1 < byte && i < text.size(); ++i) {
    ++position.column;
    if (text[i] == '\n') {
      ++position.line;
      position.column = 1;
    }
  }
  return position;
}

// nlohmann: "[json.exception.parse_error.101] parse error at line 1, column 2: syntax error while …" → the last part.
std::string Reason(std::string_view what) {
  size_t start = what.find(": ");
  return std::string(start == std::string_view::npos ? what : what.substr(start + 2));
}

}  // namespace

std::string EscapePointer(std::string_view name) {
  std::string text;
  text.reserve(name.size());
  for (char c : name) {
    if (c == '~') {
      text += "~0";
    } else if (c == '/') {
      text += "~1";
    } else {
      text += c;
    }
  }
  return text;
}

std::string TypeName(const StrictJson& json) {
  switch (json.type()) {
    case StrictJson::value_t::null:
      return "null";
    case StrictJson::value_t::object:
      return "an object";
    case StrictJson::value_t::array:
      return "a list";
    case StrictJson::value_t::string:
      return "a string";
    case StrictJson::value_t::boolean:
      return "a truth value";
    case StrictJson::value_t::number_integer:
    case StrictJson::value_t::number_unsigned:
      return "an integer";
    case StrictJson::value_t::number_float:
      return "a number with a fraction or exponent";
    default:
      return "something else";
  }
}

namespace {

template <class Json>
Result<Json> Parse(std::string_view text, const std::string& source, size_t max_bytes) {
  if (text.size() > max_bytes) {
    return Error(Code::kInvalid,
                 "read JSON: " + std::to_string(text.size()) + " bytes, allowed are " + std::to_string(max_bytes))
        .WithPosition({source, 0, 0, ""});
  }
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) {
    return Error(Code::kInvalid, "not JSON: the text is UTF-16")
        .WithPosition({source, 1, 1, ""})
        .WithHint(
            "save it as UTF-8: > and | change the encoding in Windows PowerShell, but not in cmd and PowerShell 7.4");
  }
  // The parser takes a NUL for the end of the text and would not look at what follows.
  if (size_t nul = text.find('\0'); nul != std::string_view::npos) {
    return Error(Code::kInvalid, "not JSON: a NUL byte").WithPosition(At(text, nul + 1, source));
  }
  std::vector<Level> levels;
  std::optional<Error> error;
  auto refuse = [&](std::string message) {
    if (!error) error = Error(Code::kInvalid, std::move(message)).WithPosition({source, 0, 0, Pointer(levels)});
  };
  using Event = typename Json::parse_event_t;
  auto watch = [&](int, Event event, Json& value) {
    if (error) return false;
    switch (event) {
      case Event::object_start:
      case Event::array_start:
        if (levels.size() >= kMaxJsonDepth) {
          refuse("nested deeper than " + std::to_string(kMaxJsonDepth) + " levels");
          return false;
        }
        levels.push_back({.object = event == Event::object_start, .names = {}, .name = {}});
        return true;
      case Event::key:
        levels.back().name = value.template get_ref<const std::string&>();
        if (!levels.back().names.insert(levels.back().name).second) refuse("the name stands twice in this object");
        return !error;
      case Event::object_end:
      case Event::array_end:
        levels.pop_back();
        break;
      case Event::value:
        break;
    }
    if (!levels.empty() && !levels.back().object) ++levels.back().length;
    return true;
  };
  try {
    Json document = Json::parse(text.begin(), text.end(), watch);
    if (error) return std::move(*error);
    return document;
  } catch (const nlohmann::json::parse_error& problem) {
    if (error) return std::move(*error);
    return Error(Code::kInvalid, "not JSON: " + Reason(problem.what())).WithPosition(At(text, problem.byte, source));
  } catch (const nlohmann::json::exception& problem) {
    return Error(Code::kInvalid, "not JSON: " + Reason(problem.what())).WithPosition({source, 0, 0, ""});
  }
}

}  // namespace

Result<StrictJson> ParseStrictJson(std::string_view text, const std::string& source, size_t max_bytes) {
  return Parse<StrictJson>(text, source, max_bytes);
}

Result<nlohmann::json> ParseSortedJson(std::string_view text, const std::string& source, size_t max_bytes) {
  return Parse<nlohmann::json>(text, source, max_bytes);
}

}  // namespace mxc::oci
