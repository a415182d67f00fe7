// Result<T>: a value or an Error. The project throws no exceptions of its own; third-party ones are caught where they
// arise and become Errors.
//
// An Error reads: what was tried, on what, why it failed, what to do next. The place that detects it writes the
// message; callers add context on the way up, outermost last:
//
//   mount /proc in the container: EPERM: the kernel hides parts of /proc in this VM
//     hint: run as root
#pragma once

#include <cassert>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mxc {

enum class Code : uint8_t {
  kUsage,        // the command line
  kInvalid,      // the input (policy, spec) is malformed
  kUnsupported,  // well-formed, but this host or this build can't enforce it
  kRefused,      // well-formed and enforceable, but not allowed (floor, delegation, conflict)
  kNotFound,     // a named object doesn't exist
  kSystem,       // a system call failed
  kInternal,     // a bug of ours
};

// Where in an input document an error lies. line and column start at 1; 0: unknown.
// pointer is an RFC 6901 JSON pointer, "" for the whole document.
struct Position {
  std::string source;  // file name as the user gave it
  uint32_t line = 0;
  uint32_t column = 0;
  std::string pointer;
};

class Error {
 public:
  Error(Code code, std::string message) : code_(code), message_(std::move(message)) {}

  Code code() const { return code_; }
  const std::string& message() const { return message_; }
  const std::string& hint() const { return hint_; }
  const std::vector<std::string>& context() const { return context_; }
  const std::optional<Position>& position() const { return position_; }
  int system_errno() const { return errno_; }

  // What the user can do about it; one sentence. The first hint wins, since it stands nearest to the cause.
  Error&& WithHint(std::string hint) && {
    if (hint_.empty()) hint_ = std::move(hint);
    return std::move(*this);
  }
  Error&& WithPosition(Position position) && {
    position_ = std::move(position);
    return std::move(*this);
  }
  Error&& WithErrno(int error) && {
    errno_ = error;
    return std::move(*this);
  }
  // Adds what the caller was doing. Printed before the message.
  Error&& WithContext(std::string what) && {
    context_.push_back(std::move(what));
    return std::move(*this);
  }

  // "policy.json:3:7: /process/timeout: start the sandbox: read the policy: expected a number" without the hint.
  std::string Describe() const;

 private:
  Code code_;
  int errno_ = 0;
  std::string message_;
  std::string hint_;
  std::vector<std::string> context_;
  std::optional<Position> position_;
};

inline std::string Error::Describe() const {
  std::string text;
  if (position_) {
    text += position_->source;
    if (position_->line != 0) {
      text += ':' + std::to_string(position_->line);
      if (position_->column != 0) text += ':' + std::to_string(position_->column);
    }
    if (!text.empty()) text += ": ";
    if (!position_->pointer.empty()) text += position_->pointer + ": ";
  }
  for (auto what = context_.rbegin(); what != context_.rend(); ++what) text += *what + ": ";
  return text + message_;
}

template <class T>
class [[nodiscard]] Result {
 public:
  using Value = T;
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}      // NOLINT(google-explicit-constructor)
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  T& value() & {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  const T& value() const& {
    assert(ok());
    return *std::get_if<0>(&state_);
  }
  T&& value() && {
    assert(ok());
    return std::move(*std::get_if<0>(&state_));
  }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T&& operator*() && { return std::move(*this).value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  const Error& error() const& {
    assert(!ok());
    return *std::get_if<1>(&state_);
  }
  Error&& error() && {
    assert(!ok());
    return std::move(*std::get_if<1>(&state_));
  }

  Result&& WithContext(std::string what) && {
    if (!ok()) std::move(std::get<1>(state_)).WithContext(std::move(what));
    return std::move(*this);
  }

 private:
  std::variant<T, Error> state_;
};

// Success without a value.
struct Unit {};

template <>
class [[nodiscard]] Result<void> {
 public:
  using Value = Unit;
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}  // NOLINT(google-explicit-constructor)

  bool ok() const { return !error_; }
  explicit operator bool() const { return ok(); }
  Unit value() const { return {}; }
  const Error& error() const& {
    assert(!ok());
    return *error_;
  }
  Error&& error() && {
    assert(!ok());
    return std::move(*error_);
  }

  Result&& WithContext(std::string what) && {
    if (error_) std::move(*error_).WithContext(std::move(what));
    return std::move(*this);
  }

 private:
  std::optional<Error> error_;
};

}  // namespace mxc

// Value of a Result, or return its error from the enclosing function: `auto spec = MXC_TRY(Translate(policy));`
// A statement expression: g++, clang and mingw have it.
#define MXC_TRY(...)                                              \
  __extension__({                                                 \
    auto mxc_result_ = (__VA_ARGS__);                             \
    if (!mxc_result_.ok()) return std::move(mxc_result_).error(); \
    std::move(mxc_result_).value();                               \
  })

// The same with context added.
#define MXC_TRY_AS(what, ...)                                                       \
  __extension__({                                                                   \
    auto mxc_result_ = (__VA_ARGS__);                                               \
    if (!mxc_result_.ok()) return std::move(mxc_result_).error().WithContext(what); \
    std::move(mxc_result_).value();                                                 \
  })
