#!/usr/bin/env python3
"""mxc.exe translates a policy, mxc runs what comes out: PROGRAM MXC WINE_RUN, with $MXC_EXE.

Each case runs as root and as an ordinary user. Output: `PASS: CASE`, `FAIL: CASE: why` or `SKIP: why`.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import traceback

ORDINARY_UID = 65534
MAX_BYTES = 8 << 20
# All of them are KnownDLLs: none beside mxc.exe is taken instead.
SYSTEM_LIBRARIES = {"kernel32.dll", "msvcrt.dll", "advapi32.dll", "ws2_32.dll", "ole32.dll"}
IN_NAMESPACE = "MXC_JOINT_IN_NAMESPACE"

_cases = []


def case(function):
    _cases.append(function)
    return function


def equal(got, wanted, what):
    if isinstance(got, bytes) and isinstance(wanted, bytes) and got != wanted:
        # Only where they begin to differ.
        lines = zip(got.splitlines() + [b"(end)"], wanted.splitlines() + [b"(end)"])
        got, wanted = next(((a, b) for a, b in lines if a != b), (got[-80:], wanted[-80:]))
        raise AssertionError(f"{what}: got {got!r}, wanted {wanted!r}")
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r:.1500}, wanted {wanted!r:.1500}")


def contains(text, part, what):
    if part not in text:
        raise AssertionError(f"{what} lacks {part!r}: {text!r:.1500}")


class Machine:
    """A caller with folders of its own, and both programs."""

    def __init__(self, uid, mxc, wine, exe):
        self.uid, self.wine, self.exe = uid, wine, exe
        self.base = tempfile.mkdtemp(prefix="mxc-joint-", dir="/var/tmp")
        os.chmod(self.base, 0o755)
        # Other users may not be able to reach the build's folders.
        self.mxc = os.path.join(self.base, "mxc")
        shutil.copyfile(mxc, self.mxc)
        os.chmod(self.mxc, 0o755)
        self.work = self._folder("work", 0o755)
        self.runtime = self._folder("runtime", 0o700)
        self.facts = self.file("facts.json", self.on_linux("doctor", "--facts").stdout)

    def _folder(self, name, mode):
        path = os.path.join(self.base, name)
        os.mkdir(path)
        os.chmod(path, mode)
        self._own(path)
        return path

    def _own(self, path):
        if os.getuid() == 0:
            os.chown(path, self.uid, self.uid)

    def close(self):
        shutil.rmtree(self.base)

    def file(self, name, content):
        """Makes a file of the caller in its work folder; returns its name there."""
        path = os.path.join(self.work, name)
        folders = name.split("/")[:-1]
        for depth in range(1, len(folders) + 1):
            folder = os.path.join(self.work, *folders[:depth])
            if not os.path.isdir(folder):
                os.mkdir(folder)
                self._own(folder)
        with open(path, "wb") as file:
            file.write(content if isinstance(content, bytes) else content.encode())
        self._own(path)
        return name

    def policy(self, name="policy.json", **fields):
        return self.file(name, json.dumps({"version": "1.0.0", **fields}))

    def on_linux(self, *arguments, stdin=b""):
        options = {"user": self.uid, "group": self.uid, "extra_groups": []} if os.getuid() == 0 and self.uid else {}
        env = {"PATH": "/usr/bin:/bin", "HOME": self.work, "XDG_RUNTIME_DIR": self.runtime, "LANG": "C.UTF-8"}
        return subprocess.run([self.mxc, *arguments], cwd=self.work, env=env, input=stdin, capture_output=True, timeout=30, check=False, **options)

    def on_windows(self, *arguments, stdin=b""):
        # Wine's user is the test's own: the program is the same whoever starts it.
        return subprocess.run([self.wine, self.exe, *arguments], cwd=self.work, input=stdin, capture_output=True, timeout=30, check=False)

    def both(self, *arguments, stdin=b"", code=0):
        """Runs both with the same arguments and wants the same from them, byte by byte."""
        windows, linux = self.on_windows(*arguments, stdin=stdin), self.on_linux(*arguments, stdin=stdin)
        equal(windows.returncode, code, f"exit status of mxc.exe {arguments} (stderr {windows.stderr!r})")
        equal(windows.returncode, linux.returncode, f"exit status of mxc.exe {arguments} beside mxc's")
        equal(windows.stdout, linux.stdout, f"output of mxc.exe {arguments} beside mxc's")
        equal(windows.stderr, linux.stderr, f"errors of mxc.exe {arguments} beside mxc's")
        return windows

    def run_spec(self, *arguments):
        """mxc.exe spec ARGUMENTS | mxc run --spec -"""
        spec = self.on_windows("spec", "--host-facts", self.facts, *arguments)
        equal((spec.returncode, spec.stderr), (0, b""), "mxc.exe spec")
        return self.on_linux("run", "--spec", "-", stdin=spec.stdout)


@case
def a_policy_translated_on_windows_runs_here(box):
    box.file("in/hello.txt", "from the granted folder\n")
    policy = box.policy(process={"commandLine": "cat in/hello.txt", "cwd": box.work}, filesystem={"readonlyPaths": [box.work + "/in"]})
    ended = box.run_spec("--policy", policy)
    equal((ended.returncode, ended.stdout), (0, b"from the granted folder\n"), f"mxc run --spec - (stderr {ended.stderr!r})")


@case
def what_the_policy_says_holds(box):
    box.file("ro/kept.txt", "kept\n")
    box.file("rw/secret/key.txt", "key\n")
    policy = box.policy(
        filesystem={
            "readonlyPaths": [box.work + "/ro"],
            "readwritePaths": [box.work + "/rw"],
            "deniedPaths": [box.work + "/rw/secret"],
        }
    )
    script = "cd $1; echo made >rw/new.txt; echo x >ro/kept.txt; cat rw/secret/key.txt; cat ro/kept.txt; exit 7"
    ended = box.run_spec("--policy", policy, "--", "sh", "-c", script, "sh", box.work)
    equal((ended.returncode, ended.stdout), (7, b"kept\n"), f"the program (stderr {ended.stderr!r})")
    contains(ended.stderr, b"Read-only file system", "what the program says of the read-only file")
    contains(ended.stderr, b"Permission denied", "what the program says of the denied file")
    made = os.stat(box.work + "/rw/new.txt")
    equal(made.st_uid, box.uid, "owner of the file that the program made")


@case
def arguments_arrive_as_they_are(box):
    policy = box.policy()
    arguments = ["*", "a b", 'quo"te', "back\\slash\\", "", "漢字 🐧", "--policy", "$HOME", "%PATH%"]
    ended = box.run_spec("--policy", policy, "--", "printf", "%s|", *arguments)
    equal(ended.stdout.decode(), "".join(f"{a}|" for a in arguments), f"arguments (stderr {ended.stderr!r})")


@case
def both_programs_translate_alike(box):
    box.file("in/a", "")
    plain = box.policy("plain.json", filesystem={"readonlyPaths": [box.work + "/in"]})
    windows = box.policy("windows.json", filesystem={"readonlyPaths": ["C:\\Data Sets\\in", "d:/models"]})
    yaml = box.file("name 漢.yaml", "version: 1.0.0\r\nx-linux:\r\n  profile: untrusted-code\r\n")
    for policy in (plain, windows, yaml):
        for command in ("spec", "check"):
            box.both(command, "--host-facts", box.facts, "--policy", policy, "--", "/bin/true", "é")
    for profile in ("default", "build", "ml-train", "untrusted-code"):
        box.both("spec", "--host-facts", box.facts, "--profile", profile, "--", "/bin/true")
    box.both("why", "--host-facts", box.facts, "--policy", plain, "read", box.work + "/in/a")
    box.both("why", "--host-facts", box.facts, "--policy", plain, "syscall", "mount")
    box.both("profiles")
    with open(os.path.join(box.work, plain), "rb") as file:
        box.both("spec", "--host-facts", box.facts, "--policy", "-", "--", "/bin/true", stdin=file.read())


@case
def windows_paths_become_those_of_wsl(box):
    policy = box.policy(filesystem={"readonlyPaths": ["C:\\Data Sets\\in"], "readwritePaths": ["d:/out"]})
    spec = box.both("spec", "--host-facts", box.facts, "--policy", policy, "--", "true")
    mounts = {mount["destination"]: mount for mount in json.loads(spec.stdout)["mounts"]}
    equal("rro" in mounts["/mnt/c/Data Sets/in"]["options"], True, "C:\\Data Sets\\in is read-only")
    equal("rw" in mounts["/mnt/d/out"]["options"], True, "d:/out is writable")


@case
def errors_are_the_same_and_end_with_125(box):
    broken = box.file("broken.json", '{"version": "1.0.0",\r\n "filesytem": {}}')
    ended = box.both("spec", "--host-facts", box.facts, "--policy", broken, "--", "true", code=125)
    equal(ended.stdout, b"", "output beside an error")
    contains(ended.stderr, b"broken.json:2", "the error")
    stream = box.policy("stream.json", filesystem={"readonlyPaths": ["C:\\a:b"]})
    box.both("check", "--host-facts", box.facts, "--policy", stream, code=125)
    facts = box.file("odd.json", '{"kernel": 6}')
    box.both("spec", "--host-facts", facts, "--policy", stream, "--", "true", code=125)
    box.both("spec", "--host-facts", box.facts, "--policy", box.policy(), code=125)
    box.both("why", "read", code=125)


@case
def mxc_exe_says_what_it_lacks(box):
    ended = box.on_windows("run")
    equal((ended.returncode, ended.stdout), (125, b""), "mxc.exe run")
    contains(box.on_windows("doctor").stdout, b"there is no wsl.exe", "mxc.exe doctor")
    missing = box.on_windows("check", "--policy", "Z:\\no\\such.json")
    equal((missing.returncode, missing.stdout), (125, b""), "a policy that isn't there")
    contains(missing.stderr.replace(b"\n ", b""), b"Z:\\no\\such.json", "the error")
    # Without the facts of a host it speaks of none in particular.
    check = box.on_windows("check", "--policy", box.policy())
    equal(check.returncode, 0, "mxc.exe check")
    contains(check.stdout, b"was not asked", "mxc.exe check")


@case
def mxc_exe_needs_nothing_but_windows(box):
    equal(os.path.getsize(box.exe) < MAX_BYTES, True, "mxc.exe is smaller than 8 MiB")
    dump = subprocess.run(["x86_64-w64-mingw32-objdump", "-p", box.exe], capture_output=True, text=True, check=True).stdout
    imports = {line.split()[-1].lower() for line in dump.splitlines() if "DLL Name:" in line}
    equal(imports - SYSTEM_LIBRARIES, set(), "libraries that mxc.exe wants beside the system's")


def run_cases(uid, mxc, wine, exe):
    """How many cases failed."""
    failed = 0
    caller = "root" if uid == 0 else "rootless"
    box = Machine(uid, mxc, wine, exe)
    try:
        for function in _cases:
            try:
                function(box)
                print(f"PASS: {function.__name__} ({caller})", flush=True)
            except AssertionError as error:
                failed += 1
                print(f"FAIL: {function.__name__} ({caller}): {error}", flush=True)
            except Exception:  # a case that breaks is a case that fails
                failed += 1
                print(f"FAIL: {function.__name__} ({caller}): {traceback.format_exc()}", flush=True)
    finally:
        box.close()
    return failed


def main():
    mxc, wine = (os.path.realpath(path) for path in sys.argv[1:3])
    exe = os.environ.get("MXC_EXE", "")
    if not exe:
        print("SKIP: MXC_EXE does not name an mxc.exe; `tools/test //windows_host/...` builds one and runs this")
        return 0
    if not os.path.exists("/usr/lib/wine/wine64"):
        print("SKIP: Wine is missing: apt-get install wine64")
        return 0
    if os.getuid() == 0 and IN_NAMESPACE not in os.environ:
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-B", *sys.argv])
    if os.getuid() == 0:
        failed = run_cases(0, mxc, wine, exe) + run_cases(ORDINARY_UID, mxc, wine, exe)
    else:
        print("SKIP: the part as root: this is another user")
        failed = run_cases(os.getuid(), mxc, wine, exe)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
