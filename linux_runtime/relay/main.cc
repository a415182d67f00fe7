// mxc-relay: what mxc.exe starts in a distribution by wsl.exe, as root. It makes sure that mxcd runs, says so (opening.h), becomes
// the user that is asked for, and carries the wire between its standard streams and mxcd.
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <string>

#include "linux_runtime/host/texts.h"
#include "linux_runtime/relay/account.h"
#include "linux_runtime/relay/bridge.h"
#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/sandbox/startup.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"
#include "linux_runtime/sys/unix_socket.h"
#include "shared/base/style.h"
#include "shared/base/version.h"
#include "shared/wire/frame.h"
#include "shared/wire/handshake.h"
#include "shared/wire/message.h"
#include "shared/wire/opening.h"

namespace mxc::relay {
namespace {

constexpr int kOurError = 125;
constexpr int kStartWithinMs = 10'000;

std::string ReadText(const char* path) { return host::ReadText(path).value_or(""); }

// What a program prints, without its line's end; "" when it isn't there or fails.
std::string OutputOf(const char* path, const char* argument) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return "";
  const sys::UniqueFd read(ends[0]);
  sys::UniqueFd write(ends[1]);
  const pid_t child = sys::Fork();
  if (child == 0) {
    const int null = ::open("/dev/null", O_RDWR);
    ::dup2(null, 0);
    ::dup2(write.get(), 1);
    ::dup2(null, 2);
    char* const argv[] = {const_cast<char*>(path), const_cast<char*>(argument), nullptr};
    char* const none[] = {nullptr};
    ::execve(path, argv, none);
    ::_exit(127);
  }
  write.reset();
  std::string text;
  char buffer[256];
  for (long size; child > 0 && (size = sys::Read(read.get(), buffer, sizeof buffer)) > 0 && text.size() < 1024;) {
    text.append(buffer, static_cast<size_t>(size));
  }
  int status = 0;
  if (child > 0) ::waitpid(child, &status, 0);
  if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) return "";
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r')) text.pop_back();
  return text;
}

// Beside this program: PREFIX/libexec/mxc/mxc-relay and PREFIX/bin/mxcd.
std::string MxcdPath() {
  char own[4096];
  const ssize_t size = ::readlink("/proc/self/exe", own, sizeof own);
  std::string path(own, size > 0 ? static_cast<size_t>(size) : 0);
  for (int level = 0; level < 3; ++level) path.resize(path.rfind('/') == std::string::npos ? 0 : path.rfind('/'));
  return path + "/bin/mxcd";
}

void Pause(int ms) {
  const timespec time{ms / 1000, ms % 1000 * 1'000'000L};
  ::nanosleep(&time, nullptr);
}

// In a session of its own, so that it isn't this relay's when that ends. It ends by itself once nobody needs it: a daemon below a
// session of wsl.exe's keeps the distribution alive.
void StartMxcd() {
  const pid_t child = sys::Fork();
  if (child != 0) {
    if (child > 0) ::waitpid(child, nullptr, 0);
    return;
  }
  ::setsid();
  if (sys::Fork() != 0) ::_exit(0);
  const int null = ::open("/dev/null", O_RDWR);
  for (int fd = 0; fd <= 2; ++fd) ::dup2(null, fd);
  sys::CloseRange(3, ~0u, 0);
  if (sys::Chdir("/") < 0) ::_exit(kOurError);
  const std::string path = MxcdPath();
  char* const argv[] = {const_cast<char*>(path.c_str()), const_cast<char*>("--end-when-idle"), const_cast<char*>("60"),
                        nullptr};
  char* const environment[] = {const_cast<char*>("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
                               nullptr};
  ::execve(path.c_str(), argv, environment);
  ::_exit(127);
}

Result<sys::UniqueFd> ConnectToMxcd(const std::string& folder, bool start) {
  const std::string path = folder + run::kDaemonSocket;
  Result<sys::UniqueFd> socket = sys::ConnectUnixSocket(path);
  if (socket.ok() || !start) return socket;
  StartMxcd();
  for (int waited = 0; waited < kStartWithinMs && !socket.ok(); waited += 20) {
    Pause(20);
    socket = sys::ConnectUnixSocket(path);
  }
  if (socket.ok()) return socket;
  return Error(Code::kSystem, "start mxcd in the distribution: " + MxcdPath() + " did not begin to listen on " + path)
      .WithHint("run it by hand there to see why: sudo mxcd");
}

Result<std::string> ReadSome(std::string& buffer) {
  char bytes[4096];
  const long size = sys::Read(STDIN_FILENO, bytes, sizeof bytes);
  if (size <= 0) return Error(Code::kSystem, "mxc.exe is gone");
  buffer.append(bytes, static_cast<size_t>(size));
  return std::string();
}

Result<std::string> ReadPart(std::string& buffer) {
  for (;;) {
    std::optional<std::string> part = MXC_TRY(wire::TakePart(buffer));
    if (part) return *std::move(part);
    MXC_TRY(ReadSome(buffer));
  }
}

bool WriteAll(std::string_view bytes) {
  while (!bytes.empty()) {
    const long size = sys::Write(STDOUT_FILENO, bytes.data(), bytes.size());
    if (size <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(size));
  }
  return true;
}

struct Options {
  std::string folder = run::DaemonFolder(true, "");
  bool start = true;
};

// Tells mxcd of the connection that mxc.exe is going to make over hvsocket. As root still.
Result<void> Announce(const Options& options, const wire::Announcement& coming) {
  const sys::UniqueFd mxcd = MXC_TRY(ConnectToMxcd(options.folder, false));
  wire::Request request;
  request.id = 1;
  request.operation = wire::Operation::kOpen;
  request.announcement = coming;
  std::string bytes;
  wire::AppendFrame(wire::FrameType::kHello, 0, wire::WriteHello({.program = std::string("mxc-relay ") + kVersion}),
                    bytes);
  wire::AppendFrame(wire::FrameType::kMessage, 0, wire::WriteRequest(request), bytes);
  if (sys::Write(mxcd.get(), bytes.data(), bytes.size()) != static_cast<long>(bytes.size())) {
    return Error(Code::kSystem, "mxcd took no announcement");
  }
  wire::FrameReader frames;
  for (;;) {
    char buffer[4096];
    const long size = sys::Read(mxcd.get(), buffer, sizeof buffer);
    if (size <= 0) return Error(Code::kSystem, "mxcd gave no answer to an announcement");
    frames.Add({buffer, static_cast<size_t>(size)});
    while (const std::optional<wire::Frame> frame = MXC_TRY(frames.Next())) {
      if (frame->type != wire::FrameType::kMessage) continue;
      const wire::FromServer message = MXC_TRY(wire::ReadFromServer(frame->payload));
      if (message.reply && message.reply->error) return *message.reply->error;
      return {};
    }
  }
}

Result<void> Serve(const Options& options) {
  Result<sys::UniqueFd> probe = ConnectToMxcd(options.folder, options.start);
  wire::Greeting greeting;
  greeting.program = std::string("mxc-relay ") + kVersion;
  greeting.boot_id = ReadText("/proc/sys/kernel/random/boot_id").substr(0, 36);
  greeting.vm_id = OutputOf("/usr/bin/wslinfo", "--vm-id");
  const std::string port = probe.ok() ? ReadText((options.folder + "/port").c_str()) : "";
  greeting.port = static_cast<uint32_t>(::strtoul(port.c_str(), nullptr, 10));
  wire::Transcript transcript;
  transcript.greeting = wire::WriteGreeting(greeting);
  transcript.vm_id = greeting.vm_id;
  transcript.port = greeting.port;
  if (!WriteAll(std::string(wire::kRelayMagic) + wire::Part(transcript.greeting))) return {};
  std::string buffer;
  transcript.opening = MXC_TRY(ReadPart(buffer));
  const wire::Opening opening = MXC_TRY(wire::ReadOpening(transcript.opening));
  transcript.id = wire::FromHex(opening.id, wire::kConnectionIdSize);
  while (buffer.size() < wire::kKeySize) MXC_TRY(ReadSome(buffer));
  wire::Announcement coming;
  coming.id = opening.id;
  coming.key = wire::ToHex(std::string_view(buffer).substr(0, wire::kKeySize));
  coming.transcript_hash = wire::ToHex(transcript.Hash());
  explicit_bzero(buffer.data(), wire::kKeySize);
  buffer.erase(0, wire::kKeySize);

  auto prepare = [&]() -> Result<sys::UniqueFd> {
    MXC_TRY(std::move(probe));
    const std::string passwd = ReadText("/etc/passwd");
    const std::string name = opening.user.empty() ? DefaultUser(ReadText("/etc/wsl.conf"), passwd) : opening.user;
    const Account account = MXC_TRY(FindAccount(name, passwd, ReadText("/etc/group")));
    if (greeting.port != 0) {
      coming.uid = account.uid;
      coming.gid = account.gid;
      coming.groups.assign(account.groups.begin(), account.groups.end());
      MXC_TRY_AS("announce the connection to mxcd", Announce(options, coming));
    }
    explicit_bzero(coming.key.data(), coming.key.size());
    // mxcd sees who connects: from here on that is the user, and nothing of root is left here.
    if (::geteuid() == 0) {
      MXC_TRY(Become(account));
    } else if (account.uid != ::geteuid()) {
      return Error(Code::kRefused, "the relay does not run as root, and can't become " + account.name)
          .WithHint("mxc.exe starts it by wsl.exe -u root");
    }
    return ConnectToMxcd(options.folder, false);
  };
  Result<sys::UniqueFd> mxcd = prepare();
  const std::string failure = mxcd.ok() ? "" : FormatError(mxcd.error(), false);
  if (!WriteAll(wire::Part(failure)) || !mxcd.ok()) return {};
  while (buffer.empty()) MXC_TRY(ReadSome(buffer));
  const char choice = buffer[0];
  buffer.erase(0, 1);
  if (choice == wire::kAway) {
    // This process keeps the distribution alive for as long as mxc.exe runs.
    mxcd->reset();
    while (ReadSome(buffer).ok()) buffer.clear();
    return {};
  }
  if (choice != wire::kStay) return Error(Code::kInvalid, "mxc.exe chose a way that there isn't");
  return Bridge(std::move(buffer), *std::move(mxcd));
}

int Main(int argc, char** argv) {
  Options options;
  bool version = false;
  for (int index = 1; index < argc; ++index) {
    const std::string_view argument = argv[index];
    const bool has_value = index + 1 < argc;
    if (argument == "--proto" && has_value && std::string_view(argv[index + 1]) == "1") {
      version = true;
      ++index;
    } else if (argument == "--folder" && has_value) {
      options.folder = argv[++index];
      options.start = false;
    } else {
      version = false;
      break;
    }
  }
  if (!version) {
    ::fputs(
        "usage: mxc-relay --proto 1 [--folder FOLDER]\nIt is started by mxc.exe, by way of wsl.exe; see "
        "docs/windows.md.\n",
        stderr);
    return kOurError;
  }
  // WSLENV carries variables of Windows here, LD_PRELOAD among them; this program is static and needs none.
  ::clearenv();
  ::signal(SIGPIPE, SIG_IGN);
  Result<void> served = Serve(options);
  if (served.ok()) return 0;
  ::fputs(FormatError(served.error(), false).c_str(), stderr);
  return kOurError;
}

}  // namespace
}  // namespace mxc::relay

int main(int argc, char** argv) {
  if (!mxc::sandbox::FillStandardStreams()) return 125;
  return mxc::relay::Main(argc, argv);
}
