// A container that exists: looked up, asked, started, signalled, deleted. create.h makes one, exec.h runs more in it.
#pragma once

#include <optional>
#include <string>

#include "linux_runtime/cgroup/manager.h"
#include "linux_runtime/container/state.h"
#include "linux_runtime/container/store.h"
#include "linux_runtime/sys/fd.h"
#include "shared/base/result.h"
#include "shared/oci/spec.h"

namespace mxc::container {

class Container {
 public:
  // Errors: kNotFound, "container does not exist".
  static Result<Container> Load(const Store& store, const std::string& id);
  // The same, with the container's lock held until the object ends.
  static Result<Container> LoadLocked(const Store& store, const std::string& id);

  const State& state() const { return state_; }
  const Entry& entry() const { return entry_; }
  // As things stand now: by the process, the fifo that it waits at and the freezer.
  Result<Status> ReadStatus() const;
  // The configuration that it was made from.
  Result<oci::Spec> ReadSpec() const;
  Result<cgroup::BundleGroup> OpenGroup() const;
  // Of the first process; nothing when it has ended.
  std::optional<sys::UniqueFd> OpenProcess() const { return container::OpenProcess(state_.process); }

  // Lets a created container execute its program, and returns once it does (or can't: the error says why), after the
  // poststart hooks, of which one that fails stops it. Errors: kRefused in any other status.
  Result<void> Start();
  // To the first process; all: to every process of the container's cgroup, as does SIGKILL where no pid namespace of its own would end
  // them. Errors: kRefused "container not running".
  Result<void> Kill(int signal, bool all) const;
  // Removes everything that the container has, after which its id is free, and runs its poststop hooks. What is running is
  // refused unless `force`. Warnings come back: of hooks, which can't keep a container from being deleted.
  Result<std::vector<std::string>> Delete(bool force);
  Result<void> Pause(bool paused) const;

 private:
  Container() = default;
  Result<cgroup::BundleGroup> FindGroup() const;
  Result<void> EndProcesses();
  bool EndsWithFirstProcess() const;
  Entry entry_;
  State state_;
};

// Deletes what a `create` that was killed left below this id, and anything else that Load can't read. Idempotent.
Result<std::vector<std::string>> ForceDelete(const Store& store, const std::string& id);

// Signal number of "KILL", "SIGKILL", "9", "RTMIN+1"; nothing for other words.
std::optional<int> SignalNumber(const std::string& name);

}  // namespace mxc::container
