#include "shared/policy/document.h"

#include <doctest/doctest.h>

#include <sstream>
#include <string>
#include <vector>

namespace mxc::policy {
namespace {

// The error of a text, as "line:column pointer: message | hint".
std::string ErrorOf(Result<Value> result) {
  if (result.ok()) return "accepted";
  const Error& error = result.error();
  REQUIRE(error.position().has_value());
  const Position& position = *error.position();
  CHECK(position.source == "p");
  std::string text = std::to_string(position.line) + ":" + std::to_string(position.column) + " " + position.pointer +
                     ": " + error.message();
  if (!error.hint().empty()) text += " | " + error.hint();
  return text;
}

struct Case {
  std::string text;
  std::string error;
};

std::string Repeat(std::string_view text, size_t times) {
  std::string repeated;
  for (size_t i = 0; i < times; ++i) repeated += text;
  return repeated;
}

TEST_CASE("JSON: each bad text has one error in its place") {
  const std::vector<Case> cases = {
      {"", "1:1 : the document is empty"},
      {" \n ", "2:2 : the document is empty"},
      {"{", "1:2 : the document ends before it is complete"},
      {"{\"a\": [1, ", "1:11 /a/0: the document ends before it is complete"},
      {"{} {}", "1:4 : something follows the end of the document | a policy file holds one object"},
      {"{}\nx", "2:1 : something follows the end of the document | a policy file holds one object"},
      {"{\"a\":1,\n}", "1:7 /a: a comma with nothing after it | remove the comma"},
      {"[1 ,]", "1:4 /0: a comma with nothing after it | remove the comma"},
      {"[1,,2]", "1:4 /0: not JSON: unexpected ','; expected '[', '{', or a literal"},
      {"{\"a\":1 // x\n}", "1:8 /a: JSON has no comments | put it into \"_comment\", or write the policy in YAML"},
      {"/* x */ {}", "1:1 : JSON has no comments | put it into \"_comment\", or write the policy in YAML"},
      {"# x\n{}", "1:1 : JSON has no comments | put it into \"_comment\", or write the policy in YAML"},
      {"{'a':1}", "1:2 : strings stand in double quotes, not in single ones"},
      {"{a:1}", "1:2 : not JSON: unknown word \"a\" | strings stand in double quotes"},
      {"{\"a\": NaN}", "1:7 /a: not JSON: unknown word \"NaN\" | strings stand in double quotes"},
      {"{\"a\": True}", "1:7 /a: not JSON: unknown word \"True\" | strings stand in double quotes"},
      {"{\"a\" 1}", "1:6 /a: not JSON: unexpected number literal; expected ':'"},
      {"{\"a\":1\n \"b\":2}", "2:2 /a: not JSON: unexpected string literal; expected '}'"},
      {"{\"a\":01}", "1:7 /a: not JSON: unexpected number literal; expected '}'"},
      {"{\"a\":1e999}", "1:6 /a: the number \"1e999\" is too large"},
      {"{\"a\":\"\\u0000\"}",
       "1:6 /a: the string holds a NUL character | remove it: no path, name or argument can hold one"},
      {"{\"\\u0000\":1}", "1:2 /" + std::string(1, '\0') + ": the key holds a NUL character"},
      {"{\"a\":\"\\q\"}", "1:8 /a: not JSON: invalid string: forbidden character after backslash"},
      {"{\"\xC3\xA9\":\"\\ud800\"}",
       "1:13 /\xC3\xA9: not JSON: invalid string: surrogate U+D800..U+DBFF must be followed by U+DC00..U+DFFF"},
      {"{\"a\":\"x", "1:7 /a: not JSON: invalid string: missing closing quote"},
      {"{\"a\":1,\"b\":{\"c\":1,\n  \"c\":2}}",
       "2:3 /b/c: the key \"c\" stands twice in its object | remove one of the two: readers disagree about which one "
       "counts"},
      {"{\"c\":1,\"\\u0063\":2}",
       "1:8 /c: the key \"c\" stands twice in its object | remove one of the two: readers disagree about which one "
       "counts"},
      {"\xEF\xBB\xBF{}", "1:1 : the document starts with a byte order mark | save it as UTF-8 without BOM"},
      {std::string("{}\0", 3), "1:3 : the document holds a NUL byte | save it as UTF-8 (UTF-16 is not read)"},
      {"{\"a\":\n \"\xFF\"}", "2:3 : the document is not valid UTF-8 | save it as UTF-8"},
      {"\"\xC0\xAF\"", "1:2 : the document is not valid UTF-8 | save it as UTF-8"},          // overlong /
      {"\"\xED\xA0\x80\"", "1:2 : the document is not valid UTF-8 | save it as UTF-8"},      // a surrogate
      {"\"\xF4\x90\x80\x80\"", "1:2 : the document is not valid UTF-8 | save it as UTF-8"},  // above U+10FFFF
      {"\"\xE2\x82", "1:2 : the document is not valid UTF-8 | save it as UTF-8"},            // cut off
      {Repeat("[", 65), "1:65 " + Repeat("/0", 64) + ": the document is nested deeper than 64 levels"},
      {std::string((1 << 20) + 1, ' '),
       "0:0 : the document is larger than 1048576 bytes | a policy is a few kilobytes; is this the right file?"},
      {"[" + Repeat("0,", 1 << 16) + "0]", "1:131072 /65535: the document holds more than 65536 values"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text.substr(0, 100));
    CHECK(ErrorOf(ParseJson(one.text, "p")) == one.error);
  }
}

TEST_CASE("YAML: each bad text has one error in its place") {
  const std::string quoted = " | put it in quotes if it is a key; else a [ or { before it is not closed";
  const std::string numbers = " | write a plain decimal number, or put it in quotes if it is meant as a string";
  const std::vector<Case> cases = {
      {"", "1:1 : the document is empty"},
      {"# only a comment\n", "2:1 : the document is empty"},
      {"a: 1\n---\nb: 2\n", "2:1 : a second document | a policy file holds one document"},
      {"{} {}", "1:4 : a second document | a policy file holds one document"},
      {"a: 1\n...\nb\n", "3:1 : a second document | a policy file holds one document"},
      {"%YAML 1.1\n---\na: 1\n", "1:1 : directives (%…) are not read | remove the line"},
      {"# x\n%TAG ! x\n---\na: 1\n", "2:1 : directives (%…) are not read | remove the line"},
      {"a: &x 1", "1:4 /a: anchors (&name) are not read | write the value out where it is used"},
      {"a: &x\n  b: 1", "1:4 /a: anchors (&name) are not read | write the value out where it is used"},
      {"&x a: 1", "1:1 : anchors (&name) are not read | write the value out where it is used"},
      {"a: *x", "1:4 /a: aliases (*name) are not read | write the value out"},
      {"<<: {a: 1}", "1:1 : merge keys (<<) are not read | write the members out"},
      {"a: !!str 1",
       "1:4 /a: tags (!name) are not read | remove it; put the value in quotes if it is meant as a string"},
      {"a: ! 1", "1:4 /a: tags (!name) are not read | remove it; put the value in quotes if it is meant as a string"},
      {"a: !!binary aGk=",
       "1:4 /a: tags (!name) are not read | remove it; put the value in quotes if it is meant as a string"},
      {"!x {a: 1}", "1:1 : tags (!name) are not read | remove it; put the value in quotes if it is meant as a string"},
      {"a: 1\nb:\n  c: 1\n  c: 2\n",
       "4:3 /b/c: the key \"c\" stands twice in its object | remove one of the two: readers disagree about which one "
       "counts"},
      {"a: 1\n\"a\": 2\n",
       "2:1 /a: the key \"a\" stands twice in its object | remove one of the two: readers disagree about which one "
       "counts"},
      {"true: 1", "1:1 : a key that is a boolean" + quoted},
      {"1: 2", "1:1 : a key that is a number" + quoted},
      {": 3", "1:1 : a key that is null | put a name before the colon"},
      {"? [a]\n: 1", "1:3 : a key that is an array | keys are strings; or a [ or { before it is not closed"},
      {"a: [1", "1:5 /a/0: a key that is a number" + quoted},
      {"a: 0755", "1:4 /a: readers of YAML disagree about the number \"0755\"" + numbers},
      {"a: 0o17", "1:4 /a: readers of YAML disagree about the number \"0o17\"" + numbers},
      {"a: 0x1F", "1:4 /a: readers of YAML disagree about the number \"0x1F\"" + numbers},
      {"a: +1", "1:4 /a: readers of YAML disagree about the number \"+1\"" + numbers},
      {"a: .5", "1:4 /a: readers of YAML disagree about the number \".5\"" + numbers},
      {"a: 1.", "1:4 /a: readers of YAML disagree about the number \"1.\"" + numbers},
      {"a: .inf", "1:4 /a: readers of YAML disagree about the number \".inf\"" + numbers},
      {"a: \"x\\0y\"", "1:4 /a: the string holds a NUL character | remove it: no path, name or argument can hold one"},
      {"a: b: c", "1:5 /a: not YAML: illegal map value"},
      {"a:\n\t- b", "2:2 /a: not YAML: illegal block entry"},
      {"a: 1\x04\nb: 2", "1:5 : a control character | in a double-quoted string write it as \\xNN"},
      {"# a\rb: 1", "1:4 : a carriage return that ends no line | in a double-quoted string write it as \\xNN"},
      {"\xEF\xBB\xBF"
       "a: 1",
       "1:1 : the document starts with a byte order mark | save it as UTF-8 without BOM"},
      {"a: \xFF", "1:4 : the document is not valid UTF-8 | save it as UTF-8"},
      {Repeat("- ", 65) + "1", "1:129 " + Repeat("/0", 64) + ": the document is nested deeper than 64 levels"},
      {"a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n",
       "1:4 /a: anchors (&name) are not read | write the value out where it is used"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text.substr(0, 100));
    CHECK(ErrorOf(ParseYaml(one.text, "p")) == one.error);
  }
}

// A value without its place, to compare formats.
std::string Shape(const Value& value) {
  switch (value.kind) {
    case Kind::kNull:
      return "null";
    case Kind::kBool:
      return value.boolean ? "true" : "false";
    case Kind::kNumber:
      return value.text;
    case Kind::kString:
      return Quote(value.text);
    case Kind::kArray: {
      std::string text = "[";
      for (const Value& item : value.items) text += Shape(item) + ",";
      return text + "]";
    }
    case Kind::kObject: {
      std::string text = "{";
      for (const Member& member : value.members) text += Quote(member.name) + ":" + Shape(member.value) + ",";
      return text + "}";
    }
  }
  return "?";
}

TEST_CASE("Plain YAML scalars follow the core schema of YAML 1.2") {
  const std::vector<Case> cases = {
      {"true", "true"},
      {"False", "false"},
      {"null", "null"},
      {"~", "null"},
      {"no", "\"no\""},
      {"on", "\"on\""},
      {"1.0.0", "\"1.0.0\""},
      {"12", "12"},
      {"-0.5e+3", "-0.5e+3"},
      {"'12'", "\"12\""},
      {"\"true\"", "\"true\""},
      {"12:30", "\"12:30\""},
      {"1_000", "\"1_000\""},
      {"2026-01-01", "\"2026-01-01\""},
      {"0", "0"},
      {"-", "[null,]"},
      {"a b", "\"a b\""},
      {"|\n  x\n  y\n", "\"x\\u000ay\\u000a\""},
      {"{a: , b: ''}", "{\"a\":null,\"b\":\"\",}"},
      {"1e3", "1e3"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.text);
    auto value = ParseYaml(one.text, "p");
    REQUIRE_MESSAGE(value.ok(), value.error().Describe());
    CHECK(Shape(*value) == one.error);
  }
}

TEST_CASE("The same document in both formats is the same tree") {
  auto json = ParseJson(R"({"version": "1.0.0", "process": {"commandLine": "a\nb\n", "env": ["A=1"], "timeout": 5},
      "x": [true, null, {"y": -1.5}], "": {}})",
                        "p");
  auto yaml = ParseYaml(
      "# comment\nversion: 1.0.0\nprocess:\n  commandLine: |\n    a\n    b\n  env: [A=1]\n  timeout: 5\n"
      "x:\n- true\n- null\n- y: -1.5\n'': {}\n",
      "p");
  REQUIRE(json.ok());
  REQUIRE_MESSAGE(yaml.ok(), yaml.error().Describe());
  CHECK(Shape(*json) == Shape(*yaml));
}

TEST_CASE("Values and names know their places, in characters") {
  for (const bool yaml : {false, true}) {
    CAPTURE(yaml);
    const std::string text =
        "{\"\xC3\xA9\xC3\xA9\": 1, \"b\": [\n  \"\xE2\x82\xAC\", -2.5, {\"c\" : false}],\r\n \"d\":null}";
    auto root = yaml ? ParseYaml(text, "p") : ParseJson(text, "p");
    REQUIRE_MESSAGE(root.ok(), root.error().Describe());
    const auto at = [](const auto& value) { return std::to_string(value.line) + ":" + std::to_string(value.column); };
    CHECK(at(*root) == "1:1");
    CHECK(at(root->members[0]) == "1:2");
    CHECK(at(root->members[0].value) == "1:8");
    CHECK(at(root->members[1]) == "1:11");
    const Value& list = root->members[1].value;
    CHECK(at(list) == "1:16");
    CHECK(at(list.items[0]) == "2:3");
    CHECK(at(list.items[1]) == "2:8");
    CHECK(at(list.items[2]) == "2:14");
    CHECK(at(list.items[2].members[0].value) == "2:21");
    CHECK(at(root->members[2].value) == "3:6");
    CHECK(root->Find("d")->kind == Kind::kNull);
    CHECK(root->Find("e") == nullptr);
  }
}

TEST_CASE("Numbers keep their spelling") {
  auto root = ParseJson("[18446744073709551616, 1E2, -0, 0.10]", "p");
  REQUIRE(root.ok());
  CHECK(Shape(*root) == "[18446744073709551616,1E2,-0,0.10,]");
}

TEST_CASE("A key that stands twice is found among many") {
  for (const size_t members : {23u, 24u, 25u, 1000u}) {
    std::string text = "{";
    for (size_t i = 0; i < members; ++i) text += "\"k" + std::to_string(i) + "\":1,";
    CHECK(ParseJson(text + "\"z\":1}", "p").ok());
    for (const size_t twice : {size_t{0}, members - 1}) {
      CHECK_FALSE(ParseJson(text + "\"k" + std::to_string(twice) + "\":1}", "p").ok());
    }
  }
}

TEST_CASE("64 levels are read, in both formats") {
  const std::string deep = Repeat("[", 64) + Repeat("]", 64);
  CHECK(ParseJson(deep, "p").ok());
  CHECK(ParseYaml(deep, "p").ok());
}

TEST_CASE("The format comes from the name, else from the text") {
  CHECK(DetectFormat("{}", "a.yaml") == Format::kYaml);
  CHECK(DetectFormat("{}", "a.yml") == Format::kYaml);
  CHECK(DetectFormat("a: 1", "a.json") == Format::kJson);
  CHECK(DetectFormat(" \n{", "-") == Format::kJson);
  CHECK(DetectFormat("a: 1", "policy") == Format::kYaml);
}

// Gives bytes for ever and counts them.
class Endless final : public std::streambuf {
 public:
  size_t given = 0;

 private:
  int_type underflow() override {
    given += sizeof(block_);
    setg(block_, block_, block_ + sizeof(block_));
    return ' ';
  }
  char block_[4096] = {};
};

TEST_CASE("A stream is read up to the limit and no further") {
  std::istringstream fits("12345678");
  auto text = ReadStreamLimited(fits, "p", 8);
  REQUIRE(text.ok());
  CHECK(*text == "12345678");

  Endless endless;
  std::istream stream(&endless);
  auto refused = ReadStreamLimited(stream, "p", 100'000);
  REQUIRE_FALSE(refused.ok());
  CHECK(refused.error().Describe() == "p: the file is larger than 100000 bytes; nothing more of it was read");
  CHECK(endless.given < 110'000);
}

TEST_CASE("A file that isn't there, and a folder") {
  auto missing = ReadFileLimited("/nonexistent/p.json");
  REQUIRE_FALSE(missing.ok());
  CHECK(missing.error().code() == Code::kNotFound);
  auto folder = ReadFileLimited(".");
  REQUIRE_FALSE(folder.ok());
}

TEST_CASE("Text is shown without its control characters") {
  CHECK(Quote("a\"b\\c\x1b[2J\n") == "\"a\\\"b\\\\c\\u001b[2J\\u000a\"");
  CHECK(Quote("\xC2\x9B"
              "2J") == "\"\\u009b2J\"");
  CHECK(Quote(std::string(100, 'x')) == "\"" + std::string(60, 'x') + "\"…");
  std::string pointer;
  AppendPointer(pointer, "a/b~c");
  CHECK(pointer == "/a~1b~0c");
}

}  // namespace
}  // namespace mxc::policy
