#include "linux_runtime/network/gateway/gateway.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <string_view>
#include <utility>

#include "linux_runtime/network/gateway/confinement.h"
#include "linux_runtime/network/gateway/gateway_server.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"

namespace mxc::network {
namespace {

constexpr uid_t kNobody = 65534;
constexpr int kPatienceMs = 2000;
constexpr size_t kMostEventBytes = size_t{1} << 20, kChunk = size_t{32} << 10;

std::vector<int> SocketsOf(const GatewayPlan& plan) {
  std::vector<int> sockets = {plan.tcp_v4.get(), plan.tcp_v6.get(), plan.resolver.get(), plan.resolver_tcp.get()};
  for (const PortListener& port : plan.ports) sockets.push_back(port.socket.get());
  return sockets;
}

// Nothing of the caller's is left but the sockets. False: it may not go on.
bool BecomeNobody(const GatewayPlan& plan, int control, pid_t parent) {
  // A terminal's signals are for the program; when that ends, so does this.
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGTSTP, SIGPIPE, SIGUSR1, SIGUSR2}) {
    ::signal(signal, SIG_IGN);
  }
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  const int nowhere = ::open("/dev/null", O_RDWR | O_CLOEXEC);
  if (nowhere < 0) return false;
  for (int fd = 0; fd <= 2; ++fd) {
    if (::dup2(nowhere, fd) < 0) return false;
  }
  std::vector<int> kept = SocketsOf(plan);
  kept.push_back(control);
  if (sys::CloseAllBut(3, kept) < 0) return false;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) {
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (::geteuid() == 0 && (::setgroups(0, nullptr) != 0 || ::setresgid(kNobody, kNobody, kNobody) != 0 ||
                           ::setresuid(kNobody, kNobody, kNobody) != 0)) {
    return false;
  }
  ::prctl(PR_SET_NAME, "mxc-gateway");
  // After the change of ids, which clears it; the parent may have ended before.
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || ::getppid() != parent) return false;
  return ::prctl(PR_SET_DUMPABLE, 0) == 0 && ::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && LoseFiles() == 0;
}

// "KIND\0WHAT\0ORIGIN\0COUNT\0SENT\0RECEIVED\0" each, and "end\0" behind all.
std::string Spell(const std::vector<GatewayEvent>& events) {
  std::string text;
  const auto add = [&](std::string_view word) { text.append(word).push_back('\0'); };
  for (const GatewayEvent& event : events) {
    add(event.kind == GatewayEvent::Kind::kName ? "name" : "refused");
    add(event.what);
    add(event.origin);
    for (const uint64_t number : {event.count, event.sent, event.received}) add(std::to_string(number));
  }
  add("end");
  return text;
}

Result<std::vector<GatewayEvent>> ParseEvents(std::string_view text) {
  std::vector<GatewayEvent> events;
  const auto word = [&] {
    const size_t end = std::min(text.find('\0'), text.size());
    const std::string_view taken = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return taken;
  };
  const auto number = [&] {
    const std::string_view digits = word();
    uint64_t value = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), value);
    return value;
  };
  while (!text.empty()) {
    const std::string_view kind = word();
    if (kind == "end") return events;
    GatewayEvent event;
    event.kind = kind == "name" ? GatewayEvent::Kind::kName : GatewayEvent::Kind::kRefused;
    event.what = word();
    event.origin = word();
    event.count = number();
    event.sent = number();
    event.received = number();
    events.push_back(std::move(event));
  }
  return Error(Code::kInternal, "the process that carries the sandbox's network ended early; its connections were cut");
}

[[noreturn]] void Run(const GatewayPlan& plan, int control, pid_t parent) {
  for (const int file : plan.group_files) {
    if (sys::Write(file, "0", 1) < 0) ::_exit(1);
  }
  // The host's files, as long as they can be read.
  ResolverFiles files = plan.resolver.valid() ? ReadResolverFiles() : ResolverFiles();
  if (!BecomeNobody(plan, control, parent)) ::_exit(1);
  if (const int error = KeepToGatewayCalls(); error < 0 && error != -ENOSYS) ::_exit(1);
  GatewayServer server(plan, std::move(files), control);
  const std::string text = Spell(server.Run());
  for (size_t at = 0; at < text.size(); at += kChunk) {
    pollfd ready{control, POLLOUT, 0};
    if (::poll(&ready, 1, kPatienceMs) <= 0 || sys::SendMessage(control, text.substr(at, kChunk)) < 0) break;
  }
  ::_exit(0);
}

}  // namespace

Result<Gateway> Gateway::Start(GatewayPlan plan) {
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return sys::SystemError("make a pair of sockets to the gateway", errno);
  }
  Gateway gateway;
  gateway.control_.reset(ends[0]);
  const sys::UniqueFd control(ends[1]);
  const pid_t parent = ::getpid();
  gateway.pid_ = sys::Fork();
  if (gateway.pid_ < 0) return sys::SystemError("make the process that carries the sandbox's network", -gateway.pid_);
  if (gateway.pid_ == 0) Run(plan, control.get(), parent);
  return gateway;
}

Gateway::Gateway(Gateway&& other) noexcept : pid_(std::exchange(other.pid_, -1)), control_(std::move(other.control_)) {}

bool Gateway::Serve(const std::function<std::vector<sys::UniqueFd>()>& make) {
  char word = 0;
  std::vector<sys::UniqueFd> none;
  const long got = sys::ReceiveMessage(control_.get(), {&word, 1}, none);
  if (got == -EAGAIN || got == -EINTR) return true;
  if (got <= 0 || word != kAskSockets) return false;
  return sys::SendMessage(control_.get(), {&kSockets, 1}, make()) > 0;
}

Result<std::vector<GatewayEvent>> Gateway::Finish() {
  std::string text;
  if (sys::SendMessage(control_.get(), {&kFinish, 1}) > 0) {
    std::string chunk(kChunk, '\0');
    using Clock = std::chrono::steady_clock;
    const Clock::time_point late = Clock::now() + std::chrono::milliseconds(kPatienceMs);
    while (text.size() < kMostEventBytes) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(late - Clock::now()).count();
      pollfd ready{control_.get(), POLLIN, 0};
      if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) break;
      std::vector<sys::UniqueFd> unwanted;  // closed with every message
      const long got = sys::ReceiveMessage(control_.get(), chunk, unwanted);
      if (got == -EAGAIN || got == -EINTR) continue;
      if (got <= 0) break;
      // What it asked before it heard of the end is not answered.
      if (got > 1) text.append(chunk, 0, static_cast<size_t>(got));
    }
  }
  control_.reset();
  return ParseEvents(text);
}

Gateway::~Gateway() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace mxc::network
