#include "linux_runtime/sandbox/program_server.h"

#include <string.h>
#include <sys/mman.h>

#include "linux_runtime/sandbox/program_protocol.h"
#include "linux_runtime/sandbox/status.h"
#include "linux_runtime/sys/raw.h"

namespace mxc::sandbox {
namespace {

struct Running {
  pid_t pid = 0;
  uint32_t id = 0;
};

// What the server works in, mapped once: nothing of it is touched before it is needed.
struct Memory {
  Running programs[kMostPrograms];
  const char* strings[kMostStrings + 3];  // a zero after each of three lists
  char request[kMostRequestBytes + 1];
};

uint64_t Microseconds(const timeval& time) {
  return static_cast<uint64_t>(time.tv_sec) * 1'000'000 + static_cast<uint64_t>(time.tv_usec);
}

void Report(int status, StatusKind kind, uint32_t program, int value) {
  StatusRecord record{};
  record.kind = kind;
  record.program = program;
  if (kind == StatusKind::kStarted) record.pid = value;
  if (kind == StatusKind::kFailed) {
    record.step = kStepFork;
    record.error = value;
  }
  sys::Write(status, &record, sizeof record);
}

Running* Find(Memory& memory, bool by_pid, uint32_t number) {
  for (Running& running : memory.programs) {
    if (running.pid != 0 && (by_pid ? static_cast<uint32_t>(running.pid) : running.id) == number) return &running;
  }
  return nullptr;
}

void Reap(Memory& memory, int status) {
  int wait_status = 0;
  rusage usage{};
  for (pid_t pid; (pid = ::wait4(-1, &wait_status, WNOHANG, &usage)) > 0;) {
    Running* ended = Find(memory, true, static_cast<uint32_t>(pid));
    if (ended == nullptr) continue;  // an orphan
    StatusRecord record{};
    record.kind = StatusKind::kExited;
    record.program = ended->id;
    record.wait_status = wait_status;
    record.user_us = Microseconds(usage.ru_utime);
    record.system_us = Microseconds(usage.ru_stime);
    record.max_rss_kib = static_cast<uint64_t>(usage.ru_maxrss);
    *ended = {};
    sys::Write(status, &record, sizeof record);
  }
}

// The next string of the request; nullptr: there is none.
const char* NextString(const char*& at, const char* end) {
  const auto* zero = static_cast<const char*>(memchr(at, 0, static_cast<size_t>(end - at)));
  if (zero == nullptr) return nullptr;
  const char* text = at;
  at = zero + 1;
  return text;
}

// Points `program` at the request's strings. False: it is not as AskForProgram makes it.
bool ReadProgram(Memory& memory, const ProgramRequest& request, const char* at, const char* end, Program& program) {
  const uint64_t count = uint64_t{request.candidates} + request.argv + request.env;
  if (count > kMostStrings || request.argv == 0 || request.candidates == 0) return false;
  program.cwd = NextString(at, end);
  if (program.cwd == nullptr) return false;
  const char** slot = memory.strings;
  auto list = [&](uint32_t size) -> const char* const* {
    const char** start = slot;
    for (uint32_t i = 0; i < size; ++i) {
      if ((*slot++ = NextString(at, end)) == nullptr) return nullptr;
    }
    *slot++ = nullptr;
    return start;
  };
  program.candidates = list(request.candidates);
  program.argv = program.candidates != nullptr ? list(request.argv) : nullptr;
  program.env = program.argv != nullptr ? list(request.env) : nullptr;
  program.cwd_required = request.cwd_required != 0;
  program.terminal_streams = request.terminal_streams;
  program.rows = request.rows;
  program.columns = request.columns;
  program.id = request.id;
  return program.env != nullptr && at == end;
}

void Run(const Plan& plan, const ChildDescriptors& descriptors, Memory& memory, Program& program) {
  Running* slot = nullptr;
  for (Running& running : memory.programs) {
    if (running.pid == 0) slot = &running;
  }
  const pid_t pid = slot != nullptr ? StartProgram(plan, program, descriptors) : -EAGAIN;
  if (pid < 0) return Report(descriptors.status, StatusKind::kFailed, program.id, -pid);
  *slot = {pid, program.id};
  Report(descriptors.status, StatusKind::kStarted, program.id, pid);
}

// Takes one request. False: the supervisor is gone.
bool Serve(const Plan& plan, const ChildDescriptors& descriptors, Memory& memory) {
  constexpr int kStreams = 3;
  iovec data{memory.request, kMostRequestBytes};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kStreams)] = {};
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const long size = sys::Check(::recvmsg(descriptors.parent, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT));
  if (size == -EAGAIN || size == -EINTR) return true;
  if (size <= 0) return false;
  int streams[kStreams] = {-1, -1, -1};
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header != nullptr && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS &&
      header->cmsg_len <= CMSG_LEN(sizeof streams)) {
    memcpy(streams, CMSG_DATA(header), header->cmsg_len - CMSG_LEN(0));
  }
  ProgramRequest request;
  if (size >= static_cast<long>(sizeof request)) {
    memcpy(&request, memory.request, sizeof request);
    Program program;
    const char* end = memory.request + size;
    if (request.call == ServerCall::kSignal) {
      if (const Running* running = Find(memory, false, request.id)) {
        if (::kill(-running->pid, request.number) != 0) ::kill(running->pid, request.number);
      }
    } else if (streams[kStreams - 1] >= 0 &&
               ReadProgram(memory, request, memory.request + sizeof request, end, program)) {
      memcpy(program.streams, streams, sizeof streams);
      Run(plan, descriptors, memory, program);
    } else {
      Report(descriptors.status, StatusKind::kFailed, request.id, EBADMSG);
    }
  }
  for (const int fd : streams) {
    if (fd >= 0) sys::Close(fd);
  }
  return true;
}

}  // namespace

void ServePrograms(const Plan& plan, const ChildDescriptors& descriptors) {
  int kept[] = {descriptors.status, descriptors.parent};
  if (sys::CloseAllBut(3, kept) < 0) Fail(descriptors.status, kStepDescriptors, errno);
  ::setsid();
  sys::Prctl(PR_SET_NAME, reinterpret_cast<unsigned long>(plan.init_name));
  void* mapped = ::mmap(nullptr, sizeof(Memory), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) Fail(descriptors.status, kStepFork, errno);
  Memory& memory = *static_cast<Memory*>(mapped);

  // Only while it waits can the end of a child interrupt it.
  struct sigaction woken {};
  woken.sa_handler = [](int) {};
  ::sigaction(SIGCHLD, &woken, nullptr);
  sigset_t but_child;
  sigfillset(&but_child);
  sigdelset(&but_child, SIGCHLD);

  Report(descriptors.status, StatusKind::kStarted, 0, 0);
  for (;;) {
    Reap(memory, descriptors.status);
    pollfd ready{descriptors.parent, POLLIN, 0};
    if (::ppoll(&ready, 1, nullptr, &but_child) > 0 && !Serve(plan, descriptors, memory)) ::_exit(0);
  }
}

}  // namespace mxc::sandbox
