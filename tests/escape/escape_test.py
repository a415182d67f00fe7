#!/usr/bin/env python3
"""Tries every door of doors.py from inside a sandbox made by the real mxc, as root and as an ordinary user.

A door passes when it is shut, and open as soon as the counter-measures that hold it are left out (mxc_weakened): so no
test here can pass because it tries the wrong thing. --table FILE also finds out which counter-measures hold a door alone
and writes them down, as docs/threat-model.md shows them. --only TEXT takes the doors whose names hold TEXT.
"""

import argparse
import ctypes
import fcntl
import os
import pty
import shutil
import socket
import stat
import subprocess
import sys
import termios

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from doors import DOORS  # noqa: E402
from sandbox import Caller, ROOTLESS_ID  # noqa: E402

STRANGER = 12345
LEAKED = 200


class Outside:
    """What the host has while the doors are tried: a process, listeners, a segment of shared memory."""

    def __init__(self, caller):
        self.caller = caller
        self.sockets = [socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX), socket.socket(socket.AF_INET)]
        abstract = f"mxc-escape-{os.getpid()}-{caller.name}"
        self.sockets[0].bind("\0" + abstract)
        path = caller.path("ungranted", "host.sock")
        self.sockets[1].bind(path)
        os.chmod(path, 0o666)
        self.sockets[2].bind(("127.0.0.1", 0))
        for listener in self.sockets:
            listener.listen(64)
        self.process = subprocess.Popen(["sleep", "1000"], user=caller.uid, group=caller.uid)
        self.key = 0x6D786300 | (os.getpid() & 0xFF)
        libc = ctypes.CDLL(None)
        self.segment = libc.shmget(self.key, 4096, 0o1666)
        self.libc = libc
        self.words = {"host_pid": self.process.pid, "abstract": "@" + abstract, "socket": path, "base": caller.base,
                      "port": self.sockets[2].getsockname()[1], "shm_key": self.key, "work": caller.path("work")}

    def fill(self, text):
        for word, value in self.words.items():
            text = text.replace("{" + word + "}", str(value))
        return text

    def close(self):
        self.process.kill()
        self.process.wait()
        self.libc.shmctl(self.segment, 0, None)  # IPC_RMID
        for listener in self.sockets:
            listener.close()


class Setups:
    """Each makes something before the run; returns options for subprocess and what to undo afterwards."""

    def leaked_folder(self, _caller):
        folder = os.open("/", os.O_RDONLY | os.O_DIRECTORY)
        os.dup2(folder, LEAKED, inheritable=True)
        os.close(folder)
        return {"pass_fds": [LEAKED]}, lambda: os.close(LEAKED)

    def folder_as_stdin(self, caller):
        folder = os.open(caller.base, os.O_RDONLY | os.O_DIRECTORY)
        return {"stdin": folder}, lambda: os.close(folder)

    def terminal_on_stdin(self, _caller):
        master, slave = pty.openpty()
        return {"stdin": slave}, lambda: (os.close(master), os.close(slave))

    def own_terminal(self, _caller):
        master, slave = pty.openpty()

        def take():
            os.setsid()
            fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

        return {"stdin": slave, "preexec_fn": take}, lambda: (os.close(master), os.close(slave))

    def setuid_program(self, caller):
        path = caller.path("work", "become")
        shutil.copy(caller.path("bin", "try_door"), path)
        os.chown(path, STRANGER, STRANGER)
        os.chmod(path, 0o4755)
        return {}, lambda: os.unlink(path)

    def wsl_mounts(self, _caller):
        subprocess.run(["mount", "-t", "tmpfs", "none", "/mnt"], check=True)
        for name in ("c", "wsl", "wslg"):
            os.mkdir(f"/mnt/{name}")
            subprocess.run(["mount", "-t", "tmpfs", "none", f"/mnt/{name}"], check=True)
            with open(f"/mnt/{name}/secret.txt", "w", encoding="ascii") as file:
                file.write("secret\n")
        return {}, lambda: subprocess.run(["umount", "-R", "/mnt"], check=True)

    def _home_folders(self, caller, *names):
        path = caller.path("home")
        for name in names:
            path = os.path.join(path, name)
            os.mkdir(path, 0o700)
            os.chown(path, caller.uid, caller.uid)
        return {}, lambda: None

    def cache_folder(self, caller):
        return self._home_folders(caller, ".cache", "mxc")

    def config_folder(self, caller):
        return self._home_folders(caller, ".config")

    def session_bus(self, caller):
        bus = socket.socket(socket.AF_UNIX)
        path = caller.path("runtime", "bus")
        bus.bind(path)
        os.chmod(path, 0o666)
        bus.listen(8)
        return {}, lambda: (bus.close(), os.unlink(path))


class Checks:
    """The outcome as the host sees it; None: as the program said."""

    def planted(self, _caller, path):
        try:
            with open(path, "rb") as file:
                text = file.read()
        except OSError as error:
            return f"shut: {error.strerror} on the host"
        return "OPEN: a planted file stays on the host" if text == b"planted\n" else "shut: the file on the host is as it was"

    def setuid_left(self, caller, _path):
        path = caller.path("work", "setuid")
        if not os.path.exists(path):
            return "shut: no file is left"
        mode = os.stat(path).st_mode
        os.unlink(path)
        return "OPEN: a set-uid file is left" if mode & (stat.S_ISUID | stat.S_ISGID) else "shut: the file has no such bit"


def attempt(caller, outside, door, program, without=""):
    """One line: "shut: …", "OPEN: …", "refused: …" (mxc started nothing) or "no answer: …"."""
    caller.reset_work()
    options, undo = getattr(Setups(), door.setup)(caller) if door.setup else ({}, lambda: None)
    try:
        policy = caller.policy(door.policy, [outside.fill(path) for path in door.readonly], door.resources,
                               [outside.fill(path) for path in door.writable])
        arguments = [outside.fill(argument).replace("{mxc}", caller.path("mxc", program)) for argument in door.arguments]
        code, out, err = caller.run(program, policy, arguments, without, **options)
    finally:
        undo()
    if door.check and code == 0:
        return getattr(Checks(), door.check)(caller, arguments[-1])
    answers = [line for line in out.splitlines() if line.startswith(("shut: ", "OPEN: "))]
    if answers:
        return answers[-1]
    if code == 125:
        return "refused: " + " ".join(err.split())
    if code == 128 + 31:
        return "shut: killed by SIGSYS"
    return f"no answer: exit code {code} {' '.join(err.split())}"


def try_door(caller, outside, door):
    """(PASS, FAIL or SKIP; a sentence)."""
    strict = attempt(caller, outside, door, caller.plain)
    if not strict.startswith(("shut: ", "refused: " if door.refused else "shut: ")):
        return "FAIL", strict
    holds = door.holds_for(caller.name)
    if holds is None:
        return "PASS", f"{strict} ({door.why})"
    weak = attempt(caller, outside, door, caller.weakened, holds)
    if not weak.startswith("OPEN: "):
        # int 0x80 that ends in SIGSEGV, not in SIGSYS: below this kernel somebody takes no i386 calls.
        if not door.in_kernel or (door.arguments[0].startswith("i386") and "(signal 11)" in weak):
            return "SKIP", f"this kernel has nothing behind it: {weak}"
        return "FAIL", f"stays shut without {holds}, so the test proves nothing: {weak}"
    return "PASS", f"{strict}; without {holds} {weak}"


def holding_alone(caller, outside, door):
    """The counter-measures of which each keeps the door shut when all others are left out."""
    names = (door.holds_for(caller.name) or "").split(",")
    if names == [""]:
        return []
    return [name for name in names
            if not attempt(caller, outside, door, caller.weakened, ",".join(n for n in names if n != name) or "none")
            .startswith("OPEN: ")]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("programs", nargs=3, metavar="PROGRAM", help="mxc, mxc_weakened, try_door")
    parser.add_argument("--table")
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    programs = [os.path.abspath(program) for program in options.programs]

    counts = {"PASS": 0, "FAIL": 0, "SKIP": 0}

    def say(word, text):
        counts[word] += 1
        print(f"{word}: {text}", flush=True)

    shipped = open(programs[0], "rb").read()
    say("FAIL" if b"MXC_WITHOUT" in shipped else "PASS", "the shipped mxc knows no MXC_WITHOUT")
    rows = {}
    for name, uid in (("root", 0), ("rootless", ROOTLESS_ID)):
        caller = Caller(name, uid, programs)
        outside = Outside(caller)
        try:
            for door in DOORS:
                if options.only not in door.name or name not in door.callers:
                    continue
                word, sentence = try_door(caller, outside, door)
                say(word, f"{name}: {door.name}: {sentence}")
                if options.table and word == "PASS":
                    alone = holding_alone(caller, outside, door)
                    rows.setdefault(door.name, {})[name] = ", ".join(alone) or door.why or door.holds_for(name)
        finally:
            outside.close()
            caller.remove()
    if options.table:
        with open(options.table, "w", encoding="utf-8") as file:
            file.write("| Door | held as root by | held rootless by |\n|---|---|---|\n")
            for door, held in rows.items():
                file.write(f"| {door} | {held.get('root', '–')} | {held.get('rootless', '–')} |\n")
    print(f"{counts['PASS']} passed, {counts['FAIL']} failed, {counts['SKIP']} skipped")
    return 1 if counts["FAIL"] else 0


if __name__ == "__main__":
    sys.exit(main())
