#include "linux_runtime/supervise/write_report.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <string_view>

#include "linux_runtime/sys/error.h"
#include "shared/base/escape_text.h"

namespace mxc::supervise {
namespace {

Result<void> WriteAll(int fd, std::string_view text, const std::string& what) {
  while (!text.empty()) {
    const ssize_t size = ::write(fd, text.data(), text.size());
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return sys::SystemError(what, errno);
    text.remove_prefix(static_cast<size_t>(size));
  }
  return {};
}

// Names that stand for streams the caller handed over. Only here a link is followed: these folders are the kernel's or
// root's, and no program can plant one.
bool NamesStream(const std::string& path) {
  for (const std::string_view name : {"/dev/stdout", "/dev/stderr", "/dev/tty", "/dev/null"}) {
    if (path == name) return true;
  }
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (path.size() > folder.size() && path.starts_with(folder) &&
        path.find_first_not_of("0123456789", folder.size()) == std::string::npos) {
      return true;
    }
  }
  return false;
}

// The temporary file's name can't be guessed, so nothing can wait there; O_EXCL refuses what does.
Result<std::string> TemporaryName(const std::string& name) {
  uint64_t number = 0;
  if (::getrandom(&number, sizeof number, 0) != sizeof number) return sys::SystemError("getrandom", errno);
  return "." + name.substr(0, 200) + "." + std::to_string(number);
}

}  // namespace

Result<ReportFile> ReportFile::Open(const std::string& path) {
  ReportFile file;
  file.path_ = path == "-" ? "standard output" : EscapeText(path);
  const std::string what = "open the report " + file.path_;
  if (path == "-") {
    file.stream_.reset(::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!file.stream_.valid()) return sys::SystemError(what, errno);
    return file;
  }
  if (NamesStream(path)) {
    file.stream_.reset(::open(path.c_str(), O_WRONLY | O_APPEND | O_NOCTTY | O_CLOEXEC));
    if (!file.stream_.valid()) return sys::SystemError(what, errno);
    return file;
  }
  const size_t slash = path.rfind('/');
  file.name_ = slash == std::string::npos ? path : path.substr(slash + 1);
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  if (file.name_.empty() || file.name_ == "." || file.name_ == "..") {
    return Error(Code::kUsage, what + ": this names a folder").WithHint("name a file in it");
  }
  file.folder_.reset(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!file.folder_.valid()) return sys::SystemError(what, errno).WithHint("make the folder first");
  if (::faccessat(file.folder_.get(), ".", W_OK, AT_EACCESS) < 0) return sys::SystemError(what, errno);

  struct stat found {};
  if (::fstatat(file.folder_.get(), file.name_.c_str(), &found, AT_SYMLINK_NOFOLLOW) < 0) return file;
  if (S_ISREG(found.st_mode) || S_ISLNK(found.st_mode)) return file;
  if (!S_ISFIFO(found.st_mode) && !S_ISCHR(found.st_mode)) {
    return Error(Code::kUsage, what + ": it is a folder, a socket or a block device").WithHint("name a file");
  }
  // Without O_NONBLOCK a pipe that nobody reads would hold the run up for ever.
  file.stream_.reset(
      ::openat(file.folder_.get(), file.name_.c_str(), O_WRONLY | O_NONBLOCK | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC));
  if (!file.stream_.valid()) {
    const int error = errno;
    Error failed = sys::SystemError(what, error);
    if (error == ENXIO) return std::move(failed).WithHint("start the pipe's reader first");
    return failed;
  }
  ::fcntl(file.stream_.get(), F_SETFL, 0);
  return file;
}

Result<void> ReportFile::Write(const report::ExitReport& report) { return WriteText(report::ToJson(report)); }

Result<void> ReportFile::WriteText(const std::string& text) {
  const std::string what = "write the report " + path_;
  if (stream_.valid()) return WriteAll(stream_.get(), text, what);

  const std::string temporary = MXC_TRY_AS(what, TemporaryName(name_));
  sys::UniqueFd file(
      ::openat(folder_.get(), temporary.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
  if (!file.valid()) return sys::SystemError(what, errno);
  Result<void> written = WriteAll(file.get(), text, what);
  if (written.ok() && ::renameat(folder_.get(), temporary.c_str(), folder_.get(), name_.c_str()) < 0) {
    written = sys::SystemError(what, errno);
  }
  if (!written.ok()) ::unlinkat(folder_.get(), temporary.c_str(), 0);
  return written;
}

Result<void> WriteReport(const std::string& path, const report::ExitReport& report) {
  ReportFile file = MXC_TRY(ReportFile::Open(path));
  return file.Write(report);
}

}  // namespace mxc::supervise
