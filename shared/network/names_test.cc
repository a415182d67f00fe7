#include "shared/network/names.h"

#include <doctest/doctest.h>

namespace mxc::network {
namespace {

NameRules Rules(const std::vector<const char*>& deny, const std::vector<const char*>& allow) {
  policy::Domains domains;
  for (const char* text : deny) domains.deny.push_back(*policy::ParseDomainPattern(text));
  for (const char* text : allow) domains.allow.push_back(*policy::ParseDomainPattern(text));
  return CompileNames(domains, [](const std::string& pointer) { return "p#" + pointer; });
}

std::string Decided(const NameRules& rules, std::optional<size_t> index) {
  return index ? Spell(rules[*index]) : std::string("nothing");
}

TEST_CASE("What is denied wins, on every port unless it names one; what is allowed means 80 and 443") {
  const NameRules rules =
      Rules({"**.evil.org", "upload.pypi.org:443"}, {"*.pypi.org", "github.com:22", "pypi.org:1-9"});
  CHECK(Decided(rules, DecideName(rules, "pypi.org", 443)) == "nothing");
  CHECK(Decided(rules, DecideName(rules, "www.pypi.org", 443)) == "allow *.pypi.org p#/x-linux/domains/allow/0");
  CHECK(Decided(rules, DecideName(rules, "www.pypi.org", 80)) == "allow *.pypi.org p#/x-linux/domains/allow/0");
  CHECK(Decided(rules, DecideName(rules, "www.pypi.org", 22)) == "nothing");
  CHECK(Decided(rules, DecideName(rules, "a.evil.org", 443)) == "deny **.evil.org p#/x-linux/domains/deny/0");
  CHECK(Decided(rules, DecideName(rules, "a.evil.org", 1)) == "deny **.evil.org p#/x-linux/domains/deny/0");
  CHECK(Decided(rules, DecideName(rules, "upload.pypi.org", 443)) ==
        "deny upload.pypi.org:443 p#/x-linux/domains/deny/1");
  CHECK(Decided(rules, DecideName(rules, "upload.pypi.org", 80)) == "allow *.pypi.org p#/x-linux/domains/allow/0");
  CHECK(Decided(rules, DecideName(rules, "github.com", 22)) == "allow github.com:22 p#/x-linux/domains/allow/1");
  CHECK(Decided(rules, DecideName(rules, "github.com", 443)) == "nothing");
  CHECK(Decided(rules, DecideName(rules, "pypi.org", 9)) == "allow pypi.org:1-9 p#/x-linux/domains/allow/2");
}

TEST_CASE("A look-up is answered when some port could be allowed") {
  const NameRules rules = Rules({"**.evil.org", "upload.pypi.org:443"}, {"**.org", "github.com:22"});
  CHECK(Decided(rules, DecideLookup(rules, "github.com")) == "allow github.com:22 p#/x-linux/domains/allow/1");
  CHECK(Decided(rules, DecideLookup(rules, "upload.pypi.org")) == "allow **.org p#/x-linux/domains/allow/0");
  CHECK(Decided(rules, DecideLookup(rules, "x.evil.org")) == "deny **.evil.org p#/x-linux/domains/deny/0");
  CHECK(Decided(rules, DecideLookup(rules, "example.com")) == "nothing");
}

TEST_CASE("Lines are read again, and nothing else is") {
  for (const char* line : {"allow pypi.org p.json#/x-linux/domains/allow/0",
                           "deny **.a-b.org:1-9 a name with spaces.json#/0", "allow *.x:22 "}) {
    CAPTURE(line);
    const Result<NameRule> rule = ParseNameRule(line);
    REQUIRE(rule.ok());
    CHECK(Spell(*rule) == line);
  }
  for (const char* line : {"", "allow", "permit a.org x", "allow A.org x", "allow a.org:0 x", "allow 10.0.0.1 x",
                           "allow a.org:5-5 x", " allow a.org x", "deny"}) {
    CAPTURE(line);
    CHECK_FALSE(ParseNameRule(line).ok());
  }
}

}  // namespace
}  // namespace mxc::network
