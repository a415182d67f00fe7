// Runs a bundle with nothing around it: plan, launch, wait. What the tests of this folder start; it has no state, no
// cgroup and no hooks. The exit status is the program's, 125 when the container could not be set up.
//
//   run_bundle [--no-pivot] [--plan] [--cgroup NAME=SOURCE]... BUNDLE
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "linux_runtime/cgroup/mounts.h"
#include "linux_runtime/sandbox/build_plan.h"
#include "linux_runtime/sandbox/launch.h"
#include "linux_runtime/sandbox/rendezvous.h"
#include "linux_runtime/sys/landlock.h"
#include "linux_runtime/sys/raw.h"
#include "shared/oci/extension.h"
#include "shared/oci/json.h"
#include "shared/oci/validate.h"

namespace mxc {
namespace {

struct Arguments {
  std::string bundle;
  bool no_pivot = false, plan = false;
  cgroup::CgroupMounts cgroups;
};

Arguments Parse(int argc, char** argv) {
  Arguments arguments;
  for (int index = 1; index < argc; ++index) {
    const std::string word = argv[index];
    if (word == "--no-pivot") {
      arguments.no_pivot = true;
    } else if (word == "--plan") {
      arguments.plan = true;
    } else if (word == "--cgroup" && index + 1 < argc) {
      const std::string value = argv[++index];
      const size_t equals = value.find('=');
      cgroup::MountEntry entry;
      entry.name = value.substr(0, equals);
      entry.source = value.substr(equals + 1);
      entry.is_symlink = !entry.source.starts_with('/');
      arguments.cgroups.v2 = entry.name.empty();
      arguments.cgroups.entries.push_back(std::move(entry));
    } else {
      arguments.bundle = word;
    }
  }
  return arguments;
}

Result<sandbox::Plan> PlanBundle(const Arguments& arguments) {
  const std::string path = arguments.bundle + "/config.json";
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  oci::Spec spec = MXC_TRY(oci::ReadSpec(text, path));
  oci::Extension extension = MXC_TRY(oci::ReadExtension(spec.annotations));
  MXC_TRY(oci::Validate(spec, extension));
  sandbox::PlanContext context;
  context.bundle = true;
  context.privileged = sandbox::IsPrivileged();
  context.capable = sandbox::IsCapable();
  context.uid = ::geteuid();
  context.gid = ::getegid();
  context.landlock_abi = sys::LandlockAbi();
  context.bundle_path = arguments.bundle;
  context.no_pivot = arguments.no_pivot;
  context.cgroup_mounts = &arguments.cgroups;
  sandbox::Plan plan = MXC_TRY(sandbox::BuildPlan(spec, extension, context));
  return plan;
}

// The container's first process up to its exec; the error of a failed step.
Result<void> Accompany(const sandbox::Plan& plan, sandbox::Launched& launched) {
  for (;;) {
    sandbox::Word word{};
    int fd = -1;
    if (sandbox::Hear(launched.parent.get(), &word, &fd) < 0 || word == sandbox::Word::kFree) break;
    if (fd >= 0) launched.console.reset(fd);
    if (word != sandbox::Word::kConsole) MXC_TRY(launched.Continue());
  }
  sandbox::StatusRecord record{};
  if (sys::Read(launched.status.get(), &record, sizeof record) != sizeof record) return {};
  return sandbox::StepError(plan, record.step, record.error);
}

Result<int> Run(const Arguments& arguments) {
  sandbox::Plan plan = MXC_TRY(PlanBundle(arguments));
  if (arguments.plan) {
    std::printf("%s", sandbox::FormatPlan(plan).c_str());
    return 0;
  }
  sandbox::Launched launched = MXC_TRY(sandbox::Launch(plan, {}));
  Result<void> accompanied = Accompany(plan, launched);
  int status = 0;
  while (::waitpid(launched.pid, &status, 0) < 0 && errno == EINTR) {
  }
  MXC_TRY(std::move(accompanied));
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace
}  // namespace mxc

int main(int argc, char** argv) {
  mxc::Result<int> result = mxc::Run(mxc::Parse(argc, argv));
  if (result.ok()) return *result;
  std::fprintf(stderr, "%s\n%s\n", result.error().Describe().c_str(), result.error().hint().c_str());
  return 125;
}
