// The functions of include/mxc.h.
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <exception>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "include/mxc.h"
#include "linux_runtime/compat/ffi_sandbox.h"
#include "linux_runtime/compat/ffi_text.h"
#include "shared/base/version.h"

struct MxcSandbox {
  mxc::compat::Sandbox sandbox;
};
struct MxcReadStream {
  std::shared_ptr<mxc::compat::Stream> stream;
};
struct MxcWriteStream {
  std::shared_ptr<mxc::compat::Stream> stream;
};
struct MxcStreamCloser {
  std::shared_ptr<mxc::compat::Stream> stream;
};

namespace mxc::compat {
namespace {

constexpr size_t kMaxCaptured = size_t{256} << 20;
constexpr char kNotApplicable[] = "not-applicable";
constexpr char kConsentStatus[] =
    R"({"effectiveState":"not-applicable","policy":"not-applicable","reason":"not-applicable","storedState":"not-applicable"})";
constexpr char kConsentOutcome[] =
    R"({"effectiveState":"not-applicable","policy":"not-applicable","reason":"not-applicable","result":"notApplicable","storedState":"not-applicable"})";

// Memory that mxc_*_free of a struct frees. Null when there is none left.
char* Copy(std::string_view text) {
  char* copy = static_cast<char*>(::malloc(text.size() + 1));
  if (copy == nullptr) return nullptr;
  if (!text.empty()) ::memcpy(copy, text.data(), text.size());
  copy[text.size()] = '\0';
  return copy;
}
char* CopyOrNull(std::string_view text) { return text.empty() ? nullptr : Copy(text); }

void Free(char*& string) {
  ::free(string);
  string = nullptr;
}

// For what mxc_string_free gets, which keeps it: the SDK hands a copy of its own to mxc_string_free, so nothing can be freed
// there. Such texts are few and come again: what this host can run, warnings.
char* Keep(std::string_view text) {
  static std::mutex mutex;
  static std::set<std::string, std::less<>> texts;
  const std::lock_guard lock(mutex);
  const auto known = texts.find(text);
  return const_cast<char*>((known != texts.end() ? known : texts.emplace(text).first)->c_str());
}

struct Failure {
  int32_t status = MXC_STATUS_BACKEND_ERROR;
  std::string message, hint;
};

// Nothing of C++ leaves through a C function.
template <class Body>
int32_t Guarded(Body body) {
  try {
    return body();
  } catch (const std::exception&) {  // no memory, no thread
    return MXC_STATUS_BACKEND_ERROR;
  }
}

int32_t Store(const Failure& failure, MxcErrorDetail* detail) {
  if (detail != nullptr) {
    *detail = {Copy(failure.message), nullptr, nullptr, CopyOrNull(failure.hint)};
  }
  return failure.status;
}

Failure Told(EventText event) { return {event.message.status, std::move(event.first), std::move(event.second)}; }
Failure Told(const Error& error) { return {MXC_STATUS_BACKEND_ERROR, error.Describe(), error.hint()}; }

// A request that a process can be started for.
std::optional<Failure> CheckRequest(const char* request) {
  if (request == nullptr) return Failure{MXC_STATUS_NULL_ARGUMENT, "the request is a null pointer", ""};
  const std::string_view text(request);
  if (!IsUtf8(text)) return Failure{MXC_STATUS_INVALID_UTF8, "the request is not UTF-8", ""};
  return std::nullopt;
}

const Failure kVanished{MXC_STATUS_BACKEND_ERROR, "lxc-exec ended without a word",
                        "see whether it was killed, for want of memory perhaps"};

// ---- spawn ----

int32_t Spawn(const StartOptions& options, MxcSandbox** handle, MxcErrorDetail* detail) {
  Result<FfiProcess> process = FfiProcess::Start(options);
  if (!process.ok()) return Store(Told(process.error()), detail);
  // Its first word is whether the program runs. An end is kept for who waits.
  pollfd first{process->control(), POLLIN, 0};
  while (::poll(&first, 1, -1) < 0) {
  }
  EventMessage peeked{};
  const ssize_t size = ::recv(process->control(), &peeked, sizeof peeked, MSG_PEEK | MSG_DONTWAIT);
  if (size < static_cast<ssize_t>(sizeof peeked)) return Store(kVanished, detail);
  if (peeked.event == Event::kFailed) return Store(Told(process->Receive(true).value()), detail);
  *handle = new MxcSandbox{Sandbox(std::move(process).value())};
  return MXC_STATUS_SUCCESS;
}

int32_t CheckAndSpawn(const char* request, StartOptions options, MxcSandbox** handle, MxcErrorDetail* detail) {
  if (detail != nullptr) *detail = {};
  if (handle == nullptr) return Store({MXC_STATUS_NULL_ARGUMENT, "the handle is a null pointer", ""}, detail);
  *handle = nullptr;
  return Guarded([&] {
    if (std::optional<Failure> wrong = CheckRequest(request)) return Store(*wrong, detail);
    options.request = request;
    return Spawn(options, handle, detail);
  });
}

// ---- run ----

// Reads what is there, up to the limit. False: the end of it.
bool Append(int fd, std::string& text, bool& too_much) {
  char bytes[65536];
  const ssize_t size = ::read(fd, bytes, sizeof bytes);
  if (size < 0) return errno == EINTR || errno == EAGAIN;
  if (size == 0) return false;
  if (text.size() + static_cast<size_t>(size) > kMaxCaptured) too_much = true;
  if (!too_much) text.append(bytes, static_cast<size_t>(size));
  return true;
}

int32_t Fail(const Failure& failure, MxcRunResult* result) { return result->status = Store(failure, &result->error); }

int32_t Capture(FfiProcess process, MxcRunResult* result) {
  std::string texts[2];
  sys::UniqueFd* const ends[] = {&process.output, &process.error};
  std::optional<EventText> last;
  bool too_much = false, killed = false;
  while (!process.finished() || ends[0]->valid() || ends[1]->valid()) {
    pollfd ready[3] = {{process.finished() ? -1 : process.control(), POLLIN, 0},
                       {ends[0]->get(), POLLIN, 0},
                       {ends[1]->get(), POLLIN, 0}};
    if (::poll(ready, 3, -1) < 0) continue;
    for (size_t i = 0; i < 2; ++i) {
      if (ready[i + 1].revents != 0 && !Append(ends[i]->get(), texts[i], too_much)) ends[i]->reset();
    }
    if (too_much && !std::exchange(killed, true)) process.Send({.command = Command::kKill});
    if (ready[0].revents == 0) continue;
    if (std::optional<EventText> event = process.Receive(false)) last = std::move(event);
  }
  process.Reap();
  if (too_much) {
    return Fail({MXC_STATUS_BACKEND_ERROR, "the program wrote more than 256 MiB, and was ended",
                 "start it with mxc_spawn_json and read its streams"},
                result);
  }
  if (!last) return Fail(kVanished, result);
  if (last->message.event != Event::kEnded) return Fail(Told(*std::move(last)), result);
  result->exit_code = last->message.exit_code;
  result->timed_out = last->message.timed_out;
  result->stdout_utf8 = Copy(Readable(texts[0]));
  result->stderr_utf8 = Copy(Readable(texts[1]));
  result->warnings_json_utf8 = CopyOrNull(last->first);
  return MXC_STATUS_SUCCESS;
}

int32_t RunToEnd(const char* request, const char* operation, int32_t experimental, MxcRunResult* result) {
  if (result == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  *result = {};
  const int32_t status = Guarded([&] {
    if (std::optional<Failure> wrong = CheckRequest(request)) return Fail(*wrong, result);
    Result<FfiProcess> process = FfiProcess::Start({operation, experimental != 0, request, Streams::kCaptured});
    if (!process.ok()) return Fail(Told(process.error()), result);
    return Capture(std::move(process).value(), result);
  });
  return result->status = status;
}

// ---- questions ----

// The last thing, or the only one, that an operation says.
Result<EventText> AskForLast(StartOptions options) {
  FfiProcess process = MXC_TRY(FfiProcess::Start(options));
  std::optional<EventText> last;
  while (std::optional<EventText> event = process.Receive(true)) last = std::move(event);
  process.Reap();
  if (!last) return Error(Code::kInternal, kVanished.message).WithHint(kVanished.hint);
  return *std::move(last);
}

char* AskForText(const char* operation) {
  try {
    Result<EventText> answer = AskForLast({.operation = operation});
    return answer.ok() && answer->message.event == Event::kText ? Keep(answer->first) : nullptr;
  } catch (const std::exception&) {
    return nullptr;
  }
}

int32_t Fixed(const char* text, char** out) {
  if (out == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return Guarded([&] {
    *out = Keep(text);
    return MXC_STATUS_SUCCESS;
  });
}

// ---- streams ----

template <class Handle>
Handle* TakeStream(MxcSandbox* handle, Sandbox::Which which) {
  if (handle == nullptr) return nullptr;
  std::shared_ptr<Stream> stream = handle->sandbox.Take(which);
  return stream ? new (std::nothrow) Handle{std::move(stream)} : nullptr;
}

MxcStreamCloser* FindCloser(MxcSandbox* handle, Sandbox::Which which) {
  if (handle == nullptr) return nullptr;
  std::shared_ptr<Stream> stream = handle->sandbox.Find(which);
  return stream ? new (std::nothrow) MxcStreamCloser{std::move(stream)} : nullptr;
}

// The bytes, or a status.
int32_t Moved(ssize_t size, size_t* out) {
  *out = size < 0 ? 0 : static_cast<size_t>(size);
  return size < 0 ? MXC_STATUS_BACKEND_ERROR : MXC_STATUS_SUCCESS;
}

}  // namespace
}  // namespace mxc::compat

using namespace mxc::compat;  // NOLINT(google-build-using-namespace): the rest of the file is the C interface

extern "C" {

const char* mxc_version(void) { return mxc::kVersion; }
void mxc_string_free(char*) {}
char* mxc_available_backends_json(void) { return AskForText(kBackends); }
char* mxc_platform_support_json(void) { return AskForText(kSupport); }

void mxc_error_detail_free(MxcErrorDetail* detail) {
  if (detail == nullptr) return;
  for (char** text :
       {&detail->message_utf8, &detail->operation_utf8, &detail->native_code_utf8, &detail->remediation_utf8}) {
    Free(*text);
  }
}

int32_t mxc_run_json(const char* request_json_utf8, int32_t experimental, MxcRunResult* result) {
  return RunToEnd(request_json_utf8, kRun, experimental, result);
}

void mxc_run_result_free(MxcRunResult* result) {
  if (result == nullptr) return;
  mxc_error_detail_free(&result->error);
  for (char** text :
       {&result->stdout_utf8, &result->stderr_utf8, &result->output_metadata_json_utf8, &result->warnings_json_utf8}) {
    Free(*text);
  }
}

int32_t mxc_spawn_json(const char* request_json_utf8, int32_t experimental, MxcSandbox** handle,
                       MxcErrorDetail* error) {
  return CheckAndSpawn(request_json_utf8, {kRun, experimental != 0, "", Streams::kPipes}, handle, error);
}

int32_t mxc_spawn_pty_json(const char* request_json_utf8, int32_t experimental, uint16_t rows, uint16_t cols,
                           MxcSandbox** handle, MxcErrorDetail* error) {
  return CheckAndSpawn(request_json_utf8, {kPty, experimental != 0, "", Streams::kTerminal, rows, cols}, handle, error);
}

int32_t mxc_sandbox_pty_resize(MxcSandbox* handle, uint16_t rows, uint16_t cols) {
  if (handle == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  handle->sandbox.Resize(rows, cols);
  return MXC_STATUS_SUCCESS;
}

uint32_t mxc_sandbox_id(MxcSandbox* handle) {
  return handle == nullptr ? 0 : static_cast<uint32_t>(handle->sandbox.pid());
}

int32_t mxc_sandbox_try_wait(MxcSandbox* handle, int32_t* exit, int32_t* running, int32_t* timed_out) {
  if (handle == nullptr || exit == nullptr || running == nullptr || timed_out == nullptr) {
    return MXC_STATUS_NULL_ARGUMENT;
  }
  return Guarded([&] {
    const std::optional<End> end = handle->sandbox.TryWait();
    *running = end ? 0 : 1;
    *exit = end ? end->exit_code : 0;
    *timed_out = end && end->timed_out ? 1 : 0;
    return end && end->error ? MXC_STATUS_BACKEND_ERROR : MXC_STATUS_SUCCESS;
  });
}

int32_t mxc_sandbox_wait(MxcSandbox* handle, int32_t* exit, int32_t* timed_out) {
  if (handle == nullptr || exit == nullptr || timed_out == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return Guarded([&] {
    const End end = handle->sandbox.Wait();
    *exit = end.exit_code;
    *timed_out = end.timed_out ? 1 : 0;
    return end.error ? MXC_STATUS_BACKEND_ERROR : MXC_STATUS_SUCCESS;
  });
}

int32_t mxc_sandbox_kill(MxcSandbox* handle) {
  if (handle == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return Guarded([&] {
    handle->sandbox.Kill(false);
    return MXC_STATUS_SUCCESS;
  });
}

int32_t mxc_sandbox_kill_for_timeout(MxcSandbox* handle) {
  if (handle == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return Guarded([&] {
    handle->sandbox.Kill(true);
    return MXC_STATUS_SUCCESS;
  });
}

void mxc_sandbox_free(MxcSandbox* handle) { delete handle; }

int32_t mxc_sandbox_warnings_json(MxcSandbox* handle, char** json_utf8) {
  if (handle == nullptr || json_utf8 == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return Guarded([&] {
    const std::string warnings = handle->sandbox.Warnings();
    *json_utf8 = warnings.empty() ? nullptr : Keep(warnings);
    return MXC_STATUS_SUCCESS;
  });
}

int32_t mxc_sandbox_output_metadata_json(MxcSandbox* handle, char** json_utf8) {
  if (handle == nullptr || json_utf8 == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  *json_utf8 = nullptr;
  return MXC_STATUS_SUCCESS;
}

MxcWriteStream* mxc_sandbox_take_stdin(MxcSandbox* handle) {
  return TakeStream<MxcWriteStream>(handle, Sandbox::Which::kInput);
}
MxcReadStream* mxc_sandbox_take_stdout(MxcSandbox* handle) {
  return TakeStream<MxcReadStream>(handle, Sandbox::Which::kOutput);
}
MxcReadStream* mxc_sandbox_take_stderr(MxcSandbox* handle) {
  return TakeStream<MxcReadStream>(handle, Sandbox::Which::kError);
}

int32_t mxc_stream_read(MxcReadStream* stream, uint8_t* buffer, size_t capacity, size_t* out_read) {
  if (stream == nullptr || buffer == nullptr || out_read == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return Moved(stream->stream->Read(buffer, capacity), out_read);
}

int32_t mxc_stream_write(MxcWriteStream* stream, const uint8_t* buffer, size_t size, size_t* out_written) {
  if (stream == nullptr || buffer == nullptr || out_written == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return Moved(stream->stream->Write(buffer, size), out_written);
}

int32_t mxc_stream_flush(MxcWriteStream* stream) {
  return stream == nullptr ? MXC_STATUS_NULL_ARGUMENT : MXC_STATUS_SUCCESS;
}

void mxc_read_stream_free(MxcReadStream* stream) { delete stream; }

void mxc_write_stream_free(MxcWriteStream* stream) {
  if (stream == nullptr) return;
  stream->stream->Close();  // the sandbox keeps the stream, too
  delete stream;
}

MxcStreamCloser* mxc_sandbox_stdout_closer(MxcSandbox* handle) { return FindCloser(handle, Sandbox::Which::kOutput); }
MxcStreamCloser* mxc_sandbox_stderr_closer(MxcSandbox* handle) { return FindCloser(handle, Sandbox::Which::kError); }

int32_t mxc_stream_closer_close(MxcStreamCloser* closer) {
  if (closer == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  closer->stream->Stop();
  return MXC_STATUS_SUCCESS;
}

void mxc_stream_closer_free(MxcStreamCloser* closer) { delete closer; }

int32_t mxc_sandbox_take_native_stdio(MxcSandbox* handle, MxcNativeStdio* stdio) {
  if (handle == nullptr || stdio == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  return handle->sandbox.TakeDescriptors(*stdio);
}

void mxc_native_pipe_close(intptr_t handle) {
  if (handle >= 0) ::close(static_cast<int>(handle));
}

int32_t mxc_run_state_aware_json(const char* request_json_utf8, int32_t dry_run, int32_t experimental,
                                 MxcStateAwareResult* result) {
  if (result == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  *result = {};
  const int32_t status = Guarded([&] {
    if (std::optional<Failure> wrong = CheckRequest(request_json_utf8)) return Store(*wrong, &result->error);
    mxc::Result<EventText> answer =
        AskForLast({dry_run != 0 ? kCheckPhase : kPhase, experimental != 0, request_json_utf8});
    if (!answer.ok()) return Store(Told(answer.error()), &result->error);
    if (answer->message.event != Event::kText) return Store(Told(*std::move(answer)), &result->error);
    result->response_json_utf8 = Copy(answer->first);
    return static_cast<int32_t>(MXC_STATUS_SUCCESS);
  });
  return result->status = status;
}

void mxc_state_aware_result_free(MxcStateAwareResult* result) {
  if (result == nullptr) return;
  mxc_error_detail_free(&result->error);
  Free(result->response_json_utf8);
}

int32_t mxc_exec_state_aware_json(const char* request_json_utf8, int32_t experimental, MxcSandbox** handle,
                                  MxcErrorDetail* error) {
  return CheckAndSpawn(request_json_utf8, {kExec, experimental != 0, "", Streams::kPipes}, handle, error);
}

int32_t mxc_state_aware_exec_pty(const char* request_json_utf8, int32_t experimental, uint16_t rows, uint16_t cols,
                                 MxcSandbox** handle, MxcErrorDetail* error) {
  return CheckAndSpawn(request_json_utf8, {kExecPty, experimental != 0, "", Streams::kTerminal, rows, cols}, handle,
                       error);
}

int32_t mxc_run_state_aware_exec_json(const char* request_json_utf8, int32_t experimental, MxcRunResult* result) {
  return RunToEnd(request_json_utf8, kExec, experimental, result);
}

int32_t mxc_exec_state_aware_attached_json(const char* request_json_utf8, int32_t experimental, MxcExecOutcome* outcome,
                                           MxcErrorDetail* error) {
  if (error != nullptr) *error = {};
  if (outcome == nullptr) return Store({MXC_STATUS_NULL_ARGUMENT, "the outcome is a null pointer", ""}, error);
  *outcome = {};
  if (::isatty(STDIN_FILENO) != 1 || ::isatty(STDOUT_FILENO) != 1) {
    return Store({MXC_STATUS_MALFORMED_REQUEST, "standard input and output are not both terminals; nothing was run",
                  "use mxc_exec_state_aware_json and its streams"},
                 error);
  }
  return Guarded([&] {
    if (std::optional<Failure> wrong = CheckRequest(request_json_utf8)) return Store(*wrong, error);
    mxc::Result<EventText> end = AskForLast({kExec, experimental != 0, request_json_utf8, Streams::kHosts});
    if (!end.ok()) return Store(Told(end.error()), error);
    if (end->message.event != Event::kEnded) return Store(Told(*std::move(end)), error);
    *outcome = {end->message.timed_out, end->message.exit_code};
    return static_cast<int32_t>(MXC_STATUS_SUCCESS);
  });
}

int32_t mxc_run_request(const char* request_json_utf8, MxcRunResult* result) {
  return RunToEnd(request_json_utf8, kSpec, 0, result);
}

int32_t mxc_spawn_request(const char* request_json_utf8, MxcSandbox** handle, MxcErrorDetail* error) {
  return CheckAndSpawn(request_json_utf8, {kSpec, false, "", Streams::kPipes}, handle, error);
}

int32_t mxc_state_aware(const char* request_json_utf8, int32_t dry_run, int32_t experimental,
                        MxcStateAwareResult* result) {
  return mxc_run_state_aware_json(request_json_utf8, dry_run, experimental, result);
}

int32_t mxc_state_aware_exec(const char* request_json_utf8, int32_t experimental, MxcSandbox** handle,
                             MxcErrorDetail* error) {
  return mxc_exec_state_aware_json(request_json_utf8, experimental, handle, error);
}

int32_t mxc_state_aware_exec_attached(const char* request_json_utf8, int32_t experimental, MxcExecOutcome* outcome,
                                      MxcErrorDetail* error) {
  return mxc_exec_state_aware_attached_json(request_json_utf8, experimental, outcome, error);
}

int32_t mxc_telemetry_get_consent(char** consent_utf8) { return Fixed(kNotApplicable, consent_utf8); }
int32_t mxc_telemetry_get_consent_status(char** json_utf8) { return Fixed(kConsentStatus, json_utf8); }
int32_t mxc_telemetry_get_policy(char** policy_utf8) { return Fixed(kNotApplicable, policy_utf8); }
int32_t mxc_telemetry_withdraw_consent(char** json_utf8) { return Fixed(kConsentOutcome, json_utf8); }

int32_t mxc_telemetry_needs_consent_prompt(int32_t* needs_prompt) {
  if (needs_prompt == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  *needs_prompt = 0;
  return MXC_STATUS_SUCCESS;
}

int32_t mxc_telemetry_request_consent(const char*, MxcConsentPresenter presenter, void*, char** json_utf8) {
  if (json_utf8 == nullptr) return MXC_STATUS_NULL_ARGUMENT;
  *json_utf8 = nullptr;
  return presenter == nullptr ? static_cast<int32_t>(MXC_STATUS_NULL_ARGUMENT) : Fixed(kConsentOutcome, json_utf8);
}

}  // extern "C"
