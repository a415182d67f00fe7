"""podman as root and as an ordinary user, with its own storage and configuration."""

import contextlib
import json
import os
import resource

from engine import Engine, harness, machine, processes_below

IMAGE = "localhost/local:latest"


class Podman(Engine):
    """podman of one caller. The image of image.py is in its storage as IMAGE."""

    programs = ("podman", "conmon", "newuidmap")

    def __init__(self, place, caller):
        super().__init__(place, caller, caller)
        for name in ("home", "runtime", "storage", "run", "tmp"):
            self.own_folder(os.path.join(self.base, name), 0o700 if name == "runtime" else 0o755)
        # Root's is an overlay, as by default; for others that needs a recent kernel.
        self.driver = "overlay" if self.root else "vfs"
        self.conf = self._configure()
        self.podman("import", "--quiet", place.tar, IMAGE).expect()

    def _configure(self):
        """Writes containers.conf: what the documentation says, and what has to be so here."""
        path = os.path.join(self.base, "containers.conf")
        # podman's own defaults for root exceed the hard limits of a process without CAP_SYS_RESOURCE.
        limits = []
        for name in ("NOFILE", "NPROC"):
            hard = resource.getrlimit(getattr(resource, "RLIMIT_" + name))[1]
            limit = 4096 if hard == resource.RLIM_INFINITY else min(hard, 4096)
            limits.append(f"{name.lower()}={limit}:{limit}")
        engine = 'cgroup_manager = "cgroupfs"\nevents_logger = "file"\n'
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"[containers]\ndefault_ulimits = {json.dumps(limits)}\n\n")
            file.write(self.place.documented("[engine]\n").replace("[engine]\n", "[engine]\n" + engine))
        return path

    def environment(self):
        env = super().environment()
        env.update(HOME=os.path.join(self.base, "home"), TMPDIR=os.path.join(self.base, "tmp"), CONTAINERS_CONF=self.conf)
        if not self.root:
            env["XDG_RUNTIME_DIR"] = os.path.join(self.base, "runtime")
        return env

    def storage(self):
        """The options that tell podman and buildah where to keep what they keep."""
        return ["--root", self.base + "/storage", "--runroot", self.base + "/run", "--storage-driver", self.driver]

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

    def clean(self):
        """Removes what a case left in podman's storage, whatever state it is in."""
        if any(len(name) == 64 for name in os.listdir(f"{self.base}/storage/{self.driver}-containers")):
            self.podman("pod", "rm", "--all", "--force", "--time", "0")
            self.podman("rm", "--all", "--force", "--time", "0")
            self.podman("volume", "prune", "--force")
        self.empty_work()

    def leftovers(self):
        """What containers left outside podman's storage, in words."""
        left = [f"process {name} ({pid})" for pid, name in processes_below(os.getpid()).items() if not self._is_podmans(pid)]
        left += [f"mount {line}" for line in harness.mounts() if f" {self.base}/run/" in line or "/merged " in line]
        left += [f"cgroup {path}" for path in machine.engines_cgroups() if _is_containers(path)]
        return left + [f"in the runtime's list: {name}" for name in self.runtime_list()]

    def _is_podmans(self, pid):
        """Rootless podman keeps its user namespace alive by a process."""
        with contextlib.suppress(OSError):
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().split(b"\0")
            return b"catatonit" in words[0] or words[0].endswith(b"podman pause") or b"pause" in words
        return True


def _is_containers(cgroup):
    """Whether a folder of podman is a container's, /libpod-ID or POD/ID; those of pods and of conmon are podman's own."""
    below = cgroup.split("/libpod_parent/")[1:]
    return bool(below) and ("/" in below[0] or below[0].startswith("libpod-"))
