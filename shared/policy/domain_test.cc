#include "shared/policy/domain.h"

#include <doctest/doctest.h>

namespace mxc::policy {
namespace {

bool Matches(const char* pattern, const char* host) {
  const Result<DomainPattern> parsed = ParseDomainPattern(pattern);
  REQUIRE(parsed.ok());
  return parsed->Matches(host);
}

TEST_CASE("Names and labels") {
  CHECK(Matches("pypi.org", "pypi.org"));
  CHECK(Matches("PyPI.org", "pypi.org"));
  CHECK_FALSE(Matches("pypi.org", "www.pypi.org"));
  CHECK_FALSE(Matches("pypi.org", "xpypi.org"));
  CHECK(Matches("*.pypi.org", "www.pypi.org"));
  CHECK_FALSE(Matches("*.pypi.org", "pypi.org"));
  CHECK_FALSE(Matches("*.pypi.org", "a.b.pypi.org"));
  CHECK_FALSE(Matches("*.pypi.org", "xpypi.org"));
  CHECK(Matches("**.pypi.org", "a.b.pypi.org"));
  CHECK_FALSE(Matches("**.pypi.org", "pypi.org"));
  CHECK(Matches("a_b.example.org", "a_b.example.org"));
}

TEST_CASE("Spelling is read again") {
  for (const char* text : {"pypi.org", "*.pypi.org", "**.pypi.org:22", "mirror:8000-8100"}) {
    const Result<DomainPattern> parsed = ParseDomainPattern(text);
    REQUIRE(parsed.ok());
    CHECK(SpellDomainPattern(*parsed) == text);
  }
}

TEST_CASE("What is no name is refused") {
  const std::string label(64, 'a');
  std::string name;
  for (int i = 0; i < 64; ++i) name += "abc.";
  for (const std::string& text : {std::string(),
                                  std::string("."),
                                  std::string("a..b"),
                                  std::string("a."),
                                  std::string("-a.b"),
                                  std::string("a-.b"),
                                  std::string("*"),
                                  std::string("**"),
                                  std::string("*.*.a"),
                                  std::string("a.*.b"),
                                  std::string("a b"),
                                  std::string("b\xC3\xBC.de"),
                                  std::string("10.0.0.1"),
                                  std::string("a.1"),
                                  std::string("a:0"),
                                  std::string("a:65536"),
                                  std::string("a:1-0"),
                                  std::string("a:"),
                                  std::string("a:1-"),
                                  std::string("a:080"),
                                  std::string("a:http"),
                                  std::string("[::1]"),
                                  std::string("http://a"),
                                  label,
                                  name + "org"}) {
    CAPTURE(text);
    CHECK_FALSE(ParseDomainPattern(text).ok());
  }
}

}  // namespace
}  // namespace mxc::policy
