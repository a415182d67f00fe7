// Facts of the machine that the test runs on, checked against what it says of itself elsewhere.
#include "linux_runtime/host/facts.h"

#include <doctest/doctest.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <thread>
#include <vector>

using namespace mxc;

TEST_CASE("facts agree with this process") {
  const char* environment[] = {"HOME=/elsewhere", "USER=someone", "WSL_DISTRO_NAME=Debian", "=odd", "plain",
                               "EMPTY=",          nullptr};
  auto facts = host::ProbeHost(cgroup::Hierarchy::Probe(), environment);
  REQUIRE_MESSAGE(facts.ok(), facts.error().Describe());
  utsname name{};
  REQUIRE(::uname(&name) == 0);
  CHECK(std::string(name.release)
            .starts_with(std::to_string(facts->kernel_major) + "." + std::to_string(facts->kernel_minor)));
  CHECK(facts->caller.uid == ::getuid());
  CHECK(facts->caller.gid == ::getgid());
  CHECK(facts->caller.cwd == std::filesystem::current_path());
  CHECK(facts->cpus == std::thread::hardware_concurrency());
  CHECK(facts->memory_bytes > 16u << 20);
  CHECK(facts->merged_usr == std::filesystem::is_symlink("/bin"));
  CHECK(facts->caller.env.size() == 4);
  CHECK(facts->caller.env.at("EMPTY").empty());
  // The marks of WSL count from wherever they come.
  CHECK(facts->wsl.is_wsl);
  CHECK(facts->wsl.distribution == "Debian");
  if (::getuid() == 0) {
    CHECK(facts->caller.user == "root");
    CHECK(facts->caller.home == "/root");  // of passwd, not of HOME
  }
}

TEST_CASE("what a start pays for the facts") {
  constexpr int kRounds = 100;
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    auto from = std::chrono::steady_clock::now();
    auto facts = host::ProbeHost();
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - from).count());
    CHECK(facts.ok());
  }
  std::nth_element(times.begin(), times.begin() + kRounds / 2, times.end());
  std::printf("host facts with cgroups: %.0f us, median of %d\n", times[kRounds / 2], kRounds);
}
