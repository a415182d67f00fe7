"""The runtime's own program, as the container's first process shows it while it waits for `start`, can't be written: neither as
root, where it lies on a read-only clone of its mount, nor as a user, where it is a sealed copy (CVE-2019-5736).

    own_program_test.py RUNTIME WEAKENED PROBE

Prints PASS: or FAIL: and a name for each case. WEAKENED leaves the counter-measure out with MXC_WITHOUT=own-program, and the
program must then be open to writing."""

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile

USER = 1234


def config(rootless):
    namespaces = [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]
    spec = {"ociVersion": "1.2.0", "root": {"path": "rootfs"}, "linux": {"namespaces": namespaces},
            "process": {"args": ["/probe", "true"], "cwd": "/", "user": {"uid": 0, "gid": 0}}}
    if rootless:
        namespaces.append({"type": "user"})
        for kind in ("uidMappings", "gidMappings"):
            spec["linux"][kind] = [{"containerID": 0, "hostID": USER, "size": 1}]
    return spec


class Container:
    """A created container of one of the two programs, as root or as USER."""

    def __init__(self, folder, runtime, probe, rootless, without):
        self.rootless = rootless
        self.bundle = os.path.join(folder, "bundle")
        os.makedirs(os.path.join(self.bundle, "rootfs"))
        shutil.copy(probe, os.path.join(self.bundle, "rootfs", "probe"))
        with open(os.path.join(self.bundle, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config(rootless), file)
        self.program = shutil.copy(runtime, os.path.join(folder, "runtime"))
        self.state = os.path.join(folder, "state")
        self.environment = {"PATH": "/usr/bin:/bin", **({"MXC_WITHOUT": without} if without else {})}
        if rootless:
            for path, names, files in os.walk(folder):
                for name in [path] + [os.path.join(path, n) for n in names + files]:
                    os.chown(name, USER, USER)

    def run(self, *arguments):
        user = {"user": USER, "group": USER, "extra_groups": []} if self.rootless else {}
        return subprocess.run([self.program, "--root", self.state, *arguments], env=self.environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=60, **user)

    def create(self):
        pid_file = os.path.join(os.path.dirname(self.bundle), "pid")
        with open(os.path.join(os.path.dirname(self.bundle), "log"), "w+", encoding="utf-8") as log:
            user = {"user": USER, "group": USER, "extra_groups": []} if self.rootless else {}
            done = subprocess.run([self.program, "--root", self.state, "create", "--bundle", self.bundle, "--pid-file", pid_file, "box"],
                                  env=self.environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, check=False, timeout=60, **user)
            log.seek(0)
            if done.returncode != 0:
                raise AssertionError("create: " + log.read())
        with open(pid_file, encoding="utf-8") as file:
            return int(file.read())


def can_be_written(held):
    try:
        # Opening a sealed memory file succeeds, writing doesn't. The first byte of an ELF file stays what it is.
        with open(f"/proc/self/fd/{held}", "r+b", buffering=0) as file:
            file.write(b"\x7f")
        return True
    except OSError as error:
        if error.errno not in (errno.EROFS, errno.EPERM):
            raise
        return False


def look(runtime, probe, rootless, without):
    folder = tempfile.mkdtemp(prefix="mxc-own-program-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    container = Container(folder, runtime, probe, rootless, without)
    try:
        held = os.open(f"/proc/{container.create()}/exe", os.O_PATH)
        # A program that runs can't be opened for writing (ETXTBSY); the attack holds it until it has ended.
        container.run("delete", "--force", "box")
        try:
            return not can_be_written(held)
        finally:
            os.close(held)
    finally:
        container.run("delete", "--force", "box")
        shutil.rmtree(folder)


def main():
    runtime, weakened, probe = (os.path.abspath(path) for path in sys.argv[1:4])
    failed = 0
    for who in ("root", "user"):
        for name, program, without, wanted in (("is_shut", runtime, "", True), ("is_open_without_the_measure", weakened, "own-program", False)):
            try:
                got = look(program, probe, who == "user", without)
                word = "PASS" if got == wanted else "FAIL"
                why = "" if got == wanted else f": shut is {got}, wanted {wanted}"
            except (AssertionError, OSError, subprocess.SubprocessError) as error:
                word, why = "FAIL", f": {error}"
            failed += word == "FAIL"
            print(f"{word}: own_program.{who}.{name}{why}", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
