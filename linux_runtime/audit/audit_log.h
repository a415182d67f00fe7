// The audit's file: a line is one write at its end, and what can't be written never holds anything up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "linux_runtime/sys/fd.h"
#include "shared/audit/event.h"
#include "shared/base/result.h"

namespace mxc::audit {

struct LogOptions {
  std::string folder;  // made with mode 0700; FOLDER/audit.jsonl, audit.1.jsonl (the newest before it), …
  uint64_t most_bytes = 16ull << 20;  // of one file
  unsigned most_files = 8;
};

class AuditLog {
 public:
  // Goes on behind the last whole line. What is torn behind it stays in the file, and is counted as lost. Errors: kRefused where
  // the folder or file is somebody else's, or another process writes there; kSystem.
  static Result<AuditLog> Open(LogOptions options);

  // The time is set here. A line that can't be written is counted; the next one that can stands behind a line that says how many.
  void Write(Event event);
  uint64_t lost() const { return lost_; }

 private:
  Result<void> OpenFile();
  Result<void> FindEnd();
  bool Append(const std::string& line);
  void Rotate();

  LogOptions options_;
  sys::UniqueFd folder_, file_;
  uint64_t size_ = 0;
  Chain chain_;
  uint64_t lost_ = 0;
  bool torn_ = false;  // the file's last line has no end
};

// Checks a folder's files, the oldest first. Returns how many lines there are. Error (kInvalid): file and line that don't fit.
Result<uint64_t> VerifyFolder(const std::string& folder);

}  // namespace mxc::audit
