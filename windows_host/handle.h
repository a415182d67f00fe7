// Files and pipes of Windows, read as bytes: no text mode, no translation of line ends or of Ctrl-Z.
#pragma once

#include <cstddef>
#include <string>
#include <utility>

#include "shared/base/result.h"

namespace mxc::windows {

// Owns a HANDLE.
class UniqueHandle {
 public:
  explicit UniqueHandle(void* handle) : handle_(handle) {}
  ~UniqueHandle();
  UniqueHandle(UniqueHandle&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  UniqueHandle& operator=(UniqueHandle&& other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  UniqueHandle(const UniqueHandle&) = delete;
  UniqueHandle& operator=(const UniqueHandle&) = delete;

  void* get() const { return handle_; }

 private:
  void* handle_;
};

// Reads to the end. Errors: kSystem; kInvalid above `limit` bytes, before all is read. name: for messages.
Result<std::string> ReadAll(void* handle, const std::string& name, size_t limit);

// path: UTF-8, relative or absolute, of any length. Errors: as ReadAll; kNotFound; kInvalid for text that is no path.
Result<std::string> ReadWholeFile(const std::string& path, size_t limit);

// Standard input to its end, unless it is a console (kUsage).
Result<std::string> ReadStandardInput(size_t limit);

}  // namespace mxc::windows
