#include "linux_runtime/network/pasta_link.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "linux_runtime/network/rtnetlink.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::network {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{5};
constexpr const char* kPrograms[] = {"/usr/bin/pasta", "/usr/local/bin/pasta", "/bin/pasta"};

const char* FindPasta() {
  for (const char* path : kPrograms) {
    if (::access(path, X_OK) == 0) return path;
  }
  return nullptr;
}

bool IsDefaultRoute(const Answer& answer, uint8_t family) {
  rtmsg header;
  if (answer.type != RTM_NEWROUTE || answer.body.size() < sizeof header) return false;
  std::memcpy(&header, answer.body.data(), sizeof header);
  return header.rtm_family == family && header.rtm_dst_len == 0 && header.rtm_table == RT_TABLE_MAIN &&
         header.rtm_type == RTN_UNICAST;
}

Result<bool> HasDefaultRoute(Rtnetlink& link, uint8_t family) {
  rtmsg header{};
  header.rtm_family = family;
  const std::vector<Answer> routes = MXC_TRY(link.Ask(Request(RTM_GETROUTE, 0, header), true));
  return std::any_of(routes.begin(), routes.end(), [&](const Answer& route) { return IsDefaultRoute(route, family); });
}

std::string LastWords(int file) {
  std::string text(4096, '\0');
  const ssize_t size = ::pread(file, text.data(), text.size(), 0);
  text.resize(static_cast<size_t>(std::max<ssize_t>(size, 0)));
  std::string said;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string line = text.substr(at, end - at);
    at = end + 1;
    // It complains of the log in a namespace without one.
    if (!line.empty() && line.find("syslog") == std::string::npos) said += (said.empty() ? "" : "; ") + line;
  }
  return said;
}

struct Command {
  const char* program;
  std::vector<char*> argv;
  int errors;  // a file for what it says
};

[[noreturn]] void RunPasta(const Command& command) {
  const int nowhere = ::open("/dev/null", O_RDWR);
  ::dup2(nowhere, STDIN_FILENO);
  ::dup2(nowhere, STDOUT_FILENO);
  ::dup2(command.errors, STDERR_FILENO);
  if (sys::CloseAllBut(3, {}) < 0) ::_exit(127);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE, SIGUSR1, SIGUSR2}) ::signal(signal, SIG_DFL);
  char* const environment[] = {nullptr};
  ::execve(command.program, command.argv.data(), environment);
  ::_exit(127);
}

// pasta's parent: tells its pid, and ends it when the other side of `lifeline` is closed.
[[noreturn]] void Keep(const Command& command, int lifeline, const std::vector<int>& group_files) {
  for (const int file : group_files) {
    if (sys::Write(file, "0", 1) < 0) ::_exit(1);
  }
  ::setsid();  // a terminal's signals are for the program
  ::prctl(PR_SET_NAME, "mxc-link");
  int kept[] = {lifeline, command.errors};
  if (sys::CloseAllBut(3, kept) < 0) ::_exit(1);
  const pid_t pasta = sys::Fork();
  if (pasta == 0) RunPasta(command);
  if (pasta < 0 || ::send(lifeline, &pasta, sizeof pasta, MSG_NOSIGNAL) < 0) ::_exit(1);
  const sys::UniqueFd end(sys::PidfdOpen(pasta));
  pollfd ready[] = {{lifeline, 0, 0}, {end.get(), POLLIN, 0}};
  while (::poll(ready, 2, -1) < 0 && errno == EINTR) {
  }
  ::kill(pasta, SIGKILL);
  while (::waitpid(pasta, nullptr, 0) < 0 && errno == EINTR) {
  }
  ::_exit(0);
}

}  // namespace

std::string MissingForPasta() {
  const sys::UniqueFd tun(sys::OpenAt(AT_FDCWD, "/dev/net/tun", O_RDWR));
  if (!tun.valid()) {
    return tun.get() == -EACCES || tun.get() == -EPERM ? "/dev/net/tun may not be opened"
                                                       : "/dev/net/tun can't be opened";
  }
  return FindPasta() == nullptr ? "pasta (package passt) is not installed" : "";
}

Result<std::unique_ptr<PastaLink>> PastaLink::Start(int pid, const NetworkNamespace& there, bool v6,
                                                    const std::vector<int>& group_files) {
  std::unique_ptr<PastaLink> link(new PastaLink);
  Rtnetlink host = MXC_TRY(Rtnetlink::Open());
  const bool out_v4 = MXC_TRY(HasDefaultRoute(host, AF_INET));
  const bool out_v6 = v6 && MXC_TRY(HasDefaultRoute(host, AF_INET6));
  if (!out_v4 && !out_v6) return link;
  if (const std::string missing = MissingForPasta(); !missing.empty()) {
    return Error(Code::kUnsupported, "connect the sandbox without root: " + missing)
        .WithHint("install the package passt, and let the user open /dev/net/tun; or run mxc as root");
  }

  const std::string proc = "/proc/" + std::to_string(pid) + "/ns/";
  std::vector<std::string> words = {"pasta",       "--foreground", "--quiet",     "--config-net", "--no-map-gw",
                                    "--tcp-ports", "none",         "--udp-ports", "none",         "--tcp-ns",
                                    "none",        "--udp-ns",     "none",        "--ns-ifname",  "eth0",
                                    "--netns",     proc + "net",   "--userns",    proc + "user"};
  if (!out_v6) words.emplace_back("--ipv4-only");
  if (!out_v4) words.emplace_back("--ipv6-only");
  const sys::UniqueFd errors(::memfd_create("pasta", MFD_CLOEXEC));
  int ends[2];
  if (!errors.valid() || ::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return sys::SystemError("make the sockets to pasta's parent", errno);
  }
  link->lifeline_.reset(ends[0]);
  const sys::UniqueFd other(ends[1]);
  Command command{FindPasta(), {}, errors.get()};
  for (std::string& word : words) command.argv.push_back(word.data());
  command.argv.push_back(nullptr);
  Rtnetlink inside = MXC_TRY(Rtnetlink::OpenIn(there));
  link->keeper_ = sys::Fork();
  if (link->keeper_ < 0) return sys::SystemError("make pasta's parent", -link->keeper_);
  if (link->keeper_ == 0) Keep(command, other.get(), group_files);

  pid_t pasta = -1;
  if (::recv(link->lifeline_.get(), &pasta, sizeof pasta, 0) == sizeof pasta) {
    link->pasta_.reset(sys::PidfdOpen(pasta));
  }
  for (const Clock::time_point late = Clock::now() + kPatience;;) {
    const bool done_v4 = !out_v4 || MXC_TRY(HasDefaultRoute(inside, AF_INET));
    const bool done_v6 = !out_v6 || MXC_TRY(HasDefaultRoute(inside, AF_INET6));
    if (done_v4 && done_v6) return link;
    // Its end, or a little time.
    pollfd end{link->pasta_.get(), POLLIN, 0};
    const bool ended = !link->pasta_.valid() || ::poll(&end, 1, 1) > 0;
    if (ended || Clock::now() > late) {
      const std::string said = LastWords(errors.get());
      return Error(Code::kUnsupported, std::string("connect the sandbox by ") + command.program + ": " +
                                           (said.empty() ? "it did not set the link up" : said))
          .WithHint("a version of passt from 2023 on is needed; or run mxc as root");
    }
  }
}

bool PastaLink::ended() const {
  pollfd end{pasta_.get(), POLLIN, 0};
  return !no_way_out() && ::poll(&end, 1, 0) > 0;
}

PastaLink::~PastaLink() {
  lifeline_.reset();
  if (pasta_.valid()) sys::PidfdSendSignal(pasta_.get(), SIGKILL);
  if (keeper_ <= 0) return;
  while (::waitpid(keeper_, nullptr, 0) < 0 && errno == EINTR) {
  }
}

}  // namespace mxc::network
