/* mxc's C interface: policies of Microsoft's MXC contract, run in a sandbox, from any language that can load libmxc_ffi.so.
 *
 * It is the interface that Microsoft's SDK (1.x, Node and .NET) loads through MXC_FFI_DIR, so one library serves both: the
 * names, structs, codes and rules of ownership are theirs; the documentation is ours. Nothing here has state beyond the
 * handles: no threads, no signal handlers. Every function may be called from any thread; calls on one handle, but for mxc_sandbox_kill and the streams, must not overlap.
 *
 * For each sandbox the library starts the lxc-exec that lies beside it, in ../bin, or in $MXC_BIN_DIR; when the host's
 * process ends, however it ends, its sandboxes end.
 *
 * Requests are JSON of contract 0.4.0-alpha to 1.1.0-alpha (docs/policy.md). `experimental` other than 0 also takes the
 * section x-linux. Strings are UTF-8, ended by NUL. What a struct or an out-parameter receives is the caller's, to be freed
 * by the function named there; freeing NULL, or what is freed already, does nothing.
 *
 *   MxcRunResult result;
 *   int status = mxc_run_json("{\"version\":\"1.0.0\",\"process\":{\"commandLine\":\"id\"}}", 0, &result);
 *   if (status == MXC_STATUS_SUCCESS) printf("%d: %s", result.exit_code, result.stdout_utf8);
 *   mxc_run_result_free(&result);
 */
#ifndef MXC_H_
#define MXC_H_

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
  MXC_STATUS_SUCCESS = 0,
  MXC_STATUS_MALFORMED_REQUEST = 1,
  MXC_STATUS_UNSUPPORTED_CONTAINMENT = 2,
  MXC_STATUS_UNSUPPORTED_PHASE = 3,
  MXC_STATUS_BACKEND_UNAVAILABLE = 4,
  MXC_STATUS_MALFORMED_ID = 5,
  MXC_STATUS_STALE_ID = 6,
  MXC_STATUS_NOT_PROVISIONED = 7,
  MXC_STATUS_NOT_STARTED = 8,
  MXC_STATUS_ALREADY_STARTED = 9,
  MXC_STATUS_ALREADY_STOPPED = 10,
  MXC_STATUS_POLICY_VALIDATION = 11,
  MXC_STATUS_BACKEND_ERROR = 12,
  MXC_STATUS_NULL_ARGUMENT = 100,
  MXC_STATUS_INVALID_UTF8 = 101
};

/* Why a call failed. message is never NULL then; the others may be. remediation is what to do about it. */
typedef struct MxcErrorDetail {
  char* message_utf8;
  char* operation_utf8;
  char* native_code_utf8;
  char* remediation_utf8;
} MxcErrorDetail;
void mxc_error_detail_free(MxcErrorDetail* detail);

/* To be called for strings that functions return by themselves. They stay readable all the same: a language's binding may
 * have made a copy of its own, and what there is to be kept is little. */
void mxc_string_free(char* string);

/* The library's version; not to be freed. */
const char* mxc_version(void);

/* What this host can run: [{"backend", "capabilities", "warnings"}], and {"isSupported", "reason", "availableMethods"}.
 * To be freed by mxc_string_free; NULL when it could not be found out. */
char* mxc_available_backends_json(void);
char* mxc_platform_support_json(void);

/* ---- to the end, with the output ---- */

typedef struct MxcRunResult {
  int32_t status;
  int32_t exit_code; /* the program's; 128 + N by signal N; -1 at the time limit */
  int32_t timed_out; /* 1: process.timeout ended it */
  /* Up to 256 MiB each, beyond which the run fails. Bytes outside of UTF-8, and NUL, are U+FFFD: use a stream for these. */
  char* stdout_utf8;
  char* stderr_utf8;
  MxcErrorDetail error;
  char* output_metadata_json_utf8; /* always NULL here */
  char* warnings_json_utf8;        /* an array of strings, or NULL */
} MxcRunResult;

/* Runs a request with nothing on its standard input; blocks until it has ended. Returns result->status, or
 * MXC_STATUS_NULL_ARGUMENT when result is NULL (nothing is run then). The result is to be freed after failures, too. */
int32_t mxc_run_json(const char* request_json_utf8, int32_t experimental, MxcRunResult* result);
void mxc_run_result_free(MxcRunResult* result);

/* ---- alive, with streams ---- */

typedef struct MxcSandbox MxcSandbox;
typedef struct MxcReadStream MxcReadStream;
typedef struct MxcWriteStream MxcWriteStream;
typedef struct MxcStreamCloser MxcStreamCloser;

/* Starts a request; returns when its program runs. On success *handle is to be freed by mxc_sandbox_free, which also ends it.
 * On failure *handle is NULL and *error, where error isn't NULL, is to be freed by mxc_error_detail_free. */
int32_t mxc_spawn_json(const char* request_json_utf8, int32_t experimental, MxcSandbox** handle, MxcErrorDetail* error);

/* The same with a terminal of its own, of that size: one stream each way, no standard error. */
int32_t mxc_spawn_pty_json(const char* request_json_utf8, int32_t experimental, uint16_t rows, uint16_t cols,
                           MxcSandbox** handle, MxcErrorDetail* error);
int32_t mxc_sandbox_pty_resize(MxcSandbox* handle, uint16_t rows, uint16_t cols);

/* The host's id of the process that stands for the sandbox. */
uint32_t mxc_sandbox_id(MxcSandbox* handle);

/* Whether it has ended, without blocking, and how. At a time limit exit is -1. */
int32_t mxc_sandbox_try_wait(MxcSandbox* handle, int32_t* exit, int32_t* running, int32_t* timed_out);
/* Blocks until it has ended. Closes the input and drops the output that nobody took. */
int32_t mxc_sandbox_wait(MxcSandbox* handle, int32_t* exit, int32_t* timed_out);
/* Ends every process of it; exit is then 137. May be called while another thread waits. */
int32_t mxc_sandbox_kill(MxcSandbox* handle);
/* The same, and the end counts as a time-out. */
int32_t mxc_sandbox_kill_for_timeout(MxcSandbox* handle);
void mxc_sandbox_free(MxcSandbox* handle);

/* JSON to be freed by mxc_string_free, or NULL where there is none. Warnings are known at the end. */
int32_t mxc_sandbox_warnings_json(MxcSandbox* handle, char** json_utf8);
int32_t mxc_sandbox_output_metadata_json(MxcSandbox* handle, char** json_utf8);

/* Each stream once; NULL when it was taken, or isn't there. */
MxcWriteStream* mxc_sandbox_take_stdin(MxcSandbox* handle);
MxcReadStream* mxc_sandbox_take_stdout(MxcSandbox* handle);
MxcReadStream* mxc_sandbox_take_stderr(MxcSandbox* handle);

/* Blocks until there is something; *out_read of 0 is the end. */
int32_t mxc_stream_read(MxcReadStream* stream, uint8_t* buffer, size_t capacity, size_t* out_read);
/* Writes at least one byte, or blocks. */
int32_t mxc_stream_write(MxcWriteStream* stream, const uint8_t* buffer, size_t size, size_t* out_written);
/* Does nothing: nothing is buffered. */
int32_t mxc_stream_flush(MxcWriteStream* stream);
void mxc_read_stream_free(MxcReadStream* stream);
void mxc_write_stream_free(MxcWriteStream* stream); /* the end of the program's input */

/* Ends the reads of a stream, now and later, from another thread. NULL when the stream was taken as a descriptor. */
MxcStreamCloser* mxc_sandbox_stdout_closer(MxcSandbox* handle);
MxcStreamCloser* mxc_sandbox_stderr_closer(MxcSandbox* handle);
int32_t mxc_stream_closer_close(MxcStreamCloser* closer);
void mxc_stream_closer_free(MxcStreamCloser* closer);

/* Or all streams at once, as pipes that are the caller's to close; -1: not there. Once. */
typedef struct MxcNativeStdio {
  intptr_t stdin_handle;
  intptr_t stdout_handle;
  intptr_t stderr_handle;
} MxcNativeStdio;
int32_t mxc_sandbox_take_native_stdio(MxcSandbox* handle, MxcNativeStdio* stdio);
void mxc_native_pipe_close(intptr_t handle);

/* ---- state-aware requests: provision, start, exec, stop, deprovision ----
 * Sessions of mxcd: that of MXC_SOCKET, else the user's own, else root's; MXC_STATUS_BACKEND_UNAVAILABLE when none answers. A
 * sandbox outlives the process that provisioned it. Answers are {"result": …}, of provision with "sandboxId" in it.
 * dry_run: what can be said without doing anything. The attached function gives the program this process's own terminal. */

typedef struct MxcStateAwareResult {
  int32_t status;
  char* response_json_utf8;
  MxcErrorDetail error;
} MxcStateAwareResult;

typedef struct MxcExecOutcome {
  int32_t timed_out;
  int32_t exit_code;
} MxcExecOutcome;

int32_t mxc_run_state_aware_json(const char* request_json_utf8, int32_t dry_run, int32_t experimental,
                                 MxcStateAwareResult* result);
void mxc_state_aware_result_free(MxcStateAwareResult* result);
int32_t mxc_exec_state_aware_json(const char* request_json_utf8, int32_t experimental, MxcSandbox** handle,
                                  MxcErrorDetail* error);
int32_t mxc_state_aware_exec_pty(const char* request_json_utf8, int32_t experimental, uint16_t rows, uint16_t cols,
                                 MxcSandbox** handle, MxcErrorDetail* error);
int32_t mxc_run_state_aware_exec_json(const char* request_json_utf8, int32_t experimental, MxcRunResult* result);
int32_t mxc_exec_state_aware_attached_json(const char* request_json_utf8, int32_t experimental, MxcExecOutcome* outcome,
                                           MxcErrorDetail* error);

/* ---- what SDK 0.9 calls: the same, by older names; a request is its own document there, {"policy", "command", …} ---- */

int32_t mxc_run_request(const char* request_json_utf8, MxcRunResult* result);
int32_t mxc_spawn_request(const char* request_json_utf8, MxcSandbox** handle, MxcErrorDetail* error);
int32_t mxc_state_aware(const char* request_json_utf8, int32_t dry_run, int32_t experimental,
                        MxcStateAwareResult* result);
int32_t mxc_state_aware_exec(const char* request_json_utf8, int32_t experimental, MxcSandbox** handle,
                             MxcErrorDetail* error);
int32_t mxc_state_aware_exec_attached(const char* request_json_utf8, int32_t experimental, MxcExecOutcome* outcome,
                                      MxcErrorDetail* error);

/* ---- telemetry: mxc sends none, so there is nothing to agree to; every answer is "not applicable" ---- */

typedef int32_t (*MxcConsentPresenter)(const char* request_json_utf8, void* context);
int32_t mxc_telemetry_get_consent(char** consent_utf8);
int32_t mxc_telemetry_get_consent_status(char** json_utf8);
int32_t mxc_telemetry_get_policy(char** policy_utf8);
int32_t mxc_telemetry_needs_consent_prompt(int32_t* needs_prompt);
int32_t mxc_telemetry_request_consent(const char* locale_utf8, MxcConsentPresenter presenter, void* context,
                                      char** json_utf8);
int32_t mxc_telemetry_withdraw_consent(char** json_utf8);

#ifdef __cplusplus
}
#endif

#endif /* MXC_H_ */
