// Runs the process of a bundle's config.json, by the plan and the launch alone: no state, no hooks, no start fifo. The
// program's exit status is the driver's; 125: an error of the runtime's, on stderr; 128+N: a signal.
//
//   driver [--keyring] [--wsl] [--exec] CONFIG.JSON
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string_view>

#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sandbox/seccomp_listener.h"
#include "linux_runtime/sys/raw.h"
#include "shared/oci/json.h"

namespace mxc {
namespace {

// Until the first process goes on by itself, or ends.
Result<void> Accompany(const oci::Spec& spec, sandbox::Launched& launched) {
  sandbox::Word word{};
  for (int fd = -1; sandbox::Hear(launched.parent.get(), &word, &fd) == 0 && word != sandbox::Word::kFree;) {
    sys::UniqueFd received(fd);
    if (word == sandbox::Word::kListener) {
      const sandbox::ListenerState state{spec.oci_version, launched.pid,
                                         "{\"id\": \"driver\", \"status\": \"creating\"}"};
      MXC_TRY(sandbox::SendSeccompListener(*spec.linux.seccomp, state, received.get()));
    } else {
      MXC_TRY(launched.Continue());
    }
  }
  return {};
}

Result<int> Run(const std::string& config, sandbox::PlanContext context) {
  std::ifstream file(config);
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  oci::Spec spec = MXC_TRY(oci::ReadSpec(text, config));
  oci::Extension extension = MXC_TRY(oci::ReadExtension(spec.annotations));
  sandbox::Plan plan = MXC_TRY(sandbox::BuildPlan(spec, extension, context));
  for (const std::string& note : plan.notes) std::fprintf(stderr, "note: %s\n", note.c_str());
  sandbox::Launched launched = MXC_TRY(sandbox::Launch(plan, {}));
  plan.CloseDescriptors();
  MXC_TRY(Accompany(spec, launched));

  sandbox::StatusRecord record{};
  const bool failed = sys::Read(launched.status.get(), &record, sizeof record) == sizeof record;
  int status = 0;
  ::waitpid(launched.pid, &status, 0);
  if (failed) return sandbox::StepError(plan, record.step, record.error);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

int Main(int argc, char** argv) {
  sandbox::PlanContext context;
  context.bundle = true;
  context.privileged = sandbox::IsPrivileged();
  context.capable = sandbox::IsCapable();
  context.uid = ::geteuid();
  context.gid = ::getegid();
  context.container_id = "driver";
  std::string config;
  for (int index = 1; index < argc; ++index) {
    std::string_view argument = argv[index];
    context.new_keyring |= argument == "--keyring";
    context.wsl |= argument == "--wsl";
    context.exec |= argument == "--exec";
    if (!argument.starts_with("--")) config = argument;
  }
  Result<int> result = Run(config, context);
  if (result.ok()) return *result;
  std::fprintf(stderr, "%s\n", result.error().Describe().c_str());
  if (!result.error().hint().empty()) std::fprintf(stderr, "hint: %s\n", result.error().hint().c_str());
  return 125;
}

}  // namespace
}  // namespace mxc

int main(int argc, char** argv) { return mxc::Main(argc, argv); }
