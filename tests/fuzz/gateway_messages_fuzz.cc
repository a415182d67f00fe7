// What a sandbox's program and name servers send to the gateway, and the lines of rules: queries, answers, TLS hellos. Whatever the
// bytes are, a query is answered by a message that is one, a hello is read alike however it arrives, and a line's
// rule is read again from how it is spelled.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "linux_runtime/network/gateway/dns_message.h"
#include "linux_runtime/network/gateway/name_service.h"
#include "linux_runtime/network/gateway/tls_hello.h"
#include "shared/network/names.h"
#include "shared/network/ports.h"
#include "shared/network/ruleset.h"

namespace mxc::network {
namespace {

void Must(bool held) {
  if (!held) std::abort();
}

void Queries(const std::string& bytes) {
  static const NameRules kRules = {*ParseNameRule("deny **.evil.org x"), *ParseNameRule("allow **.org x")};
  NameService service(kRules, false, "default");
  const NameService::Reply reply = service.Answer(bytes);
  if (reply.message.empty()) return;
  Must(reply.message.size() >= 12 && (static_cast<uint8_t>(reply.message[2]) & 0x80) != 0);
  const auto question = ParseQuery(bytes);
  if (!question || question->name.empty()) return;
  const uint16_t id = static_cast<uint16_t>(static_cast<uint8_t>(bytes[0]) << 8 | static_cast<uint8_t>(bytes[1]));
  const auto response = ParseResponse(reply.message, id, question->name, question->type);
  Must(response.has_value());
  for (const Address& address : response->addresses) Must(service.NameOf(address) != nullptr);
}

void Answers(const std::string& bytes) {
  for (const uint16_t type : {kTypeA, kTypeAaaa}) (void)ParseResponse(bytes, 'a' << 8 | 'b', "pypi.org", type);
}

void Hellos(const std::string& bytes) {
  const Hello whole = ReadHello(bytes);
  Must((whole.kind == HelloKind::kNamed) == !whole.name.empty() && whole.size <= bytes.size());
  (void)ReadSecondHello(bytes);
  (void)ReadServerHello(bytes);
  for (size_t size = 1; size < bytes.size(); size += 1 + bytes.size() / 16) {
    const Hello part = ReadHello(std::string_view(bytes).substr(0, size));
    Must(part.kind == HelloKind::kPartial || (part.kind == whole.kind && part.name == whole.name));
  }
}

template <class Rule>
void Again(const Result<Rule>& rule, Result<Rule> (*parse)(std::string_view)) {
  if (!rule.ok()) return;
  const Result<Rule> again = parse(Spell(*rule));
  Must(again.ok() && *again == *rule);
}

void Lines(const std::string& line) {
  Again(ParseNameRule(line), ParseNameRule);
  Again(ParsePortRule(line), ParsePortRule);
  Again(ParseRule(line), ParseRule);
}

void Fuzz(std::string_view data) {
  if (data.empty()) return;
  const std::string rest(data.substr(1));
  switch (data.front() & 3) {
    case 0:
      return Queries(rest);
    case 1:
      return Answers(rest);
    case 2:
      return Hellos(rest);
    default:
      return Lines(rest);
  }
}

}  // namespace
}  // namespace mxc::network

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  mxc::network::Fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
