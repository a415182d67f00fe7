// Reports for tests: the smallest, one with everything in it, one of a failed start, one full of hostile text.
#pragma once

#include <vector>

#include "shared/report/exit_report.h"

namespace mxc::report {

inline std::vector<ExitReport> SampleReports() {
  ExitReport smallest;
  smallest.run = "r";

  ExitReport full;
  full.run = "mxc-20261123-1";
  full.policy = "policy.json";
  full.policy_digest = "sha256:" + std::string(64, 'a');
  full.profile = "default";
  full.program = "python3";
  full.how = How::kSignaled;
  full.exit_code = 137;
  full.signal = 9;
  full.out_of_memory = true;
  full.start_unix_us = 1'795'473'903'123'456;
  full.end_unix_us = 1'795'473'905'000'001;
  full.wall_us = 1'876'545;
  full.user_us = 1'000'000;
  full.system_us = 20'000;
  full.peak_memory_bytes = 268'435'456;
  full.max_rss_bytes = 250'000'000;
  full.limits = {{"memory", 268'435'456, 268'435'456, 3}, {"pids", 512, std::nullopt, 0}, {"cpu", std::nullopt, {}, 0}};
  full.applied = {
      {"/network/egress/default", Strength::kEnforced, {"netns", "seccomp"}, ""},
      {"/x-linux/resources/memory", Strength::kWeaker, {"rlimit"}, "no cgroup is delegated to this user"},
      {"/ui/clipboard", Strength::kNotApplicable, {}, "no display is reachable"},
  };
  full.paths = {{"/home/u/work", "rw", "policy.json#/filesystem/readwritePaths/0", {"mount", "landlock"}},
                {"/home/u/work/.env", "deny", "policy.json#/filesystem/deniedPaths/0", {"mount"}}};
  full.exposures = {{"/home/u/work/.env", 2800, "covered"}};
  full.moved = {{"/home/u/work/.envrc", "/run/user/1000/mxc/moved/1/.envrc"}};
  full.denials = {{"seccomp", "socket(AF_VSOCK)", "default: vsock", 2}, {"terminal", "control functions", "", 7}};
  full.names = {{"pypi.org", 3, 1200, 88000}};
  full.warnings = {"the time-out is longer than the session"};

  ExitReport failed;
  failed.run = "r2";
  failed.program = "nosuch";
  failed.how = How::kFailedToStart;
  failed.exit_code = 127;
  failed.error = ReportError{"run nosuch: ENOENT (No such file or directory)", "is it installed inside?", "exec",
                             "/usr/bin/nosuch", "ENOENT"};

  ExitReport hostile;
  hostile.run = "\xff\xfe";
  hostile.program = std::string("a\0\x1b]52;c;x\a\xc2\x9b\x7f\"\\\n\xe2\x80\xae", 20);
  hostile.how = How::kTimedOut;
  hostile.exit_code = 124;
  hostile.timed_out = true;
  hostile.killed_because = "\xed\xa0\x80";
  hostile.paths = {{"/tmp/\xc3", "ro", "\x1b[2J", {"mount"}}};
  return {smallest, full, failed, hostile};
}

}  // namespace mxc::report
