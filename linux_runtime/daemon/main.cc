// mxcd: the daemon that holds sandboxes for clients: sessions, and one-shot runs for those that come over a wire.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <string>

#include "CLI/CLI.hpp"
#include "linux_runtime/daemon/daemon.h"
#include "linux_runtime/run/state_folder.h"
#include "linux_runtime/sandbox/startup.h"
#include "shared/base/style.h"
#include "shared/base/version.h"

namespace mxc::daemon {
namespace {

constexpr int kOurError = 125;

std::string Environment(const char* name) {
  const char* value = ::getenv(name);
  return value == nullptr ? "" : value;
}

// The descriptor that systemd has made for us (sd_listen_fds(3)), or -1.
int ActivationSocket() {
  constexpr int kFirst = 3;
  if (Environment("LISTEN_PID") != std::to_string(::getpid()) || Environment("LISTEN_FDS") != "1") return -1;
  return kFirst;
}

int Main(int argc, char** argv) {
  CLI::App app("Holds sandboxes for mxc and mxc.exe: sessions that outlive their client.", "mxcd");
  DaemonOptions options;
  options.folder = run::DaemonFolder(::geteuid() == 0, Environment("XDG_RUNTIME_DIR"));
  bool version = false;
  std::string check;
  app.add_option("--folder", options.folder, "Where its socket and what it knows of sessions lie")
      ->capture_default_str();
  app.add_option("--audit", options.audit_folder,
                 "Where the audit lies; by default /var/log/mxc, or with another --folder in it");
  app.add_option(
      "--homes", options.homes_folder,
      "Where sessions with ids of their own live (x-linux.isolation: session); by default /var/lib/mxc-homes, or "
      "with another --folder in it");
  app.add_option("--check-audit", check, "Says whether the audit in that folder is whole, and ends");
  app.add_option("--vsock-port", options.vsock_port,
                 "Listens there for mxc.exe on the host of this virtual machine, where there is vsock; WSL: 783");
  app.add_option("--vsock-peer", options.vsock_peer,
                 "The CID that is answered there; the host's is 2, this machine's own 1")
      ->capture_default_str();
  app.add_option("--loopback-port", options.loopback_port,
                 "The same on 127.0.0.1, to try it without a host; 0: any port");
  app.add_option("--most-sessions", options.most_sessions, "Sandboxes of one user at once")->capture_default_str();
  app.add_option("--end-when-idle", options.end_when_idle_s, "Ends after so many seconds without a session; 0: never")
      ->capture_default_str();
  app.add_flag("--version", version, "Prints the version");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    const int code = app.exit(error);
    return code == 0 ? 0 : kOurError;
  }
  if (version) {
    ::printf("mxcd %s\n", kVersion);
    return 0;
  }
  if (!check.empty()) {
    Result<uint64_t> lines = audit::VerifyFolder(check);
    if (lines.ok()) {
      ::printf("%llu lines, each follows the one before it\n", static_cast<unsigned long long>(*lines));
      return 0;
    }
    ::fputs(FormatError(lines.error(), false).c_str(), stderr);
    return kOurError;
  }
  if (options.audit_folder.empty()) {
    options.audit_folder = options.folder == run::DaemonFolder(true, "") ? "/var/log/mxc" : options.folder + "/audit";
  }
  if (options.homes_folder.empty()) {
    options.homes_folder =
        options.folder == run::DaemonFolder(true, "") ? "/var/lib/mxc-homes" : options.folder + "/homes";
  }
  ::signal(SIGPIPE, SIG_IGN);
  options.listener.reset(ActivationSocket());
  if (::geteuid() != 0 && options.folder == run::DaemonFolder(::geteuid() == 0, Environment("XDG_RUNTIME_DIR"))) {
    // The folder above it, which may not be there yet.
    if (Result<run::StateFolder> above = run::OpenStateFolder(false, Environment("XDG_RUNTIME_DIR")); !above.ok()) {
      ::fputs(FormatError(above.error(), false).c_str(), stderr);
      return kOurError;
    }
  }
  Result<std::unique_ptr<Daemon>> daemon = Daemon::Start(std::move(options));
  Result<void> ended;
  if (daemon.ok()) {
    ::fprintf(stderr, "mxcd: ready\n");
    ended = (*daemon)->Run();
  } else {
    ended = daemon.error();
  }
  if (ended.ok()) return 0;
  ::fputs(FormatError(ended.error(), false).c_str(), stderr);
  return kOurError;
}

}  // namespace
}  // namespace mxc::daemon

int main(int argc, char** argv) {
  if (!mxc::sandbox::FillStandardStreams()) return 125;
  if (argc == 1 && std::string_view(argv[0]) == mxc::daemon::Nursery::kName) mxc::daemon::Nursery::Serve();
  return mxc::daemon::Main(argc, argv);
}
