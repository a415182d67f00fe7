#include "linux_runtime/audit/audit_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::audit {
namespace {

constexpr char kFile[] = "audit.jsonl";

std::string NameOf(unsigned number) { return number == 0 ? kFile : "audit." + std::to_string(number) + ".jsonl"; }

int64_t Now() {
  timespec now{};
  ::clock_gettime(CLOCK_REALTIME, &now);
  return int64_t{now.tv_sec} * 1'000'000 + now.tv_nsec / 1000;
}

Result<void> CheckOwner(int fd, const std::string& path, mode_t forbidden) {
  struct stat found;
  if (int error = sys::Fstat(fd, &found); error < 0) return sys::SystemError("look at " + path, -error);
  if (found.st_uid != ::geteuid() || (found.st_mode & forbidden) != 0) {
    return Error(Code::kRefused,
                 path + " belongs to somebody else, or others may write there: the audit can't be kept in it")
        .WithHint("remove it, or choose another folder");
  }
  return {};
}

Result<std::string> ReadWhole(int folder, const std::string& name) {
  const sys::UniqueFd file(sys::OpenAt(folder, name.c_str(), O_RDONLY | O_NOFOLLOW));
  if (!file.valid()) return sys::SystemError("open " + name, errno);
  std::string text;
  char buffer[64 << 10];
  for (;;) {
    const long size = sys::Read(file.get(), buffer, sizeof buffer);
    if (size < 0) return sys::SystemError("read " + name, static_cast<int>(-size));
    if (size == 0) return text;
    text.append(buffer, static_cast<size_t>(size));
  }
}

}  // namespace

Result<AuditLog> AuditLog::Open(LogOptions options) {
  AuditLog log;
  log.options_ = std::move(options);
  const std::string& path = log.options_.folder;
  if (int error = sys::Mkdir(AT_FDCWD, path.c_str(), 0700); error < 0 && error != -EEXIST) {
    return sys::SystemError("make the audit's folder " + path, -error);
  }
  log.folder_.reset(sys::OpenAt(AT_FDCWD, path.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW));
  if (!log.folder_.valid()) return sys::SystemError("open the audit's folder " + path, errno);
  MXC_TRY(CheckOwner(log.folder_.get(), path, 0022));
  MXC_TRY(log.OpenFile());
  MXC_TRY(log.FindEnd());
  if (log.torn_) {
    // Ended where it broke off, so that the next line stands for itself.
    if (!log.Append("\n")) return Error(Code::kSystem, "write to " + path + "/" + kFile);
    log.torn_ = false;
  }
  return log;
}

Result<void> AuditLog::OpenFile() {
  const std::string path = options_.folder + "/" + kFile;
  file_.reset(sys::OpenAt(folder_.get(), kFile, O_RDWR | O_APPEND | O_CREAT | O_NOFOLLOW, 0600));
  if (!file_.valid()) return sys::SystemError("open " + path, errno);
  MXC_TRY(CheckOwner(file_.get(), path, 0077));
  if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0)
    return Error(Code::kRefused, "another process writes the audit " + path);
  struct stat found {};
  (void)sys::Fstat(file_.get(), &found);
  size_ = static_cast<uint64_t>(found.st_size);
  return {};
}

// The last whole line of ours, in this file or the one before it.
Result<void> AuditLog::FindEnd() {
  for (unsigned number = 0; number <= options_.most_files; ++number) {
    Result<std::string> read = ReadWhole(folder_.get(), NameOf(number));
    if (!read.ok()) return {};
    std::string_view text = *read;
    if (number == 0 && !text.empty() && text.back() != '\n') {
      torn_ = true;
      lost_ += 1;
      text = text.substr(0, text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1);
    }
    while (!text.empty()) {
      text.remove_suffix(1);
      const size_t start = text.rfind('\n') == std::string_view::npos ? 0 : text.rfind('\n') + 1;
      const std::string_view line = text.substr(start);
      if (Result<Chain> chain = ReadChain(line); chain.ok()) {
        chain_ = {chain->sequence, HashOf(line)};
        return {};
      }
      text = text.substr(0, start);  // torn before
    }
  }
  return {};
}

bool AuditLog::Append(const std::string& line) {
  const long written = sys::Write(file_.get(), line.data(), line.size());
  if (written == static_cast<long>(line.size())) {
    size_ += line.size();
    return true;
  }
  // A part of a line is worse than none.
  if (written > 0 && ::ftruncate(file_.get(), static_cast<off_t>(size_)) != 0) {
    torn_ = true;
    size_ += static_cast<uint64_t>(written);
  }
  return false;
}

void AuditLog::Rotate() {
  for (unsigned number = options_.most_files - 1; number > 0; --number) {
    ::renameat(folder_.get(), NameOf(number - 1).c_str(), folder_.get(), NameOf(number).c_str());
  }
  // Without a new file the old one goes on.
  sys::UniqueFd before = std::move(file_);
  if (!OpenFile().ok()) {
    file_ = std::move(before);
    ::renameat(folder_.get(), NameOf(1).c_str(), folder_.get(), kFile);
  }
}

void AuditLog::Write(Event event) {
  if (size_ >= options_.most_bytes && options_.most_files > 1) Rotate();
  event.unix_us = Now();
  if (torn_) {
    if (!Append("\n")) {
      ++lost_;
      return;
    }
    torn_ = false;
  }
  if (lost_ != 0) {
    Event gap;
    gap.kind = Kind::kLost;
    gap.unix_us = event.unix_us;
    gap.lost = lost_;
    Chain chain = chain_;
    if (!Append(WriteLine(gap, chain))) {
      ++lost_;
      return;
    }
    chain_ = std::move(chain);
    lost_ = 0;
  }
  Chain chain = chain_;
  if (!Append(WriteLine(event, chain))) {
    ++lost_;
    return;
  }
  chain_ = std::move(chain);
}

Result<uint64_t> VerifyFolder(const std::string& folder) {
  const sys::UniqueFd open(sys::OpenAt(AT_FDCWD, folder.c_str(), O_RDONLY | O_DIRECTORY));
  if (!open.valid()) return sys::SystemError("open " + folder, errno);
  unsigned oldest = 0;
  while (::faccessat(open.get(), NameOf(oldest + 1).c_str(), F_OK, 0) == 0) ++oldest;
  uint64_t lines = 0;
  std::optional<Chain> chain;
  for (unsigned number = oldest + 1; number-- > 0;) {
    const std::string text = MXC_TRY(ReadWhole(open.get(), NameOf(number)));
    Chain end = MXC_TRY_AS(folder + "/" + NameOf(number), VerifyChain(text, chain ? &*chain : nullptr));
    lines += static_cast<uint64_t>(std::count(text.begin(), text.end(), '\n'));
    if (!text.empty()) chain = std::move(end);
  }
  return lines;
}

}  // namespace mxc::audit
