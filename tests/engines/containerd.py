"""A containerd of our own that uses the runtime under test, driven through ctr or, by cri.py, as Kubernetes does."""

import contextlib
import json
import os
import re
import signal
import subprocess

from engine import Engine, check, eventually, harness, image, machine, processes_below

IMAGE = "docker.io/library/local:latest"
HANDLER = "mxc"
# Before what the documentation says of the handler. Started without CAP_SYS_RESOURCE, containerd can't give a sandbox the oom_score_adj of
# -998 that Kubernetes wants for it.
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
"""

# One link for each pod; the addresses are taken note of below /run.
NETWORK = {"cniVersion": "0.4.0", "name": "pods", "plugins": [{"type": "ptp", "ipam": {
    "type": "host-local", "subnet": "10.99.0.0/24", "dataDir": "/run/cni"}}]}  # fmt: skip


class Containerd(Engine):
    """containerd with its root in a folder of the test's; `ctr` runs ctr, `run` runs a container with the runtime."""

    programs = ("containerd", "ctr")

    def __init__(self, place, caller):
        super().__init__(place, caller, "containerd")
        self.socket = os.path.join(self.base, "containerd.sock")
        self.config = os.path.join(self.base, "config.toml")
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(CONFIG.format(base=self.base, handler=HANDLER, image=IMAGE))
            file.write(place.documented("version = 2\n").removeprefix("version = 2\n"))
        os.mkdir(self.base + "/cni")
        with open(self.base + "/cni/pods.conflist", "w", encoding="utf-8") as file:
            json.dump(NETWORK, file)
        self.start_daemon()
        archive = image.make_archive(place.tar, self.base + "/image.tar")
        for namespace in ("default", "k8s.io"):
            self.ctr("--namespace", namespace, "image", "import", archive).expect()

    def start_daemon(self):
        # pylint: disable=consider-using-with
        with open(self.base + "/log", "ab") as log:
            self.daemon = subprocess.Popen(["containerd", "--config", self.config], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           env=self.environment())  # fmt: skip
        check(eventually(lambda: self.ctr("version").code == 0, 20), "containerd does not answer")

    def kill_daemon(self):
        self.daemon.send_signal(signal.SIGKILL)
        self.daemon.wait()

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

        self.empty_work()

    def leftovers(self):
        left = [f"process {name} ({pid})" for pid, name in processes_below(os.getpid()).items() if pid != self.daemon.pid]
        left += [f"mount {line}" for line in harness.mounts() if "/run/containerd/io.containerd.runtime.v2.task/" in line]
        left += [f"cgroup {path}" for path in machine.engines_cgroups() if re.search("/(default|k8s.io)/", path)]
        return left + [f"in the runtime's list: {name}" for name in self.runtime_list()]
