"""Runs programs in sandboxes of mxc, under MXC policies: a binding of include/mxc.h by ctypes.

    import mxc

    done = mxc.run({"filesystem": {"readonlyPaths": ["/srv/data"]}}, ["python3", "train.py"])
    print(done.exit_code, done.stdout)

    with mxc.spawn("policy.json", "cat") as sandbox:
        sandbox.stdin.write(b"hello\\n")
        sandbox.stdin.close()
        print(sandbox.stdout.read(), sandbox.wait())

A policy is a dict, or the path of a JSON file; `version` may be left out. A command is a list of words, or text for sh; without
one the policy's own process.commandLine runs. mxc's own fields (x-linux) are taken.

The library is looked for in $MXC_FFI_DIR, then beside this module, in ../lib and ../../lib of it, and where ld.so looks.
"""

import ctypes
import dataclasses
import json
import os
import shlex

__all__ = ["Completed", "Error", "Sandbox", "available_backends", "run", "spawn", "version"]

_VERSION = "1.0.0"
_CODES = {
    1: "malformed_request",
    2: "unsupported_containment",
    3: "unsupported_phase",
    4: "backend_unavailable",
    5: "malformed_id",
    6: "stale_id",
    7: "not_provisioned",
    8: "not_started",
    9: "already_started",
    10: "already_stopped",
    11: "policy_validation",
    12: "backend_error",
    100: "malformed_request",
    101: "malformed_request",
}


class Error(Exception):
    """A sandbox that could not be had. `code` is one of the SDK's words, `hint` what to do about it."""

    def __init__(self, status, message, hint=""):
        super().__init__(message + (f" ({hint})" if hint else ""))
        self.code = _CODES.get(status, "backend_error")
        self.message = message
        self.hint = hint


@dataclasses.dataclass(frozen=True)
class Completed:
    """How a program ended: 128 + N by signal N; -1 with timed_out."""

    exit_code: int
    timed_out: bool
    stdout: str
    stderr: str
    warnings: list


# ---- the C interface: see include/mxc.h ----


class _ErrorDetail(ctypes.Structure):
    _fields_ = [(name, ctypes.c_char_p) for name in ("message", "operation", "native_code", "remediation")]


class _RunResult(ctypes.Structure):
    _fields_ = [
        ("status", ctypes.c_int32),
        ("exit_code", ctypes.c_int32),
        ("timed_out", ctypes.c_int32),
        ("stdout", ctypes.c_char_p),
        ("stderr", ctypes.c_char_p),
        ("error", _ErrorDetail),
        ("output_metadata", ctypes.c_char_p),
        ("warnings", ctypes.c_char_p),
    ]


class _NativeStdio(ctypes.Structure):
    _fields_ = [(name, ctypes.c_ssize_t) for name in ("stdin", "stdout", "stderr")]


def _find():
    here = os.path.dirname(os.path.realpath(__file__))
    folders = [os.environ.get("MXC_FFI_DIR", ""), here, os.path.join(here, "../lib"), os.path.join(here, "../../lib")]
    for folder in folders:
        path = os.path.join(folder, "libmxc_ffi.so")
        if folder and os.path.exists(path):
            return os.path.realpath(path)
    return "libmxc_ffi.so"


_loaded = None


def _library():
    global _loaded
    if _loaded is None:
        library = ctypes.CDLL(_find())
        pointer, integer = ctypes.c_void_p, ctypes.c_int32
        library.mxc_version.restype = ctypes.c_char_p
        library.mxc_available_backends_json.restype = pointer
        library.mxc_string_free.argtypes = [pointer]
        library.mxc_run_json.argtypes = [ctypes.c_char_p, integer, pointer]
        library.mxc_run_result_free.argtypes = [pointer]
        library.mxc_error_detail_free.argtypes = [pointer]
        library.mxc_spawn_json.argtypes = [ctypes.c_char_p, integer, pointer, pointer]
        library.mxc_spawn_pty_json.argtypes = [ctypes.c_char_p, integer, ctypes.c_uint16, ctypes.c_uint16, pointer, pointer]
        library.mxc_sandbox_id.argtypes = [pointer]
        library.mxc_sandbox_id.restype = ctypes.c_uint32
        for name in ("wait", "try_wait", "kill", "free", "pty_resize", "take_native_stdio"):
            function = getattr(library, "mxc_sandbox_" + name)
            function.argtypes = [pointer] * {"wait": 3, "try_wait": 4, "take_native_stdio": 2}.get(name, 1)
        library.mxc_sandbox_pty_resize.argtypes = [pointer, ctypes.c_uint16, ctypes.c_uint16]
        library.mxc_sandbox_free.restype = None
        _loaded = library
    return _loaded


def _text(raw):
    return raw.decode() if raw else ""


def _request(policy, command):
    if isinstance(policy, (str, os.PathLike)):
        with open(policy, encoding="utf-8") as file:
            policy = json.load(file)
    request = {"version": _VERSION, **policy}
    if command is not None:
        words = command if isinstance(command, str) else shlex.join(os.fspath(word) for word in command)
        request["process"] = {**request.get("process", {}), "commandLine": words}
    return json.dumps(request).encode()


def version():
    """The library's version."""
    return _text(_library().mxc_version())


def available_backends():
    """What this host can run, a list of dicts; empty where no sandbox can be made."""
    library = _library()
    answer = library.mxc_available_backends_json()
    if not answer:
        raise Error(12, "what this host can run could not be found out")
    try:
        return json.loads(ctypes.string_at(answer))
    finally:
        library.mxc_string_free(answer)


def run(policy, command=None):
    """Runs a program to its end, with nothing on its standard input. Raises Error if it could not be started."""
    library = _library()
    result = _RunResult()
    status = library.mxc_run_json(_request(policy, command), 1, ctypes.byref(result))
    try:
        if status != 0:
            raise Error(status, _text(result.error.message), _text(result.error.remediation))
        warnings = json.loads(result.warnings) if result.warnings else []
        return Completed(result.exit_code, bool(result.timed_out), _text(result.stdout), _text(result.stderr), warnings)
    finally:
        library.mxc_run_result_free(ctypes.byref(result))


class Sandbox:
    """A program that runs. Ends with the `with` block, with close(), or with this process."""

    def __init__(self, handle):
        self._library = _library()
        self._handle = handle
        stdio = _NativeStdio()
        status = self._library.mxc_sandbox_take_native_stdio(handle, ctypes.byref(stdio))
        if status != 0:
            self.close()
            raise Error(status, "the streams could not be taken")
        self.stdin = os.fdopen(stdio.stdin, "wb", buffering=0) if stdio.stdin >= 0 else None
        self.stdout = os.fdopen(stdio.stdout, "rb") if stdio.stdout >= 0 else None
        self.stderr = os.fdopen(stdio.stderr, "rb") if stdio.stderr >= 0 else None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    @property
    def pid(self):
        """Of the process that stands for the sandbox."""
        return self._library.mxc_sandbox_id(self._handle)

    def poll(self):
        """The exit code, -1 after the time limit, or None while it runs."""
        code, running, timed_out = ctypes.c_int32(), ctypes.c_int32(), ctypes.c_int32()
        self._check(self._library.mxc_sandbox_try_wait(self._handle, ctypes.byref(code), ctypes.byref(running), ctypes.byref(timed_out)))
        return None if running.value else code.value

    def wait(self):
        """Waits for the end; as poll()."""
        code, timed_out = ctypes.c_int32(), ctypes.c_int32()
        self._check(self._library.mxc_sandbox_wait(self._handle, ctypes.byref(code), ctypes.byref(timed_out)))
        return code.value

    def kill(self):
        self._check(self._library.mxc_sandbox_kill(self._handle))

    def resize(self, rows, columns):
        """Gives the terminal of spawn(…, terminal=…) another size."""
        self._check(self._library.mxc_sandbox_pty_resize(self._handle, rows, columns))

    def close(self):
        """Ends the program, if it runs, and gives everything back. May be called again."""
        for stream in (getattr(self, name, None) for name in ("stdin", "stdout", "stderr")):
            if stream is not None:
                stream.close()
        handle, self._handle = self._handle, None
        self._library.mxc_sandbox_free(handle)

    def _check(self, status):
        if status != 0:
            raise Error(status, "the sandbox is closed" if self._handle is None else "lxc-exec ended without a word")


def spawn(policy, command=None, terminal=None):
    """Starts a program and returns its Sandbox. terminal: (rows, columns) of one of its own. Raises Error."""
    library = _library()
    handle, error = ctypes.c_void_p(), _ErrorDetail()
    request = _request(policy, command)
    if terminal is None:
        status = library.mxc_spawn_json(request, 1, ctypes.byref(handle), ctypes.byref(error))
    else:
        status = library.mxc_spawn_pty_json(request, 1, *terminal, ctypes.byref(handle), ctypes.byref(error))
    if status != 0:
        try:
            raise Error(status, _text(error.message), _text(error.remediation))
        finally:
            library.mxc_error_detail_free(ctypes.byref(error))
    return Sandbox(handle)
