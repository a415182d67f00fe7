#include "linux_runtime/network/gateway/gateway_server.h"

#include <errno.h>
#include <linux/netfilter_ipv4.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <algorithm>
#include <utility>

#include "linux_runtime/sys/unix_socket.h"

namespace mxc::network {
namespace {

constexpr int kOriginalDestination = SO_ORIGINAL_DST;  // the same number in both families
constexpr size_t kMostConnections = 16'384, kMostTargets = 16, kMaxNameClients = 64, kMaxRefusals = 256,
                 kMaxTraffic = 256;
constexpr size_t kMaxQuery = 4096, kMaxForwarded = 256;
constexpr std::chrono::milliseconds kConnectPatience{30'000}, kQueryPatience{15'000};
constexpr int kRounds = 64;  // of accept and recv, before others have their turn
constexpr Address kInsideLoopback[] = {{true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}},
                                       {false, {127, 0, 0, 1}}};

// At the limit of open files accept(2) would fail and be tried again at once, for ever. So a quarter of them are for pipes, some
// for look-ups, and the rest for connections, two each.
size_t MostFiles() {
  rlimit files{};
  return ::getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 256;
}
size_t MostPipes() { return MostFiles() / 8; }
size_t MostConnections() {
  constexpr size_t kOthers = 512;
  const size_t files = MostFiles(), rest = files - files / 4;
  return std::min(kMostConnections, rest > 2 * kOthers ? (rest - kOthers) / 2 : rest / 6);
}

std::string DefaultOrigin(const GatewayPlan& plan) {
  if (!plan.rules.empty()) return plan.rules.back().origin;
  const std::string& any = plan.names.empty() ? std::string() : plan.names.front().origin;
  return any.substr(0, any.find('#')) + "#/network/egress/default";
}

int DomainOf(int socket) {
  int domain = AF_UNSPEC;
  socklen_t size = sizeof domain;
  ::getsockopt(socket, SOL_SOCKET, SO_DOMAIN, &domain, &size);
  return domain;
}

// ::ffff:a.b.c.d, for a socket that speaks both.
Address Mapped(const Address& address) {
  Address mapped{true, {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF}};
  std::copy(address.bytes.begin(), address.bytes.begin() + 4, mapped.bytes.begin() + 12);
  return mapped;
}

}  // namespace

GatewayServer::GatewayServer(const GatewayPlan& plan, ResolverFiles files, int control)
    : plan_(plan),
      control_(control),
      most_connections_(MostConnections()),
      pipes_(MostPipes()),
      resolver_(std::move(files), poller_),
      names_(plan.names, DefaultAllows(plan.rules), DefaultOrigin(plan)) {}

GatewayServer::~GatewayServer() {
  connections_.clear();
  ended_.clear();
}

std::vector<GatewayEvent> GatewayServer::Run() {
  const auto listen = [this](const sys::UniqueFd& socket, auto on_ready) {
    if (socket.valid()) poller_.Add(socket.get(), EPOLLIN, [on_ready](uint32_t) { on_ready(); });
  };
  listen(plan_.tcp_v4, [this] { Accept(plan_.tcp_v4.get(), false); });
  listen(plan_.tcp_v6, [this] { Accept(plan_.tcp_v6.get(), true); });
  listen(plan_.resolver, [this] { AnswerDatagrams(); });
  listen(plan_.resolver_tcp, [this] { AcceptNameClient(); });
  for (const PortListener& port : plan_.ports) {
    listen(port.socket, [this, &port] { AcceptShared(port); });
  }
  poller_.Add(control_, EPOLLIN, [this](uint32_t) { OnControl(); });
  poller_.Run();

  std::vector<GatewayEvent> events;
  for (const auto& [what, count] : refusals_) {
    events.push_back({GatewayEvent::Kind::kRefused, what.first, what.second, count, 0, 0});
  }
  for (const auto& [id, connection] : connections_) AddTraffic(*connection);
  for (const auto& [name, moved] : traffic_) {
    events.push_back({GatewayEvent::Kind::kName, name, "", moved.connections, moved.sent, moved.received});
  }
  return events;
}

void GatewayServer::Note(const std::string& what, const std::string& origin) {
  const std::pair<std::string, std::string> key(what, origin);
  if (refusals_.size() < kMaxRefusals || refusals_.contains(key)) {
    ++refusals_[key];
  } else {
    ++refusals_[{"other destinations", ""}];
  }
}

// ---- judgement ----

bool GatewayServer::IsHost(const Address& address) const {
  return std::any_of(plan_.host.begin(), plan_.host.end(),
                     [&](const policy::Cidr& one) { return one.Contains(address.AsCidr()); });
}

GatewayServer::Verdict GatewayServer::JudgeName(const std::string& name, uint16_t port) const {
  const std::optional<size_t> rule = DecideName(plan_.names, name, port);
  if (rule) return {plan_.names[*rule].allow, plan_.names[*rule].origin};
  return {DefaultAllows(plan_.rules), DefaultOrigin(plan_)};
}

// named: a rule allows the name that led here, so that no rule has to allow the address, if it is a public one.
GatewayServer::Verdict GatewayServer::JudgeAddress(bool named, const Address& address, uint16_t port) const {
  if (!plan_.rules.empty()) {
    const size_t index = Decide(plan_.rules, {Transport::kTcp, address.AsCidr(), port}, plan_.host);
    const Rule& rule = plan_.rules[index];
    const bool by_default = index + 2 >= plan_.rules.size();
    if (!by_default || rule.allow || !named) return {rule.allow, rule.origin};
  } else if (!named) {
    return {false, DefaultOrigin(plan_)};
  }
  if (IsHost(address)) return {false, "the name leads to this host, which only a rule for that address opens"};
  if (IsSpecial(address))
    return {false, "the name leads to an address that isn't public, which only a rule for it opens"};
  return {true, ""};
}

// ---- connections ----

GatewayServer::Connection& GatewayServer::Add(sys::UniqueFd client) {
  auto connection = std::make_unique<Connection>();
  const uint64_t id = connection->id = ++last_id_;
  connection->client = std::move(client);
  connection->timer = poller_.After(kConnectPatience, [this, id] { Drop(id, true); });
  return *(connections_[id] = std::move(connection));
}

void GatewayServer::Accept(int listener, bool v6) {
  for (int round = 0; round < kRounds; ++round) {
    sys::UniqueFd client(::accept4(listener, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) return;
    sockaddr_storage to{};
    socklen_t size = sizeof to;
    // Where it was meant to go. One that came to the listener itself was meant for nothing.
    if (::getsockopt(client.get(), v6 ? SOL_IPV6 : SOL_IP, kOriginalDestination, &to, &size) != 0 ||
        connections_.size() >= most_connections_) {
      CloseHard(client);
      continue;
    }
    const Address address = Address::Of(to);
    const uint16_t port = PortOf(to);
    Connection& connection = Add(std::move(client));
    const uint64_t id = connection.id;
    connection.what = "connect to " + Endpoint(address.AsCidr(), port);
    if (!NameService::IsOfPool(address)) {
      OnResolved(id, "", port, {address});
      continue;
    }
    const std::string* name = names_.NameOf(address);
    if (name == nullptr) {
      Refuse(connection, "no name has this address");
      continue;
    }
    connection.name = *name;
    connection.what = "connect to " + *name + ":" + std::to_string(port);
    if (const Verdict verdict = JudgeName(*name, port); !verdict.allowed) {
      Refuse(connection, verdict.origin);
      continue;
    }
    resolver_.Resolve(*name, [this, id, name = *name, port](const std::vector<Address>& found) {
      OnResolved(id, name, port, found);
    });
  }
}

void GatewayServer::AcceptShared(const PortListener& port) {
  for (int round = 0; round < kRounds; ++round) {
    sys::UniqueFd client(::accept4(port.socket.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!client.valid()) return;
    if (connections_.size() >= most_connections_) {
      CloseHard(client);
      continue;
    }
    Connection& connection = Add(std::move(client));
    if (port.inward) {
      for (const Address& address : kInsideLoopback) connection.targets.push_back({address, port.port, true});
    } else {
      for (auto to = port.to.rbegin(); to != port.to.rend(); ++to) {
        connection.targets.push_back({Address::Of(to->first), to->second, false});
      }
    }
    ConnectNext(connection);
  }
}

void GatewayServer::OnResolved(uint64_t id, const std::string& name, uint16_t port,
                               const std::vector<Address>& addresses) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  const std::optional<size_t> rule = name.empty() ? std::nullopt : DecideName(plan_.names, name, port);
  const bool named = rule && plan_.names[*rule].allow;
  std::string refused_by;
  for (const Address& address : addresses) {
    Verdict verdict = JudgeAddress(named, address, port);
    if (!verdict.allowed) {
      refused_by = std::move(verdict.origin);
    } else if (connection.targets.size() < kMostTargets) {
      connection.targets.push_back({address, port, false});
    }
  }
  std::reverse(connection.targets.begin(), connection.targets.end());
  if (connection.targets.empty() && !addresses.empty()) return Refuse(connection, refused_by);
  ConnectNext(connection);
}

void GatewayServer::ConnectNext(Connection& connection) {
  if (connection.targets.empty()) return Drop(connection.id, true);
  if (connection.targets.back().inside && inside_sockets_.empty()) {
    waiting_.push_back(connection.id);
    return AskForSockets();
  }
  const Target target = connection.targets.back();
  connection.targets.pop_back();
  ConnectTo(connection, target);
}

void GatewayServer::ConnectTo(Connection& connection, const Target& target) {
  Address address = target.address;
  if (target.inside) {
    connection.server = std::move(inside_sockets_.front());
    inside_sockets_.pop_front();
    const bool both = DomainOf(connection.server.get()) == AF_INET6;
    if (both && !address.v6) address = Mapped(address);
    if (!both && address.v6) return ConnectNext(connection);
  }
  sockaddr_storage to;
  const socklen_t size = address.Fill(target.port, to);
  if (!target.inside) {
    connection.server.reset(::socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (!connection.server.valid()) return ConnectNext(connection);
  }
  if (::connect(connection.server.get(), reinterpret_cast<const sockaddr*>(&to), size) == 0)
    return Establish(connection);
  if (errno != EINPROGRESS) return ConnectNext(connection);
  const uint64_t id = connection.id;
  poller_.Add(connection.server.get(), EPOLLOUT, [this, id](uint32_t) {
    if (const auto found = connections_.find(id); found != connections_.end()) OnConnected(*found->second);
  });
}

void GatewayServer::OnConnected(Connection& connection) {
  poller_.Remove(connection.server.get());
  int error = 0;
  socklen_t size = sizeof error;
  if (::getsockopt(connection.server.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0 || error != 0) {
    return ConnectNext(connection);
  }
  Establish(connection);
}

void GatewayServer::Establish(Connection& connection) {
  poller_.Cancel(connection.timer);
  const uint64_t id = connection.id;
  const int one = 1;
  ::setsockopt(connection.client.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  ::setsockopt(connection.server.get(), IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  std::optional<HelloInspection> inspection;
  if (!connection.name.empty()) {
    if (traffic_.size() < kMaxTraffic || traffic_.contains(connection.name)) ++traffic_[connection.name].connections;
    inspection.emplace(connection.name, [this, &connection](const std::string& why) { Note(connection.what, why); });
  }
  connection.relay = std::make_unique<Relay>(std::move(connection.client), std::move(connection.server), poller_,
                                             pipes_, std::move(inspection), [this, id] { Drop(id, false); });
  if (connection.name.empty() || !plan_.name_sent_bytes) return;
  uint64_t& left = left_.try_emplace(connection.name, *plan_.name_sent_bytes).first->second;
  connection.relay->Limit(
      &left, [this, &connection] { Note("send more to " + connection.name, "x-linux.domains.maxSent is spent"); });
}

void GatewayServer::Refuse(Connection& connection, const std::string& origin) {
  Note(connection.what, origin);
  Drop(connection.id, true);
}

// What a connection has carried, under its name. There are lines for so many names only: a report that grew with what the program
// does would be cut off whole.
void GatewayServer::AddTraffic(const Connection& connection) {
  if (!connection.relay) return;
  const auto traffic = traffic_.find(connection.name);
  if (traffic == traffic_.end()) return;
  traffic->second.sent += connection.relay->sent();
  traffic->second.received += connection.relay->received();
}

// hard: the client sees a connection that is reset. What was established has closed itself.
void GatewayServer::Drop(uint64_t id, bool hard) {
  const auto found = connections_.find(id);
  if (found == connections_.end()) return;
  Connection& connection = *found->second;
  poller_.Cancel(connection.timer);
  AddTraffic(connection);
  if (connection.server.valid()) poller_.Remove(connection.server.get());
  if (hard && connection.client.valid()) CloseHard(connection.client);
  // Its own callback may be the one that runs.
  if (ended_.empty()) poller_.After(std::chrono::milliseconds(0), [this] { ended_.clear(); });
  ended_.push_back(std::move(found->second));
  connections_.erase(found);
}

// ---- the supervisor ----

void GatewayServer::AskForSockets() {
  if (std::exchange(asked_, true)) return;
  if (sys::SendMessage(control_, {&kAskSockets, 1}) < 0) poller_.Stop();
}

void GatewayServer::OnControl() {
  char word = 0;
  std::vector<sys::UniqueFd> sockets;
  const long got = sys::ReceiveMessage(control_, {&word, 1}, sockets);
  if (got == -EAGAIN || got == -EINTR) return;
  if (got <= 0 || word == kFinish) return poller_.Stop();
  asked_ = false;
  for (sys::UniqueFd& socket : sockets) inside_sockets_.push_back(std::move(socket));
  std::deque<uint64_t> waiting = std::exchange(waiting_, {});
  const bool none = inside_sockets_.empty();
  for (const uint64_t id : waiting) {
    const auto found = connections_.find(id);
    if (found == connections_.end()) continue;
    if (none) {
      Drop(id, true);
    } else {
      ConnectNext(*found->second);
    }
  }
}

// ---- names ----

void GatewayServer::Answer(std::string_view query, bool stream, const std::function<void(std::string)>& on_answer) {
  if (!plan_.forward_queries) {
    NameService::Reply reply = names_.Answer(query);
    if (reply.refused) Note("look up " + reply.refused->name, reply.refused->origin);
    return on_answer(std::move(reply.message));
  }
  if (forwarded_ >= kMaxForwarded) return on_answer("");
  ++forwarded_;
  resolver_.Forward(query, stream, [this, on_answer](std::optional<std::string> answer) {
    --forwarded_;
    on_answer(answer ? *std::move(answer) : std::string());
  });
}

void GatewayServer::AnswerDatagrams() {
  for (int round = 0; round < kRounds; ++round) {
    char bytes[kMaxQuery];
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const int socket = plan_.resolver.get();
    const ssize_t got = ::recvfrom(socket, bytes, sizeof bytes, 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return;
    Answer({bytes, static_cast<size_t>(got)}, false, [socket, from, size](const std::string& answer) {
      if (answer.empty()) return;
      ::sendto(socket, answer.data(), answer.size(), MSG_NOSIGNAL, reinterpret_cast<const sockaddr*>(&from), size);
    });
  }
}

// Messages with two bytes of length in front (RFC 7766), one after the other.
void GatewayServer::AcceptNameClient() {
  sys::UniqueFd socket(::accept4(plan_.resolver_tcp.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  const int fd = socket.get();
  if (name_clients_.size() >= kMaxNameClients) return CloseHard(socket);
  name_clients_[fd] = {std::move(socket), ++last_id_, "",
                       poller_.After(kQueryPatience, [this, fd] { ForgetNameClient(fd); })};
  poller_.Add(fd, EPOLLIN, [this, fd](uint32_t) { AnswerStream(fd); });
}

void GatewayServer::ForgetNameClient(int fd) {
  poller_.Cancel(name_clients_[fd].timer);
  poller_.Remove(fd);
  name_clients_.erase(fd);
}

void GatewayServer::AnswerStream(int fd) {
  std::string& received = name_clients_[fd].received;
  char bytes[kMaxQuery];
  const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (got <= 0) return ForgetNameClient(fd);
  received.append(bytes, static_cast<size_t>(got));
  std::vector<std::string> queries;
  while (received.size() >= 2) {
    const size_t wanted =
        static_cast<size_t>(static_cast<uint8_t>(received[0])) << 8 | static_cast<uint8_t>(received[1]);
    if (received.size() < wanted + 2) break;
    queries.push_back(received.substr(2, wanted));
    received.erase(0, wanted + 2);
  }
  const uint64_t number = name_clients_[fd].number;
  for (const std::string& query : queries) {
    Answer(query, true, [this, fd, number](std::string answer) {
      const auto client = name_clients_.find(fd);
      if (client == name_clients_.end() || client->second.number != number) return;
      const size_t size = answer.size();
      answer.insert(0, {static_cast<char>(size >> 8), static_cast<char>(size)});
      // Who doesn't read answers gets no more of them.
      const bool sent = ::send(fd, answer.data(), answer.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(answer.size());
      if (size == 0 || !sent) ForgetNameClient(fd);
    });
  }
}

}  // namespace mxc::network
