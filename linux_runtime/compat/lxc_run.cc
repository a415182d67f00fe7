#include "linux_runtime/compat/lxc_run.h"

#include <errno.h>
#include <stdio.h>

#include "shared/base/escape_text.h"

namespace mxc::compat {
namespace {

// A path that isn't there, or isn't shown: bubblewrap says so itself, with 1.
bool IsMissing(const Error& error) {
  if (error.position() && error.position()->pointer == "/process/cwd") return true;
  return error.code() == Code::kNotFound || error.system_errno() == ENOENT || error.system_errno() == ENOTDIR;
}

}  // namespace

LxcEnd EndOf(const Result<cli::Ended>& ended, const policy::Policy& policy) {
  if (!ended.ok()) {
    return {IsMissing(ended.error()) ? kWrongRequest : kBackendFailed, false, ended.error()};
  }
  if (ended->how == report::How::kTimedOut) {
    return {kBackendFailed, true,
            Error(Code::kRefused, "script timed out after " + std::to_string(policy.process->timeout_ms) + "ms")};
  }
  if (!ended->error) return {ended->exit_code, false, std::nullopt};
  const bool missing = ended->how == report::How::kFailedToStart && IsMissing(*ended->error);
  return {missing ? kWrongRequest : kBackendFailed, false, ended->error};
}

std::string Whole(const Error& error) {
  return EscapeText(error.Describe()) + (error.hint().empty() ? "" : "\n  hint: " + EscapeText(error.hint()));
}

void SayPlainly(const Error& error) {
  const std::string text = "lxc-exec: " + Whole(error) + "\n";
  ::fwrite(text.data(), 1, text.size(), stderr);
}

}  // namespace mxc::compat
