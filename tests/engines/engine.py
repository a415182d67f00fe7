"""What the tests of container engines stand on: cases, commands, terminals, and a machine with nothing of its own setup.

PROGRAM RUNTIME [PATTERN]; $RUNTIME, where set, is taken instead of the argument, so that the tests can be tried with a peer
(RUNTIME=/usr/sbin/runc). A test program marks functions with @case and ends with main(KIND), where KIND is Podman, Containerd or
Docker; each case gets one of these. Output and exit status are those of tests/integration/harness.py; where a program that a kind
needs isn't installed, all is skipped.

The program runs in namespaces of its own, which machine.py furnishes; everything else lies in one folder, a tmpfs of its own.
"""

import contextlib
import dataclasses
import fcntl
import os
import pty
import re
import select
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import time
import traceback

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "integration")]
import harness  # noqa: E402
import image  # noqa: E402
import machine  # noqa: E402
from harness import PR_SET_CHILD_SUBREAPER, Ended, Skip, check, contains, equal, eventually, lacks, processes_below  # noqa: E402, F401

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_cases = []


def case(function=None, *, callers=("root", "rootless")):
    """Marks a test. callers: as whom the engine runs."""

    def mark(marked):
        _cases.append((marked, callers))
        return marked

    return mark(function) if function else mark


@dataclasses.dataclass
class Place:
    """What all cases share: the runtime, the folder everything lies in, and the image's tar."""

    runtime: str
    base: str
    tar: str

    @property
    def name(self):
        return os.path.basename(self.runtime)

    def documented(self, start):
        """The block of docs/engines.md that starts so, with this runtime in it instead of /usr/local/bin/mxc-runtime."""
        with open(os.path.join(HERE, "../../docs/engines.md"), encoding="utf-8") as file:
            blocks = re.findall(r"^```\w+\n(.*?)^```$", file.read(), re.M | re.S)
        block = next(block for block in blocks if block.startswith(start))
        return block.replace("/usr/local/bin/mxc-runtime", self.runtime).replace('"mxc-runtime"', f'"{self.name}"')


class Engine:
    """A container engine of one caller: its folder, and commands run as that caller. What is special to each comes by inheritance:
    clean() removes what a case left in the engine's own storage, whatever state it is in; leftovers() tells what is outside, in words.
    """

    programs = ()

    def __init__(self, place, caller, folder):
        self.place, self.caller, self.root = place, caller, caller == "root"
        self.uid = 0 if self.root else machine.UID
        self.base = os.path.join(place.base, folder)
        self.work = os.path.join(self.base, "work")
        for path in (self.base, self.work):
            self.own_folder(path)

    def own_folder(self, path, mode=0o755):
        os.mkdir(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    def environment(self):
        return {"PATH": PATH, "HOME": self.work, "TMPDIR": self.base, "LANG": "C.UTF-8"}

    def start(self, *command, **options):
        """Popen of a command as this engine's caller."""
        if not self.root:
            options.update(user=self.uid, group=self.uid)
            options.setdefault("extra_groups", [])
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, subprocess.DEVNULL if stream == "stdin" else subprocess.PIPE)
        return subprocess.Popen(command, env=self.environment(), cwd=self.work, **options)

    def command(self, *command, input=None, timeout=180, **options):
        """Runs a command to its end. A time-out here is a failure of the test."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        begin = time.monotonic()
        started = self.start(*command, **options)
        try:
            out, err = started.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            raise AssertionError(f"{' '.join(command)} did not end within {timeout} s") from None
        return Ended(started.returncode, out or b"", err or b"", started.pid, time.monotonic() - begin)

    def file(self, name, text="", mode=0o644):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    def folder(self, name):
        return self.own_folder(os.path.join(self.work, name))

    def empty_work(self):
        for name in os.listdir(self.work):
            path = os.path.join(self.work, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.remove(path)


class Terminal:
    """A command on a new terminal of its own: .send(bytes), .expect(pattern), .end() → exit status. All output is in .output."""

    def __init__(self, engine, *command, rows=24, columns=80):
        self.master, slave = pty.openpty()
        self.resize(rows, columns)
        os.fchown(slave, engine.uid, engine.uid)

        def take_terminal():
            os.setsid()
            fcntl.ioctl(0, termios.TIOCSCTTY, 0)

        self.process = engine.start(*command, stdin=slave, stdout=slave, stderr=slave, preexec_fn=take_terminal)
        os.close(slave)
        self.output = b""

    def resize(self, rows, columns):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def send(self, data):
        os.write(self.master, data)

    def _read(self, seconds):
        """Whether there may be more."""
        if not select.select([self.master], [], [], seconds)[0]:
            return True
        try:
            data = os.read(self.master, 65536)
        except OSError:  # EIO: nobody has the other side any more
            return False
        self.output += data
        return bool(data)

    def expect(self, pattern, seconds=20.0):
        """Reads until the pattern is in the output; what was printed up to there is taken from it."""
        end = time.monotonic() + seconds
        while True:
            found = re.search(pattern, self.output)
            if found:
                self.output = self.output[found.end() :]
                return found
            check(time.monotonic() < end and self._read(0.2), f"no {pattern!r} on the terminal, but {self.output!r}")

    def end(self, seconds=20.0):
        end = time.monotonic() + seconds
        while self._read(0.1) and time.monotonic() < end and self.process.poll() is None:
            pass
        with contextlib.suppress(OSError):
            while select.select([self.master], [], [], 0)[0] and self._read(0):
                pass
        try:
            return self.process.wait(max(0.1, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError(f"the command on the terminal did not end within {seconds} s; output {self.output!r}") from None
        finally:
            os.close(self.master)


def _run_case(engine, function, known):
    """known: what earlier cases left, which is not held against this one."""
    name = f"{function.__name__} ({engine.caller})"
    begin = time.monotonic()
    try:
        function(engine)
        engine.clean()
        if not eventually(lambda: known.issuperset(engine.leftovers()), 20.0):
            left = sorted(set(engine.leftovers()) - known)
            known.update(left)
            check(False, f"{len(left)} left over: " + "; ".join(left[:4]))
    except Skip as reason:
        print(f"SKIP: {name}: {reason}", flush=True)
        engine.clean()
        return "skipped"
    except Exception as error:  # a case that breaks is a case that fails
        if isinstance(error, AssertionError):
            place = traceback.extract_tb(error.__traceback__)
            line = next((f.lineno for f in place if f.name == function.__name__), "?")
            print(f"FAIL: {name}: line {line}: {error}", flush=True)
        else:
            print(f"FAIL: {name}: {traceback.format_exc()}", flush=True)
        with contextlib.suppress(AssertionError):
            engine.clean()
        return "failed"
    print(f"PASS: {name} [{time.monotonic() - begin:.1f} s]", flush=True)
    return "passed"


def _end_all():
    """Ends every process that came of this program: conmon, containers, podman's pause process."""
    for _ in range(50):
        below = processes_below(os.getpid())
        if not below:
            return
        for pid in below:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


def skip_all(reason):
    print(f"SKIP: {reason}", flush=True)
    sys.exit(0)


def enter(programs):
    """Checks what the tests need, enters the namespace, makes the folder and the image. Returns the Place and the pattern of cases."""
    runtime = os.environ.get("RUNTIME") or (sys.argv[1] if len(sys.argv) > 1 else "")
    if not runtime:
        sys.exit("usage: PROGRAM RUNTIME [PATTERN]")
    if os.getuid() != 0:
        skip_all("needs root")
    for program in programs:
        if not shutil.which(program, path=PATH):
            skip_all(f"{program} is not installed")
    if harness.IN_NAMESPACE not in os.environ:
        os.environ[harness.IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv])
    # Containers whose conmon was killed come to us.
    harness.ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    base = tempfile.mkdtemp(prefix="mxc-engines-", dir="/var/tmp")
    machine.prepare(base)
    os.mkdir(base + "/bin")
    # Other users may not be able to reach the build's folders. The name stays: podman decides by it.
    copy = shutil.copyfile(os.path.realpath(runtime), os.path.join(base, "bin", os.path.basename(runtime)))
    os.chmod(copy, 0o755)
    tar = image.make(base + "/image.tar")
    return Place(copy, base, tar), sys.argv[2] if len(sys.argv) > 2 else ""


def leave(place, results):
    """Ends what is left, removes the folder and the cgroups above the containers', and exits."""
    _end_all()
    for cgroup in machine.engines_cgroups():
        with contextlib.suppress(OSError):  # another user of the engine is in it
            os.rmdir(cgroup)
    subprocess.run(["umount", "-l", place.base], check=False)
    os.rmdir(place.base)
    print(", ".join(f"{results.count(what)} {what}" for what in ("passed", "failed", "skipped")))
    sys.exit(1 if "failed" in results or not results else 0)


def main(kind):
    """Runs every case (whose name matches the pattern) as each of its callers, with one engine of this kind for each."""
    place, only = enter(kind.programs)
    results = []
    try:
        for caller in ("root", "rootless"):
            chosen = [f for f, callers in _cases if caller in callers and re.search(only, f"{f.__name__} ({caller})")]
            if chosen:
                engine, known = kind(place, caller), set()
                results += [_run_case(engine, function, known) for function in chosen]
    finally:
        leave(place, results)
