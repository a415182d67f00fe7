"""The same sandbox for the other programs: made from `mxc plan` and `mxc spec`, so that all mount the same things.

Paths of the benchmark hold no blanks, commas or parentheses; the plan's lines are split at those.
"""

import json
import os
import re

KERNEL = {"proc", "devpts", "mqueue"}


def _flags(line):
    inner = re.search(r"\(([^()]*)\)$", line)
    return inner.group(1).split(", ") if inner else []


def _data(flags):
    """Options of the file system itself; the rest are attributes of the mount."""
    return ",".join(f for f in flags if "=" in f or f == "newinstance")


def parse_plan(text):
    """The plan's mounting steps as tuples (operation, path, …), in order."""
    steps = []
    for numbered in text.splitlines():
        found = re.match(r"\s*\d+  (.*)", numbered)
        if not found:
            continue
        line = found.group(1)
        words = line.split()
        flags = _flags(line)
        mode = "ro" if "ro" in flags else "rw"
        if words[0] == "folder":
            steps.append(("dir", words[1]))
        elif words[0] == "file":
            steps.append(("file", words[1]))
        elif words[0] == "link":
            steps.append(("link", words[3], words[1]))
        elif words[0] == "bind":
            steps.append(("bind", words[1], words[3], mode))
        elif words[0] == "mount" and words[1] == "tmpfs":
            steps.append(("tmpfs", words[3], _data(flags) or "mode=755", mode))
        elif words[0] == "mount" and words[1] == "devpts":
            steps.append(("devpts", words[3], _data(flags)))
        elif words[0] == "mount" and words[1] in KERNEL:
            steps.append((words[1], words[3]))
        elif words[0] in ("hide", "cover"):
            steps.append(("hide", words[1]))
        elif words[0] == "make" and words[2] == "read-only":
            steps.append(("readonly", words[1]))
        elif words[0] == "seal":
            steps.append(("seal", words[1]))
    return steps


def floor_script(steps):
    return "".join(" ".join(step) + "\n" for step in steps)


def bwrap_arguments(steps, cwd, privileged):
    """bubblewrap with the same binds; its own /dev and /proc; no cgroup, no seccomp, no Landlock."""
    arguments = ["--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "sandbox",
                 "--cap-drop", "ALL"]
    if not privileged:
        arguments = [a for a in arguments if a not in ("--cap-drop", "ALL")]
    for step in steps:
        kind, path = step[0], step[1]
        if kind == "proc":
            arguments += ["--proc", path]
        elif kind == "tmpfs" and path == "/dev":
            arguments += ["--dev", path]
        elif kind in ("tmpfs", "dir", "link", "file", "mqueue") and path.startswith("/dev/") or kind == "devpts":
            continue
        elif kind == "tmpfs":
            arguments += ["--tmpfs", path]
        elif kind == "mqueue":
            arguments += ["--mqueue", path]
        elif kind == "dir":
            arguments += ["--dir", path]
        elif kind == "link" and not step[2].startswith("/dev/"):
            arguments += ["--symlink", path, step[2]]
        elif kind == "bind" and not step[2].startswith("/dev/"):
            arguments += ["--ro-bind" if step[3] == "ro" else "--bind", path, step[2]]
        elif kind == "hide" and not path.startswith("/proc/"):
            arguments += ["--tmpfs", path]
    return arguments + ["--remount-ro", "/", "--chdir", cwd, "--"]


def make_mount_point(root, mount):
    """Beforehand, since an id without rights on the host may make none in the root folder."""
    path = root + mount["destination"]
    if mount.get("type") == "bind" and not os.path.isdir(mount["source"]):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "ab"):
            pass
    else:
        os.makedirs(path, exist_ok=True)


def write_bundle(folder, spec_text, privileged):
    """An OCI bundle for crun and runc: mxc's own spec without what OCI has no words for, over a made root folder."""
    spec = json.loads(spec_text)
    annotations = spec.pop("annotations", {})
    root = os.path.join(folder, "rootfs")
    os.makedirs(root, exist_ok=True)
    kept = []
    for mount in spec["mounts"]:
        if mount.get("type") == "bind":
            source = mount["source"]
            if not os.path.exists(source):
                continue
            if os.path.islink(source) and source in ("/bin", "/lib", "/lib32", "/lib64", "/libx32", "/sbin"):
                link = root + source
                if not os.path.lexists(link):
                    os.symlink(os.readlink(source), link)
                continue
            if mount["destination"] == "/etc/localtime":
                continue
            # crun opens what a recursive option is for as a folder.
            mount["options"] = [{"rro": "ro", "rbind": "bind", "rprivate": "private"}.get(o, o) for o in mount["options"]]
        kept.append(mount)
        make_mount_point(root, mount)
    spec["mounts"] = kept
    denied = [rule["path"] for rule in json.loads(annotations.get("dev.mxc.denied", "[]"))]
    spec["linux"].setdefault("maskedPaths", []).extend(denied)
    spec["root"] = {"path": "rootfs", "readonly": True}
    spec["ociVersion"] = "1.0.2"  # crun 1.8 knows no later one
    spec["linux"].get("seccomp", {}).pop("flags", None)  # runc 1.1 knows none
    outside = (2000000, 2000000) if privileged else (os.getuid(), os.getgid())
    if not privileged:
        spec["process"]["user"] = {"uid": 0, "gid": 0}  # runc wants a root inside
    inside = (spec["process"]["user"]["uid"], spec["process"]["user"]["gid"])
    spec["linux"]["uidMappings"] = [{"containerID": inside[0], "hostID": outside[0], "size": 1}]
    spec["linux"]["gidMappings"] = [{"containerID": inside[1], "hostID": outside[1], "size": 1}]
    if not any(n["type"] == "user" for n in spec["linux"]["namespaces"]):
        spec["linux"]["namespaces"].append({"type": "user"})
    if not privileged:
        spec["linux"].pop("resources", None)
        spec["process"].pop("rlimits", None)
    with open(os.path.join(folder, "config.json"), "w", encoding="utf-8") as file:
        json.dump(spec, file)
    return folder
