// The gateway's event loop: the resolver for the sandbox, and its connections.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "linux_runtime/network/gateway/gateway.h"
#include "linux_runtime/network/gateway/name_service.h"
#include "linux_runtime/network/gateway/poller.h"
#include "linux_runtime/network/gateway/relay.h"
#include "linux_runtime/network/gateway/resolver.h"

namespace mxc::network {

class GatewayServer {
 public:
  // plan outlives it.
  GatewayServer(const GatewayPlan& plan, ResolverFiles files, int control);
  ~GatewayServer();
  // Until the other side of `control` has closed, or sent kFinish.
  std::vector<GatewayEvent> Run();

 private:
  // Where a connection may be made.
  struct Target {
    Address address;
    uint16_t port = 0;
    bool inside = false;
  };
  // One connection, from its acceptance to its end.
  struct Connection {
    uint64_t id = 0;
    sys::UniqueFd client, server;
    std::string what;             // "connect to example.org:443"
    std::string name;             // "": an address, or a shared port
    std::vector<Target> targets;  // the next one last
    Poller::TimerId timer;
    std::unique_ptr<Relay> relay;
  };
  struct Verdict {
    bool allowed = false;
    std::string origin;
  };

  void Accept(int listener, bool v6);
  void AcceptShared(const PortListener& port);
  Connection& Add(sys::UniqueFd client);
  void OnResolved(uint64_t id, const std::string& name, uint16_t port, const std::vector<Address>& addresses);
  void ConnectNext(Connection& connection);
  void ConnectTo(Connection& connection, const Target& target);
  void OnConnected(Connection& connection);
  void Establish(Connection& connection);
  void Refuse(Connection& connection, const std::string& origin);
  void Drop(uint64_t id, bool hard);
  Verdict JudgeName(const std::string& name, uint16_t port) const;
  Verdict JudgeAddress(bool named, const Address& address, uint16_t port) const;
  bool IsHost(const Address& address) const;

  void OnControl();
  void AskForSockets();

  void AnswerDatagrams();
  void AcceptNameClient();
  // Calls back once, perhaps before it returns; "": there is no answer.
  void Answer(std::string_view query, bool stream, const std::function<void(std::string)>& on_answer);
  void AnswerStream(int fd);
  void ForgetNameClient(int fd);

  void AddTraffic(const Connection& connection);
  void Note(const std::string& what, const std::string& origin);

  const GatewayPlan& plan_;
  const int control_;
  const size_t most_connections_;
  Poller poller_;
  PipePool pipes_;
  Resolver resolver_;
  NameService names_;
  std::unordered_map<uint64_t, std::unique_ptr<Connection>> connections_;
  std::vector<std::unique_ptr<Connection>> ended_;  // kept until the callback that ended them is left
  uint64_t last_id_ = 0;
  std::deque<sys::UniqueFd> inside_sockets_;
  std::deque<uint64_t> waiting_;  // connections that need one
  bool asked_ = false;
  struct NameClient {
    sys::UniqueFd socket;
    uint64_t number = 0;  // its descriptor comes again
    std::string received;
    Poller::TimerId timer;
  };
  std::map<int, NameClient> name_clients_;
  size_t forwarded_ = 0;  // queries that wait for an answer from outside
  struct Traffic {
    uint64_t connections = 0, sent = 0, received = 0;
  };
  std::map<std::pair<std::string, std::string>, uint64_t> refusals_;
  std::map<std::string, Traffic> traffic_;  // by name
  std::map<std::string, uint64_t> left_;    // by name: what may still be sent, where there is a limit
};

// What the supervisor and the gateway say to each other: one byte, with sockets.
inline constexpr char kAskSockets = 's';  // the gateway's; answered by as many sockets as there are
inline constexpr char kSockets = 'S';
inline constexpr char kFinish = 'f';  // the supervisor's; answered by the events as text, and the end

}  // namespace mxc::network
