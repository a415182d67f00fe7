// A folder of a cgroup tree, held open: its files are read and written, its children made and removed, relative to it.
#pragma once

#include <fcntl.h>

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"

namespace mxc::cgroup {

// Calls return 0 or a count, or -errno; callers know which limit or sandbox they were about and say so.
class Directory {
 public:
  Directory() = default;

  // extra_flags are added to those with which a file is opened for writing. Only tests need them: O_CREAT, since a
  // plain folder in place of a cgroup has no files.
  static Result<Directory> Open(std::string path, int extra_flags = 0);
  Result<Directory> Child(const std::string& name) const;

  bool valid() const { return fd_.valid(); }
  int fd() const { return fd_.get(); }
  const std::string& path() const { return path_; }

  // One write(2), as cgroup files want it.
  int Write(const char* file, std::string_view value) const;
  // The start of the file, at most 8 KiB: enough for every file that is read here but lists of processes.
  Result<std::string> Read(const char* file) const;
  // All of the file, at most 1 MiB.
  Result<std::string> ReadAll(const char* file) const;
  // The first number of the file; "max" is UINT64_MAX.
  Result<uint64_t> ReadNumber(const char* file) const;
  // Every process id of cgroup.procs. 0: a process that this pid namespace can't see.
  Result<std::vector<int>> Processes() const;
  // Those of the groups below it too, which a sandbox may have made, in no order.
  Result<std::vector<int>> ProcessesBelow() const;
  // The first write of each value, with one open(2). Returns how many were taken, or -errno when the file can't be
  // opened; `error` is then what the next one met.
  int WriteEach(const char* file, const std::vector<std::string>& values, int& error) const;
  // The same value into the file of the group and of every group below it that has one.
  void WriteBelow(const char* file, std::string_view value) const;
  Result<sys::UniqueFd> OpenFile(const char* file, int flags) const;
  bool Has(const char* file) const;

  int Make(const std::string& name) const;
  // Removes the child group and the groups below it, however deep a sandbox has nested them. EBUSY lasts some milliseconds after
  // the last process of a group is gone, so it is tried again until `patience` is over.
  int RemoveTree(const std::string& name, std::chrono::milliseconds patience) const;
  Result<std::vector<std::string>> Children() const;

 private:
  Directory(std::string path, sys::UniqueFd fd, int extra_flags)
      : path_(std::move(path)), fd_(std::move(fd)), extra_flags_(extra_flags) {}

  std::string path_;
  sys::UniqueFd fd_;
  int extra_flags_ = 0;
};

// Waits a little longer each time: 0.1 ms doubled up to 5 ms. False when `deadline` has passed.
class Backoff {
 public:
  explicit Backoff(std::chrono::milliseconds patience);
  bool Wait();

 private:
  std::chrono::steady_clock::time_point deadline_;
  std::chrono::microseconds pause_{100};
};

// Value of `key` in a file of "key value" lines; absent: nothing.
std::optional<uint64_t> FlatKey(std::string_view text, std::string_view key);

}  // namespace mxc::cgroup
