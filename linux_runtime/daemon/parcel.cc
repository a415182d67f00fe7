#include "linux_runtime/daemon/parcel.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <cstdint>

#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::daemon {
namespace {

constexpr size_t kMost = 16 << 20;

}  // namespace

std::string JoinParts(const std::vector<std::string>& parts) {
  std::string bytes;
  for (const std::string& part : parts) {
    const auto size = static_cast<uint32_t>(part.size());
    bytes.append(reinterpret_cast<const char*>(&size), sizeof size).append(part);
  }
  return bytes;
}

Result<sys::UniqueFd> PackParcel(const std::vector<std::string>& parts) {
  const std::string bytes = JoinParts(parts);
  sys::UniqueFd file(::memfd_create("mxcd", MFD_CLOEXEC));
  if (!file.valid()) return sys::SystemError("make a memory file", errno);
  for (size_t done = 0; done < bytes.size();) {
    const long size = sys::Write(file.get(), bytes.data() + done, bytes.size() - done);
    if (size <= 0) return sys::SystemError("write to a memory file", static_cast<int>(-size));
    done += static_cast<size_t>(size);
  }
  return file;
}

Result<std::vector<std::string>> UnpackParcel(int fd) {
  struct stat found;
  if (int error = sys::Fstat(fd, &found); error < 0) return sys::SystemError("look at a parcel", -error);
  if (found.st_size < 0 || static_cast<uint64_t>(found.st_size) > kMost)
    return Error(Code::kInvalid, "a parcel is too large");
  std::string bytes(static_cast<size_t>(found.st_size), '\0');
  for (size_t done = 0; done < bytes.size();) {
    const ssize_t size = ::pread(fd, bytes.data() + done, bytes.size() - done, static_cast<off_t>(done));
    if (size <= 0) return sys::SystemError("read a parcel", errno);
    done += static_cast<size_t>(size);
  }
  std::vector<std::string> parts;
  for (size_t at = 0; at < bytes.size();) {
    uint32_t size;
    if (bytes.size() - at < sizeof size) return Error(Code::kInvalid, "a parcel is cut off");
    memcpy(&size, bytes.data() + at, sizeof size);
    at += sizeof size;
    if (bytes.size() - at < size) return Error(Code::kInvalid, "a parcel is cut off");
    parts.push_back(bytes.substr(at, size));
    at += size;
  }
  return parts;
}

void AppendHandover(transport::Handover handover, std::vector<std::string>& parts) {
  parts.push_back(std::move(handover.unread));
  parts.push_back(std::move(handover.unsent));
  parts.push_back(std::move(handover.secret));
}

Result<transport::Handover> TakeHandover(std::vector<std::string>& parts) {
  if (parts.size() < 3) return Error(Code::kInvalid, "a parcel holds no connection");
  transport::Handover handover;
  handover.secret = std::move(parts.back());
  parts.pop_back();
  handover.unsent = std::move(parts.back());
  parts.pop_back();
  handover.unread = std::move(parts.back());
  parts.pop_back();
  return handover;
}

}  // namespace mxc::daemon
