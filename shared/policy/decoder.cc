#include "shared/policy/decoder.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace mxc::policy {
namespace {

// What stands there, for "expected …, found …".
std::string Found(const Value& value) {
  switch (value.kind) {
    case Kind::kBool:
      return value.boolean ? "true" : "false";
    case Kind::kNumber:
      return "the number " + (value.text.size() > 40 ? value.text.substr(0, 40) + "…" : value.text);
    case Kind::kString:
      return "the string " + Quote(value.text);
    default:
      return std::string(Describe(value.kind));
  }
}

std::string HintFor(std::string_view expected, const Value& value) {
  if (value.kind == Kind::kNull) return "leave the field out instead of null";
  if (value.kind == Kind::kArray && expected.starts_with("an object")) return "use { \"name\": value }, not [ … ]";
  if (value.kind == Kind::kString && expected.starts_with("an array"))
    return "put it in brackets: [" + Quote(value.text) + "]";
  if (value.kind == Kind::kString && expected.starts_with("true")) {
    const std::string& text = value.text;
    if (text == "yes" || text == "on") return "write true, without quotes";
    if (text == "no" || text == "off") return "write false, without quotes";
    if (text == "true" || text == "false") return "remove the quotes";
  }
  if (value.kind == Kind::kString && expected.starts_with("a whole number") && !value.text.empty() &&
      value.text.find_first_not_of("0123456789") == std::string::npos) {
    return "remove the quotes";
  }
  if ((value.kind == Kind::kNumber || value.kind == Kind::kBool) && expected.starts_with("a string")) {
    return "put it in double quotes";
  }
  return {};
}

struct Scale {
  std::string_view name;
  uint64_t factor;
};
constexpr Scale kSizes[] = {{"B", 1},
                            {"KiB", uint64_t{1} << 10},
                            {"MiB", uint64_t{1} << 20},
                            {"GiB", uint64_t{1} << 30},
                            {"TiB", uint64_t{1} << 40}};
constexpr Scale kDurations[] = {{"ms", 1}, {"s", 1000}, {"m", 60'000}, {"h", 3'600'000}};

// "512MiB" → 512 × 2^20. Absent when it isn't digits and a unit, or too large.
std::optional<uint64_t> Scaled(std::string_view text, std::span<const Scale> units) {
  uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end == text.data()) return std::nullopt;
  const std::string_view name(end, static_cast<size_t>(text.data() + text.size() - end));
  for (const Scale& unit : units) {
    if (unit.name == name) {
      return number <= UINT64_MAX / unit.factor ? std::optional(number * unit.factor) : std::nullopt;
    }
  }
  return std::nullopt;
}

char Folded(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

std::string Folded(std::string_view name) {
  std::string folded;
  for (const char c : name) {
    if (c != '-' && c != '_') folded += Folded(c);
  }
  return folded;
}

// Levenshtein's distance; names are short.
size_t Distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, diagonal + (a[i - 1] == b[j - 1] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

std::string Listed(std::span<const std::string_view> names) {
  std::string list;
  for (const std::string_view name : names) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

void Index(const Value& value, const std::string& source, std::string& pointer,
           std::map<std::string, Position>& positions) {
  positions.insert_or_assign(pointer, Position{source, value.line, value.column, pointer});
  const size_t length = pointer.size();
  for (const Member& member : value.members) {
    AppendPointer(pointer, member.name);
    Index(member.value, source, pointer, positions);
    pointer.resize(length);
  }
  for (size_t i = 0; i < value.items.size(); ++i) {
    AppendPointer(pointer, std::to_string(i));
    Index(value.items[i], source, pointer, positions);
    pointer.resize(length);
  }
}

}  // namespace

std::string Node::Pointer() const {
  if (parent_ == nullptr) return {};
  std::string pointer = parent_->Pointer();
  AppendPointer(pointer, member_ != nullptr ? member_->name : std::to_string(index_));
  return pointer;
}

Position Node::Where() const { return {*source_, value_->line, value_->column, Pointer()}; }

Position Node::WhereName() const {
  if (member_ == nullptr) return Where();
  return {*source_, member_->line, member_->column, Pointer()};
}

Error Node::Fail(Code code, std::string message) const { return Error(code, std::move(message)).WithPosition(Where()); }

Error Node::Expected(std::string_view what) const {
  Error error = Invalid("expected " + std::string(what) + ", found " + Found(*value_));
  if (std::string hint = HintFor(what, *value_); !hint.empty()) return std::move(error).WithHint(std::move(hint));
  return error;
}

Result<std::string> Node::String() const {
  if (value_->kind != Kind::kString) return Expected("a string");
  return value_->text;
}

Result<std::string> Node::NonEmptyString() const {
  if (value_->kind != Kind::kString) return Expected("a string");
  if (value_->text.empty()) return Expected("a string that is not empty");
  return value_->text;
}

Result<bool> Node::Bool() const {
  if (value_->kind != Kind::kBool) return Expected("true or false");
  return value_->boolean;
}

Result<uint64_t> Node::U64(uint64_t min, uint64_t max) const {
  uint64_t number = 0;
  const std::string& text = value_->text;
  bool good = value_->kind == Kind::kNumber;
  if (good) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    good = error == std::errc() && end == text.data() + text.size() && number >= min && number <= max;
  }
  if (good) return number;
  std::string range = "a whole number";
  if (max != UINT64_MAX) {
    range += " from " + std::to_string(min) + " to " + std::to_string(max);
  } else if (min > 0) {
    range += " from " + std::to_string(min) + " on";
  }
  return Expected(range);
}

Result<uint32_t> Node::U32(uint32_t min, uint32_t max) const { return static_cast<uint32_t>(MXC_TRY(U64(min, max))); }
Result<uint16_t> Node::U16(uint16_t min, uint16_t max) const { return static_cast<uint16_t>(MXC_TRY(U64(min, max))); }

Result<double> Node::Number(double min, double max) const {
  double number = 0;
  const std::string& text = value_->text;
  bool good = value_->kind == Kind::kNumber;
  if (good) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    good = error == std::errc() && end == text.data() + text.size() && std::isfinite(number) && number >= min &&
           number <= max;
  }
  if (good) return number;
  char range[80];
  std::snprintf(range, sizeof(range), "a number from %g to %g", min, max);
  return Expected(range);
}

Result<uint64_t> Node::Size() const {
  if (value_->kind == Kind::kNumber) return U64();
  if (value_->kind == Kind::kString) {
    if (const auto size = Scaled(value_->text, kSizes)) return *size;
  }
  return Expected("a size in bytes")
      .WithHint("write a whole number of bytes, or a text like \"512MiB\" (KiB, MiB, GiB, TiB)");
}

Result<uint64_t> Node::SizeOrUnlimited() const {
  if (value_->kind == Kind::kString && value_->text == "unlimited") return UINT64_MAX;
  return Size();
}

Result<uint64_t> Node::DurationMs() const {
  if (value_->kind == Kind::kNumber) return U64();
  if (value_->kind == Kind::kString) {
    if (const auto duration = Scaled(value_->text, kDurations)) return *duration;
  }
  return Expected("a duration").WithHint("write a whole number of milliseconds, or a text like \"30s\" (ms, s, m, h)");
}

Result<std::vector<std::string>> Node::Strings() const {
  if (value_->kind != Kind::kArray) return Expected("an array of strings");
  std::vector<std::string> strings;
  strings.reserve(value_->items.size());
  for (size_t i = 0; i < value_->items.size(); ++i) {
    if (value_->items[i].kind != Kind::kString) return Node(*this, i).Expected("a string");
    strings.push_back(value_->items[i].text);
  }
  return strings;
}

Error Node::NotOneOf(std::span<const std::string_view> names) const {
  std::string what = "one of ";
  for (const std::string_view name : names) {
    if (what.size() > 7) what += ", ";
    what += Quote(name);
  }
  Error error = Expected(what);
  if (value_->kind != Kind::kString) return error;
  const std::string_view nearest = Nearest(value_->text, names);
  return nearest.empty() ? std::move(error) : std::move(error).WithHint("did you mean " + Quote(nearest) + "?");
}

std::string_view Nearest(std::string_view name, std::span<const std::string_view> known) {
  if (name.size() > 64) return {};  // no misspelling, and the distance is quadratic
  const std::string folded = Folded(name);
  std::string_view nearest;
  size_t best = folded.size() > 5 ? 3 : 2;  // two edits, in short names one
  for (const std::string_view candidate : known) {
    const size_t distance = Distance(folded, Folded(candidate));
    if (distance < best) {
      best = distance;
      nearest = candidate;
    }
  }
  if (nearest.empty() && folded.size() >= 3) {
    for (const std::string_view candidate : known) {
      if (Folded(candidate).starts_with(folded)) return candidate;
    }
  }
  return nearest;
}

Error UnknownField(const Node& member, std::string_view name, std::span<const std::string_view> known) {
  std::string message = "unknown field " + Quote(name);
  if (const std::string_view nearest = Nearest(name, known); !nearest.empty()) {
    message += "; did you mean " + Quote(nearest) + "?";
  }
  return Error(Code::kInvalid, std::move(message))
      .WithPosition(member.WhereName())
      .WithHint("known here: " + Listed(known));
}

Error MissingField(const Node& object, std::string_view name) {
  Position position = object.Where();
  AppendPointer(position.pointer, name);
  return Error(Code::kInvalid, "required field " + Quote(name) + " is missing").WithPosition(std::move(position));
}

std::map<std::string, Position> IndexPositions(const Value& root, const std::string& source) {
  std::map<std::string, Position> positions;
  std::string pointer;
  Index(root, source, pointer, positions);
  return positions;
}

}  // namespace mxc::policy
