#include "shared/audit/event.h"

#include <string>
#include <vector>

#include "doctest/doctest.h"

namespace mxc::audit {
namespace {

Event Some(Kind kind) {
  Event event;
  event.kind = kind;
  event.unix_us = 1'795'000'000'123'456;
  event.session = "s-1";
  event.run = "job";
  event.policy_digest = "sha256:00";
  event.uid = 1000;
  event.claimed_agent = "agent\x1b[2J\n7";
  event.what = "sh \xe2\x80\xae";
  event.reason = "exited";
  event.exit_code = 7;
  event.denied = 2;
  event.denials = R"([{"what":"open /x","count":2}])";
  return event;
}

std::vector<std::string> Lines(Chain& chain) {
  std::vector<std::string> lines;
  for (const Kind kind : {Kind::kBegin, Kind::kStart, Kind::kEnd}) lines.push_back(WriteLine(Some(kind), chain));
  return lines;
}

TEST_CASE("Lines follow each other, and end where the chain says") {
  Chain chain;
  const std::vector<std::string> lines = Lines(chain);
  const Chain fresh;
  Result<Chain> end = VerifyChain(lines[0] + lines[1] + lines[2], &fresh);
  REQUIRE(end.ok());
  CHECK(end->sequence == 3);
  CHECK(end->hash == chain.hash);
  CHECK(VerifyChain(lines[1] + lines[2], nullptr).ok());
  CHECK(VerifyChain("", &fresh).ok());
}

TEST_CASE("What untrusted text holds does not reach a terminal") {
  Chain chain;
  const std::string line = WriteLine(Some(Kind::kStart), chain);
  for (const char byte : line.substr(0, line.size() - 1)) CHECK((byte >= ' ' && byte < 127));
  CHECK(line.find("\\u001b") == std::string::npos);
  Event event = Some(Kind::kRefusal);
  event.denials = "not json";
  event.reason = std::string(100'000, 'x');
  CHECK(WriteLine(event, chain).size() < 6000);
}

TEST_CASE("Every change of a byte, every line left out, put in or moved is found") {
  Chain chain;
  const std::vector<std::string> lines = Lines(chain);
  const Chain fresh;
  const std::string whole = lines[0] + lines[1] + lines[2];
  const std::string last_hash = chain.hash;
  for (size_t at = 0; at < whole.size(); ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    Result<Chain> verified = VerifyChain(changed, &fresh);
    // The last line's content is vouched for by what is written behind it, or by who kept its hash.
    const bool found = !verified.ok() || verified->hash != last_hash;
    CHECK(found);
  }
  CHECK_FALSE(VerifyChain(lines[0] + lines[2], &fresh).ok());
  CHECK_FALSE(VerifyChain(lines[1] + lines[0] + lines[2], &fresh).ok());
  CHECK_FALSE(VerifyChain(lines[0] + lines[0] + lines[1], &fresh).ok());
  CHECK_FALSE(VerifyChain(lines[1] + lines[2], &fresh).ok());
  CHECK_FALSE(VerifyChain(whole.substr(0, whole.size() - 1), &fresh).ok());
  CHECK_FALSE(VerifyChain(lines[0] + "\n" + lines[1], &fresh).ok());
  Chain other;
  Event forged = Some(Kind::kStart);
  forged.run = "another";
  (void)WriteLine(Some(Kind::kBegin), other);
  CHECK_FALSE(VerifyChain(lines[0] + WriteLine(forged, other) + lines[2], &fresh).ok());
}

}  // namespace
}  // namespace mxc::audit
