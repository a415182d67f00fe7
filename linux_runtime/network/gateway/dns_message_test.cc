#include "linux_runtime/network/gateway/dns_message.h"

#include <doctest/doctest.h>

#include <string>

namespace mxc::network {
namespace {

using namespace std::string_literals;

std::string Wire(const std::string& name) {
  std::string wire;
  for (size_t begin = 0; begin < name.size();) {
    const size_t dot = std::min(name.find('.', begin), name.size());
    wire += static_cast<char>(dot - begin);
    wire += name.substr(begin, dot - begin);
    begin = dot + 1;
  }
  return wire + '\0';
}

std::string Header(char flags_high, char flags_low, char questions, char answers) {
  return "ab"s + flags_high + flags_low + '\0' + questions + '\0' + answers + "\0\0\0\0"s;
}

std::string Record(const std::string& owner, char type, const std::string& data) {
  return owner + '\0' + type + "\0\1\0\0\0\x3c\0"s + static_cast<char>(data.size()) + data;
}

const std::string kQuestion = Wire("pypi.org") + "\0\1\0\1"s;
constexpr uint16_t kId = 'a' << 8 | 'b';

TEST_CASE("A query is read, and what answers it says its question again") {
  const std::string query = Header(1, 0, 1, 0) + Wire("PyPI.org") + "\0\1\0\1"s;
  const auto question = ParseQuery(query);
  REQUIRE(question);
  CHECK(question->name == "pypi.org");
  CHECK(question->type == kTypeA);
  const Address address = Address::V4(0xC6130100);
  const std::string answer = MakeAnswer(query, *question, kNoError, &address, 60);
  const auto response = ParseResponse(answer, kId, "pypi.org", kTypeA);
  REQUIRE(response);
  CHECK(response->code == kNoError);
  CHECK(response->addresses == std::vector<Address>{address});
  CHECK(answer.find("PyPI") != std::string::npos);  // spelled as it was asked (draft-vixie-dnsext-dns0x20)
  // What stands behind the question, such as EDNS options, is left out.
  std::string with_more = query + "\0\0\x29\x10\0\0\0\0\0\0\0"s;
  with_more[11] = 1;
  CHECK(MakeAnswer(with_more, *ParseQuery(with_more), kNameError, nullptr, 0).size() == query.size());
}

TEST_CASE("What is no plain query is none") {
  const std::string good = Header(1, 0, 1, 0) + kQuestion;
  for (const std::string& bad :
       {std::string(), good.substr(0, 11), good.substr(0, good.size() - 1), Header('\x81', 0, 1, 0) + kQuestion,
        Header(0x29, 0, 1, 0) + kQuestion, Header(1, 0, 0, 0), Header(1, 0, 2, 0) + kQuestion + kQuestion,
        Header(1, 0, 1, 0) + "\xc0\x0c\0\1\0\1"s, Header(1, 0, 1, 0) + Wire("pypi.org") + "\0\1\0\3"s,
        std::string(70000, 'x')}) {
    CAPTURE(bad.size());
    CHECK_FALSE(ParseQuery(bad));
  }
  CHECK(MakeError("ab", kFormatError).empty());
  CHECK(MakeError(Header('\x81', 0, 1, 0), kFormatError).empty());
}

TEST_CASE("A name that no host has is read as none") {
  for (const std::string name : {"a b.org", "a/b.org", "\xc3\xa4.org", "-a.org"}) {
    const auto question = ParseQuery(Header(1, 0, 1, 0) + Wire(name) + "\0\1\0\1"s);
    REQUIRE(question);
    CHECK(question->name.empty());
  }
}

TEST_CASE("Aliases are followed within one message, and addresses of other owners are nobody's") {
  const std::string head = Header('\x81', '\x80', 1, 3) + kQuestion;
  const std::string owner = "\xc0\x0c"s;
  const std::string message = head + Record(owner, 5, Wire("cdn.example")) +
                              Record(Wire("other.example"), 1, "\1\2\3\4"s) +
                              Record(Wire("CDN.example"), 1, "\5\6\7\x08"s);
  const auto response = ParseResponse(message, kId, "pypi.org", kTypeA);
  REQUIRE(response);
  CHECK(response->addresses == std::vector<Address>{Address::V4(0x05060708)});
}

TEST_CASE("What answers something else is no answer") {
  const std::string good = Header('\x81', '\x80', 1, 1) + kQuestion + Record("\xc0\x0c"s, 1, "\1\2\3\4"s);
  REQUIRE(ParseResponse(good, kId, "pypi.org", kTypeA));
  CHECK_FALSE(ParseResponse(good, kId + 1, "pypi.org", kTypeA));
  CHECK_FALSE(ParseResponse(good, kId, "pypi.com", kTypeA));
  CHECK_FALSE(ParseResponse(good, kId, "pypi.org", kTypeAaaa));
  CHECK_FALSE(ParseResponse(Header(1, 0, 1, 0) + kQuestion, kId, "pypi.org", kTypeA));
  // Addresses of a wrong size, names that lead in a circle.
  CHECK(ParseResponse(Header('\x81', '\x80', 1, 1) + kQuestion + Record("\xc0\x0c"s, 1, "\1\2\3"s), kId, "pypi.org",
                      kTypeA)
            ->addresses.empty());
  const std::string circle = Header('\x81', '\x80', 1, 1) + kQuestion + Record("\xc0\x0c"s, 5, "\xc0\x0c"s);
  CHECK(ParseResponse(circle, kId, "pypi.org", kTypeA)->addresses.empty());
}

TEST_CASE("A query that is made is read again") {
  const auto question = ParseQuery(MakeQuery(kId, "files.pythonhosted.org", kTypeAaaa));
  REQUIRE(question);
  CHECK(question->name == "files.pythonhosted.org");
  CHECK(question->type == kTypeAaaa);
}

}  // namespace
}  // namespace mxc::network
