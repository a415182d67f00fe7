// The guard's process: see cover_keeper.h. Split from it because it shares nothing with the supervisor but a socket and
// a page of records.
#pragma once

#include <atomic>
#include <cstdint>

#include "linux_runtime/sandbox/cover_keeper.h"

namespace mxc::sandbox {

enum class Origin : uint32_t { kUnknown = 0, kInside, kOutside };

// Written by the guard, read by the supervisor.
struct SharedRecord {
  std::atomic<uint32_t> covered;  // times
  std::atomic<uint32_t> longest_window_us;
  std::atomic<uint32_t> refused_opens;
  std::atomic<uint32_t> appeared;  // 1: a name that was missing came into being
  std::atomic<Origin> origin;      // of the last one that did
  std::atomic<uint32_t> killed;    // 1: the container was killed over this name
};

enum class GuardMessageKind : uint32_t { kReady = 1, kFailed, kMadeInside, kDone };

struct GuardMessage {
  GuardMessageKind kind;
  uint32_t index;  // kMadeInside: which name
  int32_t error;   // kFailed: errno
  uint32_t step;   // kFailed: index into kGuardSteps; kReady: 1 when opens are held
};

inline constexpr const char* kGuardSteps[] = {
    "open the container's /proc entries",
    "join the container's user namespace",
    "join the container's mount namespace",
    "make covers",
    "drop privileges",
    "watch the denied names",
    "cover the denied names",
};

// Never returns. socket: the guard's end; end of file ends it.
[[noreturn]] void RunGuard(const KeeperOptions& options, int socket, SharedRecord* records);

}  // namespace mxc::sandbox
