// What a filter costs a call that it always allows: getppid, which the kernel answers in no time of its own.
//
// Compared in one run, round by round: no filter; ours (guard and a shipped list); a flat list of as many calls, searched
// from front to back, which is what libseccomp makes of Docker's default list; and, with --oci, the list of any config.json.
// Usage: seccomp_getppid [--calls N] [--rounds N] [--list NAME] [--oci CONFIG.json] [--json]
// Exit code 1 when ours runs at less than 0.9 of the speed of the list that it is compared with.
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "linux_runtime/sandbox/guard_filter.h"
#include "linux_runtime/sandbox/seccomp_cache.h"
#include "shared/oci/json.h"
#include "shared/translate/seccomp_profiles.h"

namespace {

using mxc::sandbox::SeccompProgram;

struct Candidate {
  std::string name;
  std::vector<SeccompProgram> programs;
  std::vector<double> seconds;

  double median() const {
    std::vector<double> sorted = seconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted[sorted.size() / 2];
  }
};

[[noreturn]] void Fail(const std::string& what) {
  std::fprintf(stderr, "seccomp_getppid: %s\n", what.c_str());
  std::exit(2);
}

// Allows what the default list allows always, by one comparison a call, smallest number first.
SeccompProgram FlatList() {
  std::vector<int> numbers;
  for (int number = 0; number < 470; ++number) {
    auto answer = mxc::translate::ExplainSyscall("default", mxc::sandbox::SyscallName(number));
    if (answer.kind == mxc::translate::SyscallAnswer::Kind::kAllowed) numbers.push_back(number);
  }
  SeccompProgram program;
  auto add = [&](int code, uint32_t k, uint8_t yes = 0, uint8_t no = 0) {
    program.code.push_back({static_cast<uint16_t>(code), yes, no, k});
  };
  add(BPF_LD | BPF_W | BPF_ABS, 0);
  for (int number : numbers) {
    add(BPF_JMP | BPF_JEQ | BPF_K, static_cast<uint32_t>(number), 0, 1);
    add(BPF_RET | BPF_K, mxc::sys::kSeccompAllow);
  }
  add(BPF_RET | BPF_K, mxc::sys::kSeccompErrno | 1);
  program.flags = mxc::sys::kSeccompFlagSpecAllow;
  return program;
}

double Measure(const Candidate& candidate, long calls) {
  int ends[2];
  if (::pipe(ends) != 0) Fail("pipe");
  pid_t child = ::fork();
  if (child == 0) {
    if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) ::_exit(1);
    for (const SeccompProgram& program : candidate.programs)
      if (mxc::sys::SeccompSetFilter(program.code.data(), program.code.size(), program.flags) < 0) ::_exit(1);
    for (long i = 0; i < calls / 50; ++i) ::syscall(SYS_getppid);
    auto start = std::chrono::steady_clock::now();
    for (long i = 0; i < calls; ++i) ::syscall(SYS_getppid);
    double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    (void)!::write(ends[1], &seconds, sizeof seconds);
    ::_exit(0);
  }
  ::close(ends[1]);
  double seconds = 0;
  if (::read(ends[0], &seconds, sizeof seconds) != sizeof seconds)
    Fail("the child under '" + candidate.name + "' ended");
  ::close(ends[0]);
  ::waitpid(child, nullptr, 0);
  return seconds;
}

SeccompProgram FromSpec(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  auto spec = mxc::oci::ReadSpec(text.str(), path);
  if (!spec.ok()) Fail(spec.error().Describe());
  if (!spec->linux.seccomp) Fail(path + " has no linux.seccomp");
  auto program = mxc::sandbox::CompileSeccomp(*spec->linux.seccomp);
  if (!program.ok()) Fail(program.error().Describe());
  return std::move(program).value();
}

}  // namespace

int main(int argc, char** argv) {
  long calls = 10'000'000, rounds = 5;
  std::string list = "default", oci;
  bool json = false;
  for (int i = 1; i < argc; ++i) {
    std::string option = argv[i];
    if (option == "--json")
      json = true;
    else if (i + 1 == argc)
      Fail(option + " needs a value");
    else if (option == "--calls")
      calls = std::atol(argv[++i]);
    else if (option == "--rounds")
      rounds = std::atol(argv[++i]);
    else if (option == "--list")
      list = argv[++i];
    else if (option == "--oci")
      oci = argv[++i];
    else
      Fail("unknown option " + option);
  }
  const mxc::oci::LinuxSeccomp* ours = mxc::translate::FindSeccompProfile(list);
  if (ours == nullptr || calls < 1 || rounds < 1) Fail("no such list, or a count below 1");

  std::vector<Candidate> candidates = {{"none", {}, {}},
                                       {"ours", {mxc::sandbox::GuardFilter(), mxc::sandbox::ShippedSeccomp(*ours)}, {}},
                                       {"flat", {FlatList()}, {}}};
  if (!oci.empty()) candidates.push_back({"oci", {FromSpec(oci)}, {}});
  for (long round = 0; round < rounds; ++round)
    for (Candidate& candidate : candidates) candidate.seconds.push_back(Measure(candidate, calls));

  double ratio = candidates.back().median() / candidates[1].median();
  if (json) {
    std::printf("{\"calls\": %ld, \"rounds\": %ld", calls, rounds);
    for (const Candidate& c : candidates) std::printf(", \"%s_ns\": %.2f", c.name.c_str(), c.median() / calls * 1e9);
    std::printf(", \"speed_ratio\": %.3f}\n", ratio);
  } else {
    for (const Candidate& c : candidates)
      std::printf("%-5s %7.2f ns a call\n", c.name.c_str(), c.median() / calls * 1e9);
    std::printf("speed of ours over %s: %.3f (at least 0.9)\n", candidates.back().name.c_str(), ratio);
  }
  return ratio >= 0.9 ? 0 : 1;
}
