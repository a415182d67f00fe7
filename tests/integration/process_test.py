#!/usr/bin/env python3
"""Exit codes, messages, streams, signals, environment and terminals of `mxc run`."""
import errno
import fcntl
import json
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time

sys.dont_write_bytecode = True
from harness import case, check, contains, equal, eventually, lacks, main, processes_below  # noqa: E402


@case
def exit_codes_are_the_programs(box):
    policy = box.policy()
    for code in (0, 1, 2, 42, 124, 125, 126, 127, 128, 200, 255):
        ended = box.run(policy, "sh", "-c", f"exit {code}").expect(code)
        equal(ended.out + ended.raw_err, b"", f"output of exit {code}")


@case
def command_line_runs_by_sh(box):
    ended = box.run(box.policy(command="echo $((6 * 7)); echo err >&2; exit 3")).expect(3)
    equal(ended.out, b"42\n", "stdout")
    equal(ended.raw_err, b"err\n", "stderr")
    # A command after -- takes its place and is run as it is.
    equal(box.run(box.policy(command="exit 9"), "echo", "$HOME", "a b").expect(0).out, b"$HOME a b\n", "stdout")


@case
def the_first_process_has_its_name_before_a_program_can_look(box):
    policy = box.policy()
    equal({box.run(policy, "cat", "/proc/1/comm").expect(0).out for _ in range(20)}, {b"mxc-init\n"}, "names")


@case
def signals_are_128_and_their_number(box):
    for number in (signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV, signal.SIGABRT, signal.SIGHUP):
        box.run(box.policy(), "python3", "-c", f"import os; os.kill(os.getpid(), {int(number)}); import time; time.sleep(5)").expect(
            128 + number, number.name
        )


@case
def programs_that_can_not_run_are_126_and_127(box):
    missing = box.run(box.policy(), "no-such-program").expect(127)
    contains(missing.err, "no-such-program", "the message")
    contains(missing.err, "hint:", "the message")
    contains(box.run(box.policy(), "/no/such/program").expect(127).err, "/no/such/program", "the message")
    box.file("work/text", "just text\n", mode=0o644)
    box.file("work/broken", b"\x7fELF nonsense", mode=0o755)
    box.file("work/script", "#!/no/such/interpreter\n", mode=0o755)
    policy = box.policy(ro=[box.work])
    for name, code in (("text", 126), ("broken", 126), ("script", 127)):
        ended = box.run(policy, f"{box.work}/{name}").expect(code, name)
        contains(ended.err, name, "the message")
    box.run(policy, box.work).expect(126, "a folder as program")


@case
def our_errors_are_125_and_say_what_to_do(box):
    """Each refusal names the field (or option), the reason, and a way out; nothing runs."""
    marker = f"{box.work}/ran"
    run = ["sh", "-c", f"echo ran > {marker}"]
    policies = {
        "/version": {"version": "0.5.0"},
        "/filesystm": box.policy(filesystm={}),
        "/filesystem/readonlyPaths/0": box.policy(ro=["relative/path"]),
        "/x-linux/gpu": box.policy(x={"gpu": {}}),
        "/network/ingress/default": box.policy(network={"ingress": {"default": "allow"}}),
        "/x-linux/isolation": box.policy(x={"isolation": "microvm"}),
        "/process/timeout": box.policy(process={"commandLine": "true", "timeout": -1}),
        "/x-linux/resources/memory": box.policy(x={"resources": {"memory": "lots"}}),
        "/x-linux/profile": box.policy(x={"profile": "no-such-profile"}),
        "/x-linux/seccomp/profile": box.policy(x={"seccomp": {"profile": "no-such-list"}}),
    }
    for field, policy in policies.items():
        ended = box.run(policy, *run).expect(125, field)
        equal(ended.out, b"", f"stdout at {field}")
        check(ended.err.startswith("mxc: error: "), f"{field}: {ended.err!r}")
        contains(ended.err, field, "the message")
        check("hint: " in ended.err or "expected " in ended.err, f"no way out in the message at {field}: {ended.err}")
    for arguments in (["run"], ["run", "--no-such-option"], ["run", "--policy", "/no/such/policy.json", "--", "true"], ["frobnicate"], [],
                      ["run", "--policy"], ["run", "--spec", "-", "--policy", "x"], ["run", "--"]):  # fmt: skip
        ended = box.mxc(*arguments).expect(125, " ".join(arguments))
        check(ended.err, f"{arguments}: no message")
        equal(ended.out, b"", f"stdout of {arguments}")
    contains(box.mxc("run", "--policy", "/no/such/policy.json", "--", "true").err, "/no/such/policy.json", "the message")
    unreadable = box.mxc("run", "--policy", box.work, "--", "true").expect(125)
    contains(unreadable.err, box.work, "the message")
    check(not os.path.exists(marker), "a refused run ran")


@case
def time_out_is_124_and_takes_everything_along(box):
    for command in (
        "sleep 60",
        "sleep 60 & sleep 61 & wait",
        "trap '' TERM INT; while :; do sleep 1; done",
        "(trap '' TERM; setsid sleep 60 & sleep 60) & setsid setsid sleep 60 & sleep 60",
    ):
        ended = box.run(box.policy(process={"commandLine": command, "timeout": 400}))
        equal(ended.code, 124, f"exit status of {command!r} ({ended.err})")
        check(0.35 < ended.seconds < 8, f"{command!r} took {ended.seconds:.2f} s")
        check(eventually(lambda: not processes_below(os.getpid()), 1), f"{command!r} left {processes_below(os.getpid())}")


@case
def time_out_lets_the_program_clean_up(box):
    code = """
import signal, sys, time
def end(*_):
    print('cleaned up', flush=True)
    sys.exit(3)
signal.signal(signal.SIGTERM, end)
print('started', flush=True)
time.sleep(60)
"""
    ended = box.run(box.policy(process={"commandLine": "unused", "timeout": 700}), "python3", "-c", code).expect(124)
    equal(ended.text, "started\ncleaned up\n", "output")
    check(ended.seconds < 4, f"took {ended.seconds:.2f} s")


@case
def background_children_end_with_the_program(box):
    ended = box.run(box.policy(), "sh", "-c", "setsid sleep 60 >/dev/null 2>&1 & echo done").expect(0)
    check(ended.seconds < 5, f"took {ended.seconds:.2f} s")
    check(eventually(lambda: not processes_below(os.getpid()), 1), f"left {processes_below(os.getpid())}")
    # Also with our pipes in its hands: they are not waited for.
    ended = box.run(box.policy(), "sh", "-c", "setsid sleep 60 & echo done").expect(0)
    check(ended.seconds < 5, f"took {ended.seconds:.2f} s")


@case
def binary_streams_pass_untouched(box):
    data = bytes(range(256)) * 64 + b"\x1b]52;c;QUJD\x07\r\n\0\n\r" + os.urandom(4096)
    ended = box.run(box.policy(), "cat", input=data).expect(0)
    check(ended.out == data, "stdout differs from stdin")
    ended = box.run(box.policy(), "sh", "-c", "cat >&2", input=data).expect(0)
    check(ended.raw_err == data, "stderr differs from stdin")


@case
def fifty_megabytes_through_a_pipe(box):
    size = 50 << 20
    source = box.path("big")
    with open(source, "wb") as file:
        for block in range(50):
            file.write(bytes([block]) * (1 << 20))
    out = box.path("copy")
    with open(source, "rb") as stdin, open(out, "wb") as stdout:
        feeder = subprocess.Popen(["cat"], stdin=stdin, stdout=subprocess.PIPE)
        ended = box.run(box.policy(), "sh", "-c", "cat | cat", stdin=feeder.stdout, stdout=stdout, timeout=120).expect(0)
        feeder.stdout.close()
        equal(feeder.wait(), 0, "the feeder's status")
    equal(ended.raw_err, b"", "stderr")
    equal(os.path.getsize(out), size, "bytes that came back")
    equal(subprocess.run(["cmp", source, out], check=False).returncode, 0, "cmp")


@case
def a_reader_that_goes_away_ends_the_writer(box):
    started = box.start("run", "--policy", box.policy_file(box.policy()), "--", "sh", "-c", "trap - PIPE; yes")
    check(started.stdout.read(4096), "no output")
    started.stdout.close()
    _, err = started.communicate(timeout=10)
    check(started.returncode in (1, 128 + signal.SIGPIPE), f"exit status {started.returncode} ({err!r})")


@case
def closed_and_full_streams(box):
    look = "import os, sys\nfor fd in range(3):\n    os.fstat(fd)\nprint(sorted(os.listdir('/proc/self/fd'))[:3])"
    ended = box.run(box.policy(), "python3", "-c", look, stdin=None, preexec_fn=lambda: os.close(0)).expect(0)
    equal(ended.text, "['0', '1', '2']\n", "descriptors inside with stdin closed")
    equal(box.run(box.policy(), "cat", stdin=None, preexec_fn=lambda: os.close(0)).expect(0).out, b"", "what a closed stdin reads")
    for fd in (1, 2):
        box.run(box.policy(), "true", preexec_fn=lambda fd=fd: os.close(fd)).expect(0, f"with {fd} closed")
    with open("/dev/full", "wb") as full:
        ended = box.run(box.policy(), "/usr/bin/printf", "text", stdout=full)
        check(ended.code not in (0, 125), f"exit status {ended.code} on a full stdout")
        contains(ended.err, "No space left", "the program's message")
        # Our own output on a full stream is our error.
        box.mxc("spec", "--policy", box.policy_file(box.policy()), "--", "true", stdout=full).expect(125, "mxc spec > /dev/full")


@case
def descriptors_do_not_leak(box):
    leak = os.open("/etc/passwd", os.O_RDONLY)
    other = os.open(box.work, os.O_RDONLY | os.O_DIRECTORY)
    for fd in (leak, other):
        os.set_inheritable(fd, True)
    try:
        ended = box.run(box.policy(), "sh", "-c", "ls -l /proc/self/fd", pass_fds=(leak, other)).expect(0)
    finally:
        os.close(leak)
        os.close(other)
    # 0, 1, 2 and the folder that ls reads.
    equal(len([line for line in ended.text.splitlines() if " -> " in line]), 4, f"descriptors inside: {ended.text}")
    lacks(ended.text, box.base, "descriptors inside")


@case
def a_folder_as_stream_is_refused(box):
    folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
    path = os.open("/etc/passwd", os.O_PATH)
    try:
        for fd in (folder, path):
            ended = box.run(box.policy(), "true", stdin=fd).expect(125)
            contains(ended.err, "descriptor 0", "the message")
            contains(ended.err, "hint:", "the message")
    finally:
        os.close(folder)
        os.close(path)


def _start_sleeper(box, code, **options):
    started = box.start("run", "--policy", box.policy_file(box.policy()), "--", "python3", "-u", "-c", code, **options)
    equal(started.stdout.readline(), b"ready\n", "first line")
    return started


@case
def signals_reach_the_program(box):
    handler = """
import signal, sys, time
for name in ('SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR1'):
    signal.signal(getattr(signal, name), lambda number, frame: (print(signal.Signals(number).name), sys.exit(7)))
print('ready')
for _ in range(300): time.sleep(0.1)  # Python runs no handler of a signal that came just before a sleep
"""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        started = _start_sleeper(box, handler)
        started.send_signal(number)
        out, err = started.communicate(timeout=10)
        equal((started.returncode, out), (7, number.name.encode() + b"\n"), f"after {number.name} ({err!r})")
    # And without a handler they end it as they would outside.
    for number in (signal.SIGINT, signal.SIGTERM):
        started = _start_sleeper(box, "import signal, time; signal.signal(signal.SIGINT, signal.SIG_DFL); print('ready'); time.sleep(30)")
        started.send_signal(number)
        started.communicate(timeout=10)
        equal(started.returncode, 128 + number, f"exit status after {number.name}")


@case
def environment_is_as_resolved(box):
    outside = {"SECRET_TOKEN": "x", "AWS_SECRET_ACCESS_KEY": "x", "LD_PRELOAD": "", "DISPLAY": ":0", "WAYLAND_DISPLAY": "w",
               "PULSE_SERVER": "p", "WSL_INTEROP": "/run/WSL/1_interop", "WSLENV": "x", "DBUS_SESSION_BUS_ADDRESS": "unix:path=/x",
               "SSH_AUTH_SOCK": "/x", "TZ": "UTC", "MY_OWN": "passed on"}  # fmt: skip
    policies = [
        box.policy(),
        box.policy(process={"commandLine": "true", "env": []}),
        box.policy(process={"commandLine": "true", "env": ["A=1", "B=two words", "C=ü\n\t=", "EMPTY="]}),
        box.policy(process={"commandLine": "true", "env": ["A=1"], "inheritDefaultEnv": True}),
        box.policy(x={"env": {"pass": ["MY_OWN", "NOT_SET"]}}),
    ]
    seen = []
    for policy in policies:
        path = box.policy_file(policy)
        spec = json.loads(box.mxc("spec", "--policy", path, "--", "env", "-0", env=outside).expect(0, "spec").out)
        wanted = sorted(spec["process"].get("env", []))
        out = box.mxc("run", "--policy", path, "--", "/usr/bin/env", "-0", env=outside).expect(0, "run").out
        equal(sorted(out.decode().split("\0")[:-1]), wanted, f"environment under {policy}")
        seen.append(dict(line.split("=", 1) for line in wanted))
    for env in seen:
        leaked = set(env) & (set(outside) - {"TZ", "MY_OWN"})
        equal(leaked, set(), "variables of the caller inside")
    equal(seen[2].get("C"), "ü\n\t=", "a variable of the policy")
    equal(seen[2].get("EMPTY"), "", "an empty variable of the policy")
    equal(seen[3].get("A"), "1", "a variable beside the default ones")
    check("PATH" in seen[0] and "PATH" in seen[3], "no PATH in the default environment")
    equal(seen[4].get("MY_OWN"), "passed on", "a variable that is passed on")
    check("MY_OWN" not in seen[0] and "NOT_SET" not in seen[4], "a variable that nobody asked for")


@case
def working_folder(box):
    equal(box.run(box.policy(rw=[box.work], process={"commandLine": "x", "cwd": box.work}), "pwd").expect(0).text, box.work + "\n", "pwd")
    ended = box.run(box.policy(process={"commandLine": "x", "cwd": "/no/such/folder"}), "pwd").expect(125)
    contains(ended.err, "/no/such/folder", "the message")
    contains(ended.err, "cwd", "the message")


@case
def untrusted_text_in_our_messages_is_escaped(box):
    name = "no\x1b[31msuch\r\nprogram"
    ended = box.run(box.policy(), name).expect(127)
    check(b"\x1b" not in ended.raw_err and b"\r" not in ended.raw_err, f"raw control characters: {ended.raw_err!r}")
    ended = box.run(box.policy(ro=["/x\x1b]0;title\x07y"]), "true").expect(125)
    check(b"\x1b" not in ended.raw_err and b"\x07" not in ended.raw_err, f"raw control characters: {ended.raw_err!r}")


class Terminal:
    """mxc run on a terminal of our own."""

    def __init__(self, box, *argv, rows=30, columns=90, **redirected):
        self.master, self.slave = pty.openpty()
        self.resize(rows, columns)
        # As a shell's user would have: modes that are easy to tell from raw ones.
        self.before = termios.tcgetattr(self.slave)
        if os.getuid() == 0:
            os.fchown(self.slave, box.uid, -1)

        def own():
            os.setsid()
            fcntl.ioctl(self.slave, termios.TIOCSCTTY, 0)

        self.process = box.start("run", "--policy", box.policy_file(box.policy()), "--", *argv,
                                 preexec_fn=own, **{"stdin": self.slave, "stdout": self.slave, "stderr": self.slave, **redirected})  # fmt: skip
        self.seen = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def read_until(self, part, seconds=10):
        end = time.monotonic() + seconds
        while part not in self.seen:
            left = end - time.monotonic()
            check(left > 0, f"no {part!r} on the terminal: {self.seen!r}")
            if select.select([self.master], [], [], left)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError as error:
                    check(error.errno == errno.EIO, str(error))
                    break
        contains(self.seen, part, "the terminal")

    def send(self, data):
        os.write(self.master, data)

    def end(self, code=0):
        end = time.monotonic() + 10
        while self.process.poll() is None:
            check(time.monotonic() < end, f"mxc did not end; the terminal has {self.seen!r}")
            if select.select([self.master], [], [], 0.05)[0]:
                self.seen += os.read(self.master, 65536)
        after = termios.tcgetattr(self.slave)
        while select.select([self.master], [], [], 0)[0]:
            self.seen += os.read(self.master, 65536)
        os.close(self.slave)
        os.close(self.master)
        equal(self.process.returncode, code, f"exit status (terminal: {self.seen!r})")
        equal(after, self.before, "terminal modes afterwards")


@case
def a_terminal_is_a_terminal_inside(box):
    code = """
import os, sys, signal, time
size = lambda: tuple(os.get_terminal_size())
print('tty', [os.isatty(fd) for fd in range(3)], size(), os.ttyname(0))
signal.signal(signal.SIGWINCH, lambda *_: os.write(1, f'resized {size()}\\n'.encode()))
print('open', os.close(os.open('/dev/tty', os.O_RDWR)))
print('ready', flush=True)
print('line', repr(sys.stdin.readline()))
"""
    terminal = Terminal(box, "python3", "-c", code)
    terminal.read_until(b"ready")
    contains(terminal.seen, b"tty [True, True, True] (90, 30) /dev/pts/", "the terminal")
    contains(terminal.seen, b"open None", "the terminal")
    raw = termios.tcgetattr(terminal.slave)
    check(raw[3] & (termios.ICANON | termios.ECHO) == 0, "the outer terminal is not in raw mode meanwhile")
    terminal.resize(44, 132)
    os.kill(terminal.process.pid, signal.SIGWINCH)
    terminal.read_until(b"resized (132, 44)")
    terminal.send(b"hello\n")
    terminal.read_until(b"line 'hello\\n'")
    terminal.end(0)


@case
def ctrl_c_on_a_terminal_reaches_the_program_once(box):
    code = """
import signal, sys, time
count = 0
def on(*_):
    global count
    count += 1
signal.signal(signal.SIGINT, on)
print('ready', flush=True)
end = time.monotonic() + 10
while not count and time.monotonic() < end: time.sleep(0.05)
time.sleep(0.3)
print('count', count)
sys.exit(5)
"""
    terminal = Terminal(box, "python3", "-c", code)
    terminal.read_until(b"ready")
    terminal.send(b"\x03")
    terminal.read_until(b"count 1")
    terminal.end(5)


@case
def a_terminal_gets_no_clipboard_writes_and_queries(box):
    terminal = Terminal(box, "printf", "a\\033]52;c;QUJD\\007b\\033[31mred\\033[0m\\033[6nc\\033]52;c;QUJD\\033\\\\d\\033[>0q\\n")
    terminal.read_until(b"d")
    terminal.end(0)
    lacks(terminal.seen, b"]52", "the terminal")
    lacks(terminal.seen, b"\x1b[6n", "the terminal")
    lacks(terminal.seen, b"\x1b[>0q", "the terminal")
    contains(terminal.seen, b"b\x1b[31mred\x1b[0m", "the terminal")


@case
def a_terminal_is_filtered_also_with_other_streams_redirected(box):
    code = """
import fcntl, os, sys
print('evil \\033]52;c;QUJD\\007 shown', file=sys.stderr, flush=True)
if os.isatty(1): print('also \\033[6n out', flush=True)
for fd in range(3):
    if not os.isatty(fd): continue
    if fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY:
        try: os.write(fd, b'BYPASS')
        except OSError: pass
try: os.open('/dev/tty', os.O_RDWR); print('CONTROLS', file=sys.stderr)
except OSError: pass
print('line', repr(sys.stdin.readline()), file=sys.stderr)
"""
    for redirected in ({"stdin": subprocess.PIPE}, {"stdout": subprocess.PIPE}, {"stdout": subprocess.PIPE, "stdin": subprocess.DEVNULL}):
        terminal = Terminal(box, "python3", "-c", code, **redirected)
        terminal.read_until(b"shown")
        if "stdin" not in redirected:
            terminal.send(b"typed\n")
        elif terminal.process.stdin:
            terminal.process.stdin.close()
        terminal.read_until(b"line " + (b"'typed" if "stdin" not in redirected else b"''"))
        terminal.end(0)
        for part in (b"]52", b"\x1b[6n", b"BYPASS", b"CONTROLS"):
            lacks(terminal.seen, part, f"the terminal with {redirected}")
        if "stdout" not in redirected:
            contains(terminal.seen, b"also", "the terminal")


@case
def terminal_modes_come_back_after_a_kill(box):
    terminal = Terminal(box, "sh", "-c", "stty raw -echo 2>/dev/null; echo ready; kill -9 $$")
    terminal.read_until(b"ready")
    terminal.end(128 + 9)


if __name__ == "__main__":
    main()
