"""A bundle with one static program, and what that program says of itself from inside."""

import copy
import json
import os
import shutil
import subprocess

BASE = {
    "ociVersion": "1.2.0",
    "process": {
        "user": {"uid": 0, "gid": 0},
        "args": ["/probe"],
        "env": ["PATH=/bin:/usr/bin"],
        "cwd": "/",
        "capabilities": {"bounding": [], "effective": [], "inheritable": [], "permitted": [], "ambient": []},
        "noNewPrivileges": True,
    },
    "root": {"path": "rootfs"},
    # Devices are made in /dev: in a file system of the container's own, since the root is not a user namespace's to write to.
    "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"},
               {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]}],
    "linux": {"namespaces": [{"type": "mount"}, {"type": "pid"}]},
}

PASSWD = "root:x:0:0:root:/root:/bin/sh\nsomebody:x:1000:1000::/home/somebody:/bin/sh\nbroken:x:77\n"


class Answer:
    """How a run ended: exit status, standard error, and the probe's lines by their first word."""

    def __init__(self, done):
        self.code = done.returncode
        self.stderr = done.stderr
        self.lines = dict(line.split(" ", 1) for line in done.stdout.splitlines() if " " in line)

    def __getitem__(self, word):
        return self.lines[word].strip()

    def words(self, word):
        return [int(number) for number in self.lines[word].split()]


class Bundle:
    """Makes the bundle in `folder`. Runs are root's unless as_user says otherwise."""

    def __init__(self, driver, probe, folder):
        self.driver = driver
        self.user = None
        self.folder = folder
        self.root = os.path.join(folder, "rootfs")
        for name in ("proc", "dev", "bin", "etc", "home/somebody", "noexec", "tmp"):
            os.makedirs(os.path.join(self.root, name), exist_ok=True)
        for name in ("probe", "bin/probe"):
            shutil.copy(probe, os.path.join(self.root, name))
        shutil.copy(probe, os.path.join(self.root, "bin/unexecutable"))
        os.chmod(os.path.join(self.root, "bin/unexecutable"), 0o644)
        with open(os.path.join(self.root, "etc/passwd"), "w") as file:
            file.write(PASSWD)
        os.chmod(folder, 0o755)

    def spec(self, **process):
        """BASE with fields of the process replaced."""
        spec = copy.deepcopy(BASE)
        spec["root"]["path"] = self.root
        spec["process"].update(process)
        return spec

    def as_user(self, uid):
        """Later runs are this user's, who maps only himself, as the container's root."""
        self.user = uid
        driver = os.path.join(self.folder, "driver")
        shutil.copy(self.driver, driver)
        self.driver = driver
        for folder, names, files in os.walk(self.folder):
            for name in names + files:
                os.chown(os.path.join(folder, name), uid, uid)
        os.chown(self.folder, uid, uid)

    def run(self, spec, *options, stdin=subprocess.DEVNULL, **popen):
        path = os.path.join(self.folder, "config.json")
        with open(path, "w") as file:
            json.dump(spec, file)
        if self.user is not None:
            popen = {"user": self.user, "group": self.user, "extra_groups": [], **popen}
        done = subprocess.run([self.driver, *options, path], stdin=stdin, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                              text=True, timeout=60, **popen)
        return Answer(done)


def add_namespaces(spec, *kinds):
    spec["linux"]["namespaces"] += [{"type": kind} for kind in kinds]
    return spec


def add_own_namespace(spec, uid):
    """The caller alone, as the container's root."""
    return add_user_namespace(spec, uid, 1)


def add_user_namespace(spec, base=200000, count=65536):
    """Container ids 0… are host ids base…, which nothing else here uses."""
    add_namespaces(spec, "user")
    mapping = [{"containerID": 0, "hostID": base, "size": count}]
    spec["linux"]["uidMappings"] = spec["linux"]["gidMappings"] = mapping
    return spec
