#include "linux_runtime/container/hooks.h"

#include <string.h>
#include <sys/mman.h>

#include "linux_runtime/sandbox/bundle_plan.h"
#include "linux_runtime/sys/error.h"
#include "linux_runtime/sys/raw.h"
#include "shared/base/escape_text.h"

namespace mxc::container {
namespace {

// The end of what a hook printed is where the reason stands.
std::string LastOutput(int output) {
  constexpr off_t kMost = 2048;
  const off_t size = output < 0 ? 0 : ::lseek(output, 0, SEEK_END);
  if (size <= 0) return "";
  const off_t from = size > kMost ? size - kMost : 0;
  std::string text(static_cast<size_t>(size - from), '\0');
  const ssize_t got = ::pread(output, text.data(), text.size(), from);
  text.resize(got < 0 ? 0 : static_cast<size_t>(got));
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  return EscapeText(text);
}

Result<sys::UniqueFd> MemoryFile() {
  sys::UniqueFd fd(::memfd_create("mxc-hook", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!fd.valid()) return sys::SystemError("make a memory file for hooks", errno);
  return fd;
}

// From `first` on; how many ran well before one failed.
Result<void> RunFrom(const std::vector<sandbox::PlannedHook>& hooks, size_t* first, const std::string& state) {
  sys::UniqueFd input = MXC_TRY(MemoryFile());
  sys::UniqueFd output = MXC_TRY(MemoryFile());
  MXC_TRY(FillStateFile(input.get(), state));
  const std::vector<sandbox::PlannedHook> rest(hooks.begin() + static_cast<ptrdiff_t>(*first), hooks.end());
  const sandbox::HookFailure failure = sandbox::RunHooks(rest, input.get(), output.get());
  if (!failure.failed()) {
    *first = hooks.size();
    return {};
  }
  *first += failure.index;
  return HookError(hooks[*first], failure, output.get());
}

}  // namespace

Result<void> FillStateFile(int fd, const std::string& state) {
  if (::pwrite(fd, state.data(), state.size(), 0) != static_cast<ssize_t>(state.size()) ||
      ::fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) != 0) {
    return sys::SystemError("write the state for hooks", errno);
  }
  return {};
}

Error HookError(const sandbox::PlannedHook& hook, const sandbox::HookFailure& failure, int output) {
  const std::string what = std::string("run the hook ") + hook.path + " (" + hook.field + ")";
  if (failure.error == ETIMEDOUT) {
    return Error(Code::kSystem, what + ": it did not end within " + std::to_string(hook.timeout_ms / 1000) + " s")
        .WithErrno(ETIMEDOUT);
  }
  if (failure.error != 0) return sys::SystemError(what, failure.error);
  std::string why = WIFSIGNALED(failure.wait_status)
                        ? "it was ended by signal " + std::to_string(WTERMSIG(failure.wait_status))
                        : "it ended with exit status " + std::to_string(WEXITSTATUS(failure.wait_status));
  const std::string printed = LastOutput(output);
  if (!printed.empty()) why += ": " + printed;
  return Error(Code::kSystem, what + ": " + why);
}

Result<void> RunHooks(const std::vector<oci::Hook>& hooks, const char* field, const State& state, Status status) {
  if (hooks.empty()) return {};
  sandbox::Plan words;
  size_t first = 0;
  return RunFrom(sandbox::PrepareHooks(words, hooks, field, state.bundle), &first, OciState(state, status, false));
}

std::vector<std::string> RunLateHooks(const std::vector<oci::Hook>& hooks, const char* field, const State& state,
                                      Status status) {
  std::vector<std::string> warnings;
  if (hooks.empty()) return warnings;
  sandbox::Plan words;
  const std::vector<sandbox::PlannedHook> prepared = sandbox::PrepareHooks(words, hooks, field, state.bundle);
  const std::string text = OciState(state, status, false);
  for (size_t next = 0; next < prepared.size(); ++next) {
    Result<void> ran = RunFrom(prepared, &next, text);
    if (ran.ok()) break;
    warnings.push_back(ran.error().Describe());
  }
  return warnings;
}

}  // namespace mxc::container
