#include "shared/policy/document.h"

#include <cstdio>
#include <fstream>
#include <istream>

namespace mxc::policy {

const Value* Value::Find(std::string_view name) const {
  for (const Member& member : members) {
    if (member.name == name) return &member.value;
  }
  return nullptr;
}

Format DetectFormat(std::string_view text, std::string_view source) {
  if (source.ends_with(".yaml") || source.ends_with(".yml")) return Format::kYaml;
  if (source.ends_with(".json")) return Format::kJson;
  const size_t first = text.find_first_not_of(" \t\r\n");
  // Neither JSON nor readable YAML starts otherwise; a [ is no policy, and JSON says so better.
  if (first != std::string_view::npos && (text[first] == '{' || text[first] == '[')) return Format::kJson;
  return Format::kYaml;
}

Result<Value> ParseDocument(std::string_view text, const std::string& source, Format format, const Limits& limits) {
  if (format == Format::kAuto) format = DetectFormat(text, source);
  return format == Format::kJson ? ParseJson(text, source, limits) : ParseYaml(text, source, limits);
}

Result<std::string> ReadStreamLimited(std::istream& stream, const std::string& source, size_t limit) {
  std::string text;
  constexpr size_t kChunk = 16 << 10;
  while (text.size() <= limit) {
    const size_t before = text.size();
    const size_t want = std::min(kChunk, limit + 1 - before);
    text.resize(before + want);
    stream.read(text.data() + before, static_cast<std::streamsize>(want));
    text.resize(before + static_cast<size_t>(stream.gcount()));
    if (stream.bad()) {
      return Error(Code::kSystem, "read failed").WithHint("is it a folder?").WithPosition({source, 0, 0, ""});
    }
    if (!stream) return text;
    if (text.size() > limit) break;
  }
  return Error(Code::kInvalid,
               "the file is larger than " + std::to_string(limit) + " bytes; nothing more of it was read")
      .WithHint("a policy is a few kilobytes; is this the right file?")
      .WithPosition({source, 0, 0, ""});
}

Result<std::string> ReadFileLimited(const std::string& path, size_t limit) {
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    return Error(Code::kNotFound, "can't be opened for reading")
        .WithHint("check the name and its permissions")
        .WithPosition({path, 0, 0, ""});
  }
  // libstdc++ throws nothing here unless exceptions() asks for it, but its filebuf reports a folder by an exception that
  // istream::read turns into badbit.
  return ReadStreamLimited(file, path, limit);
}

void AppendPointer(std::string& pointer, std::string_view name) {
  pointer += '/';
  for (const char c : name) {
    if (c == '~') {
      pointer += "~0";
    } else if (c == '/') {
      pointer += "~1";
    } else {
      pointer += c;
    }
  }
}

std::string_view Describe(Kind kind) {
  switch (kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return "a boolean";
    case Kind::kNumber:
      return "a number";
    case Kind::kString:
      return "a string";
    case Kind::kArray:
      return "an array";
    case Kind::kObject:
      return "an object";
  }
  return "a value";
}

std::string Quote(std::string_view text) {
  constexpr size_t kLongest = 60;
  std::string quoted = "\"";
  size_t i = 0;
  for (; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (i >= kLongest && (byte & 0xC0) != 0x80) break;
    if (byte < 0x20 || byte == 0x7F) {
      char escape[8];
      std::snprintf(escape, sizeof(escape), "\\u%04x", byte);
      quoted += escape;
    } else if (byte == 0xC2 && i + 1 < text.size() && static_cast<unsigned char>(text[i + 1]) < 0xA0) {
      char escape[8];  // the C1 controls, which terminals obey too
      std::snprintf(escape, sizeof(escape), "\\u%04x", static_cast<unsigned char>(text[++i]));
      quoted += escape;
    } else if (byte == '"' || byte == '\\') {
      quoted += '\\';
      quoted += text[i];
    } else {
      quoted += text[i];
    }
  }
  quoted += '"';
  if (i < text.size()) quoted += "…";
  return quoted;
}

}  // namespace mxc::policy
