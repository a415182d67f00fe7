#include "linux_runtime/supervise/supervise.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <utility>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::supervise {
namespace {

constexpr std::chrono::seconds kSecondInterrupt{2};
constexpr std::chrono::milliseconds kLinger{2000};  // for the first process to end after the program
constexpr std::chrono::milliseconds kKillAgain{1000};
constexpr int kMaxKills = 10;

uint64_t Microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

}  // namespace

Supervisor::Supervisor(const sandbox::Running& running, SuperviseOptions options, Loop& loop)
    : running_(running), options_(std::move(options)), loop_(loop), begin_(Loop::Clock::now()) {}

Supervisor::~Supervisor() {
  loop_.ForgetSignals();
  loop_.Forget(running_.status);
  loop_.Forget(running_.pidfd);
  for (const Loop::TimerId timer : {kill_timer_, timeout_timer_, tick_timer_}) loop_.Cancel(timer);
}

Outcome Supervise(const sandbox::Running& running, SuperviseOptions options, Loop& loop) {
  return Supervisor(running, std::move(options), loop).Wait();
}

Result<void> Supervisor::Begin() {
  // The end of the pipe can be far behind the records, when the container has no pid namespace of its own.
  if (int error = sys::SetNonBlocking(running_.status); error < 0) {
    return sys::SystemError("make the status pipe non-blocking", -error);
  }
  MXC_TRY(loop_.CatchSignals({SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGWINCH, SIGCONT, SIGTSTP},
                             [this](const signalfd_siginfo& info) { OnSignal(info); }));
  loop_.Watch(running_.status, POLLIN, [this](short) { OnStatus(); });
  loop_.Watch(running_.pidfd, POLLIN, [this](short) { OnFirstProcessGone(); });
  if (options_.timeout_ms != 0) {
    timeout_timer_ = loop_.At(begin_ + std::chrono::milliseconds(options_.timeout_ms), [this] { OnTimeout(); });
  }
  if (options_.tick_ms != 0 && options_.on_tick) Tick();
  if (running_.console >= 0) {
    relay_ = std::make_unique<ConsoleRelay>(ConsoleStreams{running_.console, options_.input, options_.output}, loop_);
    MXC_TRY_AS("use the terminal", relay_->Start());
  }
  return {};
}

Outcome Supervisor::Wait() {
  Result<void> begun = Begin();
  if (!begun.ok()) {
    outcome_.trouble = std::move(begun).error();
    relay_.reset();  // the terminal is as it was before the error is printed
  } else if (Result<void> ran = loop_.Run(); !ran.ok()) {
    outcome_.trouble = std::move(ran).error();
  }
  if (!gone_) {
    // The loop didn't start, broke, or another duty of it stopped it: nothing of the container stays.
    KillEverything();
    ::waitpid(running_.pid, &outcome_.wait_status, 0);
  }
  if (relay_) {
    relay_->Finish();
    outcome_.terminal_dropped = relay_->dropped();
  }
  if (outcome_.wall_us == 0) End();
  if (failed_ && !timed_out_ && !killed_) {
    outcome_.how = How::kFailedToStart;
  } else if (timed_out_) {
    outcome_.how = How::kTimedOut;
  } else if (killed_) {
    outcome_.how = How::kKilled;
  } else if (has_status_ || !options_.reaper) {
    outcome_.how = WIFEXITED(outcome_.wait_status) ? How::kExited : How::kSignaled;
  } else {
    outcome_.how = How::kLost;
  }
  return std::move(outcome_);
}

void Supervisor::End() {
  outcome_.wall_us =
      static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(Loop::Clock::now() - begin_).count());
}

void Supervisor::Tick() {
  tick_timer_ = loop_.After(std::chrono::milliseconds(options_.tick_ms), [this] {
    options_.on_tick();
    Tick();
  });
}

void Supervisor::Send(int signal) {
  if (options_.send && signal != SIGKILL) return options_.send(signal);
  sys::PidfdSendSignal(running_.pidfd, signal);
}

void Supervisor::EndWith(const sandbox::StatusRecord& record) {
  if (gone_ || has_status_ || failed_) return;
  if (record.kind == sandbox::StatusKind::kFailed) {
    TakeFailure(record);
  } else {
    TakeEnd(record);
  }
  End();
  KillEverything();
}

void Supervisor::TakeFailure(const sandbox::StatusRecord& failed) {
  // The first failure is the cause; a reaper goes on to report the end of the process that failed.
  if (!failed_) {
    outcome_.step = failed.step;
    outcome_.error = failed.error < 0 ? -failed.error : failed.error;
  }
  failed_ = true;
  outcome_.started = false;
}

void Supervisor::TakeEnd(const sandbox::StatusRecord& exited) {
  has_status_ = true;
  outcome_.wait_status = exited.wait_status;
  outcome_.user_us = exited.user_us;
  outcome_.system_us = exited.system_us;
  outcome_.max_rss_kib = exited.max_rss_kib;
}

void Supervisor::OnSignal(const signalfd_siginfo& info) {
  const int signal = static_cast<int>(info.ssi_signo);
  // The terminal driver's signals come from the kernel, to the whole process group.
  const bool ours_to_pass_on = !(options_.shares_terminal && info.ssi_code == SI_KERNEL);
  if (options_.ends_by_signal && (signal == SIGINT || signal == SIGTERM || signal == SIGHUP)) {
    return OnEndingSignal(signal, ours_to_pass_on);
  }
  switch (signal) {
    case SIGINT:
      return OnInterrupt(ours_to_pass_on);
    case SIGTSTP:
      return OnStop(ours_to_pass_on);
    case SIGCONT:
      if (relay_) relay_->Resume();
      if (options_.freeze) options_.freeze(false);
      return Send(SIGCONT);
    case SIGWINCH:
      if (relay_) return relay_->Resize();  // the kernel tells the programs on the PTY
      break;
    default:
      break;
  }
  if (ours_to_pass_on) Send(signal);
}

void Supervisor::OnInterrupt(bool ours_to_pass_on) {
  const Loop::Clock::time_point now = Loop::Clock::now();
  const bool again = last_interrupt_ != Loop::Clock::time_point{} && now - last_interrupt_ < kSecondInterrupt;
  last_interrupt_ = now;
  if (again || timed_out_) return Kill("interrupted twice");
  if (ours_to_pass_on) Send(SIGINT);
}

void Supervisor::OnEndingSignal(int signal, bool ours_to_pass_on) {
  if (outcome_.ended_by != 0) return KillEverything();
  outcome_.ended_by = signal;
  if (ours_to_pass_on) Send(signal);
  KillAfterGrace();
}

void Supervisor::OnStop(bool ours_to_pass_on) {
  if (relay_) relay_->Suspend();
  if (options_.freeze) {
    options_.freeze(true);
  } else if (ours_to_pass_on) {
    Send(SIGTSTP);
  }
  // The default action instead of SIGSTOP: the kernel leaves it out where nobody could continue us (an orphaned group).
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGTSTP);
  ::kill(::getpid(), SIGTSTP);
  ::pthread_sigmask(SIG_UNBLOCK, &stop, nullptr);
  // Here we are stopped, until SIGCONT.
  ::pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  if (relay_) relay_->Resume();
  if (options_.freeze) options_.freeze(false);
  Send(SIGCONT);
}

void Supervisor::OnTimeout() {
  if (has_status_ || failed_ || gone_) return;
  timed_out_ = true;
  Send(SIGTERM);
  KillAfterGrace();
}

void Supervisor::KillAfterGrace() {
  Send(SIGCONT);  // a stopped program can't act on a signal
  loop_.Cancel(kill_timer_);
  kill_timer_ = loop_.After(std::chrono::milliseconds(options_.grace_ms), [this] { KillEverything(); });
}

void Supervisor::Kill(std::string why) {
  if (gone_ || has_status_) return KillEverything();
  if (!killed_) outcome_.killed_because = std::move(why);
  killed_ = true;
  KillEverything();
}

void Supervisor::Resize(uint16_t rows, uint16_t columns) {
  const winsize size{rows, columns, 0, 0};
  if (running_.console >= 0) ::ioctl(running_.console, TIOCSWINSZ, &size);
}

void Supervisor::KillEverything() {
  if (gone_) return;
  loop_.Cancel(kill_timer_);
  if (kills_++ == kMaxKills) {
    outcome_.left_running = true;
    gone_ = true;
    loop_.Stop();
    return;
  }
  if (options_.kill_all) {
    options_.kill_all();
  } else {
    Send(SIGKILL);
  }
  kill_timer_ = loop_.After(kKillAgain, [this] { KillEverything(); });
}

void Supervisor::OnStatus() {
  sandbox::StatusRecord records[4];
  for (;;) {
    const ssize_t size = ::read(running_.status, records, sizeof records);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) return;
    if (size <= 0) break;
    // Records are written whole and far below PIPE_BUF, so none is ever cut.
    for (ssize_t i = 0; i < size / static_cast<ssize_t>(sizeof records[0]); ++i) OnRecord(records[i]);
    if (size < static_cast<ssize_t>(sizeof records)) return;
  }
  loop_.Forget(running_.status);
  status_open_ = false;
  if (!options_.reaper && !failed_) OnStarted();  // closed by exec
}

void Supervisor::OnStarted() {
  outcome_.started = true;
  if (relay_) relay_->Listen();
}

void Supervisor::OnRecord(const sandbox::StatusRecord& record) {
  if (record.program != 0) {
    if (options_.on_program) options_.on_program(record);
    return;
  }
  switch (record.kind) {
    case sandbox::StatusKind::kStarted:
      if (failed_) return;  // the program's own word comes first
      OnStarted();
      if (options_.on_started) options_.on_started(record.pid);
      return;
    case sandbox::StatusKind::kFailed:
      TakeFailure(record);
      break;
    case sandbox::StatusKind::kExited:
      TakeEnd(record);
      break;
  }
  End();
  if (kills_ == 0) {
    loop_.Cancel(kill_timer_);
    kill_timer_ = loop_.After(kLinger, [this] { KillEverything(); });
  }
}

void Supervisor::OnFirstProcessGone() {
  if (gone_) return;
  if (status_open_) OnStatus();
  int status = 0;
  rusage usage{};
  const pid_t waited = ::wait4(running_.pid, &status, WNOHANG, &usage);
  if (waited == 0) return;
  gone_ = true;
  loop_.Forget(running_.pidfd);
  loop_.Cancel(kill_timer_);
  // waited < 0: not our child, or SIGCHLD is ignored; the record is all there is.
  if (waited > 0 && !has_status_) {
    outcome_.wait_status = status;
    outcome_.user_us = Microseconds(usage.ru_utime);
    outcome_.system_us = Microseconds(usage.ru_stime);
    outcome_.max_rss_kib = static_cast<uint64_t>(usage.ru_maxrss);
    End();
  }
  if (relay_) {
    relay_->Drain([this] { loop_.Stop(); });
  } else {
    loop_.Stop();
  }
}

}  // namespace mxc::supervise
