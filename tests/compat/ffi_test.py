#!/usr/bin/env python3
"""libmxc_ffi.so from inside of a process that isn't ours, through the Python binding and below it: streams, ends, errors,
ownership, and what the host's process notices of it. Each case's code runs in a process of its own as the caller."""
import os
import sys
import textwrap

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../integration"))
from harness import case, check, contains, equal, eventually, main, processes_below, program  # noqa: E402

PRELUDE = """
import ctypes, json, os, signal, sys, threading, time
sys.dont_write_bytecode = True
import mxc
lib = mxc._library()
def equal(got, wanted, what="value"):
    assert got == wanted, f"{what}: got {got!r}, wanted {wanted!r}"
def refused(code, *arguments, **named):
    try:
        mxc.run(*arguments, **named)
    except mxc.Error as error:
        equal(error.code, code, f"the code of {error}")
        return error
    raise AssertionError(f"{arguments} ran")
def request(command, **fields):
    return json.dumps({"version": "1.0.0", "process": {"commandLine": command}, **fields}).encode()
def descriptors():
    return sorted(os.listdir("/proc/self/fd"))
"""


def hosted(box, code, timeout=60, env=None, before=()):
    """Runs Python code in a process that has loaded the library."""
    folder = os.path.dirname(program("libmxc_ffi.so"))
    environment = box.environment({"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1", **(env or {})})
    # start() runs lxc-exec; here it is only the last word, which Python takes for an argument.
    ended = box.mxc(timeout=timeout, env=environment, before=[*before, sys.executable, "-c", PRELUDE + textwrap.dedent(code)])
    equal(ended.code, 0, f"the host's process: {ended.raw_err.decode()[-1500:]}")
    return ended


@case
def programs_run_to_their_end(box):
    hosted(
        box,
        """
        done = mxc.run({}, "echo out; echo err >&2; exit 3")
        equal((done.exit_code, done.timed_out, done.stdout, done.stderr), (3, False, "out\\n", "err\\n"))
        equal(mxc.run({}, ["printf", "%s|", "a b", "$HOME"]).stdout, "a b|$HOME|")
        equal(mxc.run({}, "kill -9 $$").exit_code, 137)
        equal(mxc.run({}, "no-such-program").exit_code, 127)
        equal(mxc.run({}, "cat; echo end").stdout, "end\\n")  # nothing on its input
        done = mxc.run({"process": {"timeout": 300}}, "echo begun; sleep 60 & sleep 60")
        equal((done.exit_code, done.timed_out, done.stdout), (-1, True, "begun\\n"))
        equal(mxc.run({}, "printf 'a\\\\0b\\\\377'").stdout, "a\\ufffdb\\ufffd")
        equal(mxc.run({}, "cat /proc/1/comm").stdout, "bwrap\\n")
        done = mxc.run({"filesystem": {"readonlyPaths": ["/no/such"]}}, "true")
        equal(done.exit_code, 1)
        assert "/no/such" in done.stderr, done.stderr
        done = mxc.run({}, "head -c 30000000 /dev/zero | tr '\\\\0' x; head -c 30000000 /dev/zero | tr '\\\\0' y >&2")
        equal((len(done.stdout), len(done.stderr)), (30000000, 30000000))
        """,
    )


@case
def refusals_have_the_sdks_codes(box):
    hosted(
        box,
        """
        equal(refused("malformed_request", {"nonsense": 1}, "true").message.split(": ")[-1], 'unknown field "nonsense"')
        refused("malformed_request", {"version": "7"}, "true")
        refused("malformed_request", {"phase": "start"}, "true")
        refused("unsupported_containment", {"containment": "wslc"}, "true")
        refused("unsupported_containment", {"containment": "processcontainer"}, "true")
        error = refused("backend_error", {"ui": {"clipboard": "all"}}, "true")
        assert "/ui/clipboard" in error.message and error.hint, error
        # Of what is not for everybody: only when asked.
        result = mxc._RunResult()
        equal(lib.mxc_run_json(request("true", **{"x-linux": {}}), 0, ctypes.byref(result)), 1)
        lib.mxc_run_result_free(ctypes.byref(result))
        equal(mxc.run({"x-linux": {}}, "true").exit_code, 0)
        """,
    )


@case
def streams_are_alive(box):
    hosted(
        box,
        """
        with mxc.spawn({}, "read a; echo got $a; read b; echo also $b >&2; exit 7") as sandbox:
            equal(sandbox.poll(), None)
            assert sandbox.pid > 1
            sandbox.stdin.write(b"one\\n")
            equal(sandbox.stdout.readline(), b"got one\\n")
            sandbox.stdin.write(b"two\\n")
            equal(sandbox.stderr.readline(), b"also two\\n")
            equal(sandbox.wait(), 7)
            equal(sandbox.poll(), 7)
        with mxc.spawn({}, "sleep 60") as sandbox:
            begin = time.monotonic()
            sandbox.kill()
            sandbox.kill()
            equal(sandbox.wait(), 137)
            assert time.monotonic() - begin < 5
        # Words that lxc-exec hasn't heard when it ends don't cost its own last one.
        for _ in range(20):
            with mxc.spawn({}, "sleep 0.05", terminal=(24, 80)) as sandbox:
                while sandbox.poll() is None:
                    sandbox.resize(24, 80)
                equal(sandbox.wait(), 0)
        with mxc.spawn({"process": {"timeout": 300}}, "sleep 60") as sandbox:
            equal(sandbox.wait(), -1)
        # Output that nobody reads stops nobody.
        handle = ctypes.c_void_p()
        equal(lib.mxc_spawn_json(request("head -c 3000000 /dev/zero; exit 4"), 0, ctypes.byref(handle), None), 0)
        code, timed_out = ctypes.c_int32(), ctypes.c_int32()
        equal(lib.mxc_sandbox_wait(handle, ctypes.byref(code), ctypes.byref(timed_out)), 0)
        equal(code.value, 4)
        lib.mxc_sandbox_free(handle)
        """,
    )


@case
def streams_by_function(box):
    hosted(
        box,
        """
        lib.mxc_sandbox_take_stdin.restype = lib.mxc_sandbox_take_stdout.restype = lib.mxc_sandbox_take_stderr.restype = ctypes.c_void_p
        lib.mxc_sandbox_stdout_closer.restype = ctypes.c_void_p
        P = ctypes.c_void_p
        def take(name, handle):
            taken = getattr(lib, "mxc_sandbox_" + name)(P(handle.value))
            return P(taken) if taken else None
        handle = P()
        equal(lib.mxc_spawn_json(request("cat; sleep 60"), 0, ctypes.byref(handle), None), 0)
        stdin, stdout = take("take_stdin", handle), take("take_stdout", handle)
        assert stdin and stdout
        equal(take("take_stdin", handle), None, "a stream that is taken")
        stdio = mxc._NativeStdio()
        equal(lib.mxc_sandbox_take_native_stdio(handle, ctypes.byref(stdio)), 12, "descriptors of taken streams")
        moved = ctypes.c_size_t()
        equal(lib.mxc_stream_write(stdin, b"hello", 5, ctypes.byref(moved)), 0)
        equal(moved.value, 5)
        equal(lib.mxc_stream_flush(stdin), 0)
        lib.mxc_write_stream_free(stdin)
        buffer = ctypes.create_string_buffer(100)
        equal(lib.mxc_stream_read(stdout, buffer, 100, ctypes.byref(moved)), 0)
        equal(buffer.raw[:moved.value], b"hello")
        # A closer ends a read that waits.
        closer = take("stdout_closer", handle)
        threading.Timer(0.3, lambda: lib.mxc_stream_closer_close(closer)).start()
        begin = time.monotonic()
        equal(lib.mxc_stream_read(stdout, buffer, 100, ctypes.byref(moved)), 0)
        equal(moved.value, 0)
        assert 0.2 < time.monotonic() - begin < 5
        equal(lib.mxc_stream_read(stdout, buffer, 100, ctypes.byref(moved)), 0)
        equal(moved.value, 0)
        lib.mxc_read_stream_free(stdout)
        lib.mxc_stream_closer_free(closer)
        lib.mxc_sandbox_free(handle)
        # A program that has closed its input raises no SIGPIPE in its host.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)
        equal(lib.mxc_spawn_json(request("exec 0</dev/null; echo closed; sleep 5"), 0, ctypes.byref(handle), None), 0)
        stdin, stdout = take("take_stdin", handle), take("take_stdout", handle)
        equal(lib.mxc_stream_read(stdout, buffer, 100, ctypes.byref(moved)), 0)
        lib.mxc_sandbox_kill(handle)
        lib.mxc_sandbox_wait(handle, ctypes.byref(ctypes.c_int32()), ctypes.byref(ctypes.c_int32()))
        equal(lib.mxc_stream_write(stdin, b"hello", 5, ctypes.byref(moved)), 12)
        lib.mxc_write_stream_free(stdin)
        lib.mxc_read_stream_free(stdout)
        lib.mxc_sandbox_free(handle)
        """,
    )


@case
def a_terminal_of_its_own(box):
    hosted(
        box,
        """
        with mxc.spawn({}, "tty >/dev/null && stty size; read a; stty size; test -t 2 && echo all", terminal=(33, 99)) as sandbox:
            equal(sandbox.stderr, None)
            equal(sandbox.stdout.readline(), b"33 99\\r\\n")
            sandbox.resize(10, 20)
            sandbox.stdin.write(b"x\\n")
            equal(sandbox.stdout.read(), b"x\\r\\n10 20\\r\\nall\\r\\n")
            equal(sandbox.wait(), 0)
        # The end of the input is the end of the program's.
        with mxc.spawn({}, "cat; echo end", terminal=(24, 80)) as sandbox:
            sandbox.stdin.write(b"word\\n")
            sandbox.stdin.close()
            equal(sandbox.stdout.read(), b"word\\r\\nword\\r\\nend\\r\\n")
            equal(sandbox.wait(), 0)
        # With a trap: a shell that gets a SIGINT just as it starts a program lets that go on.
        with mxc.spawn({}, "trap 'exit 130' INT; echo up; while :; do sleep 0.05; done", terminal=(24, 80)) as sandbox:
            equal(sandbox.stdout.readline(), b"up\\r\\n")
            sandbox.stdin.write(b"\\x03")
            equal(sandbox.wait(), 130)
        """,
    )


@case
def the_host_notices_nothing(box):
    hosted(
        box,
        """
        # No child for long, no descriptor, no thread, no handler, no mask.
        before = descriptors(), {n: signal.getsignal(n) for n in signal.valid_signals()}, signal.pthread_sigmask(signal.SIG_BLOCK, [])
        sandbox = mxc.spawn({}, "cat")
        sandbox.stdin.close()
        equal(sandbox.wait(), 0)
        sandbox.close()
        for _ in range(20):
            mxc.run({}, "true")
            mxc.run({}, "exit 1")
        refused("malformed_request", {"nonsense": 1}, "true")
        after = descriptors(), {n: signal.getsignal(n) for n in signal.valid_signals()}, signal.pthread_sigmask(signal.SIG_BLOCK, [])
        equal(after, before)
        try:
            os.waitpid(-1, os.WNOHANG)
            raise AssertionError("the host has a child")
        except ChildProcessError:
            pass
        equal(len(os.listdir("/proc/self/task")), 1, "threads")
        # A host that ignores SIGCHLD, or reaps whatever it can, takes nothing from us.
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        equal(mxc.run({}, "exit 5").exit_code, 5)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        sandbox = mxc.spawn({}, "exit 6")
        os.waitpid(-1, 0)
        equal(sandbox.wait(), 6)
        sandbox.kill()
        sandbox.close()
        """,
    )


@case
def nothing_of_the_host_leaks_in(box):
    hosted(
        box,
        """
        # Descriptors that aren't close-on-exec, ignored and blocked signals.
        leaked = os.open("/etc/passwd", os.O_RDONLY)
        os.set_inheritable(leaked, True)
        os.dup2(leaked, 50, inheritable=True)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])
        # The shell's own for the script apart, standard streams are all that there is.
        inside = mxc.run({}, ["python3", "-c", "import os; print(sorted(int(f) for f in os.listdir('/proc/self/fd'))[:-1])"]).stdout
        equal(inside, "[0, 1, 2]\\n")
        status = mxc.run({}, "grep -E '^Sig(Blk|Ign)' /proc/self/status").stdout.split()
        equal(int(status[1], 16), 0, "blocked")
        equal(int(status[3], 16) & ~(3 << 31), 0, "ignored")
        """,
    )


@case
def threads_may_call_at_once(box):
    hosted(
        box,
        """
        wrong = []
        def work(number):
            for round in range(4):
                done = mxc.run({}, f"echo {number}; exit {number}")
                if (done.exit_code, done.stdout) != (number, f"{number}\\n"):
                    wrong.append(done)
        threads = [threading.Thread(target=work, args=[n]) for n in range(16)]
        for thread in threads: thread.start()
        for thread in threads: thread.join()
        equal(wrong, [])
        # One waits, another kills.
        sandbox = mxc.spawn({}, "sleep 60")
        threading.Timer(0.2, sandbox.kill).start()
        equal(sandbox.wait(), 137)
        sandbox.close()
        """,
        timeout=120,
    )


@case
def the_end_of_the_host_is_the_end_of_its_sandboxes(box):
    started = box.start(
        env=box.environment({"PYTHONPATH": os.path.dirname(program("libmxc_ffi.so"))}),
        before=[sys.executable, "-B", "-c", "import mxc, time; s = mxc.spawn({}, 'echo up; exec sleep 62.5'); print(s.stdout.readline(), flush=True); time.sleep(60)"],
    )
    contains(started.stdout.readline().decode(), "up", "the program's start")
    check(eventually(lambda: "sleep" in processes_below(os.getpid()).values(), 10), "the program doesn't run")
    started.kill()
    started.communicate()
    check(eventually(lambda: "sleep" not in processes_below(os.getpid()).values(), 10), "the program outlived its host")


@case
def null_and_wrong_arguments(box):
    hosted(
        box,
        """
        result, error, handle = mxc._RunResult(), mxc._ErrorDetail(), ctypes.c_void_p(1)
        equal(lib.mxc_run_json(request("true"), 0, None), 100)
        equal(lib.mxc_run_json(None, 0, ctypes.byref(result)), 100)
        assert result.error.message
        lib.mxc_run_result_free(ctypes.byref(result))
        lib.mxc_run_result_free(ctypes.byref(result))
        equal(lib.mxc_run_json(b"\\xff", 0, ctypes.byref(result)), 101)
        lib.mxc_run_result_free(ctypes.byref(result))
        equal(lib.mxc_spawn_json(None, 0, ctypes.byref(handle), ctypes.byref(error)), 100)
        equal(handle.value, None)
        lib.mxc_error_detail_free(ctypes.byref(error))
        lib.mxc_error_detail_free(ctypes.byref(error))
        equal(lib.mxc_spawn_json(request("true"), 0, None, None), 100)
        equal(lib.mxc_spawn_json(b"{", 0, ctypes.byref(handle), None), 1)
        for name in ("free",):
            getattr(lib, "mxc_sandbox_" + name)(None)
        for name in ("run_result_free", "error_detail_free", "string_free"):
            getattr(lib, "mxc_" + name)(None)
        for name in ("read_stream_free", "write_stream_free", "stream_closer_free", "state_aware_result_free"):
            getattr(lib, "mxc_" + name)(None)
        equal(lib.mxc_sandbox_id(None), 0)
        equal(lib.mxc_sandbox_kill(None), 100)
        equal(lib.mxc_sandbox_wait(None, None, None), 100)
        equal(lib.mxc_sandbox_pty_resize(None, 1, 1), 100)
        lib.mxc_native_pipe_close.argtypes = [ctypes.c_ssize_t]
        lib.mxc_native_pipe_close(-1)
        equal(mxc.version().count("."), 2)
        """,
    )


@case
def any_bytes_are_answered(box):
    hosted(
        box,
        """
        import random
        chance = random.Random(7)
        good = request("true", filesystem={"readonlyPaths": ["/usr"]}, network={"egress": {"default": "deny"}})
        for round in range(150):
            text = bytearray(good)
            for _ in range(chance.randrange(1, 6)):
                place = chance.randrange(len(text))
                text[place:place + chance.randrange(3)] = bytes(chance.randrange(1, 256) for _ in range(chance.randrange(4)))
            if chance.random() < 0.2: text = bytearray(chance.randrange(1, 256) for _ in range(chance.randrange(40)))
            result, answer, handle, error = mxc._RunResult(), mxc._RunResult(), ctypes.c_void_p(), mxc._ErrorDetail()
            status = lib.mxc_run_json(bytes(text), 0, ctypes.byref(result))
            assert status in (0, 1, 2, 12, 101), status
            assert status == 0 or result.error.message
            lib.mxc_run_result_free(ctypes.byref(result))
            assert lib.mxc_run_request(bytes(text), ctypes.byref(answer)) in (1, 101)
            lib.mxc_run_result_free(ctypes.byref(answer))
            if lib.mxc_spawn_json(bytes(text), 0, ctypes.byref(handle), ctypes.byref(error)) == 0:
                lib.mxc_sandbox_free(handle)
            else:
                equal(handle.value, None)
            lib.mxc_error_detail_free(ctypes.byref(error))
        """,
        timeout=120,
    )


@case
def state_aware_requests_are_checked_and_want_an_mxcd(box):
    hosted(
        box,
        """
        class Answer(ctypes.Structure):
            _fields_ = [("status", ctypes.c_int32), ("response", ctypes.c_char_p), ("error", mxc._ErrorDetail)]
        def ask(**fields):
            answer = Answer()
            status = lib.mxc_run_state_aware_json(json.dumps({"version": "1.0.0", **fields}).encode(), 0, 0, ctypes.byref(answer))
            equal(answer.status, status)
            assert answer.error.message
            lib.mxc_state_aware_result_free(ctypes.byref(answer))
            lib.mxc_state_aware_result_free(ctypes.byref(answer))
            return status
        equal(ask(phase="provision", containment="wslc"), 4)
        equal(ask(phase="provision", containment="windows_sandbox", version="1.1.0-alpha"), 2)
        equal(ask(phase="start", sandboxId="wslc:1"), 4)
        equal(ask(phase="start", sandboxId="wsb:1"), 2)
        equal(ask(phase="start", sandboxId="nix:1"), 5)
        equal(ask(phase="start", sandboxId="zz"), 5)
        equal(ask(phase="start"), 1)
        equal(ask(phase="nix"), 1)
        equal(ask(process={"commandLine": "true"}), 1)
        equal(ask(phase="exec", sandboxId="wslc:1", process={"commandLine": "true"}), 1)
        handle = ctypes.c_void_p()
        execute = json.dumps({"version": "1.0.0", "phase": "exec", "sandboxId": "wslc:1", "process": {"commandLine": "true"}}).encode()
        equal(lib.mxc_exec_state_aware_json(execute, 0, ctypes.byref(handle), None), 4)
        equal(handle.value, None)
        equal(lib.mxc_exec_state_aware_attached_json(execute, 0, ctypes.byref(ctypes.c_int64()), None), 1)
        """,
        env={"MXC_SOCKET": "/no/such"},
    )


@case
def without_lxc_exec_it_says_what_to_do(box):
    alone = box.folder("alone")
    for name in ("libmxc_ffi.so", "mxc.py"):
        with open(program(name), "rb") as file:
            box.file(f"alone/{name}", file.read(), mode=0o755)
    code = """
        error = refused("backend_error", {}, "true")
        assert "lxc-exec" in error.message and "MXC_BIN_DIR" in error.hint, error
        equal(len(error.message.split("tried ")[1].split(", ")), %d, error.message)
        """
    hosted(box, code % 2, env={"PYTHONPATH": alone})
    hosted(box, code % 4, env={"PYTHONPATH": alone, "MXC_BIN_DIR": "/no/such"})
    # Where it is, it is found.
    hosted(box, 'equal(mxc.run({}, "exit 9").exit_code, 9)', env={"PYTHONPATH": alone, "MXC_BIN_DIR": os.path.dirname(program("lxc-exec"))})


@case
def it_is_loaded_and_unloaded_again_and_again(box):
    # As the SDK does for each run.
    hosted(
        box,
        """
        import _ctypes, gc
        path = os.path.join(os.path.dirname(mxc.__file__), "libmxc_ffi.so")
        _ctypes.dlclose(lib._handle)
        def resident():
            return int(open("/proc/self/statm").read().split()[1])
        first = None
        for round in range(200):
            one = ctypes.CDLL(path)
            result = mxc._RunResult()
            equal(one.mxc_run_json(b"{", 0, ctypes.byref(result)), 1)
            one.mxc_run_result_free(ctypes.byref(result))
            _ctypes.dlclose(one._handle)
            if round == 50: first = (gc.collect(), resident())[1]
        gc.collect()
        # 72 KiB each time are 2700 pages; Python keeps some.
        assert resident() - first < 400, f"{resident() - first} pages more"
        os._exit(0)
        """,
    )


if __name__ == "__main__":
    main()
