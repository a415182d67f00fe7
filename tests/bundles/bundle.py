"""A bundle to run: a root file system of busybox, a config.json like those of podman and docker, and who starts it.

Callers, by name:
  root      the host's root, a container without a user namespace
  userns    the host's root, a container whose ids 0 to 65535 are the host's from 100000 on
  rootless  an ordinary user, whose only id is root inside
  nested    root inside a user namespace, as podman starts a runtime for an ordinary user

A test program marks functions with @case and ends with main(). Each case gets a Bundle. Output: one line `PASS: name` or
`FAIL: name: why` a case and caller; the exit status is 1 after a FAIL. The whole program runs in a mount namespace of its
own, so a case may mount what it likes.
"""

import ctypes
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import traceback

CALLERS = ("root", "userns", "rootless", "nested")
FIRST_ID = 100000
ORDINARY_UID = 65534
IN_NAMESPACE = "MXC_TEST_IN_NAMESPACE"
BUSYBOX = "/bin/busybox"
APPLETS = ("sh", "cat", "ls", "stat", "mount", "umount", "touch", "mkdir", "readlink", "grep", "id", "true", "echo", "test", "dd", "sleep",
           "find", "wc", "sort", "mknod", "ln", "rm", "env", "head", "awk", "chroot")

_cases = []
_programs = {}


def check(condition, message):
    if not condition:
        raise AssertionError(message)


def equal(got, wanted, what="value"):
    check(got == wanted, f"{what}: got {got!r}, wanted {wanted!r}")


def contains(text, part, what="text"):
    check(part in text, f"{what} lacks {part!r}: {text[-1500:]!r}")


def lacks(text, part, what="text"):
    check(part not in text, f"{what} has {part!r}: {text[-1500:]!r}")


def case(function=None, *, callers=CALLERS):
    """Marks a test. callers: as whom it runs."""

    def mark(marked):
        _cases.append((marked, callers))
        return marked

    return mark(function) if function else mark


class Ended:
    """How one container ended."""

    def __init__(self, process, out, err):
        self.code = process.returncode
        self.out = out.decode(errors="replace")
        self.err = " ".join(err.decode(errors="replace").split())

    def expect(self, code=0):
        equal(self.code, code, f"exit status (stdout {self.out[-800:]!r}, stderr {self.err[-900:]!r})")
        return self

    def refused(self, *parts):
        """Ended before anything of the container's ran, with a message that has these parts."""
        self.expect(125)
        for part in parts:
            contains(self.err, part, "stderr")
        return self


def proc(**fields):
    return {"destination": "/proc", "type": "proc", "source": "proc", **fields}


def tmpfs(destination, *options):
    return {"destination": destination, "type": "tmpfs", "source": "tmpfs", "options": list(options)}


def bind(source, destination, *options, **fields):
    return {"destination": destination, "type": "bind", "source": source, "options": list(options) or ["rbind"], **fields}


def mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def host_mounts():
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        return sorted(file.read().splitlines())


def replace(bundle, destination, **fields):
    """Changes the spec's mount at `destination`."""
    for entry in bundle.spec["mounts"]:
        if entry["destination"] == destination:
            entry.update(fields)


def without(bundle, *destinations):
    bundle.spec["mounts"] = [entry for entry in bundle.spec["mounts"] if entry["destination"] not in destinations]


class Bundle:
    """`path` holds config.json and rootfs; `base` is a folder of the caller's beside it for sources of mounts."""

    def __init__(self, caller):
        self.caller = caller
        self.top = tempfile.mkdtemp(prefix="mxc-bundle-", dir="/var/tmp")
        os.chmod(self.top, 0o755)
        self.uid = {"root": 0, "userns": FIRST_ID, "rootless": ORDINARY_UID, "nested": ORDINARY_UID}[caller]
        self.path = self.folder("bundle")
        self.rootfs = self.folder("bundle/rootfs")
        self.base = self.folder("base")
        self.folder("bundle/rootfs/bin")
        shutil.copyfile(BUSYBOX, self.root("bin/busybox"))
        os.chmod(self.own(self.root("bin/busybox")), 0o755)
        for applet in APPLETS:
            os.symlink("busybox", self.root("bin", applet))
        for name in ("proc", "dev", "sys", "tmp", "etc"):
            self.folder(f"bundle/rootfs/{name}")
        self.spec = self._spec()

    def _spec(self):
        namespaces = ["mount", "pid", "ipc", "uts", "network"]
        linux = {"rootfsPropagation": "private"}
        if self.caller in ("userns", "rootless"):
            namespaces.insert(0, "user")
            host, size = (FIRST_ID, 65536) if self.caller == "userns" else (ORDINARY_UID, 1)
            mapping = [{"containerID": 0, "hostID": host, "size": size}]
            linux.update(uidMappings=mapping, gidMappings=mapping)
        linux["namespaces"] = [{"type": kind} for kind in namespaces]
        return {
            "ociVersion": "1.2.0",
            "process": {"user": {"uid": 0, "gid": 0}, "args": ["/bin/sh", "-c", "true"], "env": ["PATH=/bin"], "cwd": "/",
                        "capabilities": {kind: ["CAP_SYS_ADMIN", "CAP_MKNOD", "CAP_DAC_OVERRIDE", "CAP_SYS_CHROOT"]
                                         for kind in ("bounding", "effective", "permitted")}},
            "root": {"path": "rootfs"},
            "hostname": "box",
            "mounts": [
                proc(),
                tmpfs("/dev", "nosuid", "strictatime", "mode=755", "size=65536k"),
                {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
                 "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
                tmpfs("/dev/shm", "nosuid", "noexec", "nodev", "mode=1777", "size=65536k"),
                {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
                {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
            ],
            "linux": {**linux,
                      "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/acpi", "/proc/scsi", "/sys/firmware", "/proc/none/such"],
                      "readonlyPaths": ["/proc/sys", "/proc/bus", "/proc/none"]},
        }

    # -- files ------------------------------------------------------------------------------------------------------

    def root(self, *parts):
        return os.path.join(self.rootfs, *parts)

    def source(self, *parts):
        return os.path.join(self.base, *parts)

    def own(self, path):
        os.lchown(path, self.uid, self.uid)
        return path

    def folder(self, name, mode=0o755):
        path = self.top
        for part in name.split("/"):
            path = os.path.join(path, part)
            if not os.path.isdir(path):
                os.mkdir(path)
                self.own(path)
        os.chmod(path, mode)
        return path

    def file(self, path, text="", mode=0o644):
        """A file at an absolute path below the bundle's folders."""
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        # Last: a change of the owner takes away set-user-ID bits.
        os.chmod(self.own(path), mode)
        return path

    def link(self, target, path):
        os.symlink(target, path)
        return self.own(path)

    def close(self):
        # What a case mounted and the container's root are on top of it.
        with open("/proc/self/mountinfo", encoding="utf-8") as file:
            points = [line.split()[4] for line in file]
        for point in reversed(points):
            if point == self.top or point.startswith(self.top + "/"):
                subprocess.run(["umount", "-l", point], check=False, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.top)

    # -- running ----------------------------------------------------------------------------------------------------

    def add(self, *mounts):
        self.spec["mounts"].extend(mounts)
        return self

    def command(self, arguments, weakened=False):
        program = _programs["weakened" if weakened else "plain"]
        command = [program, *arguments, self.path]
        if self.caller == "nested":
            return ["unshare", "--user", "--map-root-user", "--mount", "--propagation", "unchanged", *command]
        return command

    def start(self, script, *arguments, without="", **options):
        self.spec["process"]["args"] = ["/bin/sh", "-c", script]
        self.file(os.path.join(self.path, "config.json"), json.dumps(self.spec))
        environment = {"PATH": os.environ["PATH"]}
        if without:
            environment["MXC_WITHOUT"] = without
        identity = {"user": self.uid, "group": self.uid, "extra_groups": []} if self.caller in ("rootless", "nested") else {}
        return subprocess.Popen(self.command(arguments, bool(without)), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, env=environment, **identity, **options)

    def run(self, script="true", *arguments, **options):
        process = self.start(script, *arguments, **options)
        out, err = process.communicate(timeout=60)
        return Ended(process, out, err)

    def ask(self, script, **options):
        """What the script prints, without the last line break."""
        return self.run(script, **options).expect().out.rstrip("\n")

    def plan(self):
        return self.run("true", "--plan").expect().out

    def mounted(self, path, **options):
        """The container's mount at `path`: {"options": set, "type": …, "tags": […]} of the last such line of mountinfo."""
        for line in reversed(self.ask("cat /proc/self/mountinfo", **options).splitlines()):
            fields, _, rest = line.partition(" - ")
            fields = fields.split()
            if fields[4] == path:
                return {"options": set(fields[5].split(",")), "tags": fields[6:], "type": rest.split()[0], "root": fields[3],
                        "super": set(rest.split()[2].split(","))}
        raise AssertionError(f"nothing is mounted on {path}")


def tree(root):
    """What lies below root: {path: (kind and mode, uid, gid, contents or target)}."""
    seen = {}
    for folder, folders, files in os.walk(root):
        for name in folders + files:
            path = os.path.join(folder, name)
            found = os.lstat(path)
            what = os.readlink(path) if stat.S_ISLNK(found.st_mode) else None
            if stat.S_ISREG(found.st_mode):
                with open(path, "rb") as file:
                    what = file.read(4096)
            seen[os.path.relpath(path, root)] = (oct(found.st_mode), found.st_uid, found.st_gid, what)
    return seen


def _run_case(function, caller, only):
    name = f"{function.__name__} ({caller})"
    if only not in name:
        return ""
    bundle = Bundle(caller)
    try:
        function(bundle)
    except Exception as error:  # a case may fail in any way
        if not isinstance(error, AssertionError):
            traceback.print_exc()
        print(f"FAIL: {name}: {error}", flush=True)
        return "failed"
    finally:
        bundle.close()
    print(f"PASS: {name}", flush=True)
    return "passed"


def main():
    """PROGRAM RUN_BUNDLE RUN_BUNDLE_WEAKENED [PATTERN]"""
    if os.getuid() != 0:
        sys.exit("needs root")
    if IN_NAMESPACE not in os.environ:
        os.environ[IN_NAMESPACE] = "1"
        programs = [os.path.realpath(program) for program in sys.argv[1:3]]
        os.execvp("unshare", ["unshare", "-m", "--propagation", "private", sys.executable, "-B", sys.argv[0], *programs, *sys.argv[3:]])
    # PR_SET_CHILD_SUBREAPER: orphans of a case come to us, not to the machine's init.
    ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)
    only = sys.argv[3] if len(sys.argv) > 3 else ""
    folder = tempfile.mkdtemp(prefix="mxc-bundle-programs-", dir="/var/tmp")
    os.chmod(folder, 0o755)
    results = []
    try:
        for name, program in zip(("plain", "weakened"), sys.argv[1:3]):
            # Other users may not be able to reach the build's folders.
            _programs[name] = shutil.copyfile(program, os.path.join(folder, name))
            os.chmod(_programs[name], 0o755)
        for function, callers in _cases:
            results += [_run_case(function, caller, only) for caller in callers]
    finally:
        shutil.rmtree(folder)
    print(", ".join(f"{results.count(what)} {what}" for what in ("passed", "failed")))
    sys.exit(1 if "failed" in results or "passed" not in results else 0)
