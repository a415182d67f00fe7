// For tests of bundles' groups over the kernel's own cgroups.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "linux_runtime/cgroup/hierarchy.h"
#include "linux_runtime/cgroup/live_testing.h"
#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/cgroup/proc.h"

namespace mxc::cgroup {

inline bool Root() { return ::geteuid() == 0; }

inline ManagerOptions Options(const std::string& id) {
  ManagerOptions options;
  options.id = id;
  options.rootless = !Root();
  return options;
}

inline oci::Spec Limited() {
  oci::Spec spec;
  spec.linux.resources.emplace();
  spec.linux.resources->pids.limit = 20;
  spec.linux.resources->memory.limit = spec.linux.resources->memory.swap = 64 << 20;
  return spec;
}

inline bool Delegated() {
  Hierarchy hierarchy = Hierarchy::Probe();
  if ((hierarchy.available() & kMemory) != 0 && (hierarchy.available() & kPids) != 0) return true;
  std::printf("left out: cgroup %s: %s\n", std::string(VersionName(hierarchy.version())).c_str(),
              hierarchy.why_not().c_str());
  return false;
}

inline BundleGroup Made(const oci::Spec& spec, const std::string& id) {
  auto group = BundleGroup::Make(spec, Options(id));
  REQUIRE_MESSAGE(group.ok(), group.error().Describe());
  REQUIRE(group->exists());
  return std::move(*group);
}

template <class Body>
pid_t StartIn(const BundleGroup& group, Body body) {
  auto entrance = group.Enter();
  REQUIRE_MESSAGE(entrance.ok(), entrance.error().Describe());
  std::vector<int> tasks;
  for (const sys::UniqueFd& fd : entrance->tasks) tasks.push_back(fd.get());
  return StartInside(tasks, entrance->folder.get(), body);
}

// Waits until the child has joined: v1's does so itself, one hierarchy after the other, of which Processes sees one.
inline void AwaitInside(const BundleGroup& group, pid_t pid) {
  bool inside = false, alive = true;
  while (!inside && alive) {
    ::usleep(1000);
    auto pids = group.Processes();
    inside = pids && std::find(pids->begin(), pids->end(), pid) != pids->end();
    siginfo_t state{};
    alive = ::waitid(P_PID, static_cast<id_t>(pid), &state, WEXITED | WNOHANG | WNOWAIT) == 0 && state.si_pid == 0;
  }
  REQUIRE(inside);
  const std::string list = "/proc/" + std::to_string(pid) + "/cgroup";
  for (std::string before, now = ReadProc(list); before != now; now = ReadProc(list)) {
    before = now;
    ::usleep(20'000);
  }
}

// The folder of the group in the hierarchy called `list`.
inline std::string Folder(const BundleGroup& group, const std::string& list) {
  for (const std::string& path : group.Paths()) {
    size_t equals = path.find("=/");
    if (path.substr(0, equals) == list || path.starts_with("unified")) return path.substr(equals + 1);
  }
  return "";
}

inline std::string Text(const std::string& path) {
  std::ifstream file(path);
  std::string text((std::istreambuf_iterator<char>(file)), {});
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

inline bool Gone(const std::vector<std::string>& paths) {
  for (const std::string& path : paths) {
    if (std::filesystem::exists(path.substr(path.find("=/") + 1))) return false;
  }
  return true;
}

}  // namespace mxc::cgroup
