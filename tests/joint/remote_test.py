#!/usr/bin/env python3
"""mxc.exe under Wine → a stand-in for wsl.exe → mxc-relay → mxcd → a sandbox, and back.

PROGRAM MXC MXCD MXC_RELAY WINE_RUN [PATTERN], with $MXC_EXE and $FAKE_WSL. Output: `PASS: CASE`, `FAIL: CASE: why` or `SKIP: why`.
"""

import contextlib
import glob
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import traceback

IN_NAMESPACE = "MXC_JOINT_IN_NAMESPACE"
MAGIC = b"\x7fMXC-RELAY-1\r\n\x1a\n"
STARTS_WITHIN = 60  # seconds that mxc.exe waits for wsl.exe
SOON = 15  # seconds
_cases = []


def case(function):
    _cases.append(function)
    return function


def equal(got, wanted, what):
    if got != wanted:
        raise AssertionError(f"{what}: got {got!r:.1500}, wanted {wanted!r:.1500}")


def contains(text, part, what):
    if part not in text:
        raise AssertionError(f"{what} lacks {part!r}: {text!r:.1500}")


def flat(data):
    return " ".join(data.decode(errors="replace").split())


class World:
    """An mxcd of root's, the two Windows programs in a folder, and what listens in the place of a distribution."""

    mxcd_options = ()

    def __init__(self, mxc, mxcd, relay, wine, exe, fake):
        self.mxc, self.mxcd_program, self.relay, self.wine = mxc, mxcd, relay, wine
        self.base = tempfile.mkdtemp(prefix="mxc-remote-", dir="/var/tmp")
        os.chmod(self.base, 0o755)
        self.exe = shutil.copyfile(exe, os.path.join(self.base, "mxc.exe"))
        self.fake = shutil.copyfile(fake, os.path.join(self.base, "fake_wsl.exe"))
        self.folder = os.path.join(self.base, "mxcd")
        os.mkdir(self.folder, 0o755)
        self.mxcd = subprocess.Popen([mxcd, "--folder", self.folder, *self.mxcd_options], stderr=subprocess.PIPE)
        self.mxcd.stderr.readline()
        self.relays, self.cut, self.carried = [], False, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.mode("bridge")
        threading.Thread(target=self._distribution, daemon=True).start()

    def _distribution(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._carry, args=(connection,), daemon=True).start()

    # By pipes, as wsl.exe does: a socket that its last owner closes with bytes unread takes back what it has sent.
    def _carry(self, connection):
        with connection:
            if self.cut:
                connection.sendall(MAGIC)
                return
            relay = subprocess.Popen([self.relay, "--proto", "1", "--folder", self.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
            self.relays.append(relay)
            inward = threading.Thread(target=self._carry_in, args=(connection, relay.stdin), daemon=True)
            inward.start()
            try:
                while data := os.read(relay.stdout.fileno(), 65536):
                    self.carried += len(data)
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)
            except OSError:
                relay.kill()  # nobody is there any more
            inward.join()
            relay.stdout.close()
            relay.wait()

    @staticmethod
    def _carry_in(connection, pipe):
        gone = False
        try:
            while data := connection.recv(65536):
                while data and not gone:
                    try:
                        data = data[pipe.write(data) :]
                    except BrokenPipeError:
                        gone = True
        except OSError:
            pass
        pipe.close()

    def mode(self, name):
        self.file("fake_wsl.txt", f"{self.listener.getsockname()[1]} {name}\n")

    def file(self, name, text):
        path = os.path.join(self.base, name)
        with open(path, "wb") as file:
            file.write(text if isinstance(text, bytes) else text.encode())
        os.chmod(path, 0o644)
        return path

    def start(self, *arguments, variables=None, **options):
        environment = {**os.environ, "MXC_WSL_EXE": "Z:" + self.fake.replace("/", "\\"), "SECRET_OF_WINDOWS": "s3cret", **(variables or {})}
        return subprocess.Popen([self.wine, self.exe, *arguments], env=environment, stdout=subprocess.PIPE, **{"stderr": subprocess.PIPE, **options}, cwd=self.base)

    def run(self, *arguments, input=b"", timeout=90, **options):
        begin = time.monotonic()
        # A file: under Wine a program of Windows has its parent's standard error, whatever that lets it inherit, and one that stays
        # behind (`__hold`) would keep a pipe open.
        with tempfile.TemporaryFile() as errors:
            started = self.start(*arguments, stdin=subprocess.PIPE, stderr=errors, **options)
            out = started.communicate(input, timeout=timeout)[0]
            self.seconds = time.monotonic() - begin
            errors.seek(0)
            return started.returncode, out, errors.read()

    def audit(self):
        with open(os.path.join(self.folder, "audit", "audit.jsonl"), encoding="ascii") as file:
            return [json.loads(line) for line in file]

    def close(self):
        self.listener.close()
        self.mxcd.terminate()
        self.mxcd.wait()
        self.mxcd.stderr.close()
        shutil.rmtree(self.base)


def end(program, started):
    """Ends a program of Windows as the Task Manager does: what `started` is, wine_run, may be another process than its own."""
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as file:
                    line = file.read()
            except OSError:
                continue
            if line.startswith(program.encode()):
                os.kill(int(entry), 9)
    started.communicate()


@contextlib.contextmanager
def wine_kept(wine, fake):
    """Wine's server ends with its last program, and who starts one just then may wait for it for ever: one program stays."""
    folder = tempfile.mkdtemp(prefix="mxc-remote-", dir="/var/tmp")
    program = shutil.copyfile(fake, os.path.join(folder, "fake_wsl.exe"))
    with open(os.path.join(folder, "fake_wsl.txt"), "w", encoding="ascii") as file:
        file.write("0 mute\n")
    started = subprocess.Popen([wine, program], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(2)
        yield
    finally:
        end(program, started)
        shutil.rmtree(folder)


@case
def a_run_and_what_comes_back(world):
    code, out, err = world.run("--user", "nobody", "run", "--name", "from-windows", "--", "sh", "-c", "echo out; echo err >&2; id -u; exit 7")
    equal((code, out, err), (7, b"out\n65534\nerr\n".replace(b"err\n", b""), b"err\n"), "status and streams")
    with open(os.path.join(world.base, "fake_wsl.log"), encoding="utf-8") as file:
        log = file.read().splitlines()
    equal([line[9:] for line in log if line.startswith("argument ")], ["-u", "root", "--cd", "/", "--exec", "/usr/local/libexec/mxc/mxc-relay", "--proto", "1"], "arguments of wsl.exe")
    variables = [line[9:] for line in log if line.startswith("variable ")]
    equal([one for one in variables if "SECRET" in one or one.upper().startswith("PATH=")], [], "what of the environment went along")
    contains(variables, "WSL_UTF8=1", "variables")
    started = [one for one in world.audit() if one["kind"] == "start" and one.get("run") == "from-windows"]
    equal(len(started), 1, "lines of the audit")
    contains(started[0]["claimed"]["windowsSid"], "S-1-5-", "audit")
    equal(started[0]["uid"], 65534, "uid in the audit")
    # The Windows side's log names the same sandbox, and is chained as that of the distribution is.
    prefix = os.environ.get("WINEPREFIX", f"/var/tmp/mxc-wine-{os.getuid()}/prefix")
    folders = glob.glob(f"{prefix}/drive_c/users/*/AppData/Local/MxcRuntime/audit") + glob.glob(f"{prefix}/drive_c/users/*/*/*/MxcRuntime/audit")
    with open(os.path.join(folders[0], "audit.jsonl"), encoding="ascii") as file:
        ours = [one for one in map(json.loads, file) if one.get("session") == started[0]["session"]]
    equal([(one["kind"], one["what"], one.get("exitCode")) for one in ours], [("start", "run", None), ("end", "run", 7)], "the log of Windows")
    subprocess.run([world.mxcd_program, "--check-audit", folders[0]], check=True, stdout=subprocess.DEVNULL)


@case
def bytes_go_through_as_they_are(world):
    data = os.urandom(1_000_000) + b"\r\n\x1a\0end"
    code, out, err = world.run("run", "--", "cat", input=data)
    equal((code, out == data), (0, True), f"what came back ({err!r})")


@case
def arguments_arrive_as_they_are(world):
    arguments = ["*", "a b", 'quo"te', "back\\slash\\", "", "漢字 🐧", "--policy", "$HOME", "%PATH%"]
    code, out, err = world.run("run", "--", "printf", "%s|", *arguments)
    equal((code, out.decode()), (0, "".join(f"{a}|" for a in arguments)), f"arguments ({err!r})")


@case
def wsl_exe_gets_eight_variables_and_no_more(world):
    equal(world.run("list", variables={"WSLENV": "SECRET_OF_WINDOWS/u"})[0], 0, "status")
    with open(os.path.join(world.base, "fake_wsl.log"), encoding="utf-8") as file:
        variables = dict(line[9:].split("=", 1) for line in file.read().splitlines() if line.startswith("variable "))
    # Wine's own are of every program under it.
    names = {name.upper() for name in variables if not name.startswith("WINE")}
    wanted = {"SYSTEMROOT", "SYSTEMDRIVE", "USERPROFILE", "LOCALAPPDATA", "WSL_UTF8", "WSL_DISABLE_WARNINGS"}
    # Not every prefix of Wine's has a TEMP, and an empty variable may be none there.
    equal(names - {"WSLENV", "TEMP"}, wanted, "variables")
    equal((variables["WSL_UTF8"], variables["WSL_DISABLE_WARNINGS"], variables.get("WSLENV", "")), ("1", "1", ""), "their values")


@case
def a_signal_ends_the_program_and_its_number_comes_back(world):
    equal(world.run("run", "--", "sh", "-c", "kill -TERM $$")[0], 143, "status")


@case
def input_that_nobody_reads_holds_nothing_up(world):
    equal(world.run("run", "--", "sh", "-c", "exit 3", input=bytes(4 << 20), timeout=SOON)[0], 3, "status")


@case
def an_output_that_stands_still_holds_up_neither_the_other_nor_the_input(world):
    script = "head -c 4000000 /dev/zero & read line; echo $line >&2; wait"
    started = world.start("run", "--", "sh", "-c", script, stdin=subprocess.PIPE)
    got = []
    reader = threading.Thread(target=lambda: got.append(started.stderr.readline()), daemon=True)
    reader.start()
    time.sleep(1)
    started.stdin.write(b"typed\n")
    started.stdin.flush()
    reader.join(SOON)
    equal(got, [b"typed\n"], "standard error while nobody reads the output")
    equal(len(started.communicate(timeout=SOON)[0]), 4_000_000, "bytes of the output then")
    equal(started.returncode, 0, "status")


@case
def an_output_that_is_closed_ends_who_writes_it(world):
    started = world.start("run", "--", "sh", "-c", "yes; echo $? >&2", stdin=subprocess.DEVNULL)
    equal(started.stdout.readline(), b"y\n", "first line")
    started.stdout.close()
    started.stdout = None
    try:
        err = started.communicate(timeout=SOON)[1]
    except subprocess.TimeoutExpired:
        end(world.exe, started)
        raise AssertionError("the program writes on though nobody takes it any more") from None
    contains(err.split(), b"141", "what the shell says of `yes`: SIGPIPE")


@case
def a_relay_that_goes_is_told_of(world):
    started = world.start("run", "--", "sh", "-c", "echo up; sleep 4243", stdin=subprocess.DEVNULL)
    equal(started.stdout.readline(), b"up\n", "first line")
    world.relays[-1].kill()
    _, err = started.communicate(timeout=SOON)
    equal(started.returncode, 125, "status")
    contains(flat(err), "the connection to mxcd ended before the program did", "stderr")


@case
def a_policy_is_refused_at_its_place(world):
    path = world.file("broken.json", '{"version": "1.0.0",\r\n "filesytem": {}}')
    code, _, err = world.run("run", "--policy", "Z:" + path.replace("/", "\\"), "--", "true")
    equal(code, 125, "status")
    contains(flat(err), "broken.json:2", "stderr")
    contains(flat(err), "filesytem", "stderr")


@case
def a_distribution_by_name(world):
    equal(world.run("--distribution", 'My "own" distro', "run", "--", "true")[0], 0, "status")
    with open(os.path.join(world.base, "fake_wsl.log"), encoding="utf-8") as file:
        contains(file.read(), 'argument --distribution\nargument My "own" distro\nargument -u\n', "arguments")


@case
def a_policy_of_windows_holds_in_the_sandbox(world):
    drive = tempfile.mkdtemp(prefix="mxc-drive-", dir="/var/tmp")
    os.makedirs("/mnt/c", exist_ok=True)
    subprocess.run(["mount", "--bind", drive, "/mnt/c"], check=True)
    try:
        os.chmod(drive, 0o755)
        os.mkdir(os.path.join(drive, "proj"))
        for name, text in (("open.txt", "open"), ("secret.txt", "s3cret")):
            with open(os.path.join(drive, "proj", name), "w", encoding="utf-8") as file:
                file.write(text)
        policy = {"version": "1.0.0", "filesystem": {"readonlyPaths": ["C:\\proj"], "deniedPaths": ["C:\\proj\\secret.txt"]}}
        path = world.file("policy.json", json.dumps(policy))
        code, out, err = world.run("run", "--policy", "Z:" + path.replace("/", "\\"), "--", "sh", "-c", "cat /mnt/c/proj/open.txt; cat /mnt/c/proj/secret.txt; touch /mnt/c/proj/new")
        equal(out, b"open", f"stdout ({err!r})")
        contains(flat(err), "Permission denied", "stderr")
        equal(sorted(os.listdir(os.path.join(drive, "proj"))), ["open.txt", "secret.txt"], "the drive")
        check_code = code != 0
        equal(check_code, True, "a refused write was no error")
        bad = world.file("bad.json", json.dumps({**policy, "filesystem": {"readonlyPaths": ["C:\\proj\\..\\Users"]}}, indent=1))
        code, _, err = world.run("run", "--policy", "Z:" + bad.replace("/", "\\"), "--", "true")
        equal(code, 125, "status")
        contains(flat(err), "bad.json:", "stderr")
        contains(flat(err), "..", "stderr")
    finally:
        subprocess.run(["umount", "/mnt/c"], check=False)
        shutil.rmtree(drive)


@case
def the_verbs_of_sessions(world):
    code, out, err = world.run("provision", "--name", "work")
    equal(code, 0, f"provision ({err!r})")
    name = out.decode().strip()
    equal(world.run("start", name)[0], 0, "start")
    equal(world.run("exec", name, "--", "sh", "-c", "echo here > /tmp/f; exit 3")[0], 3, "exec")
    equal(world.run("exec", name, "--", "cat", "/tmp/f")[1], b"here\n", "another exec")
    number = world.run("exec", "-d", name, "--", "sh", "-c", "echo later")[1].decode().strip()
    equal(world.run("attach", name, number)[1], b"later\n", "attach")
    contains(world.run("list")[1].decode(), name, "list")
    equal(json.loads(world.run("inspect", name)[1])["name"], "work", "inspect")
    equal(world.run("stop", name)[0], 0, "stop")
    equal(world.run("deprovision", name)[0], 0, "deprovision")
    code, _, err = world.run("inspect", name)
    equal(code, 125, "status")
    contains(flat(err), "no session", "stderr")


@case
def no_such_user(world):
    code, _, err = world.run("--user", "nobody-at-all", "run", "--", "true")
    equal(code, 125, "status")
    contains(flat(err), "no account", "stderr")


@case
def a_wsl_that_talks_first_or_comes_late(world):
    for mode in ("noise", "late"):
        world.mode(mode)
        code, out, err = world.run("run", "--", "echo", mode)
        equal((code, out), (0, mode.encode() + b"\n"), f"{mode} ({err!r})")


@case
def a_wsl_that_fails_is_told_of(world):
    for mode, said in (("die", "no distribution with the supplied name"), ("silent", "status 0"), ("flood", "not mxc's relay")):
        world.mode(mode)
        code, out, err = world.run("run", "--", "true")
        equal((code, out), (125, b""), f"{mode} ({err!r})")
        contains(flat(err), said, mode)
        if world.seconds > 30:
            raise AssertionError(f"{mode}: after {world.seconds:.0f} s only")


@case
def a_wsl_that_fails_in_other_ways_is_told_of(world):
    for mode, said in (("foreign", "没有分发版"), ("stderr", "exec: No such file or directory"), ("cut", "relay")):
        world.mode("bridge" if mode == "cut" else mode)
        world.cut = mode == "cut"
        code, out, err = world.run("run", "--", "true", timeout=SOON)
        equal((code, out), (125, b""), f"{mode} ({err!r})")
        contains(flat(err), said, mode)
    code, _, err = world.run("list", variables={"MXC_WSL_EXE": "Z:\\no\\wsl.exe"})
    equal(code, 125, "status without a wsl.exe")
    contains(flat(err), "MXC_WSL_EXE", "stderr without a wsl.exe")


@case
def a_wsl_that_says_nothing_is_given_up(world):
    world.mode("mute")
    code, _, err = world.run("list", timeout=STARTS_WITHIN + SOON)
    equal(code, 125, "status")
    contains(flat(err), f"{STARTS_WITHIN} seconds", "stderr")


@case
def a_run_ends_with_its_mxc_exe(world):
    started = world.start("run", "--", "sh", "-c", "echo ready; sleep 4242", stdin=subprocess.DEVNULL)
    equal(started.stdout.readline(), b"ready\n", "first line")
    end(world.exe, started)

    def runs():
        return any(one.get("state") == "run" for one in json.loads(subprocess.run([world.mxc, "list", "--json"], env={**os.environ, "MXC_SOCKET": os.path.join(world.folder, "mxcd.sock")}, capture_output=True, check=True).stdout))

    last = time.monotonic() + SOON
    while runs():
        if time.monotonic() > last:
            raise AssertionError("the sandbox is still there")
        time.sleep(0.1)


def run_cases(cases, only, *programs):
    """How many of them failed."""
    failed = 0
    for function in cases:
        if only and not re.search(only, function.__name__):
            continue
        begin = time.monotonic()
        world = World(*programs)
        try:
            function(world)
            print(f"PASS: {function.__name__} [{time.monotonic() - begin:.1f} s]", flush=True)
        except Exception as error:  # a case that breaks is a case that fails
            failed += 1
            print(f"FAIL: {function.__name__}: {error if isinstance(error, AssertionError) else traceback.format_exc()}", flush=True)
        finally:
            world.close()
    return failed


def main(cases):
    files = [argument for argument in sys.argv[1:] if "/" in argument]
    only = "".join(argument for argument in sys.argv[1:] if "/" not in argument)
    exe, fake = os.environ.get("MXC_EXE", ""), os.environ.get("FAKE_WSL", "")
    if not exe or not fake or os.getuid() != 0:
        print("SKIP: needs mxc.exe, the stand-in for wsl.exe and root")
        return 0
    if IN_NAMESPACE not in os.environ:
        os.environ[IN_NAMESPACE] = "1"
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-B", *sys.argv])
    mxc, mxcd, relay, wine = (os.path.abspath(file) for file in files)
    with wine_kept(wine, fake):
        return 1 if run_cases(cases, only, mxc, mxcd, relay, wine, exe, fake) else 0


if __name__ == "__main__":
    sys.exit(main(_cases))
