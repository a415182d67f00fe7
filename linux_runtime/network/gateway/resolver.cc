#include "linux_runtime/network/gateway/resolver.h"

#include <arpa/inet.h>
#include <sys/random.h>
#include <sys/socket.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "linux_runtime/network/gateway/dns_message.h"
#include "shared/policy/domain.h"

namespace mxc::network {
namespace {

constexpr std::chrono::milliseconds kPatience{2000};  // with one server
constexpr size_t kRounds = 2;                         // through all servers
constexpr size_t kMaxServers = 3, kMaxAnswer = 65535;
constexpr uint16_t kDnsPort = 53;

std::optional<Address> ParseAddress(const std::string& text) {
  const Result<policy::Cidr> cidr = policy::ParseCidr(text);
  if (!cidr.ok() || cidr->prefix != (cidr->v6 ? 128 : 32)) return std::nullopt;
  return Address{cidr->v6, cidr->address};
}

// One name, one server after the other, IPv4 addresses before those of IPv6. Keeps itself alive until it has called back.
class Lookup : public std::enable_shared_from_this<Lookup> {
 public:
  Lookup(std::string name, const std::vector<Address>& servers, Poller& poller, Resolver::OnResolved on_resolved)
      : name_(std::move(name)), servers_(servers), poller_(poller), on_resolved_(std::move(on_resolved)) {}
  ~Lookup() { Close(); }

  void Ask() {
    Close();
    if (servers_.empty() || tries_ == kRounds * servers_.size()) return Done({});
    const Address& server = servers_[tries_++ % servers_.size()];
    sockaddr_storage to;
    const socklen_t size = server.Fill(kDnsPort, to);
    // A socket for each query: its port is part of what a forged answer would have to guess.
    socket_.reset(::socket(to.ss_family, (stream_ ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!socket_.valid()) return Done({});
    if (::getrandom(&id_, sizeof id_, 0) != sizeof id_) return Done({});
    const bool connected = ::connect(socket_.get(), reinterpret_cast<const sockaddr*>(&to), size) == 0;
    if (!connected && errno != EINPROGRESS) return Ask();
    query_ = MakeQuery(id_, name_, type_);
    received_.clear();
    if (stream_) {
      query_.insert(0, {static_cast<char>(query_.size() >> 8), static_cast<char>(query_.size())});
    } else if (::send(socket_.get(), query_.data(), query_.size(), MSG_NOSIGNAL) < 0) {
      return Ask();
    }
    poller_.Add(socket_.get(), stream_ ? EPOLLOUT : EPOLLIN,
                [self = shared_from_this()](uint32_t events) { self->Ready(events); });
    timer_ = poller_.After(kPatience, [self = shared_from_this()] { self->Ask(); });
  }

 private:
  void Close() {
    poller_.Cancel(timer_);
    if (socket_.valid()) poller_.Remove(socket_.get());
    socket_.reset();
  }

  void Done(const std::vector<Address>& addresses) {
    Close();
    if (Resolver::OnResolved call = std::exchange(on_resolved_, nullptr)) call(addresses);
  }

  void Ready(uint32_t events) {
    if (stream_ && (events & EPOLLOUT) != 0) {
      if (::send(socket_.get(), query_.data(), query_.size(), MSG_NOSIGNAL) != static_cast<ssize_t>(query_.size())) {
        return Ask();
      }
      return poller_.Change(socket_.get(), EPOLLIN);
    }
    char bytes[kMaxAnswer];
    const ssize_t size = ::recv(socket_.get(), bytes, sizeof bytes, 0);
    if (size < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (size <= 0) return Ask();
    if (!stream_) return Look({bytes, static_cast<size_t>(size)});
    received_.append(bytes, static_cast<size_t>(size));
    if (received_.size() < 2) return;
    const size_t wanted = static_cast<size_t>(static_cast<uint8_t>(received_[0])) << 8 | static_cast<uint8_t>(received_[1]);
    if (received_.size() >= wanted + 2) Look(std::string_view(received_).substr(2, wanted));
  }

  void Look(std::string_view message) {
    const std::optional<Response> response = ParseResponse(message, id_, name_, type_);
    if (!response) {
      if (stream_) Ask();
      return;  // forged, or late: the right one may still come
    }
    if (response->truncated && !stream_) {
      stream_ = true;
      --tries_;
      return Ask();
    }
    if (!response->addresses.empty()) return Done(response->addresses);
    if (response->code != kNoError && response->code != kNameError) return Ask();
    if (response->code == kNameError || type_ == kTypeAaaa) return Done({});
    type_ = kTypeAaaa;
    stream_ = false;
    tries_ = 0;
    Ask();
  }

  const std::string name_;
  const std::vector<Address>& servers_;
  Poller& poller_;
  Resolver::OnResolved on_resolved_;
  sys::UniqueFd socket_;
  Poller::TimerId timer_;
  uint16_t id_ = 0;
  uint16_t type_ = kTypeA;
  bool stream_ = false;
  size_t tries_ = 0;
  std::string query_, received_;
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
  std::make_shared<Lookup>(name, files_.servers, poller_, std::move(on_resolved))->Ask();
}

}  // namespace mxc::network
