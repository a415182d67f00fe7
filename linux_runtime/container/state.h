// What is known of a container from `create` to `delete`, as it lies in the store.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "linux_runtime/container/process.h"
#include "shared/base/result.h"

namespace mxc::container {

// runtime-spec runtime.md, "State"; paused as runc and crun have it.
enum class Status : uint8_t { kCreating, kCreated, kRunning, kPaused, kStopped };
std::string_view StatusName(Status status);

struct State {
  std::string id;
  std::string oci_version;         // of the bundle's configuration
  std::string bundle;              // absolute
  std::string rootfs;              // absolute
  ProcessIdentity process;         // pid 0: none yet
  std::vector<std::string> group;  // cgroup::BundleGroup::State()
  std::string group_path;          // for humans; "" without one
  std::string manager;             // "cgroupfs", "systemd", "disabled"
  int64_t created_us = 0;          // Unix time
  uint32_t owner = 0;              // uid of who created it
  std::map<std::string, std::string> annotations;
};

// The file of the store: JSON objects, a line each, written one after the other as a container comes into being, none ever
// changed. Each is one write(2), so that killing the writer leaves whole lines.
std::string IdentityLine(const State& state);  // before anything is made that outlives the writer
std::string GroupLine(const State& state);     // once the cgroup stands
std::string ProcessLine(const State& state);   // once the first process is set up
// Errors (kInvalid): the first line isn't such an object; it came from another version, or from somebody else. A last line
// without an end, which a full disk or a crash of the machine may leave, counts for nothing.
Result<State> ReadState(std::string_view text);

// The state as the specification has it, for hooks and `state`, with what podman reads besides: one line of JSON.
// pid 0 is left out, as for a stopped container.
std::string OciState(const State& state, Status status, bool pretty);

// "2026-01-02T03:04:05.000006Z" (RFC 3339).
std::string FormatTime(int64_t unix_us);

}  // namespace mxc::container
