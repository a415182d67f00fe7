// Who connects to mxcd, and what is written down of it.
#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "linux_runtime/daemon/daemon.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/version.h"

namespace mxc::daemon {
namespace {

constexpr std::chrono::seconds kGreetWithin{10};
constexpr std::chrono::seconds kRequestWithin{600};
constexpr size_t kMostBuffered = 32 << 20;  // of all connections of a user

}  // namespace

void Daemon::OnConnection() {
  sys::UniqueFd socket(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
  if (!socket.valid()) return;
  const bool guarded = transport::KeepDescriptorsOut(socket.get());
  auto turn_away = [&] {
    if (guarded) return;
    std::vector<sys::UniqueFd> one;
    one.push_back(std::move(socket));
    transport::CloseElsewhere(std::move(one));
  };
  Result<Peer> peer = PeerOf(socket.get());
  // A session asks for nothing in its own name.
  if (peer.ok() && IsSessionId(peer->uid)) peer = Error(Code::kRefused, "a session's own process asks");
  const bool own = ::geteuid() == 0 || (peer.ok() && peer->uid == ::geteuid());
  if (!peer.ok() || !own) {
    // He hears why, as far as he reads.
    const Error error = peer.ok() ? Error(Code::kRefused, "this mxcd serves its own user only") : peer.error();
    AuditRefusal(peer.ok() ? *peer : Peer{0, static_cast<uid_t>(-1), 0, {}}, nullptr, error);
    std::string bytes;
    wire::AppendFrame(wire::FrameType::kHello, 0, wire::WriteHello({.program = std::string("mxcd ") + kVersion}),
                      bytes);
    wire::AppendFrame(wire::FrameType::kMessage, 0, wire::WriteReply(wire::FailureOf({}, error)), bytes);
    (void)::send(socket.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return turn_away();
  }
  const auto of_user =
      std::count_if(clients_.begin(), clients_.end(), [&](const Client& one) { return one.peer.uid == peer->uid; });
  if (static_cast<size_t>(of_user) >= options_.most_connections) return turn_away();
  auto connection = std::make_unique<transport::Connection>(std::move(socket), sys::UniqueFd());
  connection->Guard();
  AddClient(*std::move(peer), std::move(connection));
}

Result<void> Daemon::ListenForHost() {
  if (options_.vsock_port == 0 && !options_.loopback_port) return {};
  host_listener_ = std::make_unique<SecureListener>(
      loop_,
      [this](const Account& account, sys::UniqueFd socket, std::unique_ptr<wire::SecretStream> stream,
             std::string plain) {
        auto connection =
            std::make_unique<transport::Connection>(std::move(socket), sys::UniqueFd(), std::move(stream));
        connection->Preload(std::move(plain));
        Client& client = AddClient({0, account.uid, account.gid, account.groups}, std::move(connection));
        client.connection->Start();
      },
      [this](const Error& error) {
        AuditRefusal({0, static_cast<uid_t>(-1), 0, {}}, nullptr, error);
      });
  uint32_t port = options_.vsock_port;
  if (port != 0) {
    Result<void> listening = host_listener_->ListenOnVsock(port, options_.vsock_peer);
    // A kernel without vsock has no host to listen for; a port that is taken is somebody in the way.
    if (!listening.ok() && listening.error().system_errno() != EAFNOSUPPORT) return listening;
    if (!listening.ok()) port = 0;
  }
  if (options_.loopback_port) port = MXC_TRY(host_listener_->ListenOnLoopback(*options_.loopback_port));
  // Where the relay reads it.
  const std::string path = options_.folder + "/port", text = std::to_string(port);
  const sys::UniqueFd file(sys::OpenAt(AT_FDCWD, path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW, 0644));
  if (!file.valid() || sys::Write(file.get(), text.data(), text.size()) != static_cast<long>(text.size())) {
    return sys::SystemError("write " + path, errno);
  }
  return {};
}

// Whose connection it will be is root's to say, or that of the one user whose mxcd this is.
Result<void> Daemon::Open(Client& client, const wire::Request& request) {
  if (client.peer.pid == 0 || (client.peer.uid != 0 && client.peer.uid != ::geteuid())) {
    return Error(Code::kRefused, "connections are announced by root, from inside");
  }
  if (!request.announcement) return Error(Code::kInvalid, "request/announcement: missing");
  if (!host_listener_)
    return Error(Code::kUnsupported, "this mxcd doesn't listen for its host").WithHint("start it with --vsock-port");
  const wire::Announcement& coming = *request.announcement;
  const std::string id = wire::FromHex(coming.id, wire::kConnectionIdSize),
                    key = wire::FromHex(coming.key, wire::kKeySize);
  wire::Secret secret;
  secret.transcript_hash = wire::FromHex(coming.transcript_hash, wire::kHashSize);
  if (id.empty() || key.empty() || secret.transcript_hash.empty())
    return Error(Code::kInvalid, "request/announcement: id, key or hash is malformed");
  std::copy(key.begin(), key.end(), secret.key.begin());
  Account account{coming.uid, coming.gid, {coming.groups.begin(), coming.groups.end()}};
  if (::geteuid() != 0 && account.uid != ::geteuid())
    return Error(Code::kRefused, "this mxcd serves its own user only");
  MXC_TRY(host_listener_->Announce(id, std::move(secret), std::move(account)));
  SendReply(client, wire::ReplyTo(request));
  return {};
}

Daemon::Client& Daemon::AddClient(Peer peer, std::unique_ptr<transport::Connection> connection) {
  Client& client = clients_.emplace_back();
  client.peer = std::move(peer);
  client.connection = std::move(connection);
  Client* const self = &client;
  client.connection->Listen({
      .on_hello = [this, self](std::string_view json) -> Result<void> {
        MXC_TRY(wire::AgreeOn(MXC_TRY(wire::ReadHello(json))));
        loop_.Cancel(self->timer);
        self->timer = loop_.After(kRequestWithin, [this, self] { Forget(self); });
        return {};
      },
      .on_message = [this, self](std::string_view json) { return Handle(*self, json); },
      .on_progress =
          [this, self] {
            size_t buffered = 0;
            for (const Client& one : clients_) {
              if (one.peer.uid == self->peer.uid) buffered += one.connection->buffered();
            }
            if (buffered > kMostBuffered) Forget(self);
          },
      .on_closed = [this, self](const std::optional<Error>&) { Forget(self); },
  });
  client.timer = loop_.After(kGreetWithin, [this, self] { Forget(self); });
  client.connection->mux().SendHello(wire::WriteHello({.program = std::string("mxcd ") + kVersion}));
  client.connection->Attach(loop_);
  LookAtIdleness();
  return client;
}

void Daemon::Forget(Client* client) {
  loop_.Cancel(std::exchange(client->timer, 0));
  client->connection->Abandon();
  for (auto& [id, session] : sessions_) {
    session.waiting.remove_if([&](const Waiting& waiting) { return waiting.client == client; });
  }
  const auto found = std::find_if(clients_.begin(), clients_.end(), [&](const Client& one) { return &one == client; });
  if (found == clients_.end()) return;
  // Its connection may be on the stack.
  auto kept = std::make_shared<std::list<Client>>();
  kept->splice(kept->begin(), clients_, found);
  loop_.After(std::chrono::milliseconds(0), [kept] { kept->clear(); });
  LookAtIdleness();
}

void Daemon::SendReply(Client& client, const wire::Reply& reply) {
  client.connection->mux().SendMessage(wire::WriteReply(reply));
  client.connection->Flush();
}

// Lines that a user can bring about as often as he likes come to a few a second, so that they drive out nobody else's; how many
// more there were is said with the next.
bool Daemon::MayAudit(uid_t uid) {
  constexpr double kBurst = 200, kPerSecond = 2;
  const auto now = supervise::Loop::Clock::now();
  const auto [found, fresh] = shares_.try_emplace(uid);
  Share& share = found->second;
  if (fresh) share = {kBurst, now, 0};
  share.left = std::min(kBurst, share.left + kPerSecond * std::chrono::duration<double>(now - share.since).count());
  share.since = now;
  if (share.left < 1) {
    ++share.left_out;
    return false;
  }
  share.left -= 1;
  if (share.left_out != 0) {
    audit::Event event;
    event.kind = audit::Kind::kRefusal;
    if (uid != static_cast<uid_t>(-1)) event.uid = uid;
    event.what = "many";
    event.reason = std::to_string(std::exchange(share.left_out, 0)) +
                   " more refusals and programs of this user were not written down one by one";
    audit_->Write(std::move(event));
  }
  return true;
}

Result<void> Daemon::CheckWaiting(const Client& client) const {
  for (const auto& [id, session] : sessions_) {
    for (const Waiting& waiting : session.waiting) {
      if (waiting.client == &client)
        return Error(Code::kRefused, "this connection waits for an answer already").WithHint("open another one");
    }
  }
  return {};
}

void Daemon::AuditRefusal(const Peer& peer, const wire::Request* request, const Error& error) {
  if (!MayAudit(peer.uid)) return;
  audit::Event event;
  event.kind = audit::Kind::kRefusal;
  if (peer.uid != static_cast<uid_t>(-1)) event.uid = peer.uid;
  if (request != nullptr) {
    event.what = wire::OperationName(request->operation);
    event.session = request->session;
    event.claimed_agent = request->claims.agent;
    event.claimed_tool_call = request->claims.tool_call;
    event.claimed_windows_user = request->claims.windows_user;
    event.claimed_windows_sid = request->claims.windows_sid;
  } else {
    event.what = "connect";
  }
  event.reason = error.Describe();
  audit_->Write(std::move(event));
}

audit::Event Daemon::EventOf(audit::Kind kind, const Session& session) const {
  audit::Event event;
  event.kind = kind;
  event.session = session.record.id;
  event.run = session.record.run;
  event.policy_digest = session.policy_digest;
  event.uid = session.record.owner.uid;
  if (session.record.first_id != 0) event.own_uid = session.record.first_id;
  event.claimed_agent = session.claims.agent;
  event.claimed_tool_call = session.claims.tool_call;
  event.claimed_windows_user = session.claims.windows_user;
  event.claimed_windows_sid = session.claims.windows_sid;
  return event;
}

}  // namespace mxc::daemon
