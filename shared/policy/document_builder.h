// Builds a Value tree from the events of a parser and enforces what both formats share: limits, duplicate keys, NUL.
// Internal to json_document.cc and yaml_document.cc.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "shared/policy/document.h"

namespace mxc::policy {

// Turns byte offsets into lines and columns. Offsets must not go down much: it walks on from the last one asked for.
class LineCounter {
 public:
  explicit LineCounter(std::string_view text) : text_(text) {}

  struct Place {
    uint32_t line;
    uint32_t column;  // in characters, from 1
  };
  Place At(size_t offset);

 private:
  std::string_view text_;
  size_t offset_ = 0;
  uint32_t line_ = 1;
  uint32_t column_ = 1;
};

// What is checked before either parser sees the text: size, byte order mark, UTF-8, NUL.
std::optional<Error> CheckText(std::string_view text, const std::string& source, const Limits& limits);

class DocumentBuilder {
 public:
  DocumentBuilder(std::string_view text, const std::string& source, const Limits& limits)
      : lines_(text), source_(source), limits_(limits) {}

  // Events in the order of the document. `offset` is where the value or name starts. false: the document is refused,
  // error() says why, and the parser has to stop.
  bool Scalar(Kind kind, std::string text, size_t offset, bool boolean = false);
  bool Begin(Kind kind, size_t offset);
  bool Name(std::string name, size_t offset);
  void End();

  // Refuses the document for a reason of the parser's. Always false, for `return builder.Refuse(…)`.
  bool Refuse(size_t offset, std::string message, std::string hint = {});

  bool failed() const { return error_.has_value(); }
  bool complete() const { return has_root_ && open_.empty(); }
  bool in_object() const { return !open_.empty() && open_.back().value->kind == Kind::kObject; }
  Error TakeError() { return std::move(*error_); }
  Value TakeRoot() { return std::move(root_); }

 private:
  struct Open {
    Value* value;
    std::unordered_set<std::string> names;  // filled only for large objects; small ones are searched
  };

  Value* Add(Kind kind, size_t offset);
  std::string Pointer() const;

  LineCounter lines_;
  const std::string& source_;
  const Limits& limits_;
  Value root_;
  bool has_root_ = false;
  std::vector<Open> open_;
  uint32_t values_ = 0;
  std::optional<Error> error_;
};

}  // namespace mxc::policy
