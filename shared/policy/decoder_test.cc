#include "shared/policy/decoder.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

namespace mxc::policy {
namespace {

Value Parsed(const std::string& text) {
  auto value = ParseJson(text, "p");
  REQUIRE_MESSAGE(value.ok(), value.error().Describe());
  return std::move(value).value();
}

std::string Text(const Error& error) {
  std::string text = error.Describe();
  if (!error.hint().empty()) text += " | " + error.hint();
  return text;
}

enum class Color { kRed, kGreen };
constexpr Choice<Color> kColors[] = {{"red", Color::kRed}, {"green", Color::kGreen}};

TEST_CASE("Scalars: what is accepted, what is expected instead") {
  using Read = std::function<std::string(const Node&)>;
  const auto show = [](auto result) { return result.ok() ? std::to_string(*result) : Text(result.error()); };
  const Read text = [](const Node& n) {
    auto r = n.String();
    return r.ok() ? *r : Text(r.error());
  };
  const Read filled = [](const Node& n) {
    auto r = n.NonEmptyString();
    return r.ok() ? *r : Text(r.error());
  };
  const Read boolean = [&](const Node& n) { return show(n.Bool()); };
  const Read u64 = [&](const Node& n) { return show(n.U64()); };
  const Read u32 = [&](const Node& n) { return show(n.U32()); };
  const Read port = [&](const Node& n) { return show(n.U16(1)); };
  const Read number = [&](const Node& n) { return show(n.Number(0.01, 1024)); };
  const Read size = [&](const Node& n) { return show(n.Size()); };
  const Read unlimited = [&](const Node& n) { return show(n.SizeOrUnlimited()); };
  const Read duration = [&](const Node& n) { return show(n.DurationMs()); };
  const Read color = [&](const Node& n) {
    auto r = n.Enum(kColors);
    return r.ok() ? std::to_string(static_cast<int>(*r)) : Text(r.error());
  };
  const Read strings = [&](const Node& n) {
    auto r = n.Strings();
    return r.ok() ? std::to_string(r->size()) + " strings" : Text(r.error());
  };
  const std::string size_hint = " | write a whole number of bytes, or a text like \"512MiB\" (KiB, MiB, GiB, TiB)";

  struct Case {
    const Read& read;
    std::string json;
    std::string outcome;
  };
  const std::vector<Case> cases = {
      {text, "\"x\"", "x"},
      {text, "5", "p:1:1: expected a string, found the number 5 | put it in double quotes"},
      {text, "null", "p:1:1: expected a string, found null | leave the field out instead of null"},
      {text, "[]", "p:1:1: expected a string, found an array"},
      {filled, "\"\"", "p:1:1: expected a string that is not empty, found the string \"\""},
      {boolean, "true", "1"},
      {boolean, "\"yes\"", "p:1:1: expected true or false, found the string \"yes\" | write true, without quotes"},
      {boolean, "\"false\"", "p:1:1: expected true or false, found the string \"false\" | remove the quotes"},
      {boolean, "1", "p:1:1: expected true or false, found the number 1"},
      {u64, "18446744073709551615", "18446744073709551615"},
      {u64, "18446744073709551616", "p:1:1: expected a whole number, found the number 18446744073709551616"},
      {u32, "0", "0"},
      {u32, "4294967295", "4294967295"},
      {u32, "4294967296", "p:1:1: expected a whole number from 0 to 4294967295, found the number 4294967296"},
      {u32, "-1", "p:1:1: expected a whole number from 0 to 4294967295, found the number -1"},
      {u32, "-0", "p:1:1: expected a whole number from 0 to 4294967295, found the number -0"},
      {u32, "1.5", "p:1:1: expected a whole number from 0 to 4294967295, found the number 1.5"},
      {u32, "1e3", "p:1:1: expected a whole number from 0 to 4294967295, found the number 1e3"},
      {u32, "\"5\"", "p:1:1: expected a whole number from 0 to 4294967295, found the string \"5\" | remove the quotes"},
      {port, "0", "p:1:1: expected a whole number from 1 to 65535, found the number 0"},
      {port, "65535", "65535"},
      {number, "1.5", "1.500000"},
      {number, "0", "p:1:1: expected a number from 0.01 to 1024, found the number 0"},
      {number, "1025", "p:1:1: expected a number from 0.01 to 1024, found the number 1025"},
      {size, "4096", "4096"},
      {size, "\"512MiB\"", "536870912"},
      {size, "\"2GiB\"", "2147483648"},
      {size, "\"7B\"", "7"},
      {size, "\"16777215TiB\"", "18446742974197923840"},
      {size, "\"16777216TiB\"", "p:1:1: expected a size in bytes, found the string \"16777216TiB\"" + size_hint},
      {size, "\"512M\"", "p:1:1: expected a size in bytes, found the string \"512M\"" + size_hint},
      {size, "\"512 MiB\"", "p:1:1: expected a size in bytes, found the string \"512 MiB\"" + size_hint},
      {size, "\"-1MiB\"", "p:1:1: expected a size in bytes, found the string \"-1MiB\"" + size_hint},
      {size, "\"MiB\"", "p:1:1: expected a size in bytes, found the string \"MiB\"" + size_hint},
      {size, "\"unlimited\"", "p:1:1: expected a size in bytes, found the string \"unlimited\"" + size_hint},
      {unlimited, "\"unlimited\"", "18446744073709551615"},
      {duration, "\"30s\"", "30000"},
      {duration, "1500", "1500"},
      {duration, "\"2d\"",
       "p:1:1: expected a duration, found the string \"2d\" | write a whole number of milliseconds, or a text like "
       "\"30s\" "
       "(ms, s, m, h)"},
      {color, "\"green\"", "1"},
      {color, "\"Green\"",
       "p:1:1: expected one of \"red\", \"green\", found the string \"Green\" | did you mean \"green\"?"},
      {color, "\"blue\"", "p:1:1: expected one of \"red\", \"green\", found the string \"blue\""},
      {color, "1", "p:1:1: expected one of \"red\", \"green\", found the number 1"},
      {strings, "[\"a\",\"b\"]", "2 strings"},
      {strings, "[\"a\", 1]", "p:1:7: /1: expected a string, found the number 1 | put it in double quotes"},
      {strings, "\"a\"", "p:1:1: expected an array of strings, found the string \"a\" | put it in brackets: [\"a\"]"},
      {strings, "{}", "p:1:1: expected an array of strings, found an object"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.json);
    const Value value = Parsed(one.json);
    const std::string source = "p";
    CHECK(one.read(Node(value, source)) == one.outcome);
  }
}

struct Inner {
  std::string name;
  std::optional<bool> flag;
};
struct Outer {
  std::vector<Inner> inner;
  uint32_t timeout = 0;
};
constexpr Field<Inner> kInner[] = {
    {"name", [](const Node& node, Inner& inner) { return Store(inner.name, node.String()); }, kRequired},
    {"isFlagged", [](const Node& node, Inner& inner) { return Store(inner.flag, node.Bool()); }},
};
constexpr Field<Outer> kOuter[] = {
    {"inner",
     [](const Node& node, Outer& outer) {
       return node.ForEach([&](const Node& item) { return ReadObject(item, kInner, outer.inner.emplace_back()); });
     }},
    {"timeout", [](const Node& node, Outer& outer) { return Store(outer.timeout, node.U32()); }},
};

TEST_CASE("Closed objects name the unknown, the missing and the known") {
  struct Case {
    std::string json;
    std::string outcome;
  };
  const std::vector<Case> cases = {
      {"{}", "ok"},
      {"{\"inner\":[{\"name\":\"a\",\"isFlagged\":true},{\"name\":\"b\"}],\"timeout\":3}", "ok"},
      {"[]", "p:1:1: expected an object, found an array | use { \"name\": value }, not [ … ]"},
      {"{\"timeOut\":1}",
       "p:1:2: /timeOut: unknown field \"timeOut\"; did you mean \"timeout\"? | known here: inner, timeout"},
      {"{\"tiemout\":1}",
       "p:1:2: /tiemout: unknown field \"tiemout\"; did you mean \"timeout\"? | known here: inner, timeout"},
      {"{\"x\":1}", "p:1:2: /x: unknown field \"x\" | known here: inner, timeout"},
      {"{\"inner\":[{\"name\":\"a\"},{}]}", "p:1:24: /inner/1/name: required field \"name\" is missing"},
      {"{\"inner\":[{\"name\":\"a\",\"is_flagged\":true}]}",
       "p:1:23: /inner/0/is_flagged: unknown field \"is_flagged\"; did you mean \"isFlagged\"? | known here: name, "
       "isFlagged"},
      {"{\"inner\":[[]]}", "p:1:11: /inner/0: expected an object, found an array | use { \"name\": value }, not [ … ]"},
      {"{\"inner\":{}}", "p:1:10: /inner: expected an array, found an object"},
      {"{\"timeout\":null}",
       "p:1:12: /timeout: expected a whole number from 0 to 4294967295, found null | leave the field out "
       "instead of null"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.json);
    const Value value = Parsed(one.json);
    const std::string source = "p";
    Outer outer;
    const Result<void> read = ReadObject(Node(value, source), kOuter, outer);
    CHECK((read.ok() ? "ok" : Text(read.error())) == one.outcome);
  }
}

TEST_CASE("Positions of every value by pointer") {
  const Value value = Parsed("{\"a/b\": [1,\n {\"~\": 2}]}");
  const auto positions = IndexPositions(value, "p");
  CHECK(positions.size() == 5);
  CHECK(positions.at("").line == 1);
  CHECK(positions.at("/a~1b/0").column == 10);
  CHECK(positions.at("/a~1b/1/~0").line == 2);
  CHECK(positions.at("/a~1b/1/~0").column == 8);
  CHECK(positions.at("/a~1b/1/~0").pointer == "/a~1b/1/~0");
}

}  // namespace
}  // namespace mxc::policy
