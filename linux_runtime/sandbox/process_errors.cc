#include "linux_runtime/sandbox/process_errors.h"

#include <errno.h>
#include <string.h>

#include <string>

#include "linux_runtime/sandbox/names.h"
#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/sys/error.h"
#include "shared/base/escape_text.h"

namespace mxc::sandbox {
namespace {

// exec "sh": executable file not found in $PATH
Error ProgramError(const Plan& plan, int error) {
  const std::string name = plan.argv.empty() || plan.argv[0] == nullptr ? "" : plan.argv[0];
  const std::string what = "exec \"" + EscapeText(name) + "\": ";
  const bool missing = error == ENOENT || error == ENOTDIR;
  if (missing && name.find('/') == std::string::npos) {
    return Error(Code::kNotFound, what + "executable file not found in $PATH").WithErrno(ENOENT);
  }
  if (missing) return Error(Code::kNotFound, what + "no such file or directory").WithErrno(ENOENT);
  if (error == EACCES || error == EPERM) return Error(Code::kSystem, what + "permission denied").WithErrno(EACCES);
  if (error == ELOOP) {
    return Error(Code::kRefused, what + "too many links, or a link of /proc that leads out of the container")
        .WithErrno(ELOOP);
  }
  std::string text = ::strerror(error);
  return Error(Code::kSystem, what + text).WithErrno(error);
}

Error Field(const char* field, const std::string& what, int error) {
  return sys::SystemError(std::string(field) + ": " + what, error);
}

Error IdError(const char* field, const char* what, uint32_t id, int error) {
  Error failure = Field(field, what + std::to_string(id), error);
  if (error == EINVAL) return std::move(failure).WithHint("the container's user namespace doesn't map this id");
  return failure;
}

}  // namespace

std::optional<Error> ProcessStepError(const Plan& plan, uint32_t step, int error) {
  switch (step) {
    case kStepFindProgram:
    case kStepExec:
      return ProgramError(plan, error);
    case kStepChdir:
      if (error == EXDEV) {
        return Error(Code::kRefused,
                     "/process/cwd: the folder " + EscapeText(plan.cwd) + " lies outside the container's root");
      }
      // Callers look for chdir in this text, and for the errno's words.
      return Error(Code::kSystem, "/process/cwd: chdir to " + EscapeText(plan.cwd) + ": " + ::strerror(error))
          .WithErrno(error);
    case kStepStreams:
      return Field("/process/user/uid", "give the standard streams to the user", error);
    case kStepGroups: {
      Error failure = Field("/process/user/additionalGids", "set the supplementary groups", error);
      if (error == EPERM) {
        return std::move(failure).WithHint(
            "the container's user namespace denies setgroups(2): map its groups by newgidmap");
      }
      if (error == EINVAL) return std::move(failure).WithHint("the container's user namespace doesn't map one of them");
      return failure;
    }
    case kStepGid:
      return IdError("/process/user/gid", "become group ", plan.gid, error);
    case kStepUid:
      return IdError("/process/user/uid", "become user ", plan.uid, error);
    case kStepCapabilities:
      return Field("/process/capabilities", "set the capability sets", error);
    case kStepOomScore: {
      Error failure = Field("/process/oomScoreAdj", "set the score to " + plan.process.oom_score_adj, error);
      if (error == EACCES) return std::move(failure).WithHint("a score below the caller's own takes CAP_SYS_RESOURCE");
      return failure;
    }
    case kStepInitialAffinity:
      return Field("/process/execCPUAffinity/initial", "set the processors to run on", error);
    case kStepAffinity:
      return Field("/process/execCPUAffinity/final", "set the processors to run on", error);
    case kStepScheduler: {
      Error failure = Field("/process/scheduler", "set the scheduling policy", error);
      if (error == EPERM) {
        return std::move(failure).WithHint(
            "real-time policies and lower nice values take CAP_SYS_NICE outside every user namespace");
      }
      return failure;
    }
    case kStepIoPriority:
      return Field("/process/ioPriority", "set the I/O priority", error);
    case kStepMemoryPolicy:
      return Field("/linux/memoryPolicy", "set the NUMA policy", error);
    case kStepPersonality:
      return Field("/linux/personality", "set the execution domain", error);
    case kStepSeccomp: {
      Error failure = Field("/linux/seccomp", "install the system call filter", error);
      if (error == EBUSY)
        return std::move(failure).WithHint("another filter's listener is there already; the kernel takes one");
      return failure;
    }
    default:
      break;
  }
  if (step >= kStepRlimitBase) {
    const int resource = static_cast<int>(step - kStepRlimitBase);
    return Field("/process/rlimits", "set " + std::string(RlimitName(resource)), error);
  }
  return std::nullopt;
}

}  // namespace mxc::sandbox
