#include "linux_runtime/network/gateway/resolver.h"

#include <sys/random.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "linux_runtime/network/gateway/dns_message.h"
#include "linux_runtime/network/gateway/exchange.h"
#include "shared/policy/domain.h"

namespace mxc::network {
namespace {

constexpr size_t kMaxServers = 3;

std::optional<Address> ParseAddress(const std::string& text) {
  const Result<policy::Cidr> cidr = policy::ParseCidr(text);
  if (!cidr.ok() || cidr->prefix != (cidr->v6 ? 128 : 32)) return std::nullopt;
  return Address{cidr->v6, cidr->address};
}

// One name: addresses of IPv4, where there are none those of IPv6. Keeps itself alive until it has called back.
class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  Lookup(std::string name, const std::vector<Address>& servers, Poller& poller, Resolver::OnResolved on_resolved)
      : name_(std::move(name)), servers_(servers), poller_(poller), on_resolved_(std::move(on_resolved)) {}

  void Begin(uint16_t type, bool stream) {
    uint16_t id = 0;
    if (::getrandom(&id, sizeof id, 0) != sizeof id) return on_resolved_({});
    const auto self = shared_from_this();
    Ask(servers_, poller_,
        {MakeQuery(id, name_, type), stream,
         [self, id, type](std::string_view answer) {
           const std::optional<Response> response = ParseResponse(answer, id, self->name_, type);
           if (!response) return Heard::kIgnore;
           return response->code == kNoError || response->code == kNameError ? Heard::kTake : Heard::kNext;
         },
         [self, id, type, stream](std::optional<std::string> answer) {
           if (!answer) return self->on_resolved_({});
           self->Look(*ParseResponse(*answer, id, self->name_, type), type, stream);
         }});
  }

 private:
  void Look(const Response& response, uint16_t type, bool stream) {
    if (response.truncated && !stream) return Begin(type, true);
    if (!response.addresses.empty() || response.code == kNameError || type == kTypeAaaa) {
      return on_resolved_(response.addresses);
    }
    Begin(kTypeAaaa, false);
  }

  const std::string name_;
  const std::vector<Address>& servers_;
  Poller& poller_;
  const Resolver::OnResolved on_resolved_;
};

std::vector<std::string> Words(const std::string& line) {
  std::istringstream stream(line.substr(0, line.find_first_of("#;")));
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

}  // namespace

ResolverFiles ReadResolverFiles(const std::string& resolv_conf, const std::string& hosts) {
  ResolverFiles files;
  std::ifstream servers(resolv_conf), names(hosts);
  for (std::string line; std::getline(servers, line);) {
    const std::vector<std::string> words = Words(line);
    if (words.size() < 2 || words[0] != "nameserver" || files.servers.size() == kMaxServers) continue;
    if (const std::optional<Address> address = ParseAddress(words[1])) files.servers.push_back(*address);
  }
  for (std::string line; std::getline(names, line);) {
    const std::vector<std::string> words = Words(line);
    const std::optional<Address> address = words.empty() ? std::nullopt : ParseAddress(words[0]);
    if (!address) continue;
    for (size_t i = 1; i < words.size(); ++i) {
      const std::string name = policy::LowerCase(words[i]);
      if (policy::IsHostName(name)) files.hosts[name].push_back(*address);
    }
  }
  return files;
}

void Resolver::Resolve(const std::string& name, OnResolved on_resolved) {
  if (const auto known = files_.hosts.find(name); known != files_.hosts.end()) return on_resolved(known->second);
  std::make_shared<Lookup>(name, files_.servers, poller_, std::move(on_resolved))->Begin(kTypeA, false);
}

void Resolver::Forward(std::string_view query, bool stream, std::function<void(std::optional<std::string>)> on_answer) {
  if (!ParseQuery(query)) return on_answer(std::nullopt);
  std::string id(query.substr(0, 2));
  Ask(files_.servers, poller_,
      {std::string(query), stream,
       [id = std::move(id)](std::string_view answer) {
         const bool answers = answer.size() >= kDnsHeader && answer.starts_with(id) && (answer[2] & '\x80') != 0;
         return answers ? Heard::kTake : Heard::kIgnore;
       },
       std::move(on_answer)});
}

}  // namespace mxc::network
