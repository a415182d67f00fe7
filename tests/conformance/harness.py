"""Runs the cases of one conformance program against a runtime. A program marks functions with @clause("section") and ends with main().

    PROGRAM RUNTIME PROBE [PATTERN]      RUNTIME: mxc-runtime, or a peer (runc, crun) to check the cases themselves against

A case is a function of a Box (box.py). It runs in a process of its own, in a mount namespace of its own, so it may mount what it
likes and whatever it leaves is found. Output: one line `PASS: section.name`, `FAIL: section.name: why` or `SKIP: section.name: why`
a case; the exit status is 1 after a FAIL. Where a peer is known to differ from the specification (peers.py) its failure is a SKIP,
and a success is a FAIL: the table is kept true.
"""

import ctypes
import os
import re
import signal
import sys
import time
import traceback

import box as boxes
import host
import peers

CLONE_NEWNS = 0x20000
CLONE_NEWNET = 0x40000000
MS_REC_PRIVATE = 0x44000
PR_SET_CHILD_SUBREAPER = 36
# A case that takes longer has hung.
CASE_SECONDS = float(os.environ.get("MXC_CASE_SECONDS", "120"))

_libc = ctypes.CDLL(None, use_errno=True)
_cases = []


class Skip(Exception):
    """Raised by a case that can't be tried here; its text is the reason."""


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(got, wanted, what="value"):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def contains(text, part, what="text"):
    check(part in text, f"{what} lacks {part!r}: {text[-1500:]!r}")


def lacks(text, part, what="text"):
    check(part not in text, f"{what} has {part!r}: {text[-1500:]!r}")


def clause(section, *, callers=("root",)):
    """Marks a case of that section. callers: "root", "rootless" or both; a rootless case's name says so."""

    def mark(function):
        for caller in callers:
            suffix = "_rootless" if caller == "rootless" else ""
            _cases.append((f"{section}.{function.__name__}{suffix}", function, caller))
        return function

    return mark


def names():
    """Names of the cases that the program has."""
    return [name for name, _, _ in _cases]


def _isolate():
    """A mount namespace for this process, none of whose mounts reach the host's; orphans below become ours."""
    if _libc.unshare(CLONE_NEWNS) != 0 or _libc.mount(b"none", b"/", None, MS_REC_PRIVATE, None) != 0:
        raise OSError(ctypes.get_errno(), "unshare the mount namespace")
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def unshare_network():
    """Gives the case a network namespace of its own, as that of the runtime."""
    if _libc.unshare(CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "unshare the network namespace")


def _place(error, function):
    lines = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.name == function.__name__]
    return f"line {lines[-1].lineno}: " if lines else ""


def _try(function, caller, runtime, probe):
    """Runs a case in this process. What it comes to: (word, why)."""
    _isolate()
    peers.prepare(runtime)
    box = boxes.Box(runtime, probe, caller)
    try:
        function(box)
        box.end()
        return "PASS", ""
    except Skip as reason:
        return "SKIP", str(reason)
    except AssertionError as error:
        return "FAIL", _place(error, function) + str(error)
    except Exception:  # a case that breaks is a case that fails
        return "FAIL", traceback.format_exc()
    finally:
        box.destroy()


def _fork(function, caller, runtime, probe):
    """Runs a case in a child, which is killed with all below it when it hangs. (word, why)."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        word, why = _try(function, caller, runtime, probe)
        with os.fdopen(writing, "w") as out:
            out.write(f"{word}\n{why}")
        os._exit(0)
    os.close(writing)
    deadline = time.monotonic() + CASE_SECONDS

    def ended():
        return os.waitpid(child, os.WNOHANG)[0] == child

    if not host.eventually(ended, deadline - time.monotonic()):
        for pid in [child, *host.descendants(child)]:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
        os.waitpid(child, 0)
        os.close(reading)
        return "FAIL", f"not done after {CASE_SECONDS:.0f} s"
    os.set_blocking(reading, False)
    with os.fdopen(reading) as result:
        word, _, why = (result.read() or "FAIL\nthe case's process died").partition("\n")
    return word, why


def _run(name, function, caller, runtime, probe):
    begin = time.monotonic()
    word, why = _fork(function, caller, runtime, probe)
    deviation = peers.deviation(runtime, name)
    if deviation and word == "FAIL":
        word, why = "SKIP", f"{os.path.basename(runtime)} differs here: {deviation} ({' '.join(why.split())[:160]})"
    elif deviation and word == "PASS" and not deviation.startswith("by chance"):
        word, why = "FAIL", f"passes, but peers.py says that {os.path.basename(runtime)} differs: {deviation}"
    # A line a case: whoever reads the output goes by lines.
    why = why if os.environ.get("MXC_WHOLE_ERRORS") else " ".join(why.split())[:1800]
    print(f"{word}: {name}" + (f": {why}" if why else f" [{time.monotonic() - begin:.1f} s]"), flush=True)
    return word


def main():
    """PROGRAM RUNTIME PROBE [PATTERN]: runs every case whose name matches. PROGRAM --list: only names them."""
    if sys.argv[1:] == ["--list"]:
        print("\n".join(names()))
        return
    if len(sys.argv) < 3:
        sys.exit("usage: PROGRAM RUNTIME PROBE [PATTERN]")
    if os.getuid() != 0:
        print("SKIP: conformance: it needs root")
        return
    runtime, probe = os.path.realpath(sys.argv[1]), os.path.realpath(sys.argv[2])
    wanted = sys.argv[3] if len(sys.argv) > 3 else ""
    with boxes.programs(runtime, probe) as (runtime, probe):
        results = [_run(name, function, caller, runtime, probe) for name, function, caller in _cases if re.search(wanted, name)]
    print(f"{results.count('PASS')} passed, {results.count('FAIL')} failed, {results.count('SKIP')} skipped")
    sys.exit(1 if "FAIL" in results or not results else 0)
