#!/usr/bin/env python3
"""features.md and features-linux.md: the document of `features`, and that the runtime takes what it says there."""

import os
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
import schemas  # noqa: E402
from harness import check, clause, equal, main  # noqa: E402
from seccomp_rules import ARCH  # noqa: E402


def features(box):
    return box.call("features").expect(0).json


def version(text):
    return tuple(int(part) for part in text.split("-")[0].split("+")[0].split("."))


@clause("features", callers=("root", "rootless"))
def conforms_to_the_schema(box):
    equal(schemas.errors("features-schema.json", features(box)), [], "errors")


@clause("features.specification_version")
def both_versions_are_accepted_and_in_order(box):
    found = features(box)
    low, high = found["ociVersionMin"], found["ociVersionMax"]
    check(version(low) <= version(high), f"versions: {low} and {high}")
    for text in (low, high):
        box.config["ociVersion"] = text
        box.run("true")


@clause("features.hooks")
def all_six_kinds_are_named_and_taken(box):
    kinds = features(box)["hooks"]
    equal(sorted(kinds), sorted(["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]), "hooks")
    box.config["hooks"] = {kind: [{"path": "/bin/true"}] for kind in kinds}
    box.run("true")


@clause("features.mount_options")
def each_one_named_is_taken(box):
    """Each on a mount of its own; those of binds, and those that need what another entry brings, apart."""
    options = features(box)["mountOptions"]
    check({"ro", "rbind", "bind", "nosuid", "rprivate", "tmpcopyup"} <= set(options), f"options: {options}")
    source = box.folder("source")
    # acl, mand and iversion go to the file system, and a tmpfs need not take them; idmap needs mappings.
    apart = {"acl", "noacl", "mand", "nomand", "iversion", "noiversion", "remount", "bind", "rbind", "idmap", "ridmap", "copy-symlink", "src-nofollow",
             "dest-nofollow", "relabel"}  # fmt: skip
    for option in options:
        if option not in apart:
            box.bind(source, f"/tmp/{option}", "rbind", option)
    out = box.run("cat", "/proc/self/mountinfo").out
    places = {mount["place"] for mount in host.mounts(out)}
    equal([option for option in options if option not in apart and f"/tmp/{option}" not in places], [], "options whose mount isn't there")


@clause("features.linux.namespaces")
def each_one_named_is_taken_as_a_type(box):
    kinds = features(box)["linux"]["namespaces"]
    check({"cgroup", "ipc", "mount", "network", "pid", "user", "uts"} <= set(kinds), f"namespaces: {kinds}")
    for kind in kinds:
        if kind == "user":
            box.map_ids()
        elif kind != "time" or os.path.exists("/proc/self/ns/time"):
            box.namespace(kind)
    box.run("true")


@clause("features.linux.capabilities")
def all_of_the_kernels_are_named_and_taken(box):
    names = features(box)["linux"]["capabilities"]
    check("CAP_CHOWN" in names and "CAP_CHECKPOINT_RESTORE" in names, f"capabilities: {names}")
    bounding = int(host.status_field(host.read("/proc/self/status"), "CapBnd"), 16)
    # <linux/capability.h> numbers them from 0 in the order in which the specification lists them.
    known = ["CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP", "LINUX_IMMUTABLE",
             "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT",
             "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE",
             "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ",
             "PERFMON", "BPF", "CHECKPOINT_RESTORE"]  # fmt: skip
    equal(sorted(names), sorted("CAP_" + name for name in known), "capabilities")
    granted = [f"CAP_{name}" for number, name in enumerate(known) if bounding >> number & 1]
    box.capabilities(*granted)
    got = int(host.status_field(box.run("cat", "/proc/self/status").out, "CapEff"), 16)
    equal(got, sum(1 << number for number, name in enumerate(known) if f"CAP_{name}" in granted), "effective set")


@clause("features.linux.cgroup")
def says_which_managers_there_are(box):
    found = features(box)["linux"]["cgroup"]
    check(all(isinstance(found.get(name), bool) for name in ("v1", "v2", "systemd", "systemdUser")), f"cgroup: {found}")
    check(found["v2" if host.is_unified() else "v1"], "what this host has is said not to be supported")


@clause("features.linux.seccomp")
def each_action_operator_architecture_and_flag_is_taken(box):
    found = features(box)["linux"]["seccomp"]
    check(found["enabled"], "seccomp is off")
    check({"SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_NOTIFY"} <= set(found["actions"]), f"actions: {found['actions']}")
    equal(len(found["operators"]), 7, "number of operators")
    seccomp = {"defaultAction": "SCMP_ACT_ALLOW"}
    box.linux["seccomp"] = seccomp
    calls = iter(["getppid", "dup", "sched_yield", "getpriority", "chroot", "sethostname", "setns", "unshare", "mknodat"])
    seccomp["syscalls"] = [{"names": [next(calls)], "action": action} for action in found["actions"] if action not in ("SCMP_ACT_NOTIFY", "SCMP_ACT_ALLOW")]
    box.run("true")
    seccomp["syscalls"] = [{"names": ["mknodat"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 0, "value": 7, "valueTwo": 1, "op": operator}]}
                           for operator in found["operators"]]  # fmt: skip
    box.run("true")
    # Of other machines libseccomp takes the names; but not of another byte order than this one's (seccomp_arch_add(3)).
    big = ("MIPS", "MIPS64", "MIPS64N32", "PPC", "PPC64", "S390", "S390X", "PARISC", "PARISC64", "M68K", "SHEB")
    little = [name for name in found["archs"] if name.removeprefix("SCMP_ARCH_") not in big]
    check(ARCH in little, f"architectures: {found['archs']}")
    seccomp.update(architectures=little, syscalls=[{"names": ["mknodat"], "action": "SCMP_ACT_ERRNO"}])
    box.run("true")
    del seccomp["architectures"]
    for flag in set(found.get("supportedFlags") or []) - {"SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"}:
        seccomp["flags"] = [flag]
        box.run("true")
    check(set(found.get("supportedFlags") or []) <= set(found.get("knownFlags") or []), "a supported flag isn't known")


@clause("features.linux.mount_extensions")
def idmap_is_on_where_such_mounts_work(box):
    found = features(box)["linux"]["mountExtensions"]["idmap"]["enabled"]
    equal(found, True, "mountExtensions.idmap.enabled")


@clause("features.annotations")
def are_a_map_of_texts(box):
    found = features(box).get("annotations")
    if found is not None:
        check(all(isinstance(key, str) and key and isinstance(value, str) for key, value in found.items()), f"annotations: {found}")


@clause("features")
def is_the_same_without_a_host_to_look_at(box):
    """The document is of the program, not of the machine: also where no cgroups and no /proc files can be read."""
    whole = features(box)
    box.mount("-t", "tmpfs", "tmpfs", "/sys/fs/cgroup")
    equal(features(box), whole, "document")


if __name__ == "__main__":
    main()
