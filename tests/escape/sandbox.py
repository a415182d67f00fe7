"""A sandbox to break out of: a folder tree with something of each kind, a policy over it, and one run of mxc."""

import json
import os
import shutil
import subprocess
import tempfile

ROOTLESS_ID = 65534
# What a caller's shell may hold and a sandbox must not see. The names are WSL's, the desktop's and an agent's.
CALLER_VARIABLES = ("WSL_INTEROP", "WSL_DISTRO_NAME", "WSLENV", "DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER",
                    "DBUS_SESSION_BUS_ADDRESS", "SSH_AUTH_SOCK", "DOCKER_HOST", "GITHUB_TOKEN", "LD_PRELOAD_64", "BASH_ENV")


class Caller:
    """Who starts mxc: root, or an ordinary user with nothing but his id."""

    def __init__(self, name, uid, programs):
        self.name = name
        self.uid = uid
        self.plain, self.weakened = (os.path.basename(program) for program in programs[:2])
        self.base = tempfile.mkdtemp(prefix="mxc-escape-", dir="/var/tmp")
        os.chmod(self.base, 0o755)
        self._make_tree(programs)

    def path(self, *names):
        return os.path.join(self.base, *names)

    def _file(self, path, text="secret\n", mode=0o644):
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)

    def _folder(self, *names, mode=0o755):
        path = self.path(*names)
        os.mkdir(path)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    def _make_tree(self, programs):
        self._folder("bin")    # granted
        self._folder("mxc")    # mxc's own programs
        for program in programs:
            name = os.path.basename(program)
            copy = self.path("bin" if name == "try_door" else "mxc", name)
            shutil.copy(program, copy)
            os.chmod(copy, 0o755)
            os.chown(copy, self.uid, self.uid)
        self._folder("runtime", mode=0o700)
        self._folder("home", mode=0o700)
        self._folder("ungranted")
        self._file(self.path("ungranted", "secret.txt"))
        self._folder("work")
        self.reset_work()

    def reset_work(self):
        """The granted trees as they were, whatever the last door left in them."""
        shutil.rmtree(self.path("reference"), ignore_errors=True)
        self._folder("reference")
        self._file(self.path("reference", "file.txt"), mode=0o666)
        for name in os.listdir(self.path("mxc")):
            os.chmod(self.path("mxc", name), 0o755)
        work = self.path("work")
        for entry in os.scandir(work):
            if entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry.path)
            else:
                os.unlink(entry.path)
        self._folder("work", "inner")
        self._folder("work", "inner", "denied")
        self._folder("work", "readonly")
        self._file(self.path("work", "inner", "denied.txt"), mode=0o666)
        self._file(self.path("work", "inner", "denied", "secret.txt"), mode=0o666)
        self._file(self.path("work", "readonly", "file.txt"), mode=0o666)
        self._file(self.path("work", "protected.sh"), mode=0o755)
        self._folder("work", "hooks")
        self._file(self.path("work", "hooks", "post-commit"), mode=0o755)
        shutil.rmtree(self.path("home"))
        self._folder("home", mode=0o700)

    def policy(self, changes=None, readonly=(), resources=None, writable=()):
        policy = {
            "version": "1.0.0",
            "process": {"commandLine": "true", "cwd": "/tmp"},
            "filesystem": {
                "readonlyPaths": [self.path("bin"), self.path("reference"), self.path("work", "readonly"), *readonly],
                "readwritePaths": [self.path("work"), *writable],
                "deniedPaths": [self.path("work", "inner", "denied.txt"), self.path("work", "inner", "denied")],
            },
            "x-linux": {"protect": [self.path("work", "protected.sh"), self.path("work", "hooks", "post-commit"),
                                    self.path("work", "later", "hook"), self.path("home", ".config", "autostart")]},
        }
        if resources:
            policy["x-linux"]["resources"] = resources
        for key, value in (changes or {}).items():
            policy[key].update(value)
        return policy

    def run(self, program, policy, arguments, without="", **options):
        """Runs `try_door ARGUMENTS` in a sandbox; (exit code, stdout, stderr)."""
        path = self.path("policy.json")
        with open(path, "w", encoding="ascii") as file:
            json.dump(policy, file)
        environment = {name: "of-the-host" for name in CALLER_VARIABLES}
        environment.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME=self.path("home"),
                           XDG_RUNTIME_DIR=self.path("runtime"))
        if without:
            environment["MXC_WITHOUT"] = without
        command = [self.path("mxc", program), "run", "--policy", path, "--", self.path("bin", "try_door"), *arguments]
        if self.uid != 0:
            command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *command]
        options.setdefault("stdin", subprocess.DEVNULL)
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False, **options)
        return ended.returncode, ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace")

    def remove(self):
        shutil.rmtree(self.base, ignore_errors=True)
