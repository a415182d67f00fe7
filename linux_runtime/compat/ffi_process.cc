#include "linux_runtime/compat/ffi_process.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <array>
#include <vector>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::compat {
namespace {

constexpr size_t kStackSize = 64 * 1024;
constexpr int kFirstFree = 16;       // above every descriptor that the child puts in place
constexpr int kPatienceMs = 10'000;  // for lxc-exec to end a sandbox

// The path by which the library was loaded, looked up while the working folder is the one it is relative to.
const std::string& LibraryPath() {
  static const std::string path = [] {
    Dl_info info{};
    char resolved[PATH_MAX];
    if (::dladdr(reinterpret_cast<const void*>(&LibraryPath), &info) == 0 || info.dli_fname == nullptr)
      return std::string();
    return std::string(::realpath(info.dli_fname, resolved) == nullptr ? info.dli_fname : resolved);
  }();
  return path;
}
[[maybe_unused]] const bool kLookedUp = (LibraryPath(), true);

Result<std::string> FindLxcExec() {
  const std::string library = LibraryPath();
  const std::string folder = library.substr(0, library.rfind('/') + 1);
  std::vector<std::string> places = {folder + "lxc-exec", folder + "../bin/lxc-exec"};
  if (const char* named = ::getenv("MXC_BIN_DIR"); named != nullptr && *named != '\0') {
    places.push_back(std::string(named) + "/lxc-exec");
    places.push_back(std::string(named) + "/x64/lxc-exec");
  }
  std::string tried;
  for (const std::string& place : places) {
    if (::access(place.c_str(), X_OK) == 0) return place;
    tried += (tried.empty() ? "" : ", ") + place;
  }
  return Error(Code::kNotFound, "lxc-exec, which runs sandboxes for libmxc_ffi.so, was not found; tried " + tried)
      .WithHint("install both, lxc-exec beside the library, in ../bin, or in the folder that MXC_BIN_DIR names");
}

Result<sys::UniqueFd> RequestFile(const std::string& request) {
  sys::UniqueFd file(::memfd_create("mxc-request", MFD_CLOEXEC));
  if (!file.valid()) return sys::SystemError("make a file of memory for the request", errno);
  for (size_t sent = 0; sent < request.size();) {
    const ssize_t size = ::write(file.get(), request.data() + sent, request.size() - sent);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return sys::SystemError("write the request", size < 0 ? errno : EIO);
    sent += static_cast<size_t>(size);
  }
  return file;
}

struct Pipe {
  sys::UniqueFd read, write;
};
Result<Pipe> MakePipe() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) < 0) return sys::SystemError("make a pipe", errno);
  return Pipe{sys::UniqueFd(ends[0]), sys::UniqueFd(ends[1])};
}

// What the child needs, in memory that it shares.
struct ChildTask {
  const char* path;
  char* const* arguments;
  char* const* environment;
  std::array<int, kRequestFd + 1> descriptors;  // which become 0, 1, …
  bool own_session;
  int error = 0;
};

// Between clone and exec in the host's memory: system calls only.
int RunChild(void* argument) {
  ChildTask& task = *static_cast<ChildTask*>(argument);
  // No handler of the host's may run here, and what it ignores isn't to be ignored there.
  struct sigaction standard {};
  standard.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &standard, nullptr);
  if (task.own_session) ::setsid();
  for (int& fd : task.descriptors) {
    fd = ::fcntl(fd, F_DUPFD_CLOEXEC, kFirstFree);
    if (fd < 0) return task.error = errno;
  }
  for (int place = 0; place <= kRequestFd; ++place) {
    if (::dup2(task.descriptors[static_cast<size_t>(place)], place) < 0) return task.error = errno;
  }
  // Other hosts than ours leave descriptors open.
  sys::CloseRange(kRequestFd + 1, ~0U, 0);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::execve(task.path, task.arguments, task.environment);
  return task.error = errno;
}

struct Cloned {
  pid_t pid = -1;
  int error = 0;
  sys::UniqueFd pidfd;
};
Cloned CloneAndExec(ChildTask& task) {
  Cloned cloned;
  void* stack = ::mmap(nullptr, kStackSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
  if (stack == MAP_FAILED) {
    cloned.error = errno;
    return cloned;
  }
  sigset_t all, before;
  ::sigfillset(&all);
  ::pthread_sigmask(SIG_BLOCK, &all, &before);
  int pidfd = -1;
  cloned.pid = ::clone(RunChild, static_cast<char*>(stack) + kStackSize, CLONE_VM | CLONE_VFORK | CLONE_PIDFD | SIGCHLD,
                       &task, &pidfd);
  cloned.error = cloned.pid < 0 ? errno : task.error;
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
  ::munmap(stack, kStackSize);
  cloned.pidfd.reset(pidfd);
  return cloned;
}

void WaitFor(int pidfd) {
  siginfo_t info{};
  while (::waitid(P_PIDFD, static_cast<id_t>(pidfd), &info, WEXITED) < 0 && errno == EINTR) {
  }
}

bool Readable(int fd, int timeout_ms) {
  pollfd state{fd, POLLIN, 0};
  int ready = 0;
  do {
    ready = ::poll(&state, 1, timeout_ms);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

}  // namespace

Result<FfiProcess> FfiProcess::Start(const StartOptions& options) {
  const std::string path = MXC_TRY(FindLxcExec());
  FfiProcess process;
  sys::UniqueFd request = MXC_TRY(RequestFile(options.request));
  sys::UniqueFd nowhere(::open("/dev/null", O_RDWR | O_CLOEXEC));
  if (!nowhere.valid()) return sys::SystemError("open /dev/null", errno);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
    return sys::SystemError("make a socket", errno);
  process.control_.reset(ends[0]);
  const sys::UniqueFd control(ends[1]);

  Pipe input, output, error;
  if (options.streams == Streams::kPipes || options.streams == Streams::kTerminal) input = MXC_TRY(MakePipe());
  const bool hosts = options.streams == Streams::kHosts;
  if (options.streams != Streams::kNone && !hosts) output = MXC_TRY(MakePipe());
  if (options.streams == Streams::kCaptured || options.streams == Streams::kPipes) error = MXC_TRY(MakePipe());
  auto or_nowhere = [&](const sys::UniqueFd& fd) { return fd.valid() ? fd.get() : nowhere.get(); };

  const std::string experimental = options.experimental ? "1" : "0";
  const std::string rows = std::to_string(options.rows), columns = std::to_string(options.columns);
  std::vector<const char*> arguments = {"lxc-exec", kServeOption, kProtocolVersion, options.operation.c_str(),
                                        experimental.c_str()};
  if (options.streams == Streams::kTerminal) arguments.insert(arguments.end(), {rows.c_str(), columns.c_str()});
  arguments.push_back(nullptr);
  ChildTask task{path.c_str(),
                 const_cast<char* const*>(arguments.data()),
                 environ,
                 {or_nowhere(input.read), or_nowhere(output.write),
                  options.streams == Streams::kTerminal ? output.write.get() : or_nowhere(error.write), control.get(),
                  request.get()},
                 !hosts};
  for (int fd = 0; hosts && fd <= 2; ++fd) task.descriptors[static_cast<size_t>(fd)] = fd;
  Cloned cloned = CloneAndExec(task);
  if (cloned.error != 0) {
    if (cloned.pidfd.valid()) WaitFor(cloned.pidfd.get());
    return sys::SystemError("start " + path, cloned.error);
  }
  process.pid_ = cloned.pid;
  process.pidfd_ = std::move(cloned.pidfd);
  process.input = std::move(input.write);
  process.output = std::move(output.read);
  process.error = std::move(error.read);
  return process;
}

void FfiProcess::Send(const CommandMessage& message) const {
  // Fails where the process has ended, which is known by other means.
  while (::send(control_.get(), &message, sizeof message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EINTR) {
  }
}

std::optional<EventText> FfiProcess::Receive(bool wait) {
  std::string bytes(sizeof(EventMessage) + kMaxText, '\0');
  while (!finished_) {
    const ssize_t size = ::recv(control_.get(), bytes.data(), bytes.size(), wait ? 0 : MSG_DONTWAIT);
    // A reset is told once, before what is still to be read: lxc-exec has ended without hearing our last command.
    if (size < 0 && (errno == EINTR || errno == ECONNRESET)) continue;
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return std::nullopt;
    if (size < static_cast<ssize_t>(sizeof(EventMessage))) {
      finished_ = true;
      break;
    }
    EventText event;
    ::memcpy(&event.message, bytes.data(), sizeof event.message);
    const std::string_view texts =
        std::string_view(bytes).substr(sizeof event.message, static_cast<size_t>(size) - sizeof event.message);
    const size_t first = std::min(texts.find('\0'), texts.size());
    event.first = texts.substr(0, first);
    if (first < texts.size()) {
      const std::string_view rest = texts.substr(first + 1);
      event.second = rest.substr(0, std::min(rest.find('\0'), rest.size()));
    }
    return event;
  }
  return std::nullopt;
}

void FfiProcess::Reap() {
  if (!pidfd_.valid()) return;
  WaitFor(pidfd_.get());
  pidfd_.reset();
}

FfiProcess::~FfiProcess() {
  if (!pidfd_.valid()) return;
  // lxc-exec ends the sandbox when the socket does.
  control_.reset();
  input.reset();
  output.reset();
  error.reset();
  if (!Readable(pidfd_.get(), kPatienceMs)) sys::PidfdSendSignal(pidfd_.get(), SIGKILL);
  Reap();
}

}  // namespace mxc::compat
