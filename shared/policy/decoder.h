// Typed access to a document: closed objects described by tables, and scalars with their limits. Every error says what
// was expected, what was found, where (line, column, JSON pointer) and how to put it right.
//
//   struct Lxc { std::string distribution, release; };
//   constexpr Field<Lxc> kLxcFields[] = {
//       {"distribution", [](const Node& node, Lxc& lxc) { return Store(lxc.distribution, node.String()); }, kRequired},
//       {"release", [](const Node& node, Lxc& lxc) { return Store(lxc.release, node.String()); }, kRequired},
//   };
//   ...
//   Lxc lxc;
//   MXC_TRY(ReadObject(node, std::span(kLxcFields), lxc));
//
// A field that isn't in the table is an error that lists the table and names the nearest spelling. null is no value of
// any type, and an array is no object.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "shared/base/result.h"
#include "shared/policy/document.h"

namespace mxc::policy {

// A name and what it stands for, for enumerations.
template <class E>
struct Choice {
  std::string_view name;
  E value;
};

// One value and the way to it. Cheap, lives on the stack while its document and its parent do.
class Node {
 public:
  // The root of a document.
  Node(const Value& value, const std::string& source) : value_(&value), source_(&source) {}
  // A member, an item.
  Node(const Node& parent, const Member& member)
      : value_(&member.value), source_(parent.source_), parent_(&parent), member_(&member) {}
  Node(const Node& parent, size_t index)
      : value_(&parent.value_->items[index]), source_(parent.source_), parent_(&parent), index_(index) {}

  const Value& value() const { return *value_; }
  const std::string& source() const { return *source_; }
  std::string Pointer() const;  // RFC 6901
  Position Where() const;       // of the value
  Position WhereName() const;   // of the member's name; of the value for items and the root

  // An error about this value.
  Error Fail(Code code, std::string message) const;
  Error Invalid(std::string message) const { return Fail(Code::kInvalid, std::move(message)); }
  // "expected a string, found a number (5)"
  Error Expected(std::string_view what) const;

  Result<std::string> String() const;
  Result<std::string> NonEmptyString() const;
  Result<bool> Bool() const;
  // Whole numbers without sign, fraction or exponent, in JSON's plain spelling.
  Result<uint64_t> U64(uint64_t min = 0, uint64_t max = UINT64_MAX) const;
  Result<uint32_t> U32(uint32_t min = 0, uint32_t max = UINT32_MAX) const;
  Result<uint16_t> U16(uint16_t min = 0, uint16_t max = UINT16_MAX) const;
  // A finite number in [min, max].
  Result<double> Number(double min, double max) const;
  // Bytes: a whole number, or text with a binary unit: "512MiB", "2GiB", "64KiB", "1TiB", "100B". Decimal and one-letter
  // units (MB, M) are refused, since tools disagree about them.
  Result<uint64_t> Size() const;
  // The same, or "unlimited", which is UINT64_MAX.
  Result<uint64_t> SizeOrUnlimited() const;
  // Milliseconds: a whole number, or text: "1500ms", "30s", "5m", "2h".
  Result<uint64_t> DurationMs() const;
  Result<std::vector<std::string>> Strings() const;

  template <class E>
  Result<E> Enum(std::span<const Choice<E>> choices) const;
  template <class E, size_t N>
  Result<E> Enum(const Choice<E> (&choices)[N]) const {
    return Enum(std::span<const Choice<E>>(choices));
  }

  // Calls read(Node item) -> Result<void> for each item of an array; stops at the first error.
  template <class Read>
  Result<void> ForEach(Read read) const;

 private:
  Error NotOneOf(std::span<const std::string_view> names) const;

  const Value* value_;
  const std::string* source_;
  const Node* parent_ = nullptr;
  const Member* member_ = nullptr;
  size_t index_ = 0;
};

inline constexpr bool kRequired = true;

// A known member of a T and how to read it.
template <class T>
struct Field {
  std::string_view name;
  Result<void> (*read)(const Node& node, T& into);
  bool required = false;
};

// "unknown field `x`; did you mean `y`?" with the known ones as hint, at the name's place.
Error UnknownField(const Node& member, std::string_view name, std::span<const std::string_view> known);
Error MissingField(const Node& object, std::string_view name);
// The known name that is at most two edits (case, - and _ don't count) away, else one that `name` shortens; empty when
// there is none.
std::string_view Nearest(std::string_view name, std::span<const std::string_view> known);

// Reads every member of an object through the table, in the order of the document.
template <class T>
Result<void> ReadObject(const Node& node, std::span<const Field<T>> fields, T& into) {
  if (node.value().kind != Kind::kObject) return node.Expected("an object");
  uint64_t seen = 0;  // bit i: fields[i] is there
  for (const Member& member : node.value().members) {
    const Node child(node, member);
    size_t i = 0;
    while (i < fields.size() && fields[i].name != member.name) ++i;
    if (i == fields.size()) {
      std::vector<std::string_view> known;
      for (const Field<T>& field : fields) known.push_back(field.name);
      return UnknownField(child, member.name, known);
    }
    seen |= uint64_t{1} << i;
    if (auto read = fields[i].read(child, into); !read.ok()) return read;
  }
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].required && (seen >> i & 1) == 0) return MissingField(node, fields[i].name);
  }
  return {};
}
template <class T, size_t N>
Result<void> ReadObject(const Node& node, const Field<T> (&fields)[N], T& into) {
  static_assert(N <= 64);
  return ReadObject(node, std::span<const Field<T>>(fields), into);
}

// Puts a decoded value where it belongs; also into an optional.
template <class To, class From>
Result<void> Store(To& to, Result<From> from) {
  if (!from.ok()) return std::move(from).error();
  to = std::move(from).value();
  return {};
}

template <class E>
Result<E> Node::Enum(std::span<const Choice<E>> choices) const {
  if (value_->kind == Kind::kString) {
    for (const Choice<E>& choice : choices) {
      if (choice.name == value_->text) return choice.value;
    }
  }
  std::vector<std::string_view> names;
  for (const Choice<E>& choice : choices) names.push_back(choice.name);
  return NotOneOf(names);
}

template <class Read>
Result<void> Node::ForEach(Read read) const {
  if (value_->kind != Kind::kArray) return Expected("an array");
  for (size_t i = 0; i < value_->items.size(); ++i) {
    const Node item(*this, i);
    if (Result<void> done = read(item); !done.ok()) return done;
  }
  return {};
}

// Every value of a document by its JSON pointer.
std::map<std::string, Position> IndexPositions(const Value& root, const std::string& source);

}  // namespace mxc::policy
