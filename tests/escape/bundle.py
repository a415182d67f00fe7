"""A plain OCI bundle to break out of: config.json as podman 4 makes it by default, the sandbox's trees as binds, denied and protected
paths as annotations (docs/bundle-process.md), and one run of mxc-runtime."""

import json
import os
import subprocess

from sandbox import CALLER_VARIABLES, Caller

SECCOMP = "/usr/share/containers/seccomp.json"
CAPABILITIES = ["CAP_CHOWN", "CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_FSETID", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_SETFCAP",
                "CAP_SETGID", "CAP_SETPCAP", "CAP_SETUID", "CAP_SYS_CHROOT"]
MASKED = ("/proc/acpi /proc/kcore /proc/keys /proc/latency_stats /proc/timer_list /proc/timer_stats /proc/sched_debug /proc/scsi "
          "/sys/firmware /sys/fs/selinux /sys/dev/block").split()
READONLY = "/proc/asound /proc/bus /proc/fs /proc/irq /proc/sys /proc/sysrq-trigger".split()
# Mounts that can't be made once that namespace is left out.
NEEDS = {"net": "/sys", "ipc": "/dev/mqueue"}
FIRST_ID = 200000
NOTHING = ["nosuid", "noexec", "nodev"]
MOUNTS = [
    {"destination": "/proc", "type": "proc", "source": "proc", "options": NOTHING},
    {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
    {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": [*NOTHING, "ro"]},
    {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
     "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"]},
    {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": NOTHING},
    {"destination": "/dev/shm", "type": "bind", "source": "shm", "options": ["bind", "rprivate", *NOTHING]},
    {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["rprivate", *NOTHING, "relatime", "ro"]},
]


def _named(condition, key, names):
    return any(name in names for name in (condition or {}).get(key) or [])


def _applies(group):
    """Whether a group of the engines' list is for this machine and for a container with CAPABILITIES."""
    for key, names in (("arches", ["amd64"]), ("caps", CAPABILITIES)):
        if (group.get("includes") or {}).get(key) and not _named(group["includes"], key, names):
            return False
        if _named(group.get("excludes"), key, names):
            return False
    return True


def podman_seccomp():
    """The engines' list of calls in the specification's form, as podman hands it to a runtime."""
    with open(SECCOMP, encoding="utf-8") as file:
        listed = json.load(file)
    return {
        "defaultAction": listed["defaultAction"],
        "defaultErrnoRet": listed["defaultErrnoRet"],
        "architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
        "syscalls": [{key: group[key] for key in ("names", "action", "args", "errnoRet") if group.get(key)}
                     for group in listed["syscalls"] if _applies(group)],
    }  # fmt: skip


def policys_process(mxc):
    """What `mxc spec` makes of a policy that says nothing: process and filters of the tightest bundle."""
    policy = {"version": "1.0.0", "process": {"commandLine": "true"}}
    printed = subprocess.run([mxc, "spec", "--policy", "/dev/stdin"], input=json.dumps(policy).encode(), capture_output=True, check=True)
    spec = json.loads(printed.stdout)
    return {
        "process": {key: spec["process"][key] for key in ("capabilities", "rlimits", "noNewPrivileges")},
        "linux": {key: spec["linux"][key] for key in ("seccomp", "maskedPaths", "readonlyPaths")},
    }


class BundleCaller(Caller):
    """Root or an ordinary user with one id, who runs a bundle. The trees lie at the same paths inside and outside.

    tight: None for podman's defaults; else what policys_process() says in their place, with a cgroup namespace and, as root, a
    user namespace and idmapped binds.
    """

    def __init__(self, name, uid, programs, tight=None):
        super().__init__(name, uid, programs)
        self.tight = tight
        self.first_id = FIRST_ID if tight and uid == 0 else uid
        for names, mode in (("bundle",), 0o755), (("bundle", "rootfs"), 0o755), (("bundle", "rootfs", "tmp"), 0o1777), (("shm",), 0o1777):
            os.chown(self._folder(*names, mode=mode), self.first_id, self.first_id)

    def _bind(self, path, access):
        options = ["rbind", "rprivate", access] + (["idmap"] if self.first_id != self.uid else [])
        return {"destination": path, "type": "bind", "source": path, "options": options}

    def _mounts(self, resources, readonly, writable, without):
        mounts = [dict(mount) for mount in MOUNTS if mount["destination"] not in [NEEDS.get(name) for name in without.split(",")]]
        for mount in mounts:
            if mount["source"] == "shm":
                mount["source"] = self.path("shm")
            if mount["type"] == "proc" and "pid" in without.split(",") and self.first_id != self.uid:
                # In a user namespace of its own nobody gets a new proc of the host's pid namespace.
                mount.update(type="bind", source="/proc", options=["rbind"])
        if "tmp" in resources or "tmpfsInodes" in resources:
            size = resources.get("tmp", "64MiB").removesuffix("iB").lower()
            options = ["nosuid", "nodev", "mode=1777", f"size={size}", f"nr_inodes={resources.get('tmpfsInodes', 0)}"]
            mounts.append({"destination": "/tmp", "type": "tmpfs", "source": "tmpfs", "options": options})
        mounts += [self._bind(path, "rw") for path in (self.path("work"), *writable)]
        return mounts + [self._bind(path, "ro") for path in (self.path("bin"), self.path("reference"), self.path("work", "readonly"), *readonly)]

    def _linux(self, resources):
        namespaces = ["pid", "network", "ipc", "uts", "mount"] + (["cgroup"] if self.tight else [])
        linux = {"seccomp": podman_seccomp(), "maskedPaths": MASKED, "readonlyPaths": READONLY, **(self.tight or {}).get("linux", {})}
        if self.first_id != 0:
            namespaces.append("user")
            mapping = [{"containerID": 0, "hostID": self.first_id, "size": 65536 if self.uid == 0 else 1}]
            linux.update(uidMappings=mapping, gidMappings=mapping)
        if self.uid == 0:
            linux["resources"] = {"pids": {"limit": resources.get("pids", 2048)}, "devices": [{"allow": False, "access": "rwm"}]}
            if "memory" in resources:
                linux["resources"]["memory"] = {"limit": int(resources["memory"].removesuffix("MiB")) << 20}
        return {**linux, "namespaces": [{"type": kind} for kind in namespaces]}

    def policy(self, changes=None, readonly=(), resources=None, writable=()):
        """What a policy would say, for run() to say in a bundle's words."""
        return {"changes": changes or {}, "readonly": readonly, "resources": resources or {}, "writable": writable}

    def _config(self, policy, arguments, without):
        denied = [self.path("work", "inner", "denied.txt"), self.path("work", "inner", "denied")]
        protected = [self.path("work", "protected.sh"), self.path("work", "hooks", "post-commit"), self.path("work", "later", "hook")]
        process = {
            "user": {"uid": 0, "gid": 0, "umask": 0o22},
            "args": [self.path("bin", "try_door"), *arguments],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=xterm", "container=podman", "HOME=/root"],
            "cwd": policy["changes"].get("process", {}).get("cwd", "/tmp"),
            "capabilities": {kind: CAPABILITIES for kind in ("bounding", "effective", "permitted")},
            **(self.tight or {}).get("process", {}),
        }
        if "openFiles" in policy["resources"]:
            process["rlimits"] = [{"type": "RLIMIT_NOFILE"} | dict.fromkeys(("hard", "soft"), policy["resources"]["openFiles"])]
        return {
            "ociVersion": "1.0.2-dev",
            "process": process,
            "root": {"path": "rootfs"},
            "hostname": "bundle",
            "mounts": self._mounts(policy["resources"], policy["readonly"], policy["writable"], without),
            "annotations": {
                "dev.mxc.denied": json.dumps([{"path": path} for path in denied]),
                "dev.mxc.protect": json.dumps([{"path": path} for path in protected]),
                "dev.mxc.landlock": '{"enabled":true}',
            },
            "linux": self._linux(policy["resources"]),
        }

    def run(self, program, policy, arguments, without="", **options):
        """Runs `try_door ARGUMENTS` as the bundle's program; (exit code, stdout, stderr). 125: the runtime started nothing."""
        with open(self.path("bundle", "config.json"), "w", encoding="utf-8") as file:
            json.dump(self._config(policy, arguments, without), file)
        environment = {name: "of-the-host" for name in CALLER_VARIABLES}
        environment.update(PATH="/usr/sbin:/usr/bin:/sbin:/bin", HOME=self.path("home"), XDG_RUNTIME_DIR=self.path("runtime"))
        if without:
            environment["MXC_WITHOUT"] = without
        command = [self.path("mxc", program), "--root", self.path("runtime", "state"), "run", "--bundle", self.path("bundle"), f"mxc-{os.getpid()}"]
        if self.uid != 0:
            command = ["setpriv", f"--reuid={self.uid}", f"--regid={self.uid}", "--clear-groups", *command]
        options.setdefault("stdin", subprocess.DEVNULL)
        ended = subprocess.run(command, env=environment, capture_output=True, timeout=60, check=False, **options)
        out, err = ended.stdout.decode(errors="replace"), ended.stderr.decode(errors="replace")
        return 125 if ended.returncode == 1 and err.startswith("mxc-runtime: ") else ended.returncode, out, err
