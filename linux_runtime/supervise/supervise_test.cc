#include "linux_runtime/supervise/supervise.h"

#include <doctest/doctest.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <functional>

#include "linux_runtime/sys/fd.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::supervise {
namespace {

using sandbox::StatusKind;
using sandbox::StatusRecord;

// A process in the place of the container's first one; `body` gets the write end of the status pipe.
struct FakeContainer {
  explicit FakeContainer(const std::function<void(int status)>& body) {
    int ends[2];
    REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
    sigset_t every, before;
    sigfillset(&every);
    ::sigprocmask(SIG_SETMASK, &every, &before);
    running.pid = ::fork();
    if (running.pid == 0) {
      ::prctl(PR_SET_PDEATHSIG, SIGKILL);
      ::close(ends[0]);
      body(ends[1]);
      ::_exit(0);
    }
    ::sigprocmask(SIG_SETMASK, &before, nullptr);
    ::close(ends[1]);
    status.reset(ends[0]);
    pidfd.reset(sys::PidfdOpen(running.pid));
    running.status = status.get();
    running.pidfd = pidfd.get();
  }
  sandbox::Running running;
  sys::UniqueFd status, pidfd;
};

void Tell(int status, StatusKind kind, uint32_t step = 0, int error = 0, int wait_status = 0) {
  StatusRecord record{};
  record.kind = kind;
  record.step = step;
  record.error = error;
  record.wait_status = wait_status;
  record.pid = 2;
  record.user_us = 11;
  record.system_us = 22;
  record.max_rss_kib = 33;
  if (::write(status, &record, sizeof record) < 0) ::_exit(99);
}

// Waits for one of the signals, as the reaper does.
int WaitForSignal() {
  sigset_t every;
  sigfillset(&every);
  int signal = 0;
  ::sigwait(&every, &signal);
  return signal;
}

Outcome Run(const std::function<void(int)>& body, SuperviseOptions options = {}) {
  FakeContainer container(body);
  Loop loop;
  return Supervise(container.running, std::move(options), loop);
}

TEST_CASE("the program's exit code and usage are the run's") {
  int started = 0;
  SuperviseOptions options;
  options.on_started = [&](int pid) { started = pid; };
  const Outcome outcome = Run(
      [](int status) {
        Tell(status, StatusKind::kStarted);
        Tell(status, StatusKind::kExited, 0, 0, 7 << 8);
      },
      options);
  CHECK(outcome.how == How::kExited);
  CHECK(outcome.ExitCode() == 7);
  CHECK(outcome.started);
  CHECK(started == 2);
  CHECK(outcome.user_us == 11);
  CHECK(outcome.system_us == 22);
  CHECK(outcome.max_rss_kib == 33);
  CHECK(outcome.wall_us > 0);
}

TEST_CASE("a signal gives 128 + N") {
  const Outcome outcome = Run([](int status) {
    Tell(status, StatusKind::kStarted);
    Tell(status, StatusKind::kExited, 0, 0, SIGSEGV);
  });
  CHECK(outcome.how == How::kSignaled);
  CHECK(outcome.ExitCode() == 139);
  CHECK(outcome.Signal() == SIGSEGV);
}

TEST_CASE("failures before the program's start") {
  struct Row {
    uint32_t step;
    int error, code;
  };
  const Row rows[] = {
      {sandbox::kStepExec, ENOENT, 127},
      {sandbox::kStepExec, ENOTDIR, 127},
      {sandbox::kStepExec, EACCES, 126},
      {sandbox::kStepExec, ENOEXEC, 126},
      {3, EPERM, 125},
      {sandbox::kStepFork, EAGAIN, 125},
  };
  for (const Row& row : rows) {
    const Outcome outcome = Run([&](int status) {
      Tell(status, StatusKind::kStarted);
      Tell(status, StatusKind::kFailed, row.step, row.error);
      Tell(status, StatusKind::kExited, 0, 0, 125 << 8);
    });
    CHECK(outcome.how == How::kFailedToStart);
    CHECK(outcome.ExitCode() == row.code);
    CHECK(outcome.step == row.step);
    CHECK(outcome.error == row.error);
    CHECK_FALSE(outcome.started);
  }
}

TEST_CASE("a first process that is killed is reported as lost") {
  const Outcome outcome = Run([](int status) {
    Tell(status, StatusKind::kStarted);
    ::kill(::getpid(), SIGKILL);
  });
  CHECK(outcome.how == How::kLost);
  CHECK(outcome.started);
  CHECK(outcome.ExitCode() == 137);
}

TEST_CASE("without a reaper the first process is the program") {
  SuperviseOptions options;
  options.reaper = false;
  const Outcome exited = Run([](int) { ::_exit(9); }, options);
  CHECK(exited.how == How::kExited);
  CHECK(exited.ExitCode() == 9);
  CHECK(exited.started);
  CHECK(exited.max_rss_kib > 0);
  const Outcome killed = Run([](int) { ::kill(::getpid(), SIGKILL); }, options);
  CHECK(killed.how == How::kSignaled);
  CHECK(killed.ExitCode() == 137);
  const Outcome missing =
      Run([](int status) { Tell(status, StatusKind::kFailed, sandbox::kStepExec, ENOENT); }, options);
  CHECK(missing.ExitCode() == 127);
}

TEST_CASE("at the time limit: SIGTERM, and a program that ends by it") {
  SuperviseOptions options;
  options.timeout_ms = 20;
  options.grace_ms = 60000;
  const Outcome outcome = Run(
      [](int status) {
        while (WaitForSignal() != SIGTERM) {
        }
        Tell(status, StatusKind::kExited, 0, 0, 3 << 8);
      },
      options);
  CHECK(outcome.how == How::kTimedOut);
  CHECK(outcome.ExitCode() == 124);
  CHECK(outcome.wall_us >= 20000);
}

TEST_CASE("after the grace everything is killed") {
  FakeContainer container([](int) {
    for (;;) WaitForSignal();
  });
  Loop loop;
  int kills = 0;
  SuperviseOptions options;
  options.timeout_ms = 10;
  options.grace_ms = 20;
  options.kill_all = [&] {
    ++kills;
    sys::PidfdSendSignal(container.running.pidfd, SIGKILL);
  };
  const Outcome outcome = Supervise(container.running, options, loop);
  CHECK(outcome.how == How::kTimedOut);
  CHECK(outcome.ExitCode() == 124);
  CHECK(outcome.wall_us >= 30000);
  CHECK(kills == 1);
}

TEST_CASE("signals are passed on") {
  for (const int signal : {SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGINT}) {
    SuperviseOptions options;
    options.on_started = [&](int) { ::kill(::getpid(), signal); };
    const Outcome outcome = Run(
        [](int status) {
          Tell(status, StatusKind::kStarted);
          Tell(status, StatusKind::kExited, 0, 0, WaitForSignal() << 8);
        },
        options);
    CHECK(outcome.ExitCode() == signal);
  }
}

TEST_CASE("signals that processes send are passed on even where the terminal is shared") {
  SuperviseOptions options;
  options.shares_terminal = true;
  options.on_started = [&](int) { ::kill(::getpid(), SIGINT); };
  const Outcome outcome = Run(
      [](int status) {
        Tell(status, StatusKind::kStarted);
        Tell(status, StatusKind::kExited, 0, 0, WaitForSignal() << 8);
      },
      options);
  CHECK(outcome.ExitCode() == SIGINT);
}

TEST_CASE("the second interrupt kills") {
  int interrupts = 0;
  SuperviseOptions options;
  options.on_started = [&](int) {
    ++interrupts;
    ::kill(::getpid(), SIGINT);
  };
  const Outcome outcome = Run(
      [](int status) {
        for (;;) {
          Tell(status, StatusKind::kStarted);  // asks for the next interrupt
          WaitForSignal();
        }
      },
      options);
  CHECK(interrupts == 2);
  CHECK(outcome.how == How::kKilled);
  CHECK(outcome.killed_because == "interrupted twice");
  CHECK(outcome.ExitCode() == 137);
}

TEST_CASE("signals that are to end it end it, whatever the program makes of them") {
  for (const int signal : {SIGTERM, SIGHUP, SIGINT}) {
    CAPTURE(signal);
    SuperviseOptions options;
    options.ends_by_signal = true;
    options.grace_ms = 50;
    options.on_started = [&](int) { ::kill(::getpid(), signal); };
    const Outcome polite = Run(
        [](int status) {
          Tell(status, StatusKind::kStarted);
          WaitForSignal();
          Tell(status, StatusKind::kExited);  // with success
        },
        options);
    CHECK(polite.ExitCode() == 128 + signal);
    const Outcome deaf = Run(
        [](int status) {
          Tell(status, StatusKind::kStarted);
          ::sleep(30);  // every signal is blocked
        },
        options);
    CHECK(deaf.ExitCode() == 128 + signal);
    CHECK(deaf.wall_us < 5'000'000);
  }
}

TEST_CASE("a signal that was ignored at the start stays ignored (nohup)") {
  ::signal(SIGHUP, SIG_IGN);
  SuperviseOptions options;
  options.on_started = [&](int) {
    ::kill(::getpid(), SIGHUP);
    ::kill(::getpid(), SIGTERM);
  };
  const Outcome outcome = Run(
      [](int status) {
        Tell(status, StatusKind::kStarted);
        Tell(status, StatusKind::kExited, 0, 0, WaitForSignal() << 8);
      },
      options);
  ::signal(SIGHUP, SIG_DFL);
  CHECK(outcome.ExitCode() == SIGTERM);
}

TEST_CASE("another duty of the loop can end the run, with its reason; ticks come") {
  FakeContainer container([](int) {
    for (;;) WaitForSignal();
  });
  Loop loop;
  int ticks = 0;
  Supervisor* self = nullptr;
  SuperviseOptions options;
  options.tick_ms = 1;
  options.on_tick = [&] {
    if (++ticks == 3) self->Kill("a denied path was exposed");
  };
  Supervisor supervisor(container.running, options, loop);
  self = &supervisor;
  const Outcome outcome = supervisor.Wait();
  CHECK(outcome.how == How::kKilled);
  CHECK(outcome.killed_because == "a denied path was exposed");
  CHECK(ticks >= 3);
}

TEST_CASE("the loop: callbacks may take themselves and others away, timers keep their order") {
  Loop loop;
  int ends[2];
  REQUIRE(::pipe2(ends, O_CLOEXEC) == 0);
  REQUIRE(::write(ends[1], "x", 1) == 1);
  std::string log;
  loop.Watch(ends[0], POLLIN, [&](short) {
    log += 'r';
    loop.Forget(ends[0]);
    loop.Watch(ends[0], POLLIN, [&](short) {
      log += 'R';
      loop.Forget(ends[0]);
    });
  });
  const Loop::TimerId never = loop.After(std::chrono::milliseconds(1), [&] { log += '!'; });
  loop.After(std::chrono::milliseconds(4), [&] { loop.Stop(); });
  loop.After(std::chrono::milliseconds(2), [&] { log += '2'; });
  loop.After(std::chrono::milliseconds(0), [&] {
    log += '0';
    loop.Cancel(never);
  });
  REQUIRE(loop.Run().ok());
  CHECK(log == "r0R2");
  ::close(ends[0]);
  ::close(ends[1]);
}

}  // namespace
}  // namespace mxc::supervise
