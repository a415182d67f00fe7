// mxcd: takes connections, says who may, finds or makes the session that is meant, and hands the connection over to its
// supervisor. It carries no program's bytes, reads no policy, and can be killed and started again while sessions run.
#pragma once

#include <list>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "linux_runtime/audit/audit_log.h"
#include "linux_runtime/daemon/control.h"
#include "linux_runtime/daemon/homes.h"
#include "linux_runtime/daemon/nursery.h"
#include "linux_runtime/daemon/peer.h"
#include "linux_runtime/daemon/registry.h"
#include "linux_runtime/daemon/secure_listener.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/transport/connection.h"
#include "shared/base/result.h"
#include "shared/wire/message.h"

namespace mxc::daemon {

struct DaemonOptions {
  std::string folder;
  std::string audit_folder;
  std::string homes_folder;               // root's: of sessions with ids of their own
  sys::UniqueFd listener;                 // of socket activation; else one is made in the folder
  unsigned most_sessions = 64;            // of one user
  unsigned most_connections = 128;        // of one user, before they are handed over
  uint32_t vsock_port = 0;                // 0: none
  uint32_t vsock_peer = 2;                // whom it answers there: the host
  std::optional<uint16_t> loopback_port;  // a listener like that of vsock on 127.0.0.1, for tests; 0: any
  uint32_t end_when_idle_s = 0;           // without a session and a connection; 0: never
};

class Daemon {
 public:
  static Result<std::unique_ptr<Daemon>> Start(DaemonOptions options);
  // Until SIGTERM or SIGINT, which leave sessions as they are. Error: the nursery is gone, or the loop broke.
  Result<void> Run();

 private:
  struct Client {
    Peer peer;
    std::unique_ptr<transport::Connection> connection;
    supervise::Loop::TimerId timer = 0;
  };
  // Who waits for a session to come to another state.
  struct Waiting {
    Client* client = nullptr;
    uint32_t request = 0;
    wire::Operation operation{};
  };
  struct Session {
    Record record;
    sys::UniqueFd control;  // to its supervisor; none: there is none
    bool ready = false;
    bool told_end = false;
    bool recovered = false;  // from an mxcd before this one
    std::string policy_digest;
    wire::Claims claims;  // of who asked for it
    std::list<Waiting> waiting;
  };

  explicit Daemon(DaemonOptions options) : options_(std::move(options)) {}
  Result<void> Listen();
  void Recover();
  void OnConnection();
  Client& AddClient(Peer peer, std::unique_ptr<transport::Connection> connection);
  Result<void> ListenForHost();
  Result<void> Open(Client& client, const wire::Request& request);
  void Forget(Client* client);
  Result<void> Handle(Client& client, std::string_view json);
  Result<void> Dispatch(Client& client, const wire::Request& request, std::string_view json);
  Result<void> Make(Client& client, const wire::Request& request, std::string_view json);
  Result<void> StartSession(Client& client, const wire::Request& request);
  Result<void> HandOver(Client& client, const wire::Request& request, std::string_view json);
  Result<void> StopSession(Client& client, const wire::Request& request);
  Result<void> RemoveSession(Client& client, const wire::Request& request);
  Result<Session*> Find(const Client& client, const std::string& id);
  Result<void> Spawn(Session& session, std::string_view request, Client* client);
  void WatchControl(Session& session);
  void OnTold(const std::string& id);
  void OnSupervisorGone(Session& session);
  Result<void> GiveIds(Session& session);
  void RemoveHome(const std::string& id);
  void Answer(Session& session, const std::optional<Error>& error);
  void Remove(std::string id);
  std::string List(const Client& client) const;
  void SendReply(Client& client, const wire::Reply& reply);
  void LookAtIdleness();
  audit::Event EventOf(audit::Kind kind, const Session& session) const;
  bool MayAudit(uid_t uid);
  Result<void> CheckWaiting(const Client& client) const;
  void AuditRefusal(const Peer& peer, const wire::Request* request, const Error& error);

  DaemonOptions options_;
  std::optional<Registry> registry_;
  std::optional<Nursery> nursery_;
  std::optional<Homes> homes_;  // root's mxcd
  std::optional<audit::AuditLog> audit_;
  sys::UniqueFd listener_;
  supervise::Loop loop_;
  std::unique_ptr<SecureListener> host_listener_;
  std::list<Client> clients_;
  std::map<std::string, Session> sessions_;
  supervise::Loop::TimerId idle_timer_ = 0;
  // What a user may still add to the audit now, and what was left out.
  struct Share {
    double left = 0;
    supervise::Loop::Clock::time_point since{};
    uint64_t left_out = 0;
  };
  std::map<uid_t, Share> shares_;
  std::optional<Error> broken_;
};

}  // namespace mxc::daemon
