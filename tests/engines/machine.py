"""What the tests see of the machine.

/run is an empty tmpfs, so that the state of runtimes and engines is ours alone and goes with us. /etc is an overlay with an ordinary user
who has subordinate ids. / is shared, as systemd makes it. The network has only lo. There is no systemd. cgroups are the machine's.
"""

import glob
import os
import subprocess

USER, UID = "mxc-engines", 47211
SUBIDS, SUBIDS_COUNT = 1879048192, 65536


def hierarchies():
    """Where cgroups are mounted: one place for v2, one for each controller of v1."""
    with open("/proc/self/mounts", encoding="utf-8") as file:
        return sorted({line.split()[1] for line in file if line.split()[2] in ("cgroup", "cgroup2")})


def engines_cgroups():
    """Folders of podman, containerd and docker in all hierarchies, the deepest first."""
    found = []
    for root in hierarchies():
        for name in ("libpod_parent", "default", "k8s.io", "docker"):
            found += glob.glob(f"{root}/{name}/**/", recursive=True)
    return sorted((path.rstrip("/") for path in found), key=len, reverse=True)


def _mount(*arguments):
    subprocess.run(["mount", *arguments], check=True)


def _hide_v2():
    """crun takes the v2 tree of a hybrid machine for the whole, and refuses to work: it sees one with the v1 controllers only."""
    controllers = [entry for entry in os.listdir("/sys/fs/cgroup") if entry != "unified"]
    files = {name: os.open(f"/sys/fs/cgroup/{name}", os.O_PATH) for name in controllers}
    _mount("-t", "tmpfs", "-o", "mode=755", "mxc-engines", "/sys/fs/cgroup")
    for name, file in files.items():
        target = f"/sys/fs/cgroup/{name}"
        os.mkdir(target)
        subprocess.run(["mount", "--no-canonicalize", "--bind", f"/proc/self/fd/{file}", target], check=True, pass_fds=[file])
        os.close(file)


def prepare(base):
    """Furnishes the new namespaces. `base` becomes a tmpfs."""
    _mount("-t", "tmpfs", "-o", "mode=755", "mxc-engines", base)
    os.makedirs(base + "/etc/upper")
    os.makedirs(base + "/etc/work")
    _mount("-t", "overlay", "-o", f"lowerdir=/etc,upperdir={base}/etc/upper,workdir={base}/etc/work", "etc", "/etc")
    for name, line in (
        ("passwd", f"{USER}:x:{UID}:{UID}::{base}/rootless/home:/bin/sh"),
        ("group", f"{USER}:x:{UID}:"),
        ("subuid", f"{USER}:{SUBIDS}:{SUBIDS_COUNT}"),
        ("subgid", f"{USER}:{SUBIDS}:{SUBIDS_COUNT}"),
    ):
        with open(f"/etc/{name}", "a+", encoding="utf-8") as file:
            file.write(line + "\n")
    _mount("-t", "tmpfs", "-o", "mode=755", "mxc-engines", "/run")
    os.makedirs("/run/lock")
    if os.path.basename(os.environ.get("RUNTIME", "")) == "crun" and os.path.ismount("/sys/fs/cgroup/unified"):
        _hide_v2()
    _mount("--make-rshared", "/")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
