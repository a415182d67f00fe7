// The talk between a container's first process and the runtime that starts it, over a SOCK_SEQPACKET pair: one Message
// each, with a descriptor where the word brings one. The runtime answers kGo, or closes its end, which ends the child.
#pragma once

#include <cstdint>

namespace mxc::sandbox {

enum class Word : uint8_t {
  kGo = 1,      // runtime → child: go on
  kRootStands,  // the root stands at /proc/PID/root and no program has entered it yet: a keeper of covers may join
  kHooks,       // the mounts stand, before pivot_root: time for prestart and createRuntime hooks
  kConsole,     // with the PTY's master
  kListener,    // with the descriptor of a seccomp listener
  kReady,       // everything up to the start is done
  kFree,        // the child no longer dies with the runtime
};

struct Message {
  Word word{};
  uint32_t program = 0;
};

// Async-signal-safe. `fd` -1: none. program: StatusRecord::program, whose word this is. 0 or -errno.
int Tell(int socket, Word word, int fd = -1, uint32_t program = 0);
// Waits for kGo; -EPIPE when the other side is gone. Async-signal-safe.
int AwaitGo(int socket);
// Waits for a word; fd: the descriptor that came with it, close-on-exec, or -1. 0 or -errno; -EPIPE: the other side is gone.
int Hear(int socket, Word* word, int* fd);

}  // namespace mxc::sandbox
