#include "linux_runtime/daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "linux_runtime/daemon/parcel.h"
#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"
#include "shared/base/version.h"
#include "shared/oci/strict_json.h"

namespace mxc::daemon {
namespace {

using wire::Operation;

constexpr size_t kMostStored = 2 << 20;  // of a session's request

std::string NewId() {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string id = "s-";
  for (const char byte : wire::RandomBytes(6)) {
    id += kDigits[static_cast<uint8_t>(byte) >> 4];
    id += kDigits[static_cast<uint8_t>(byte) & 15];
  }
  return id;
}

}  // namespace

Result<std::unique_ptr<Daemon>> Daemon::Start(DaemonOptions options) {
  // First, while nothing of anybody's is here.
  Nursery nursery = MXC_TRY(Nursery::Start());
  std::unique_ptr<Daemon> daemon(new Daemon(std::move(options)));
  daemon->nursery_ = std::move(nursery);
  daemon->registry_ = MXC_TRY(Registry::Open(daemon->options_.folder));
  if (::geteuid() == 0) daemon->homes_ = MXC_TRY(Homes::Open(daemon->options_.homes_folder));
  // Without an audit nothing is served.
  daemon->audit_ = MXC_TRY(audit::AuditLog::Open({.folder = daemon->options_.audit_folder}));
  audit::Event begin;
  begin.what = std::string("mxcd ") + kVersion;
  begin.uid = ::geteuid();
  daemon->audit_->Write(begin);
  MXC_TRY(daemon->Listen());
  MXC_TRY(daemon->ListenForHost());
  daemon->Recover();
  return daemon;
}

Result<void> Daemon::Listen() {
  if (options_.listener.valid()) {
    listener_ = std::move(options_.listener);
    return {};
  }
  const std::string path = options_.folder + run::kDaemonSocket;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return Error(Code::kInvalid, "the path " + path + " is too long for a socket")
        .WithHint("choose a shorter --folder");
  }
  memcpy(address.sun_path, path.c_str(), path.size() + 1);
  ::unlink(path.c_str());  // the lock says that nobody listens there
  listener_.reset(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!listener_.valid() || ::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return sys::SystemError("make the socket " + path, errno);
  }
  // Everybody may ask; who asks is looked at after that.
  if (::chmod(path.c_str(), ::geteuid() == 0 ? 0666 : 0600) != 0)
    return sys::SystemError("open the socket " + path, errno);
  if (::listen(listener_.get(), 128) != 0) return sys::SystemError("listen on " + path, errno);
  return {};
}

// The sessions of an mxcd before this one.
void Daemon::Recover() {
  for (Record& record : registry_->ReadAll()) {
    Session session;
    session.record = std::move(record);
    const std::string id = session.record.id;
    if (Result<sys::UniqueFd> control = registry_->Connect(id); control.ok()) {
      session.control = *std::move(control);
      session.recovered = true;
    } else if (session.record.state == State::kRun) {
      registry_->Remove(id);
      continue;
    } else if (session.record.state == State::kRunning) {
      session.record.state = State::kStopped;
      (void)registry_->Write(session.record);
    }
    Session& kept = sessions_[id] = std::move(session);
    if (kept.control.valid()) WatchControl(kept);
  }
  if (!homes_) return;
  for (const Homes::Home& home : homes_->All()) {
    if (sessions_.find(home.id) == sessions_.end()) RemoveHome(home.id);
  }
}

Result<void> Daemon::Run() {
  // Connections take after it, those that wait to be accepted, too.
  (void)transport::KeepDescriptorsOut(listener_.get());
  MXC_TRY(loop_.CatchSignals({SIGTERM, SIGINT, SIGHUP}, [this](const signalfd_siginfo& info) {
    if (info.ssi_signo != SIGHUP) loop_.Stop();
  }));
  loop_.Watch(listener_.get(), POLLIN, [this](short) { OnConnection(); });
  loop_.Watch(nursery_->fd(), POLLIN, [this](short) {
    broken_ = Error(Code::kInternal, "the process that sessions come from is gone");
    loop_.Stop();
  });
  LookAtIdleness();
  MXC_TRY(loop_.Run());
  if (broken_) return *broken_;
  return {};
}

Result<void> Daemon::Handle(Client& client, std::string_view json) {
  Result<wire::Request> read = wire::ReadRequest(json);
  if (!read.ok()) {
    // It has no number that could be trusted; 0 is nobody's.
    SendReply(client, wire::FailureOf({}, read.error()));
    return std::move(read).error();
  }
  const wire::Request& request = *read;
  Result<void> done = Dispatch(client, request, json);
  if (done.ok()) return {};
  AuditRefusal(client.peer, &request, done.error());
  SendReply(client, wire::FailureOf(request, done.error()));
  return {};
}

Result<void> Daemon::Dispatch(Client& client, const wire::Request& request, std::string_view json) {
  switch (request.operation) {
    case Operation::kFacts:
    case Operation::kPlan:
    case Operation::kRun:
    case Operation::kProvision:
      return Make(client, request, json);
    case Operation::kOpen:
      return Open(client, request);
    case Operation::kStart:
      return StartSession(client, request);
    case Operation::kStop:
      return StopSession(client, request);
    case Operation::kDeprovision:
      return RemoveSession(client, request);
    case Operation::kList: {
      wire::Reply reply = wire::ReplyTo(request);
      reply.text = List(client);
      SendReply(client, reply);
      return {};
    }
    default:
      return HandOver(client, request, json);
  }
}

Result<Daemon::Session*> Daemon::Find(const Client& client, const std::string& id) {
  const auto found = sessions_.find(id);
  // Whose it is, is not told to others: to them it isn't there.
  if (found == sessions_.end() || (client.peer.uid != 0 && client.peer.uid != found->second.record.owner.uid)) {
    return Error(Code::kNotFound, "no session is called \"" + id + "\"").WithHint("`mxc list` shows those there are");
  }
  return &found->second;
}

Result<void> Daemon::Spawn(Session& session, std::string_view request, Client* client) {
  sys::UniqueFd control = MXC_TRY(registry_->Listen(session.record.id));
  sys::UniqueFd connected = MXC_TRY(registry_->Connect(session.record.id));
  session.ready = session.told_end = false;
  Account account = session.record.owner;
  std::string own_folder;
  if (session.record.first_id != 0) {
    // Of its owner's rights it has those that his groups have, and so is kept out where they are.
    account.groups.push_back(account.gid);
    if (account.uid == 0) account.groups.clear();  // root is kept out nowhere
    account.uid = account.gid = session.record.first_id;
    own_folder = homes_->PathOf(session.record.id);
  }
  std::vector<std::string> parts{session.record.id, std::string(request), own_folder};
  sys::UniqueFd socket;
  transport::Handover handover;
  if (client != nullptr) socket = client->connection->GiveAway(handover);
  AppendHandover(std::move(handover), parts);
  sys::UniqueFd parcel = MXC_TRY(PackParcel(parts));
  MXC_TRY(nursery_->Spawn(account, std::move(parcel), std::move(control), std::move(socket)));
  session.control = std::move(connected);
  WatchControl(session);
  return {};
}

Result<void> Daemon::Make(Client& client, const wire::Request& request, std::string_view json) {
  if (!request.policy) return Error(Code::kInvalid, "request/policy: missing");
  const auto owned = std::count_if(sessions_.begin(), sessions_.end(),
                                   [&](const auto& one) { return one.second.record.owner.uid == client.peer.uid; });
  if (static_cast<size_t>(owned) >= options_.most_sessions) {
    return Error(Code::kRefused,
                 "this user has " + std::to_string(owned) + " sandboxes already, as many as mxcd allows one")
        .WithHint("end one of them (`mxc list`, `mxc deprovision`), or raise mxcd's --most-sessions");
  }
  Session session;
  session.record.id = NewId();
  session.record.owner = {client.peer.uid, client.peer.gid, client.peer.groups};
  session.record.created_unix_s = ::time(nullptr);
  session.record.run = request.policy->name;
  session.claims = request.claims;
  if (request.operation == Operation::kProvision) {
    MXC_TRY(CheckWaiting(client));
    if (json.size() > kMostStored) {
      return Error(Code::kInvalid, "the policy and environment of a session are " + std::to_string(json.size()) +
                                       " bytes, allowed are " + std::to_string(kMostStored));
    }
    session.record.request = json;
  }
  const std::string id = session.record.id;
  MXC_TRY(registry_->Add(session.record));
  Session& kept = sessions_[id] = std::move(session);
  const bool gives_away = request.operation != Operation::kProvision;
  if (!gives_away) kept.waiting.push_back({&client, request.id, request.operation});
  Result<void> spawned = Spawn(kept, json, gives_away ? &client : nullptr);
  if (!spawned.ok()) {
    kept.waiting.clear();
    Remove(id);
    // The connection may be gone already; then its client sees it end.
    if (!client.connection->closed()) return spawned;
  }
  if (gives_away) Forget(&client);
  return {};
}

Result<void> Daemon::StartSession(Client& client, const wire::Request& request) {
  MXC_TRY(CheckWaiting(client));
  Session& session = *MXC_TRY(Find(client, request.session));
  if (session.record.state == State::kRunning || session.control.valid()) {
    return Error(Code::kRefused, "session " + request.session + " is running already");
  }
  if (session.record.state == State::kRun) return Error(Code::kRefused, "this sandbox runs one program only");
  wire::Request stored = MXC_TRY(wire::ReadRequest(session.record.request));
  stored.operation = Operation::kStart;
  MXC_TRY(Spawn(session, wire::WriteRequest(stored), nullptr));
  session.waiting.push_back({&client, request.id, request.operation});
  return {};
}

Result<void> Daemon::HandOver(Client& client, const wire::Request& request, std::string_view json) {
  Session& session = *MXC_TRY(Find(client, request.session));
  if (!session.control.valid() || !session.ready) {
    if (request.operation == Operation::kInspect) {
      wire::Reply reply = wire::ReplyTo(request);
      oci::StrictJson text{{"session", session.record.id}, {"state", StateName(session.record.state)}};
      reply.text = text.dump(2);
      SendReply(client, reply);
      return {};
    }
    return Error(Code::kRefused,
                 "session " + request.session + " is not running, it is " + StateName(session.record.state))
        .WithHint("mxc start " + request.session);
  }
  pollfd takes{session.control.get(), POLLOUT, 0};
  if (::poll(&takes, 1, 0) <= 0 || (takes.revents & POLLOUT) == 0) {
    return Error(Code::kSystem, "the supervisor of session " + request.session + " takes nothing")
        .WithHint("`mxc inspect` of a working session names its supervisor; killing that ends the sandbox");
  }
  std::vector<std::string> parts{std::string(json)};
  transport::Handover handover;
  std::vector<sys::UniqueFd> descriptors;
  descriptors.push_back(client.connection->GiveAway(handover));
  AppendHandover(std::move(handover), parts);
  Result<sys::UniqueFd> parcel = PackParcel(parts);
  if (parcel.ok()) {
    descriptors.push_back(*std::move(parcel));
    const char order = static_cast<char>(Order::kTake);
    (void)sys::SendMessage(session.control.get(), {&order, 1}, descriptors);
  }
  Forget(&client);
  return {};
}

Result<void> Daemon::StopSession(Client& client, const wire::Request& request) {
  MXC_TRY(CheckWaiting(client));
  Session& session = *MXC_TRY(Find(client, request.session));
  if (!session.control.valid()) return Error(Code::kRefused, "session " + request.session + " is not running");
  const char order = static_cast<char>(Order::kStop);
  const long sent = sys::SendMessage(session.control.get(), {&order, 1});
  if (sent < 0) return sys::SystemError("reach the supervisor of session " + request.session, static_cast<int>(-sent));
  session.waiting.push_back({&client, request.id, request.operation});
  return {};
}

Result<void> Daemon::RemoveSession(Client& client, const wire::Request& request) {
  MXC_TRY(CheckWaiting(client));
  Session& session = *MXC_TRY(Find(client, request.session));
  if (session.control.valid()) {
    session.waiting.push_back({&client, request.id, request.operation});
    const char order = static_cast<char>(Order::kStop);
    (void)sys::SendMessage(session.control.get(), {&order, 1});
    return {};
  }
  wire::Reply reply = wire::ReplyTo(request);
  reply.session = request.session;
  Remove(session.record.id);
  SendReply(client, reply);
  return {};
}

void Daemon::WatchControl(Session& session) {
  const std::string id = session.record.id;
  loop_.Watch(session.control.get(), POLLIN, [this, id](short) { OnTold(id); });
}

void Daemon::OnTold(const std::string& id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  Session& session = found->second;
  static char text[256 << 10];  // allocated anew, it would be 64 page faults a message
  std::vector<sys::UniqueFd> unwanted;
  const long size = sys::ReceiveMessage(session.control.get(), text, unwanted);
  if (size == -EAGAIN || size == -EINTR) return;
  if (!unwanted.empty()) transport::CloseElsewhere(std::move(unwanted));
  if (size <= 0) return OnSupervisorGone(session);
  Result<Told> told = ReadTold({text, static_cast<size_t>(size)});
  if (!told.ok()) return;
  switch (told->news) {
    case News::kReady: {
      if (told->wants_ids) {
        // Asked for by a policy that was just read; then it is checked again, by whom it is for.
        const bool asked = std::any_of(session.waiting.begin(), session.waiting.end(),
                                       [](const Waiting& one) { return one.operation == Operation::kProvision; });
        if (!asked || session.record.first_id != 0 || session.record.state != State::kRun || !homes_) return;
        loop_.Forget(session.control.get());
        session.control.reset();
        if (Result<void> given = GiveIds(session); !given.ok()) {
          AuditRefusal({0, session.record.owner.uid, 0, {}}, nullptr, given.error());
          Answer(session, given.error());
          Remove(id);
        }
        return;
      }
      // Each of these is said once for a supervisor; more would be a way to fill the audit.
      if (session.ready || session.told_end) return;
      session.policy_digest = told->policy_digest;
      const bool provisioned = std::any_of(session.waiting.begin(), session.waiting.end(),
                                           [](const Waiting& one) { return one.operation == Operation::kProvision; });
      // A restarted mxcd is told again what its log has already.
      if (!provisioned && !session.recovered) audit_->Write(EventOf(audit::Kind::kStart, session));
      session.recovered = false;
      if (!provisioned) session.ready = true;
      if (provisioned) {
        session.record.state = State::kProvisioned;
        // Whoever checked it has nothing more to say, and the session may be started at once.
        loop_.Forget(session.control.get());
        session.control.reset();
      } else if (session.record.state != State::kRun) {
        session.record.state = State::kRunning;
      }
      if (session.record.state != State::kRun) (void)registry_->Write(session.record);
      return Answer(session, std::nullopt);
    }
    case News::kFailed: {
      if (session.told_end) return;
      session.ready = false;
      audit::Event event = EventOf(audit::Kind::kRefusal, session);
      event.what = session.record.state == State::kRun && session.record.request.empty() ? "run" : "provision or start";
      event.reason = told->error ? told->error->Describe() : "";
      audit_->Write(std::move(event));
      session.told_end = true;
      Answer(session, told->error ? *told->error : Error(Code::kInternal, "the sandbox could not be made"));
      // It counts until it is gone.
      return;
    }
    case News::kEnded: {
      if (session.told_end) return;
      session.ready = false;
      session.told_end = true;
      audit::Event event = EventOf(audit::Kind::kEnd, session);
      event.reason = told->how;
      event.exit_code = told->exit_code;
      event.denied = told->denied;
      event.denials = told->denials;
      return audit_->Write(std::move(event));
    }
    case News::kProgram: {
      if (!MayAudit(session.record.owner.uid)) return;
      audit::Event event = EventOf(audit::Kind::kProgram, session);
      event.what = told->name;
      event.reason = told->exit_code ? "ended" : "started";
      event.exit_code = told->exit_code;
      event.claimed_agent = told->claims.agent;
      event.claimed_tool_call = told->claims.tool_call;
      event.claimed_windows_user = told->claims.windows_user;
      event.claimed_windows_sid = told->claims.windows_sid;
      return audit_->Write(std::move(event));
    }
  }
}

void Daemon::OnSupervisorGone(Session& session) {
  const std::string id = session.record.id;
  loop_.Forget(session.control.get());
  session.control.reset();
  const bool stood = std::exchange(session.ready, false);
  if (stood && !session.told_end) {
    audit::Event event = EventOf(audit::Kind::kEnd, session);
    event.reason = "its supervisor ended without a word";
    audit_->Write(std::move(event));
  }
  if (session.record.state == State::kRunning) {
    session.record.state = State::kStopped;
    (void)registry_->Write(session.record);
  }
  // What is of no use without a supervisor: a run, and what wasn't provisioned in the end.
  bool remove = session.record.state == State::kRun;
  std::list<Waiting> waiting = std::exchange(session.waiting, {});
  for (const Waiting& one : waiting) {
    wire::Reply reply;
    reply.id = one.request;
    reply.session = id;
    if (one.operation == Operation::kStart || one.operation == Operation::kProvision) {
      reply.error = Error(Code::kInternal, "the session's supervisor ended unexpectedly");
    }
    remove = remove || one.operation == Operation::kDeprovision;
    SendReply(*one.client, reply);
  }
  if (remove) return Remove(id);
  LookAtIdleness();
}

// A range and a home, and a supervisor that checks the policy as who it will be.
Result<void> Daemon::GiveIds(Session& session) {
  session.record.first_id = MXC_TRY(homes_->Make(session.record.id));
  MXC_TRY(registry_->Write(session.record));
  return Spawn(session, session.record.request, nullptr);
}

// What a session leaves is removed by a process with its own rights. What that can't remove stays, and so do its ids.
void Daemon::RemoveHome(const std::string& id) {
  Result<sys::UniqueFd> folder = homes_->OpenFolder(id);
  if (!folder.ok() || homes_->Remove(id)) return;
  struct stat found;
  int ends[2];
  if (sys::Fstat(folder->get(), &found) < 0 || !IsSessionId(found.st_uid) || ::pipe2(ends, O_CLOEXEC) != 0) return;
  const int done = ends[0];
  auto held = std::make_shared<sys::UniqueFd>(done);
  const Account account{found.st_uid, found.st_uid, {}};
  if (!nursery_->Empty(account, *std::move(folder), sys::UniqueFd(ends[1])).ok()) return;
  loop_.Watch(done, POLLIN, [this, held, id](short) {
    const std::string name = id;  // this function goes with its watch
    loop_.Forget(held->get());
    if (homes_->Remove(name)) return;
    AuditRefusal(
        {0, 0, 0, {}}, nullptr,
        Error(Code::kSystem, "the home of session " + name + " holds what it could not remove; its ids stay taken")
            .WithHint("look at " + homes_->PathOf(name)));
  });
}

// Tells those who wait for a sandbox to stand, or for a policy to be checked.
void Daemon::Answer(Session& session, const std::optional<Error>& error) {
  for (auto one = session.waiting.begin(); one != session.waiting.end();) {
    if (one->operation != Operation::kStart && one->operation != Operation::kProvision) {
      ++one;
      continue;
    }
    wire::Reply reply;
    reply.id = one->request;
    reply.session = session.record.id;
    reply.error = error;
    Client* const client = one->client;
    one = session.waiting.erase(one);
    SendReply(*client, reply);
  }
}

void Daemon::Remove(std::string id) {
  const auto found = sessions_.find(id);
  if (found == sessions_.end()) return;
  if (found->second.control.valid()) loop_.Forget(found->second.control.get());
  const bool has_home = found->second.record.first_id != 0;
  sessions_.erase(found);
  registry_->Remove(id);
  if (has_home && homes_) RemoveHome(id);
  LookAtIdleness();
}

std::string Daemon::List(const Client& client) const {
  oci::StrictJson list = oci::StrictJson::array();
  for (const auto& [id, session] : sessions_) {
    if (client.peer.uid != 0 && client.peer.uid != session.record.owner.uid) continue;
    oci::StrictJson one{{"session", id},
                        {"state", session.record.state == State::kRun || session.ready || !session.control.valid()
                                      ? StateName(session.record.state)
                                      : "starting"},
                        {"uid", session.record.owner.uid},
                        {"createdUnixSeconds", session.record.created_unix_s},
                        {"policyDigest", session.policy_digest}};
    if (session.record.first_id != 0) one["firstOwnId"] = session.record.first_id;
    list.push_back(std::move(one));
  }
  return list.dump(2, ' ', true);
}

void Daemon::LookAtIdleness() {
  if (options_.end_when_idle_s == 0) return;
  loop_.Cancel(std::exchange(idle_timer_, 0));
  if (!clients_.empty() || !sessions_.empty()) return;
  idle_timer_ = loop_.After(std::chrono::seconds(options_.end_when_idle_s), [this] { loop_.Stop(); });
}

}  // namespace mxc::daemon
