// Where the exit report goes. The program may have write access to the folder: it can plant links and pipes at the
// report's name, and swap the folder's parents while it runs. So the folder is opened before the program starts, and
// the report takes the name by rename, which follows no link.
#pragma once

#include <string>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/report/exit_report.h"

namespace mxc::supervise {

class ReportFile {
 public:
  // path: a file name, or "-" for standard output. Call it before the program starts.
  // Errors: the folder doesn't exist or can't be written to; the name is a directory, socket or block device.
  static Result<ReportFile> Open(const std::string& path);

  // Regular files get mode 0600 and appear whole or not at all. A pipe or character device is written to directly.
  Result<void> Write(const report::ExitReport& report);
  Result<void> WriteText(const std::string& text);  // of a report

 private:
  std::string path_;  // for messages
  std::string name_;  // in folder_
  sys::UniqueFd folder_;
  sys::UniqueFd stream_;  // the pipe or device instead
};

// Open and Write in one, for runs that never started.
Result<void> WriteReport(const std::string& path, const report::ExitReport& report);

}  // namespace mxc::supervise
