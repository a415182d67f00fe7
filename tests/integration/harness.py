"""Runs the real mxc as root and as an ordinary user, in folders of its own, and looks at the host before and after.

A test program imports this, marks functions with @case and ends with main(). Each case gets a Box. Output: one line
`PASS: name`, `FAIL: name: why` or `SKIP: name: why` a case and caller; the exit status is 1 after a FAIL.
The whole program runs in a mount namespace of its own (main() sees to it), so a case may mount what it likes.
"""

import ctypes
import dataclasses
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
import time
import traceback

ORDINARY_UID = 65534
PR_SET_CHILD_SUBREAPER = 36
IN_NAMESPACE = "MXC_TEST_IN_NAMESPACE"
# Below it the cases' folders are made. Its file system has to take idmapped mounts: grants of root need them.
FOLDER = os.environ.get("MXC_TEST_FOLDER", "/var/tmp")

_cases = []
_copy = ""
_programs = {}


def program(name):
    """The path of a program of the command line, in a folder that every user can reach."""
    return _programs[name]


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


def case(function=None, *, callers=("root", "rootless")):
    """Marks a test. callers: as whom it runs."""

    def mark(marked):
        _cases.append((marked, callers))
        return marked

    return mark(function) if function else mark


@dataclasses.dataclass
class Ended:
    """How one mxc ended. err is text with mxc's line breaks taken out, so that messages can be looked for."""

    code: int
    out: bytes
    raw_err: bytes
    pid: int
    seconds: float

    @property
    def text(self):
        return self.out.decode(errors="replace")

    @property
    def err(self):
        return " ".join(self.raw_err.decode(errors="replace").split())

    def expect(self, code=0, what="mxc"):
        equal(self.code, code, f"exit status of {what} (stdout {self.out[-600:]!r}, stderr {self.err[-900:]!r})")
        return self


def processes_below(root):
    """Processes that descend from `root`, as {pid: name}; zombies left out. Orphans come to us, as their subreaper."""
    parents, names = {}, {}
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="utf-8", errors="replace") as file:
                text = file.read()
        except OSError:
            continue
        name, rest = text[text.index("(") + 1 : text.rindex(")")], text[text.rindex(")") + 2 :].split()
        if rest[0] in "ZX":
            continue
        parents[int(entry)], names[int(entry)] = int(rest[1]), name
    below = set()
    changed = True
    while changed:
        changed = False
        for pid, parent in parents.items():
            if pid not in below and (parent == root or parent in below):
                below.add(pid)
                changed = True
    return {pid: names[pid] for pid in below}


def mounts():
    with open("/proc/self/mountinfo", encoding="utf-8", errors="surrogateescape") as file:
        return set(file.read().splitlines())


def cgroups(pids=None):
    """Folders mxc-PID-… of every hierarchy, of these supervisors or of all."""
    found = []
    for folder, names, _ in os.walk("/sys/fs/cgroup"):
        for name in names:
            match = re.match(r"mxc-(\d+)-", name)
            if match and (pids is None or int(match[1]) in pids):
                found.append(os.path.join(folder, name))
    return found


def tree(root):
    """What a person would see below root: {path: (kind and mode, uid, gid, links, contents or target)}."""
    seen = {}
    for folder, folders, files in os.walk(root):
        for name in [""] + folders + files:
            path = os.path.join(folder, name) if name else folder
            found = os.lstat(path)
            what = None
            if stat.S_ISLNK(found.st_mode):
                what = os.readlink(path)
            elif stat.S_ISREG(found.st_mode):
                with open(path, "rb") as file:
                    what = file.read(4096)
            seen[path] = (oct(found.st_mode), found.st_uid, found.st_gid, found.st_nlink, found.st_ino, what)
    return seen


def eventually(condition, seconds=1.0):
    """Whether condition() holds within that time."""
    end = time.monotonic() + seconds
    while True:
        if condition():
            return True
        if time.monotonic() > end:
            return False
        time.sleep(0.01)


class Box:
    """Folders and a caller for one case. `work` is the caller's, `base` is root's; all is removed at the end."""

    def __init__(self, caller):
        self.caller = caller
        self.root = caller == "root"
        self.uid = 0 if self.root else ORDINARY_UID
        # As an ordinary user we are that user already, without root.
        if os.getuid() != 0:
            self.uid = os.getuid()
        self.base = tempfile.mkdtemp(prefix="mxc-it-", dir=FOLDER)
        os.chmod(self.base, 0o755)
        self.work = self.folder("work")
        self.home = self.folder("home")
        self.runtime = self.folder("runtime", mode=0o700)
        self.pids = set()
        self._policies = 0
        self._state_before = set()
        self._mounted = []

    # -- files ------------------------------------------------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def own(self, path):
        if os.getuid() == 0:
            os.lchown(path, self.uid, self.uid)
        return path

    def folder(self, name, mode=0o755):
        """Makes a folder of the caller below base, with the folders above it."""
        path = self.base
        for part in os.path.relpath(self.path(name), self.base).split("/"):
            path = os.path.join(path, part)
            if not os.path.isdir(path):
                os.mkdir(path)
                self.own(path)
        os.chmod(path, mode)
        return path

    def file(self, name, text="", mode=0o644):
        path = self.path(name)
        self.folder(os.path.dirname(name))
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, mode)
        return self.own(path)

    def mount(self, *args):
        subprocess.run(["mount", *args], check=True)
        self._mounted.append(args[-1])
        return args[-1]

    def close(self):
        for target in reversed(self._mounted):
            subprocess.run(["umount", "-l", target], check=False)
        shutil.rmtree(self.base)

    # -- policies ---------------------------------------------------------------------------------------------------

    def policy(self, ro=(), rw=(), deny=(), command=None, x=None, process=None, **fields):
        """A policy of contract 1.0.0 as a dict."""
        made = {"version": "1.0.0"}
        if command is not None or process is not None:
            made["process"] = dict(process or {})
            if command is not None:
                made["process"]["commandLine"] = command
        files = {"readonlyPaths": list(ro), "readwritePaths": list(rw), "deniedPaths": list(deny)}
        files = {name: paths for name, paths in files.items() if paths}
        if files:
            made["filesystem"] = files
        if x is not None:
            made["x-linux"] = x
        made.update(fields)
        return made

    def policy_file(self, policy):
        self._policies += 1
        text = policy if isinstance(policy, (str, bytes)) else json.dumps(policy)
        return self.file(f"policies/{self._policies}.json", text)

    # -- running ----------------------------------------------------------------------------------------------------

    def environment(self, extra=None):
        env = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.home, "XDG_RUNTIME_DIR": self.runtime}
        env.update(extra or {})
        return env

    def start(self, *arguments, env=None, before=(), **options):
        """Popen of mxc as this box's caller. before: a command that is to run it."""
        if os.getuid() == 0 and not self.root:
            options.update(user=self.uid, group=self.uid, extra_groups=[])
        options.setdefault("cwd", self.work)
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        started = subprocess.Popen([*before, _copy, *arguments], env=self.environment(env), **options)
        self.pids.add(started.pid)
        return started

    def mxc(self, *arguments, input=None, timeout=60, **options):
        """Runs mxc to its end. A time-out here is a failure of the test."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        begin = time.monotonic()
        started = self.start(*arguments, **options)
        try:
            out, err = started.communicate(input, timeout=timeout)
        except subprocess.TimeoutExpired:
            started.kill()
            out, err = started.communicate()
            raise AssertionError(f"mxc {' '.join(arguments)} did not end within {timeout} s; stderr {err!r}") from None
        return Ended(started.returncode, out or b"", err or b"", started.pid, time.monotonic() - begin)

    def run(self, policy, *argv, **options):
        """mxc run --policy POLICY [-- ARGV]."""
        command = ["run", "--policy", self.policy_file(policy)]
        return self.mxc(*command, *(["--", *argv] if argv else []), **options)

    def python(self, policy, code, *arguments, **options):
        """Runs Python code inside under the policy."""
        return self.run(policy, "python3", "-c", textwrap.dedent(code), *arguments, **options)

    # -- what is left -----------------------------------------------------------------------------------------------

    def state(self):
        folder = "/run/mxc" if self.root else os.path.join(self.runtime, "mxc")
        try:
            return set(os.listdir(folder)) - {"ids"}
        except FileNotFoundError:
            return set()

    def take_moved(self, *names):
        """Asserts that objects of exactly these names (`moved-RUN/N.M.NAME`) were moved into the state folder; removes them."""
        folder = "/run/mxc" if self.root else os.path.join(self.runtime, "mxc")
        runs = [name for name in self.state() if self._is_ours(name)]
        moved = [name.split(".", 2)[2] for run in runs for name in os.listdir(os.path.join(folder, run))]
        equal(sorted(moved), sorted(names), "what was moved into the state folder")
        for run in runs:
            shutil.rmtree(os.path.join(folder, run))

    def discard_moved(self):
        """Removes what this box's runs moved into the state folder, whatever it is."""
        folder = "/run/mxc" if self.root else os.path.join(self.runtime, "mxc")
        for run in [name for name in self.state() if self._is_ours(name)]:
            shutil.rmtree(os.path.join(folder, run))

    def _is_ours(self, state_name):
        match = re.search(r"mxc-(\d+)-", state_name)
        # Pids come again: what was there before is somebody else's.
        return bool(match and int(match[1]) in self.pids) and state_name not in self._state_before

    def leftovers(self, before):
        """What there is more than before, in words."""
        left = [f"process {name} ({pid})" for pid, name in processes_below(os.getpid()).items()]
        # Mounts of the case itself go with the box.
        left += [f"mount {line}" for line in mounts() - before["mounts"] if not any(m in line for m in self._mounted)]
        left += [f"cgroup {path}" for path in cgroups(self.pids)]
        # Other runs of root share /run/mxc with us.
        left += [f"state {name}" for name in self.state() if self._is_ours(name)]
        return left

    def snapshot(self):
        self._state_before = self.state()
        return {"mounts": mounts()}


def with_tun(box):
    """Gives every user a /dev/net/tun, in this mount namespace. Skips where pasta, which needs it, is missing."""
    if not os.path.exists("/usr/bin/pasta"):
        raise Skip("passt is not installed")
    folder = box.folder("net")
    box.mount("-t", "tmpfs", "tun", folder)
    os.mknod(os.path.join(folder, "tun"), stat.S_IFCHR | 0o666, os.makedev(10, 200))
    os.chmod(os.path.join(folder, "tun"), 0o666)
    if not os.path.isdir("/dev/net"):
        raise Skip("there is no /dev/net")
    box.mount("--bind", folder, "/dev/net")
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except OSError as error:
        raise Skip(f"/dev/net/tun: {error}") from None


def _run_case(function, caller, only):
    name = f"{function.__name__} ({caller})"
    if only and not re.search(only, name):
        return "left out"
    if caller == "root" and os.getuid() != 0:
        print(f"SKIP: {name}: needs root", flush=True)
        return "skipped"
    begin = time.monotonic()
    box = Box(caller)
    try:
        before = box.snapshot()
        function(box)
        left = []
        if not eventually(lambda: not box.leftovers(before), 1.0):
            left = box.leftovers(before)
        check(not left, "left on the host: " + "; ".join(left))
    except Skip as reason:
        print(f"SKIP: {name}: {reason}", flush=True)
        return "skipped"
    except Exception as error:  # a case that breaks is a case that fails
        if isinstance(error, AssertionError):
            place = traceback.extract_tb(error.__traceback__)
            line = next((f.lineno for f in place if f.name == function.__name__), "?")
            print(f"FAIL: {name}: line {line}: {error}", flush=True)
        else:
            print(f"FAIL: {name}: {traceback.format_exc()}", flush=True)
        return "failed"
    finally:
        for pid in processes_below(os.getpid()):
            try:
                os.kill(pid, 9)
            except ProcessLookupError:
                pass
        box.close()
    print(f"PASS: {name} [{time.monotonic() - begin:.1f} s]", flush=True)
    return "passed"


def main():
    """PROGRAM MXC [FILE…] [PATTERN]: runs every case (whose name matches) as each of its callers. MXC is what Box.mxc runs; it
    and the other files, told from a pattern by their "/", lie in one folder then: see program()."""
    global _copy
    files = [os.path.realpath(argument) for argument in sys.argv[1:] if "/" in argument]
    if not files:
        sys.exit("usage: PROGRAM MXC [FILE…] [PATTERN]")
    only = "".join(argument for argument in sys.argv[1:] if "/" not in argument)
    if os.getuid() == 0 and IN_NAMESPACE not in os.environ:
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-B", *sys.argv])
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    # Other users may not be able to reach the build's folders.
    programs = tempfile.mkdtemp(prefix="mxc-it-program-", dir="/var/tmp")
    os.chmod(programs, 0o755)
    results = []
    try:
        for file in files:
            _programs[os.path.basename(file)] = os.path.join(programs, os.path.basename(file))
            shutil.copyfile(file, program(os.path.basename(file)))
            os.chmod(program(os.path.basename(file)), 0o755)
        _copy = program(os.path.basename(files[0]))
        for function, callers in _cases:
            for caller in callers:
                results.append(_run_case(function, caller, only))
    finally:
        shutil.rmtree(programs)
    print(", ".join(f"{results.count(what)} {what}" for what in ("passed", "failed", "skipped")))
    sys.exit(1 if "failed" in results or not ("passed" in results or "skipped" in results) else 0)
