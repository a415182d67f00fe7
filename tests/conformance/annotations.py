#!/usr/bin/env python3
"""Annotations dev.mxc.*: denied and protected paths, Landlock, and what only sandboxes of ours have. No other runtime knows them."""

import json
import os
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import Skip, check, clause, contains, equal, lacks, main  # noqa: E402
from seccomp_rules import ARCH, rule  # noqa: E402

LANDLOCK = '{"enabled":true}'


def hold(box, denied=(), protect=(), landlock=True, **more):
    """The annotations; the folder /srv of the image, which is writable inside, with a secret in it."""
    if box.peer:
        raise Skip("annotations of ours")
    box.folder("bundle/rootfs/srv", 0o777)
    box.file("bundle/rootfs/srv/secret", "secret\n", 0o666)
    annotations = {"dev.mxc." + name.replace("_", "-"): value for name, value in more.items()}
    for name, paths in (("denied", denied), ("protect", protect)):
        if paths:
            annotations["dev.mxc." + name] = json.dumps([{"path": path, "rule": f"r:{path}"} for path in paths])
    if landlock:
        annotations["dev.mxc.landlock"] = LANDLOCK
    box.config["annotations"] = annotations


def inside(box, *parts):
    return os.path.join(box.rootfs, *parts)


def keepers(box):
    """Pids of the processes that stay with the box's containers: a keeper and its guard each."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            comm = host.read(f"/proc/{pid}/comm").strip()
            line = host.read_bytes(f"/proc/{pid}/cmdline")
        except OSError:
            continue
        if comm == "mxc-keeper" and box.state_root.encode() in line:
            found.append(int(pid))
    return sorted(found)


# ---- denied ----------------------------------------------------------------------------------------------------------


@clause("dev_mxc.denied", callers=("root", "rootless"))
def the_name_is_there_and_opening_it_is_refused(box):
    hold(box, ["/srv/secret"])
    out = box.shell("ls /srv; cat /srv/secret 2>&1; mv /srv/secret /srv/moved 2>&1; rm /srv/secret 2>&1; (echo x >/srv/secret) 2>&1; true")
    contains(out, "secret\n", "names")
    equal(out.count("Permission denied"), 2, "refusals of open")
    equal(out.count("busy"), 2, "refusals of rename and unlink")
    equal(host.read(inside(box, "srv/secret")), "secret\n", "the file afterwards")


@clause("dev_mxc.denied", callers=("root", "rootless"))
def a_folder_is_shut_with_all_that_is_in_it(box):
    box.folder("bundle/rootfs/srv/keys")
    box.file("bundle/rootfs/srv/keys/one", "key\n", 0o666)
    hold(box, ["/srv/keys"])
    out = box.shell("ls /srv/keys 2>&1; cat /srv/keys/one 2>&1; true")
    equal(out.count("Permission denied"), 2, "refusals")
    lacks(out, "key\n", "output")


@clause("dev_mxc.denied")
def a_root_that_overrides_permissions_is_refused_too(box):
    """Without a user namespace CAP_DAC_OVERRIDE opens files of every owner, but for one that has no id."""
    hold(box, ["/srv/secret"])
    box.capabilities("CAP_DAC_OVERRIDE", "CAP_FOWNER", "CAP_CHOWN", "CAP_MKNOD", "CAP_SYS_CHROOT", "CAP_SETUID")
    script = "cat /srv/secret 2>&1; chmod 777 /srv/secret 2>&1; chown 0 /srv/secret 2>&1; true"
    out = box.shell(script)
    contains(out, "Permission denied", "output")
    lacks(out, "secret\n", "what cat shows")
    # A cover that was put back is as good as the first.
    box.launch("sh", "-c", "while [ ! -e /tmp/go ]; do sleep 0.01; done; cat /srv/secret; sleep 60", flags=())
    fresh = host.write(inside(box, "srv/fresh"), "fresh\n")
    os.rename(fresh, inside(box, "srv/secret"))
    time.sleep(0.2)
    contains(box.call("exec", box.id, "cat", "/srv/secret").err, "Permission denied", "exec after the file was replaced")
    box.delete("--force")


@clause("dev_mxc.denied")
def a_user_namespace_that_maps_the_hosts_root_changes_nothing(box):
    hold(box, ["/srv/secret"])
    box.namespace("user")
    for kind in ("uidMappings", "gidMappings"):
        box.linux[kind] = [{"containerID": 0, "hostID": 0, "size": 100000}]
    box.capabilities("CAP_DAC_OVERRIDE", "CAP_DAC_READ_SEARCH", "CAP_FOWNER")
    contains(box.shell("cat /srv/secret 2>&1; true"), "Permission denied", "output")


@clause("dev_mxc.denied", callers=("root", "rootless"))
def what_is_put_there_from_outside_is_shut_too(box):
    hold(box, ["/srv/secret"])
    box.launch("sh", "-c", "i=0; while [ $i -lt 100000 ]; do cat /srv/secret; i=$((i+1)); done 2>/dev/null")
    for number in range(60):
        fresh = box.file("bundle/rootfs/srv/fresh", f"number {number}\n", 0o666)
        os.rename(fresh, inside(box, "srv/secret"))
        time.sleep(0.005)
    time.sleep(0.1)
    seen = box.call("exec", box.id, "cat", "/srv/secret")
    contains(seen.err, "Permission denied", "exec's cat")
    warned = box.delete("--force").err
    contains(warned, "/srv/secret (r:/srv/secret): replaced from outside and covered again", "what delete says")
    if box.uid == 0:
        equal(host.read(box.path("out.1")), "", "what the program could read")


@clause("dev_mxc.denied", callers=("root", "rootless"))
def a_name_that_is_made_inside_is_moved_away_and_delete_says_where(box):
    """With all that its maker writes, also when the name is gone and the file is still open there."""
    hold(box, ["/srv/.env"], ["/srv/.gitmodules"])
    box.run("sh", "-c", "for name in .env .gitmodules; do (echo first; sleep 0.5; echo last) > /srv/$name & done; wait; true", flags=("--keep",))
    said = box.delete().err
    for name in (".env", ".gitmodules"):
        check(not os.path.exists(inside(box, "srv", name)), f"{name} is still there")
        where = re.findall(rf"/srv/{re.escape(name)} \S+ made inside; it lies in (\S+) now", said)
        equal(len(where), 1, f"places of {name} in {said!r}")
        # As root fanotify refuses the very open that makes a denied name.
        refused = box.uid == 0 and name == ".env"
        equal(host.read(where[0]), "" if refused else "first\nlast\n", f"what lies in {where[0]}")
        os.unlink(where[0])
    os.rmdir(os.path.dirname(where[0]))


@clause("dev_mxc.protect", callers=("root", "rootless"))
def what_is_protected_can_be_read_and_not_changed(box):
    hold(box, (), ["/srv/secret"])
    out = box.shell("cat /srv/secret; (echo x >/srv/secret) 2>&1; rm /srv/secret 2>&1; true")
    contains(out, "secret\n", "output")
    contains(out, "Read-only file system", "output")
    contains(out, "busy", "output")


@clause("dev_mxc.denied", callers=("root", "rootless"))
def exec_finds_it_shut_as_well(box):
    hold(box, ["/srv/secret"])
    box.launch()
    contains(box.exec("cat", "/srv/secret", code=1).err, "Permission denied", "stderr")
    asked = box.call("exec", "--cap", "CAP_SYS_ADMIN", box.id, "true")
    asked.fails()
    contains(asked.err, "dev.mxc.denied: with CAP_SYS_ADMIN", "what exec says to a capability that takes mounts off")


@clause("dev_mxc.denied", callers=("root", "rootless"))
def the_container_ends_when_its_keeper_or_guard_does(box):
    hold(box, ["/srv/secret"])
    for victim in (0, 1):
        pid = box.launch()
        staying = keepers(box)
        equal(len(staying), 2, "processes that stay")
        os.kill(staying[victim], signal.SIGKILL)
        check(host.eventually(lambda pid=pid: not host.alive(pid) or host.process_state(pid) == "Z", 2), f"the container lives on without process {victim}")
        box.reap(pid)
        check(host.eventually(lambda: not keepers(box), 2), "the other process of the two stays")
        box.delete("--force")


@clause("dev_mxc.denied", callers=("root", "rootless"))
def nothing_stays_when_the_container_is_gone(box):
    hold(box, ["/srv/secret", "/srv/none"])
    box.create("true")
    equal(len(keepers(box)), 2, "processes that stay with a created container")
    box.delete()
    check(host.eventually(lambda: not keepers(box), 2), "a process stays after delete")
    box.run("true")
    check(host.eventually(lambda: not keepers(box), 2), "a process stays after run")
    equal(sorted(os.listdir(inside(box, "srv"))), ["secret"], "what lies in the folder")


@clause("dev_mxc.denied")
def the_keeper_holds_nothing_of_the_callers_open(box):
    """Whoever waits for the end of create's output must not wait for the container's."""
    hold(box, ["/srv/secret"])
    box.launch()
    out = os.path.realpath(box.path("out.1"))
    for pid in keepers(box):
        held = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
        check(out not in held, f"process {pid} holds {held}")
        check(not any(name.startswith(box.bundle) for name in held), f"process {pid} holds {held}")
        dirty = int(host.status_field(host.read(f"/proc/{pid}/smaps_rollup"), "Private_Dirty").split()[0])
        check(dirty < 1024, f"process {pid} has {dirty} KiB of its own")


@clause("dev_mxc.denied")
def what_could_take_it_off_is_refused(box):
    hold(box, ["/srv/secret"])
    box.capabilities("CAP_SYS_ADMIN")
    box.refused("dev.mxc.denied", "CAP_SYS_ADMIN")
    box.capabilities("CAP_DAC_READ_SEARCH", kinds=("bounding",))
    box.refused("dev.mxc.denied", "CAP_DAC_READ_SEARCH")
    box.capabilities()
    box.no_namespace("pid")
    box.refused("dev.mxc.denied", "pid namespace")
    box.namespace("pid")
    box.linux["rootfsPropagation"] = "shared"
    box.refused("dev.mxc.denied", "shared")
    del box.linux["rootfsPropagation"]
    box.run("true")


@clause("dev_mxc.denied")
def a_program_that_can_make_mount_namespaces_needs_landlock_or_a_list(box):
    hold(box, ["/srv/secret"], landlock=False)
    box.refused("dev.mxc.denied", "makes mounts")
    allowed = ["read", "write", "openat", "open", "close", "stat", "execve", "exit", "exit_group", "brk", "mmap", "mprotect", "munmap", "rt_sigaction",
               "rt_sigprocmask", "fstat", "newfstatat", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "readlink", "getrandom",
               "getuid", "geteuid", "getpid", "getppid", "sendfile", "ioctl", "lstat", "lseek", "poll", "uname", "access"]  # fmt: skip
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ERRNO", "architectures": [ARCH], "syscalls": [{"names": allowed, "action": "SCMP_ACT_ALLOW"}]}
    contains(box.run("cat", "/srv/secret", code=1).err, "Permission denied", "stderr under a list")
    box.linux["seccomp"]["syscalls"].append({"names": ["unshare"], "action": "SCMP_ACT_ALLOW"})
    box.refused("dev.mxc.denied", "makes mounts")


@clause("dev_mxc.denied")
def where_the_image_has_no_such_file_system_is_an_error(box):
    hold(box, ["/proc/cpuinfo"])
    box.refused("deny /proc/cpuinfo")


# ---- Landlock --------------------------------------------------------------------------------------------------------


@clause("dev_mxc.landlock", callers=("root", "rootless"))
def exec_is_under_the_same_rules(box):
    """Whoever is under rules for files can mount nothing, with any capability."""
    hold(box)
    box.folder("bundle/rootfs/mnt")
    box.capabilities("CAP_SYS_ADMIN")
    mount = ("sh", "-c", "mount -t tmpfs x /mnt 2>/dev/null && echo mounted; echo y > /srv/new && cat /srv/new")
    equal(box.run(*mount).out, "y\n", "what the program could do")
    box.launch("sleep", "60", container=box.id)
    equal(box.exec(*mount).out, "y\n", "what exec's process could do")
    os.unlink(os.path.join(box.state_root, box.id, "landlock"))
    equal(box.exec(*mount).out, "mounted\ny\n", "without the rules")


# ---- what a bundle can't have ----------------------------------------------------------------------------------------


@clause("dev_mxc.annotations")
def those_of_sandboxes_are_refused_by_name(box):
    for name, value in (("identity", "caller"), ("init", "true"), ("timeout-ms", "1000"), ("named-limits", '["memory"]'), ("caller-owned", '["/srv"]'),
                        ("if-present", '["/srv"]')):  # fmt: skip
        hold(box, landlock=False)
        box.config["annotations"]["dev.mxc." + name] = value
        box.refused("dev.mxc." + name)


@clause("dev_mxc.annotations")
def refusals_leave_nothing(box):
    hold(box, ["/srv/secret"])
    box.config["mounts"].append({"destination": "/nowhere", "type": "none", "source": box.path("none"), "options": ["bind"]})
    box.refused()
    check(host.eventually(lambda: not keepers(box), 2), "a keeper stays")
    box.config["mounts"].pop()
    box.config["process"]["cwd"] = "/srv/secret/x"
    box.refused(start=True)
    box.call("delete", "--force", box.id)
    check(host.eventually(lambda: not keepers(box), 2), "a keeper stays")
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [rule("getppid")]}
    box.config["process"]["cwd"] = "/"
    box.run("true")


if __name__ == "__main__":
    main()
