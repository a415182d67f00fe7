"""Drives an OCI runtime through podman, as root and as an ordinary user, with nothing of the machine's own setup.

PROGRAM RUNTIME [PATTERN]; $RUNTIME, where set, is taken instead of the argument, so that the tests can be tried with a peer
(RUNTIME=/usr/sbin/runc). A test program marks functions with @case and ends with main(); each case gets an Engine. Output and exit
status are those of tests/integration/harness.py; where podman isn't installed all is skipped.

The program runs in a mount and a network namespace of its own: /run is an empty tmpfs, so that the state of runtime, podman and containerd is ours
alone and goes with us; /etc is an overlay that has an ordinary user with subordinate ids; / is shared, as systemd makes it. There is no
systemd: cgroups are made by cgroupfs, events go to a file. Nothing of the host's network is touched.
"""

import contextlib
import dataclasses
import fcntl
import glob
import json
import os
import pty
import re
import resource
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
from harness import PR_SET_CHILD_SUBREAPER, Ended, Skip, check, contains, equal, eventually, lacks, processes_below  # noqa: E402, F401

USER, UID = "mxc-engines", 47211
SUBIDS, SUBIDS_COUNT = 1879048192, 65536
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IMAGE = "localhost/local:latest"

_cases = []


def case(function=None, *, callers=("root", "rootless")):
    """Marks a test. callers: as whom podman runs."""

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


class Engine:
    """podman of one caller with its own storage. The image of image.py is in it as IMAGE."""

    def __init__(self, place, caller):
        self.place, self.caller, self.root = place, caller, caller == "root"
        self.uid = 0 if self.root else UID
        self.base = os.path.join(place.base, caller)
        for name in ("", "home", "runtime", "work", "storage", "run", "tmp"):
            os.mkdir(os.path.join(self.base, name), 0o700 if name == "runtime" else 0o755)
            os.chown(os.path.join(self.base, name), self.uid, self.uid)
        self.work = os.path.join(self.base, "work")
        self.conf = self._configure()
        self.podman("import", "--quiet", place.tar, IMAGE).expect()

    def _configure(self):
        path = os.path.join(self.base, "containers.conf")
        name = self.place.name
        # podman's own default for root exceeds the hard limits of a process without CAP_SYS_RESOURCE.
        limits = [f"{what}={min(resource.getrlimit(which)[1] % (1 << 64), 4096)}" for what, which in
                  (("nofile", resource.RLIMIT_NOFILE), ("nproc", resource.RLIMIT_NPROC))]  # fmt: skip
        with open(path, "w", encoding="utf-8") as file:
            file.write(
                f"[containers]\ndefault_ulimits = {json.dumps([limit + ':' + limit.split('=')[1] for limit in limits])}\n"
                f'[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\nruntime = "{name}"\n'
                f'runtime_supports_json = ["{name}"]\n'
                # podman 4 reads the first name, podman 5 the second.
                + ("" if name == "runc" else f'runtime_supports_nocgroup = ["{name}"]\nruntime_supports_nocgroups = ["{name}"]\n')
                + f'[engine.runtimes]\n"{name}" = ["{self.place.runtime}"]\n'
            )
        return path

    # -- running ----------------------------------------------------------------------------------------------------

    def environment(self):
        env = {"PATH": PATH, "HOME": os.path.join(self.base, "home"), "TMPDIR": os.path.join(self.base, "tmp"), "LANG": "C.UTF-8"}
        env["CONTAINERS_CONF"] = self.conf
        if not self.root:
            env["XDG_RUNTIME_DIR"] = os.path.join(self.base, "runtime")
        return env

    def storage(self):
        """Where podman and buildah keep what they keep; root's is an overlay, as by default."""
        driver = "overlay" if self.root else "vfs"
        return ["--root", os.path.join(self.base, "storage"), "--runroot", os.path.join(self.base, "run"), "--storage-driver", driver]

    def start(self, *command, **options):
        """Popen of a command as this engine's caller."""
        if not self.root:
            options.update(user=self.uid, group=self.uid)
            options.setdefault("extra_groups", [])
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, subprocess.DEVNULL if stream == "stdin" else subprocess.PIPE)
        options.setdefault("cwd", self.work)
        return subprocess.Popen(command, env=self.environment(), **options)

    def command(self, *command, input=None, timeout=60, **options):
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

    def podman_command(self, *arguments):
        return ["podman", *self.storage(), *arguments]

    def podman(self, *arguments, **options):
        return self.command(*self.podman_command(*arguments), **options)

    def run(self, *arguments, **options):
        """podman run --rm of the image, without network: OPTIONS… IMAGE COMMAND… with IMAGE as `-`."""
        return self.podman("run", "--rm", "--network", "none", *[IMAGE if word == "-" else word for word in arguments], **options)

    def sh(self, script, *options, **more):
        """The output of a shell script in a new container; the script has to succeed."""
        return self.run(*options, "-", "sh", "-c", script, **more).expect(0, f"sh -c {script!r}").text

    @contextlib.contextmanager
    def background(self, name, *arguments, command=("sleep", "1000")):
        """A container that runs detached within the block."""
        self.podman("run", "--detach", "--name", name, "--network", "none", *arguments, IMAGE, *command).expect()
        try:
            yield name
        finally:
            self.podman("rm", "--force", "--time", "0", name).expect()

    def inspect(self, name, template):
        return self.podman("inspect", "--format", template, name).expect().text.strip()

    def runtime_list(self):
        """The containers that the runtime knows, asked as podman would."""
        inside = [] if self.root else ["podman", *self.storage(), "unshare"]
        return self.command(*inside, self.place.runtime, "list", "-q").expect(0, "list").text.split()

    # -- files ------------------------------------------------------------------------------------------------------

    def file(self, name, text="", mode=0o644):
        path = os.path.join(self.work, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    def folder(self, name):
        path = os.path.join(self.work, name)
        os.mkdir(path)
        os.chown(path, self.uid, self.uid)
        return path

    # -- what is left -----------------------------------------------------------------------------------------------

    def clean(self):
        """Removes what a case left in podman's storage, whatever state it is in."""
        self.podman("pod", "rm", "--all", "--force", "--time", "0")
        self.podman("rm", "--all", "--force", "--time", "0")
        self.podman("volume", "prune", "--force")
        for name in os.listdir(self.work):
            path = os.path.join(self.work, name)
            if os.path.isdir(path) and not os.path.islink(path):
                shutil.rmtree(path)
            else:
                os.remove(path)

    def leftovers(self):
        """What containers left outside podman's storage, in words."""
        left = [f"process {name} ({pid})" for pid, name in processes_below(os.getpid()).items() if not self._is_podmans(pid)]
        left += [f"mount {line}" for line in harness.mounts() if f" {self.base}/run/" in line or f" {self.base}/storage/" in line and "/merged" in line]
        left += [f"cgroup {path}" for path in _cgroups() if _is_containers(path)]
        return left + [f"in the runtime's list: {name}" for name in self.runtime_list()]

    def _is_podmans(self, pid):
        """Rootless podman keeps its user namespace alive by a process."""
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            return b"catatonit" in words[0] or words[0].endswith(b"podman pause") or b"pause" in words
        return True


def hierarchies():
    """Where cgroups are mounted: one place for v2, one for each controller of v1."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        return sorted({line.split()[1] for line in file if line.split()[2] in ("cgroup", "cgroup2")})


def _cgroups():
    """Folders of podman in all hierarchies, the deepest first."""
    found = [path for root in hierarchies() for path in glob.glob(f"{root}/libpod_parent/**/", recursive=True)]
    return sorted((path.rstrip("/") for path in found), key=len, reverse=True)


def _is_containers(cgroup):
    """Whether a folder of podman is a container's, /libpod-ID or POD/ID; those of pods and of conmon are podman's own."""
    below = cgroup.split("/libpod_parent/")[1:]
    return bool(below) and ("/" in below[0] or below[0].startswith("libpod-"))


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


# -- the machine ----------------------------------------------------------------------------------------------------------------------


def _mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def _hide_v2():
    """crun takes the v2 tree of a hybrid machine for the whole, and refuses to work: it sees one with the v1 controllers only."""
    controllers = [entry for entry in os.listdir("/sys/fs/cgroup") if entry != "unified"]
    files = {name: os.open(f"/sys/fs/cgroup/{name}", os.O_PATH) for name in controllers}
    _mount("-t", "tmpfs", "-o", "mode=755", "mxc-engines", "/sys/fs/cgroup")
    for name, file in files.items():
        os.mkdir(f"/sys/fs/cgroup/{name}")
        subprocess.run(["mount", "--bind", f"/proc/self/fd/{file}", f"/sys/fs/cgroup/{name}"], check=True, pass_fds=[file])
        os.close(file)


def prepare_machine(base):
    """Inside the new mount namespace: an own /run, /etc and folder, as this file's first lines say."""
    _mount("-t", "tmpfs", "-o", "mode=755", "mxc-engines", base)
    os.makedirs(base + "/etc/upper")
    os.makedirs(base + "/etc/work")
    _mount("-t", "overlay", "-o", f"lowerdir=/etc,upperdir={base}/etc/upper,workdir={base}/etc/work", "etc", "/etc")
    for name, line in (
        ("passwd", f"{USER}:x:{UID}:{UID}::{base}/rootless/home:/bin/sh"),
        ("group", f"{USER}:x:{UID}:"),
        ("subuid", f"{USER}:{SUBIDS}:{SUBIDS_COUNT}"),
        ("subgid", f"{USER}:{SUBIDS}:{SUBIDS_COUNT}"),
    ):
        with open(f"/etc/{name}", "a+", encoding="utf-8") as file:
            file.write(line + "\n")
    _mount("-t", "tmpfs", "-o", "mode=755", "mxc-engines", "/run")
    os.makedirs("/run/lock")
    if os.path.basename(os.environ.get("RUNTIME", "")) == "crun" and os.path.ismount("/sys/fs/cgroup/unified"):
        _hide_v2()
    _mount("--make-rshared", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)


def _run_case(engine, function):
    name = f"{function.__name__} ({engine.caller})"
    begin = time.monotonic()
    try:
        function(engine)
        engine.clean()
        if not eventually(lambda: not engine.leftovers(), 2.0):
            check(False, "left over: " + "; ".join(engine.leftovers()))
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
            skip_all(f"{program} is not installed (tools/lib/packages.sh, group engines)")
    if harness.IN_NAMESPACE not in os.environ:
        os.environ[harness.IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "--net", "--mount", "--propagation", "private", sys.executable, "-B", *sys.argv])
    # Containers whose conmon was killed come to us.
    harness.ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    base = tempfile.mkdtemp(prefix="mxc-engines-", dir="/var/tmp")
    prepare_machine(base)
    os.mkdir(base + "/bin")
    # Other users may not be able to reach the build's folders. The name stays: podman decides by it.
    copy = shutil.copyfile(os.path.realpath(runtime), os.path.join(base, "bin", os.path.basename(runtime)))
    os.chmod(copy, 0o755)
    tar = image.make(base + "/image.tar")
    return Place(copy, base, tar), sys.argv[2] if len(sys.argv) > 2 else ""


def leave(place, results):
    """Ends what is left, removes the folder and the cgroups above the containers', and exits."""
    _end_all()
    for cgroup in [*_cgroups(), *(f"{root}/{name}" for root in hierarchies() for name in ("default", "k8s.io"))]:
        with contextlib.suppress(OSError):  # somebody else's
            os.rmdir(cgroup)
    subprocess.run(["umount", "-l", place.base], check=False)
    os.rmdir(place.base)
    print(", ".join(f"{results.count(what)} {what}" for what in ("passed", "failed", "skipped")))
    sys.exit(1 if "failed" in results or not results else 0)


def main(programs=("podman", "conmon", "newuidmap"), kind=Engine):
    """Runs every case (whose name matches the pattern) as each of its callers, with one engine of this kind for each."""
    place, only = enter(programs)
    results = []
    try:
        for caller in ("root", "rootless"):
            chosen = [f for f, callers in _cases if caller in callers and re.search(only, f"{f.__name__} ({caller})")]
            if chosen:
                engine = kind(place, caller)
                results += [_run_case(engine, function) for function in chosen]
    finally:
        leave(place, results)
