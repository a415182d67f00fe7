// Carries a container's PTY: the user's terminal in raw mode on one side, the master of the PTY on the other.
//
// With the standard input and the standard output both on terminals, `mxc run` carries both ways. With either of them
// redirected it carries only what the program writes to a terminal, so that this is filtered; nothing is read from the
// user's, which a pager or a shell may be reading.
//
// At most one read of each side is held; when one side doesn't take it, the other isn't read. Reading and writing never
// block, so a stuck terminal (a selection in a console window) stops neither time-outs nor the other duties of the loop.
#pragma once

#include <termios.h>

#include <functional>
#include <string>

#include "linux_runtime/supervise/loop.h"
#include "linux_runtime/supervise/terminal_filter.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::supervise {

struct ConsoleStreams {
  int console = -1;  // master of the PTY; the caller's, made non-blocking
  int input = 0;     // what the user types; its terminal becomes raw. -1: nothing is typed
  int output = 1;    // what the user sees
};

class ConsoleRelay {
 public:
  ConsoleRelay(const ConsoleStreams& streams, Loop& loop);
  ~ConsoleRelay();  // Finish
  ConsoleRelay(const ConsoleRelay&) = delete;
  ConsoleRelay& operator=(const ConsoleRelay&) = delete;

  // Raw mode, window size, relaying. Errors: the terminal's settings can't be read or changed.
  Result<void> Start();
  // The program runs: from now on it gets what is typed. A Ctrl-C that reaches a PTY before anybody has it as controlling
  // terminal is lost.
  void Listen();
  // The user's terminal has another size (SIGWINCH).
  void Resize();
  // Hands the terminal back for a while (SIGTSTP), and takes it again (SIGCONT).
  void Suspend();
  void Resume();
  // The program has ended: shows what is left of its output, then calls on_done. A Ctrl-C cuts that short.
  void Drain(std::function<void()> on_done);
  // Undoes what the program left changed, and the raw mode. Called once or more.
  void Finish();

  uint64_t dropped() const { return filter_.dropped(); }

 private:
  void InputReady();
  void OutputReady();
  void ConsoleReady(short revents);
  void ReadConsole();
  void WriteConsole();
  void InputEnded();
  void WatchConsole(bool on);
  void ConsoleHungUp();
  void DrainTick();
  void UpdateEvents();
  void SetRaw();
  void GiveBack();
  void CheckDrained();
  bool OutputPending() const { return sent_ < shown_.size(); }

  ConsoleStreams streams_;
  Loop& loop_;
  sys::UniqueFd own_input_, own_output_;  // the terminals opened again, where that is possible
  int input_ = -1, output_ = -1;
  size_t write_limit_ = 0;  // bytes a write to output_ may have without blocking
  bool has_settings_ = false;
  bool raw_ = false;
  termios settings_{};
  bool started_ = false, listening_ = false, finished_ = false;
  bool input_closed_ = false, output_broken_ = false;
  bool console_hung_up_ = false, watching_console_ = false;
  bool heard_ = false;  // output since the last DrainTick
  Loop::TimerId look_again_ = 0;
  std::function<void()> on_drained_;
  char typed_[4096];
  size_t typed_size_ = 0, typed_sent_ = 0;
  char last_typed_ = '\n';
  std::string shown_;  // filtered output that is not written yet, from sent_ on
  size_t sent_ = 0;
  TerminalFilter filter_;
};

}  // namespace mxc::supervise
