"""A containerd of our own that uses the runtime under test, driven through ctr or, by cri.py, as Kubernetes does."""

import contextlib
import json
import os
import signal
import subprocess
import time

from engine import PATH, check, eventually, harness, hierarchies, image, processes_below

IMAGE = "docker.io/library/local:latest"
HANDLER = "mxc"
# Started without CAP_SYS_RESOURCE, containerd can't give a sandbox the oom_score_adj of -998 that Kubernetes wants for it.
CONFIG = """version = 2
root = "{base}/root"
state = "/run/containerd"
[grpc]
address = "{base}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "{image}"
restrict_oom_score_adj = true
disable_tcp_service = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "/usr/lib/cni"
conf_dir = "{base}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "{handler}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{handler}]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.{handler}.options]
BinaryName = "{runtime}"
SystemdCgroup = false
"""

# One link for each pod; the addresses are taken note of below /run.
NETWORK = {"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": {
    "type": "host-local", "subnet": "10.99.0.0/24", "dataDir": "/run/cni"}}]}  # fmt: skip


class Containerd:
    """containerd with its root in a folder of the test's; `ctr` runs ctr, `run` runs a container with the runtime."""

    def __init__(self, place, caller):
        self.place, self.caller, self.uid = place, caller, 0
        self.base = os.path.join(place.base, "containerd")
        self.work = os.path.join(self.base, "work")
        os.makedirs(self.work)
        self.socket = os.path.join(self.base, "containerd.sock")
        self.config = os.path.join(self.base, "config.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(base=self.base, runtime=place.runtime, handler=HANDLER, image=IMAGE))
        os.mkdir(self.base + "/cni")
        with open(self.base + "/cni/pods.conflist", "w", encoding="utf-8") as file:
            json.dump(NETWORK, file)
        self.start_daemon()
        archive = image.make_archive(place.tar, self.base + "/image.tar")
        for namespace in ("default", "k8s.io"):
            self.ctr("--namespace", namespace, "image", "import", archive).expect()

    def environment(self):
        return {"PATH": PATH, "HOME": self.work, "TMPDIR": self.work, "LANG": "C.UTF-8"}

    def start_daemon(self):
        # pylint: disable=consider-using-with
        with open(self.base + "/log", "ab") as log:
            self.daemon = subprocess.Popen(["containerd", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env=self.environment())  # fmt: skip
        check(eventually(lambda: self.ctr("version").code == 0, 20), "containerd does not answer")

    def kill_daemon(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

    def start(self, *command, **options):
        for stream in ("stdin", "stdout", "stderr"):
            options.setdefault(stream, subprocess.DEVNULL if stream == "stdin" else subprocess.PIPE)
        return subprocess.Popen(command, env=self.environment(), cwd=self.work, **options)

    def command(self, *command, input=None, timeout=60, **options):
        if input is not None:
            options["stdin"] = subprocess.PIPE
        begin = time.monotonic()
        started = self.start(*command, **options)
        out, err = started.communicate(input, timeout=timeout)
        return harness.Ended(started.returncode, out or b"", err or b"", started.pid, time.monotonic() - begin)

    def ctr_command(self, *arguments):
        return ["ctr", "--address", self.socket, *arguments]

    def ctr(self, *arguments, **options):
        return self.command(*self.ctr_command(*arguments), **options)

    def run_command(self, *words):
        """ctr run with our runtime: OPTIONS… NAME COMMAND…, where NAME follows `-`."""
        at = words.index("-")
        return self.ctr_command("run", "--runc-binary", self.place.runtime, *words[:at], IMAGE, *words[at + 1 :])

    def run(self, *words, **options):
        return self.command(*self.run_command(*words), **options)

    @contextlib.contextmanager
    def background(self, name, *options, command=("sleep", "1000")):
        self.run("--detach", *options, "-", name, *command).expect()
        try:
            yield name
        finally:
            self.remove(name)

    def remove(self, name):
        self.ctr("task", "delete", "--force", name)
        self.ctr("container", "delete", name).expect(0, "container delete")

    def status(self, name):
        """RUNNING, PAUSED, STOPPED, … or nothing for a task that isn't there."""
        for line in self.ctr("task", "list").expect().text.splitlines():
            words = line.split()
            if words and words[0] == name:
                return words[2]
        return ""

    def pid(self, name):
        for line in self.ctr("task", "list").expect().text.splitlines():
            words = line.split()
            if words and words[0] == name:
                return int(words[1])
        raise AssertionError(f"no task {name}")

    def runtime_list(self):
        found = []
        for namespace in ("default", "k8s.io"):
            if os.path.isdir(f"/run/containerd/runc/{namespace}"):
                listed = self.command(self.place.runtime, "--root", f"/run/containerd/runc/{namespace}", "list", "-q")
                found += listed.expect(0, "list").text.split()
        return found

    def clean(self):
        for name in self.ctr("container", "list", "--quiet").expect().text.split():
            self.remove(name)

        for name in os.listdir(self.work):
            if name.endswith(".log"):
                os.remove(os.path.join(self.work, name))

    def leftovers(self):
        left = [f"process {name} ({pid})" for pid, name in processes_below(os.getpid()).items() if pid != self.daemon.pid]
        left += [f"mount {line}" for line in harness.mounts() if "/run/containerd/io.containerd.runtime.v2.task/" in line]
        left += [f"cgroup {path}" for path in cgroups()]
        return left + [f"in the runtime's list: {name}" for name in self.runtime_list()]


def cgroups():
    """Folders of containers in all hierarchies: containerd puts them below the name of its namespace."""
    folders = [f"{root}/{namespace}" for root in hierarchies() for namespace in ("default", "k8s.io")]
    return [entry.path for folder in folders if os.path.isdir(folder) for entry in os.scandir(folder) if entry.is_dir()]
