// A document (JSON or YAML) as a neutral tree in which every value knows its place. Both parsers are equally strict:
//
//   - valid UTF-8 without a byte order mark, no NUL, not even escaped
//   - a key stands once in its object, at every depth
//   - nothing follows the document; JSON has no comments and no trailing commas
//   - size, depth and number of values are limited (Limits), so no input costs more than a few milliseconds
//   - YAML: no anchors, aliases, merge keys, tags, directives or second document; keys are strings
//
// Plain YAML scalars follow the core schema of YAML 1.2: `no`, `on` and `1.0.0` are strings, `true` and `null` are not.
// A number is one that JSON could spell too; the other spellings of that schema (0x1f, 0o17, +1, .5, 1., .inf) and
// decimals with leading zeros (0755, octal to YAML 1.1) are errors, since readers of YAML disagree about them.
//
// Nothing here knows what a policy is: see decoder.h for typed access.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iosfwd>
#include <string>
#include <string_view>
#include <vector>

#include "shared/base/result.h"

namespace mxc::policy {

enum class Kind : uint8_t { kNull, kBool, kNumber, kString, kArray, kObject };

struct Member;

// One value. line and column start at 1 and point to its first character; columns count characters, not bytes.
struct Value {
  Kind kind = Kind::kNull;
  bool boolean = false;  // kBool
  uint32_t line = 0;
  uint32_t column = 0;
  std::string text;             // kString: the text; kNumber: as it is spelled in the source, in JSON's grammar
  std::vector<Value> items;     // kArray
  std::vector<Member> members;  // kObject, in the order of the source

  // The member of an object, or nullptr: also for values that are no object.
  const Value* Find(std::string_view name) const;
};

struct Member {
  std::string name;
  uint32_t line = 0;  // of the name
  uint32_t column = 0;
  Value value;
};

struct Limits {
  size_t bytes = 1 << 20;     // of the text
  uint32_t depth = 64;        // nested arrays and objects
  uint32_t values = 1 << 16;  // everything that is a value, objects and arrays included
};

enum class Format : uint8_t { kAuto, kJson, kYaml };

// The format that a text is in: by the extension of `source` (.json, .yaml, .yml), else JSON when it starts with { or [.
Format DetectFormat(std::string_view text, std::string_view source);

// Parses a whole document. `source` names it in errors. Errors are kInvalid, with line, column and pointer.
Result<Value> ParseJson(std::string_view text, const std::string& source, const Limits& limits = {});
Result<Value> ParseYaml(std::string_view text, const std::string& source, const Limits& limits = {});

// The one of both that DetectFormat names, unless `format` says which.
Result<Value> ParseDocument(std::string_view text, const std::string& source, Format format = Format::kAuto,
                            const Limits& limits = {});

// Reads a file, a pipe or a device, at most `limit` bytes of it: a longer one is refused after limit + 1 bytes,
// however long it is. `path` "-" is not special here; pass std::cin to ReadStreamLimited for that.
// Errors: kNotFound when it can't be opened, kInvalid when it is too long, kSystem when reading fails (a folder).
Result<std::string> ReadFileLimited(const std::string& path, size_t limit = Limits{}.bytes);
Result<std::string> ReadStreamLimited(std::istream& stream, const std::string& source, size_t limit = Limits{}.bytes);

// Adds "/name" to a JSON pointer, escaped as RFC 6901 wants (~0 for ~, ~1 for /).
void AppendPointer(std::string& pointer, std::string_view name);

// "a string", "an object", … for messages.
std::string_view Describe(Kind kind);

// Text of an untrusted document as it may be shown in a message: quoted, control characters escaped, shortened to about
// 60 characters.
std::string Quote(std::string_view text);

}  // namespace mxc::policy
