// Runs a started container to its end: waits for the program, keeps the time limit, passes signals and the terminal on.
//
// Of the supervisor's own signals INT, TERM, HUP, QUIT, USR1, USR2, WINCH, CONT and TSTP go to the first process, which
// passes them on to the program's process group. A second Ctrl-C (SIGINT) within two seconds, or any after the time
// limit, kills the container. Signals that were ignored at the start (nohup) stay ignored. With ends_by_signal INT, TERM and
// HUP end the container whatever the program makes of them.
#pragma once

#include <sys/signalfd.h>

#include <functional>
#include <memory>
#include <string>

#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/supervise/console_relay.h"
#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/supervise/outcome.h"

namespace mxc::supervise {

struct SuperviseOptions {
  uint32_t timeout_ms = 0;   // 0: none; from the Supervisor's construction
  uint32_t grace_ms = 2000;  // between the signal that is to end the program and the kill
  bool ends_by_signal = false;
  bool reaper = true;  // Plan::reaper: the first process reports the program's end; false: it is the program
  // The first process is in this process's group, so that the terminal's own signals (Ctrl-C, Ctrl-Z) reach it without
  // us. Signals sent by processes (kill) are passed on in either case.
  bool shares_terminal = false;
  int input = 0;  // the user's terminal, when Running has a console; -1: nothing is typed
  int output = 1;
  uint32_t tick_ms = 0;  // 0: no ticks

  // Kills every process of the container (cgroup.kill, or freeze and kill). Empty: SIGKILL to the first process, which
  // is enough where that is pid 1 of a pid namespace. Called again each second until the first process is gone.
  std::function<void()> kill_all;
  // Stops and continues the container around our own stop (Ctrl-Z). Empty: SIGTSTP is passed on, which a program that
  // leads its own session ignores.
  std::function<void(bool frozen)> freeze;
  std::function<void(int pid)> on_started;  // pid inside the container; of one that serves programs: it is ready, 0
  // Of a sandbox that serves programs: what became of one of them. It lasts until EndWith or Kill; signals that would go to the
  // program go to `send`.
  std::function<void(const sandbox::StatusRecord&)> on_program;
  std::function<void(int signal)> send;
  std::function<void()> on_tick;
};

class Supervisor {
 public:
  // The descriptors of `running` stay the caller's and outlive the Supervisor.
  Supervisor(const sandbox::Running& running, SuperviseOptions options, Loop& loop);
  ~Supervisor();
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Returns when the first process is gone and reaped. Never fails: what went wrong is in Outcome::trouble. Once.
  Outcome Wait();

  // From a callback of the loop: ends the container now. `why` is a clause for the report ("a denied path was exposed").
  void Kill(std::string why);
  // The same, of one that serves programs: it ends now, as this kExited or kFailed record of one of them says.
  void EndWith(const sandbox::StatusRecord& record);
  // The same: gives the PTY another size, of which the kernel tells the programs on it (SIGWINCH).
  void Resize(uint16_t rows, uint16_t columns);

 private:
  Result<void> Begin();
  void OnSignal(const signalfd_siginfo& info);
  void OnInterrupt(bool ours_to_pass_on);
  void OnEndingSignal(int signal, bool ours_to_pass_on);
  void KillAfterGrace();
  void OnStop(bool ours_to_pass_on);
  void OnStatus();
  void OnStarted();
  void OnRecord(const sandbox::StatusRecord& record);
  void OnFirstProcessGone();
  void OnTimeout();
  void TakeFailure(const sandbox::StatusRecord& failed);
  void TakeEnd(const sandbox::StatusRecord& exited);
  void Tick();
  void Send(int signal);
  void KillEverything();
  void End();

  sandbox::Running running_;
  SuperviseOptions options_;
  Loop& loop_;
  Loop::Clock::time_point begin_;
  Loop::Clock::time_point last_interrupt_{};
  std::unique_ptr<ConsoleRelay> relay_;
  Outcome outcome_;
  Loop::TimerId kill_timer_ = 0;
  Loop::TimerId timeout_timer_ = 0;
  Loop::TimerId tick_timer_ = 0;
  int kills_ = 0;
  bool timed_out_ = false;
  bool killed_ = false;
  bool failed_ = false;      // kFailed was read
  bool has_status_ = false;  // kExited was read
  bool status_open_ = true;
  bool gone_ = false;
};

// Supervisor(…).Wait().
Outcome Supervise(const sandbox::Running& running, SuperviseOptions options, Loop& loop);

}  // namespace mxc::supervise
