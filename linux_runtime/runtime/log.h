// --log and --log-format: what callers read when a command fails. The words of logrus, which runc's callers parse.
#pragma once

#include <string>

#include "shared/base/result.h"

namespace mxc::runtime {

struct LogOptions {
  std::string file;  // appended to; "": none
  bool json = false;
  bool debug = false;  // debug messages too
};

class Log {
 public:
  explicit Log(LogOptions options) : options_(std::move(options)) {}

  // The reason why the command fails: into the log and on standard error.
  void Fail(const Error& error) const;
  // Into the log only: standard error may be the container's. Of commands that succeed: podman takes a log for the one
  // error that a command failed with.
  void Warn(const std::string& message) const { Append("warning", message); }
  // Into the log, and without one on standard error.
  void Tell(const std::string& message) const;
  void Debug(const std::string& message) const {
    if (options_.debug) Append("debug", message);
  }

 private:
  void Append(const char* level, const std::string& message) const;
  LogOptions options_;
};

}  // namespace mxc::runtime
