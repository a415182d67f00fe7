// How a supervised container ended.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "shared/base/result.h"
#include "shared/report/exit_report.h"

namespace mxc::supervise {

using How = report::How;

struct Outcome {
  How how = How::kLost;
  int wait_status = 0;         // of the program, else of the first process; as from waitpid
  bool started = false;        // the program ran, or was about to
  uint32_t step = 0;           // kFailedToStart: as in sandbox::StatusRecord
  int error = 0;               // kFailedToStart: errno
  std::string killed_because;  // kKilled
  int ended_by = 0;            // the signal that ended it with SuperviseOptions::ends_by_signal
  uint64_t wall_us = 0;        // from the Supervisor's construction to the program's end
  uint64_t user_us = 0;        // CPU time of the program and its waited-for children
  uint64_t system_us = 0;
  uint64_t max_rss_kib = 0;       // largest resident set of one process
  uint64_t terminal_dropped = 0;  // control functions kept from the user's terminal
  bool left_running = false;      // processes could not be killed (uninterruptible sleep)
  std::optional<Error> trouble;   // the supervisor itself failed, and so the container was killed

  // What `mxc run` ends with: the program's; 128+N by signal; 124 time-out; 125 ours; 126 not executable; 127 not found.
  int ExitCode() const;
  int Signal() const;  // that ended the program, or 0

  // The parts of a report that the supervisor knows.
  void Fill(report::ExitReport& report) const;
};

}  // namespace mxc::supervise
