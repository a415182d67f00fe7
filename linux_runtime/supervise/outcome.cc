#include "linux_runtime/supervise/outcome.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>

#include "linux_runtime/sandbox/status.h"

namespace mxc::supervise {

int Outcome::Signal() const {
  if (how == How::kFailedToStart || !WIFSIGNALED(wait_status)) return 0;
  return WTERMSIG(wait_status);
}

int Outcome::ExitCode() const {
  if (trouble) return 125;
  switch (how) {
    case How::kTimedOut:
      return 124;
    case How::kFailedToStart:
      if (step != sandbox::kStepExec) return 125;
      return error == ENOENT || error == ENOTDIR ? 127 : 126;
    case How::kExited:
    case How::kSignaled:
      if (ended_by != 0) return 128 + ended_by;
      return WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 128 + WTERMSIG(wait_status);
    case How::kKilled:
      return 128 + SIGKILL;
    case How::kLost:
      if (ended_by != 0) return 128 + ended_by;
      return WIFSIGNALED(wait_status) ? 128 + WTERMSIG(wait_status) : 125;
  }
  return 125;
}

void Outcome::Fill(report::ExitReport& report) const {
  report.how = how;
  report.exit_code = ExitCode();
  if (Signal() != 0) report.signal = Signal();
  report.killed_because = killed_because;
  report.timed_out = how == How::kTimedOut;
  report.left_running = left_running;
  report.wall_us = wall_us;
  report.user_us = user_us;
  report.system_us = system_us;
  report.max_rss_bytes = max_rss_kib * 1024;
  if (terminal_dropped != 0) {
    report.denials.push_back({"terminal", "control functions kept from the user's terminal", "", terminal_dropped});
  }
  if (trouble) report.error = report::ReportError{trouble->Describe(), trouble->hint(), "supervise", "", ""};
}

}  // namespace mxc::supervise
