"""A dockerd of our own with the runtime under test among its runtimes. It starts its own containerd."""

import contextlib
import json
import os
import re
import subprocess

from engine import Engine, check, eventually, harness, machine, processes_below

IMAGE = "local"


class Docker(Engine):
    """dockerd without bridge and packet filter; `docker` runs the client, `run` a container with the runtime."""

    programs = ("dockerd", "docker", "containerd")

    def __init__(self, place, caller):
        super().__init__(place, caller, "docker")
        self.socket = f"unix://{self.base}/docker.sock"
        settings = json.loads(place.documented("{\n"))
        (self.name,) = settings["runtimes"]
        settings.update({"default-runtime": self.name, "bridge": "none", "iptables": False, "ip6tables": False, "ip-forward": False})
        settings.update(
            {"data-root": self.base + "/data", "exec-root": "/run/docker", "hosts": [self.socket], "pidfile": self.base + "/pid"}
        )
        with open(self.base + "/daemon.json", "w", encoding="utf-8") as file:
            json.dump(settings, file)
        with open(self.base + "/log", "ab") as log:
            self.daemon = subprocess.Popen(["dockerd", "--config-file", self.base + "/daemon.json"], stdin=subprocess.DEVNULL, stdout=log,
                                           stderr=log, env=self.environment())  # fmt: skip
        check(eventually(lambda: self.docker("version").code == 0, 30), "dockerd does not answer")
        self.docker("import", place.tar, IMAGE).expect()
        self.own = set(processes_below(os.getpid()))

    def docker_command(self, *arguments):
        return ["docker", "--host", self.socket, *arguments]

    def docker(self, *arguments, **options):
        return self.command(*self.docker_command(*arguments), **options)

    def run_command(self, *words):
        """docker run --rm: OPTIONS… - COMMAND…, where `-` is the image."""
        return self.docker_command("run", "--rm", "--network", "none", *[IMAGE if word == "-" else word for word in words])

    def run(self, *words, **options):
        return self.command(*self.run_command(*words), **options)

    @contextlib.contextmanager
    def background(self, name, *options, command=("sleep", "1000")):
        self.docker("run", "--detach", "--name", name, "--network", "none", *options, IMAGE, *command).expect()
        try:
            yield name
        finally:
            self.docker("rm", "--force", name).expect()

    def inspect(self, name, template):
        return self.docker("inspect", "--format", template, name).expect().text.strip()

    def clean(self):
        names = self.docker("ps", "--all", "--quiet").expect().text.split()
        if names:
            self.docker("rm", "--force", *names)
        self.empty_work()

    def leftovers(self):
        below = processes_below(os.getpid())
        left = [f"process {name} ({pid})" for pid, name in below.items() if pid not in self.own]
        left += [f"mount {line}" for line in harness.mounts() if "/merged " in line]
        return left + [f"cgroup {path}" for path in machine.engines_cgroups() if re.search("/docker/", path)]
