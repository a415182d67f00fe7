// The relay between two real PTYs: the outer one stands for the user's terminal, the inner one for the container's.
#include "linux_runtime/supervise/console_relay.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <functional>
#include <string>
#include <vector>

#include "linux_runtime/supervise/supervise.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::supervise {
namespace {

struct Pty {
  Pty() {
    master.reset(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
    REQUIRE(master.valid());
    REQUIRE(::grantpt(master.get()) == 0);
    REQUIRE(::unlockpt(master.get()) == 0);
    char name[64];
    REQUIRE(::ptsname_r(master.get(), name, sizeof name) == 0);
    slave.reset(::open(name, O_RDWR | O_NOCTTY | O_CLOEXEC));
    REQUIRE(slave.valid());
  }
  sys::UniqueFd master, slave;
};

// Runs `script` by sh on the inner PTY and plays the user on the outer one.
struct Session {
  explicit Session(const char* script, useconds_t start_up = 0) {
    const winsize size{24, 80, 0, 0};
    ::ioctl(outer.master.get(), TIOCSWINSZ, &size);
    REQUIRE(::tcgetattr(outer.slave.get(), &before) == 0);
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    running.pid = ::fork();
    if (running.pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::usleep(start_up);
      ::setsid();
      ::ioctl(inner.slave.get(), TIOCSCTTY, 0);
      for (int fd = 0; fd < 3; ++fd) ::dup2(inner.slave.get(), fd);
      ::execl("/bin/sh", "sh", "-c", script, nullptr);
      ::_exit(99);
    }
    ::close(ends[1]);
    inner.slave.reset();
    status.reset(ends[0]);
    pidfd.reset(sys::PidfdOpen(running.pid));
    running.status = status.get();
    running.pidfd = pidfd.get();
    running.console = inner.master.get();
    loop.Watch(outer.master.get(), POLLIN, [this](short) { Look(); });
    options.reaper = false;
    options.input = options.output = outer.slave.get();
  }

  void Look() {
    char bytes[4096];
    const ssize_t size = ::read(outer.master.get(), bytes, sizeof bytes);
    if (size > 0) seen.append(bytes, static_cast<size_t>(size));
    if (on_seen) on_seen();
  }
  void Type(const std::string& text) {
    REQUIRE(::write(outer.master.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()));
  }
  bool Has(const char* text) const { return seen.find(text) != std::string::npos; }
  Outcome Go() {
    Outcome outcome = Supervise(running, options, loop);
    for (size_t last = seen.size() + 1; last != seen.size();) {
      last = seen.size();
      Look();
    }
    return outcome;
  }

  Pty outer, inner;
  sys::UniqueFd status, pidfd;
  sandbox::Running running;
  SuperviseOptions options;
  Loop loop;
  termios before{};
  std::string seen;
  std::function<void()> on_seen;
};

TEST_CASE("output is shown as it came, the end of it too, and the exit code is the program's") {
  Session session("printf 'one\\ntwo'; exit 5");
  const Outcome outcome = session.Go();
  CHECK(outcome.ExitCode() == 5);
  CHECK(session.seen == "one\r\ntwo");
}

TEST_CASE("the terminal is raw while the program runs, and as before afterwards") {
  Session session("echo up; read line; echo got $line");
  termios during{};
  bool typed = false;
  session.on_seen = [&] {
    if (typed || !session.Has("up")) return;
    typed = true;
    ::tcgetattr(session.outer.slave.get(), &during);
    session.Type("hello\r");
  };
  const Outcome outcome = session.Go();
  CHECK(outcome.ExitCode() == 0);
  CHECK(session.Has("got hello"));
  CHECK((during.c_lflag & (ICANON | ECHO | ISIG)) == 0);
  termios after{};
  REQUIRE(::tcgetattr(session.outer.slave.get(), &after) == 0);
  CHECK(after.c_lflag == session.before.c_lflag);
  CHECK(after.c_oflag == session.before.c_oflag);
  CHECK(after.c_iflag == session.before.c_iflag);
}

TEST_CASE("Ctrl-C goes to the program also when it was typed before there was one") {
  Session session("while :; do sleep 1; done", 200'000);
  session.options.timeout_ms = 5000;
  termios raw = session.before;
  ::cfmakeraw(&raw);
  REQUIRE(::tcsetattr(session.outer.slave.get(), TCSANOW, &raw) == 0);
  session.Type("\x03");
  const Outcome outcome = session.Go();
  CHECK(outcome.how == How::kSignaled);
  CHECK(outcome.ExitCode() == 130);
}

TEST_CASE("Ctrl-C goes to the program's terminal, not to us") {
  Session session("trap 'echo caught; exit 3' INT; echo up; read line");
  bool typed = false;
  session.on_seen = [&] {
    if (!typed && session.Has("up")) typed = true, session.Type("\x03");
  };
  const Outcome outcome = session.Go();
  CHECK(outcome.ExitCode() == 3);
  CHECK(session.Has("caught"));
}

TEST_CASE("the window's size is there at the start and when it changes") {
  // This program starts before the relay does, which the one of a container doesn't.
  Session session(
      "while [ \"$(stty size)\" = '0 0' ]; do :; done; stty size; "
      "trap 'stty size; exit 0' WINCH; echo up; while :; do read line; done");
  bool resized = false;
  session.on_seen = [&] {
    if (resized || !session.Has("up")) return;
    resized = true;
    const winsize size{50, 132, 0, 0};
    ::ioctl(session.outer.master.get(), TIOCSWINSZ, &size);
    ::kill(::getpid(), SIGWINCH);  // the kernel would, were it our controlling terminal
  };
  session.Go();
  CHECK(session.Has("24 80"));
  CHECK(session.Has("50 132"));
}

TEST_CASE("what the program does to the terminal is filtered and undone") {
  Session session("printf '\\033]52;c;eA==\\007\\033[6nseen\\033[?25l\\033[?1049h\\033[?2004h'");
  const Outcome outcome = session.Go();
  CHECK(session.seen == "seen\x1b[?25l\x1b[?1049h\x1b[?2004h\x1b[?1049l\x1b[?2004l\x1b[?25h");
  CHECK(outcome.terminal_dropped == 2);
}

TEST_CASE("a lot of output arrives whole through a slow terminal") {
  Session session("i=0; while [ $i -lt 20000 ]; do echo line $i; i=$((i+1)); done");
  const Outcome outcome = session.Go();
  CHECK(outcome.ExitCode() == 0);
  std::string expected;
  for (int i = 0; i < 20000; ++i) expected += "line " + std::to_string(i) + "\r\n";
  CHECK((session.seen == expected));
}

TEST_CASE("a terminal that takes nothing stops neither the time limit nor the end by Ctrl-C") {
  Session session("while :; do echo flood; done");
  session.loop.Forget(session.outer.master.get());  // the user looks away
  session.options.timeout_ms = 100;
  session.options.grace_ms = 10;
  session.loop.After(std::chrono::milliseconds(150), [&] { session.Type("\x03"); });
  const Outcome outcome = session.Go();
  CHECK(outcome.ExitCode() == 124);
  CHECK(outcome.wall_us < 2'000'000);
}

TEST_CASE("a user's terminal that goes away doesn't hold the program up") {
  Session session("echo up; trap '' HUP; i=0; while [ $i -lt 5000 ]; do echo $i; i=$((i+1)); done; exit 4");
  session.on_seen = [&] {
    session.loop.Forget(session.outer.master.get());
    session.outer.master.reset();
  };
  Outcome outcome = Supervise(session.running, session.options, session.loop);
  CHECK(outcome.ExitCode() == 4);
}

TEST_CASE("the end of piped input reaches the program as end of file") {
  Session session("cat; echo end");
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(::write(ends[1], "a\nb", 3) == 3);
  ::close(ends[1]);
  session.options.input = ends[0];
  const Outcome outcome = session.Go();
  CHECK(outcome.ExitCode() == 0);
  CHECK(session.Has("end"));
  ::close(ends[0]);
}

TEST_CASE("a program that closes the terminal and runs on costs no time of ours and is waited for") {
  Session session("exec >/dev/null 2>&1 </dev/null; sleep 0.2; exit 6");
  rusage before{}, after{};
  ::getrusage(RUSAGE_SELF, &before);
  const Outcome outcome = session.Go();
  ::getrusage(RUSAGE_SELF, &after);
  CHECK(outcome.ExitCode() == 6);
  const long used =
      (after.ru_utime.tv_sec - before.ru_utime.tv_sec + after.ru_stime.tv_sec - before.ru_stime.tv_sec) * 1'000'000 +
      after.ru_utime.tv_usec - before.ru_utime.tv_usec + after.ru_stime.tv_usec - before.ru_stime.tv_usec;
  CHECK(used < 100'000);
}

}  // namespace
}  // namespace mxc::supervise
