#!/usr/bin/env python3
"""config-linux.md: namespaces new, inherited and joined; id maps; clocks; and the symbolic values of an entry."""

import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import Skip, check, clause, contains, equal, lacks, main  # noqa: E402

# Names in the configuration and in /proc/PID/ns.
FILES = {"pid": "pid", "network": "net", "ipc": "ipc", "uts": "uts", "mount": "mnt", "cgroup": "cgroup", "user": "user", "time": "time"}


def holder(*flags):
    """A process in namespaces of its own that others join; to be killed."""
    process = subprocess.Popen(["unshare", *flags, "sh", "-c", "echo ready; exec sleep 1000"], stdout=subprocess.PIPE)
    process.stdout.readline()
    return process


def below(pid):
    """The only child of a process: for a pid namespace it is that which is in it."""
    return int(host.read(f"/proc/{pid}/task/{pid}/children").split()[0])


@clause("config_linux.namespaces", callers=("root", "rootless"))
def those_without_a_path_are_new(box):
    box.namespace("cgroup")
    if box.uid == 0:
        box.map_ids()
    pid = box.launch()
    for kind in ("pid", "network", "ipc", "uts", "mount", "cgroup", "user"):
        own = os.readlink(f"/proc/self/ns/{FILES[kind]}")
        check(host.namespace(pid, FILES[kind]) != own, f"the {kind} namespace is the caller's")


@clause("config_linux.namespaces")
def a_time_namespace_without_a_path_is_new(box):
    if not os.path.exists("/proc/self/ns/time"):
        raise Skip("the kernel has no time namespaces")
    box.namespace("time")
    pid = box.launch()
    check(host.namespace(pid, "time") != os.readlink("/proc/self/ns/time"), "the time namespace is the caller's")


@clause("config_linux.namespaces")
def those_left_out_are_the_callers(box):
    for kind in ("network", "ipc", "uts", "pid"):
        box.no_namespace(kind)
    del box.config["hostname"]
    # A sysfs shows the network namespace it is mounted in, and mqueue the ipc namespace.
    pid = box.launch()
    for kind in ("network", "ipc", "uts", "pid", "cgroup", "user"):
        equal(host.namespace(pid, FILES[kind]), os.readlink(f"/proc/self/ns/{FILES[kind]}"), f"{kind} namespace")
    check(host.namespace(pid, "mnt") != os.readlink("/proc/self/ns/mnt"), "the mount namespace is the caller's")


@clause("config_linux.namespaces")
def path_joins_the_given_namespace(box):
    process = holder("--net", "--ipc", "--uts")
    try:
        del box.config["hostname"]
        for kind in ("network", "ipc", "uts"):
            box.namespace(kind, f"/proc/{process.pid}/ns/{FILES[kind]}")
        pid = box.launch()
        for kind in ("network", "ipc", "uts"):
            equal(host.namespace(pid, FILES[kind]), host.namespace(process.pid, FILES[kind]), f"{kind} namespace")
        box.kill("KILL")
        box.delete("--force")
        equal(process.poll(), None, "exit status of the one whose namespaces were joined")
    finally:
        process.kill()
        process.wait()


@clause("config_linux.namespaces")
def path_joins_a_pid_namespace(box):
    process = holder("--pid", "--fork", "--kill-child")
    try:
        inner = below(process.pid)
        box.namespace("pid", f"/proc/{inner}/ns/pid")
        pid = box.launch()
        equal(host.namespace(pid, "pid"), host.namespace(inner, "pid"), "pid namespace")
        check(host.status_field(host.read(f"/proc/{pid}/status"), "NSpid").split()[-1] != "1", "it is process 1 there")
    finally:
        process.kill()
        process.wait()


@clause("config_linux.namespaces")
def path_joins_a_user_namespace(box):
    process = holder("--user", "--net")
    try:
        for name in ("uid_map", "gid_map"):
            host.write(f"/proc/{process.pid}/{name}", "0 400000 1000")
        box.map_ids(400000, 1000)
        del box.linux["uidMappings"], box.linux["gidMappings"]
        box.namespace("user", f"/proc/{process.pid}/ns/user")
        box.namespace("network", f"/proc/{process.pid}/ns/net")
        pid = box.launch()
        for kind in ("user", "network"):
            equal(host.namespace(pid, FILES[kind]), host.namespace(process.pid, FILES[kind]), f"{kind} namespace")
        equal(host.status_field(host.read(f"/proc/{pid}/status"), "Uid").split()[0], "400000", "user id outside")
    finally:
        process.kill()
        process.wait()


@clause("config_linux.namespaces")
def path_of_another_kind_is_an_error(box):
    process = holder("--uts", "--net")
    try:
        box.namespace("network", f"/proc/{process.pid}/ns/uts")
        box.refused("linux.namespaces")
    finally:
        process.kill()
        process.wait()


@clause("config_linux.namespaces")
def path_of_no_namespace_is_an_error(box):
    for wrong in (box.file("plain"), box.path("missing"), "/dev/null", box.base):
        box.namespace("network", wrong)
        box.refused("linux.namespaces")


@clause("config_linux.namespaces")
def path_that_is_relative_is_an_error(box):
    box.namespace("network", "proc/self/ns/net")
    ended = box.try_create("true", cwd="/")
    ended.fails()


@clause("config_linux.namespaces")
def a_type_given_twice_is_an_error(box):
    box.linux["namespaces"].append({"type": "uts"})
    box.refused("linux.namespaces")


@clause("config_linux.namespaces")
def an_unknown_type_is_an_error(box):
    for wrong in ("bogus", "", "net", "mnt"):
        box.linux["namespaces"] = [entry for entry in box.linux["namespaces"] if entry["type"] != wrong] + [{"type": wrong}]
        box.refused("linux.namespaces")
        box.linux["namespaces"].pop()


@clause("config_linux.namespaces")
def path_joins_a_namespace_that_the_joined_user_namespace_does_not_own(box):
    box.map_ids()
    pid = box.launch("sleep", "1000")
    held = box.mount("--bind", f"/proc/{pid}/ns/user", box.file("userns"))
    own = box.mount("--bind", "/proc/self/ns/net", box.file("netns"))
    box.delete("--force")
    del box.linux["uidMappings"], box.linux["gidMappings"]
    box.namespace("user", held)
    box.namespace("network", own)
    # A sysfs can't be made for somebody else's network.
    for entry in box.config["mounts"]:
        if entry["type"] == "sysfs":
            entry.update(type="none", source="/sys", options=["rbind"])
    box.launch("sleep", "1000")
    wanted = [os.readlink("/proc/self/ns/net"), "0 200000 65536"]
    out = box.exec("sh", "-c", "readlink /proc/self/ns/net; cat /proc/self/uid_map").out
    equal([" ".join(line.split()) for line in out.splitlines()], wanted, "network namespace and ids")


@clause("config_linux.namespaces")
def path_joins_all_those_of_another_container(box):
    box.map_ids()
    box.namespace("time")
    box.linux["timeOffsets"] = {"boottime": {"secs": 1337, "nanosecs": 5}}
    pid = box.launch("sleep", "1000")
    names = {"network": "net"}
    for entry in box.linux["namespaces"]:
        if entry["type"] != "mount":
            entry["path"] = f"/proc/{pid}/ns/{names.get(entry['type'], entry['type'])}"
    for field in ("uidMappings", "gidMappings", "timeOffsets"):
        del box.linux[field]
    other = f"{box.tag}-b"
    box.create("sleep", "2000", container=other)
    box.start(other)
    out = box.call("exec", other, "sh", "-c", "cat /proc/1/comm /proc/self/uid_map /proc/self/timens_offsets; ps").expect(0).out
    for part in ("200000", "1337", "sleep 1000", "sleep 2000"):
        contains(out, part, "what exec says")


@clause("config_linux.namespaces")
def exec_is_in_those_of_the_container(box):
    box.namespace("cgroup")
    pid = box.launch()
    wanted = {kind: host.namespace(pid, kind) for kind in ("pid", "net", "ipc", "uts", "mnt", "cgroup")}
    out = box.exec("sh", "-c", "for n in pid net ipc uts mnt cgroup; do readlink /proc/self/ns/$n; done").out.split()
    equal(dict(zip(wanted, out)), wanted, "namespaces")


@clause("config_linux.namespaces.pid", callers=("root", "rootless"))
def the_program_is_process_1_and_sees_no_other(box):
    out = box.shell("echo $$; ls -d /proc/[0-9]*")
    equal(out.split()[:2], ["1", "/proc/1"], "pid and processes")
    lacks(out.replace("/proc/1\n", ""), f"/proc/{os.getpid()}\n", "processes")


@clause("config_linux.namespaces.network", callers=("root", "rootless"))
def has_a_network_of_its_own(box):
    out = box.run("cat", "/proc/net/dev").out
    devices = {line.split(":")[0].strip() for line in out.splitlines()[2:]}
    outside = {line.split(":")[0].strip() for line in host.read("/proc/net/dev").splitlines()[2:]}
    check("lo" in devices, f"devices: {devices}")
    lacks(" ".join(devices), "eth", "devices")
    check(devices != outside or outside == {"lo"}, f"devices are the host's: {devices}")


@clause("config_linux.namespaces.mount", callers=("root", "rootless"))
def nothing_of_the_hosts_tree_is_left(box):
    box.file("secret", "secret")
    seen = host.mounts(box.run("cat", "/proc/self/mountinfo").out)
    equal(seen[0]["place"], "/", "first mount")
    lacks(" ".join(mount["place"] for mount in seen), box.base, "mounts")
    allowed = ("/", "/proc", "/dev", "/sys")
    check(all(mount["place"] in allowed or mount["place"].startswith(("/proc/", "/dev/", "/sys/")) for mount in seen), f"mounts: {seen}")


# -- user namespaces ---------------------------------------------------------------------------------------------------


@clause("config_linux.user_namespace_mappings")
def are_those_of_the_namespace(box):
    box.map_ids()
    box.linux["uidMappings"] = [{"containerID": 0, "hostID": 200000, "size": 10}, {"containerID": 100, "hostID": 300000, "size": 5}]
    box.linux["gidMappings"] = [{"containerID": 0, "hostID": 200000, "size": 20}]
    pid = box.launch()
    rows = [list(map(int, line.split())) for line in host.read(f"/proc/{pid}/uid_map").splitlines()]
    equal(rows, [[0, 200000, 10], [100, 300000, 5]], "uid_map")
    rows = [list(map(int, line.split())) for line in host.read(f"/proc/{pid}/gid_map").splitlines()]
    equal(rows, [[0, 200000, 20]], "gid_map")


@clause("config_linux.user_namespace_mappings")
def may_leave_out_root(box):
    box.map_ids()
    for kind in ("uidMappings", "gidMappings"):
        box.linux[kind] = [{"containerID": 1000, "hostID": 200000, "size": 1}]
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.launch("sleep", "1000")
    equal(box.exec("sh", "-c", "id -u; id -g; cat /proc/1/comm").out, "1000\n1000\nsleep\n", "what exec says")


@clause("config_linux.user_namespace_mappings")
def do_not_change_who_owns_the_files(box):
    box.map_ids()
    path = box.file("bundle/rootfs/etc/owned")
    os.chown(path, 12345, 54321)
    equal(box.run("stat", "-c", "%u %g", "/etc/owned").out, "65534 65534\n", "owner inside")
    found = os.stat(path)
    equal((found.st_uid, found.st_gid), (12345, 54321), "owner outside")


@clause("config_linux.user_namespace_mappings", callers=("rootless",))
def of_one_id_are_the_callers(box):
    pid = box.launch()
    equal(host.read(f"/proc/{pid}/uid_map").split(), ["0", str(box.uid), "1"], "uid_map")
    out = box.exec("sh", "-c", "touch /tmp/made && stat -c %u /tmp/made").out
    equal(out, "0\n", "owner inside")
    equal(os.stat(f"{box.rootfs}/tmp/made").st_uid, box.uid, "owner outside")


@clause("config_linux.user_namespace_mappings")
def without_any_a_new_namespace_is_an_error(box):
    box.namespace("user")
    box.refused("linux.uidMappings")


# -- clocks ------------------------------------------------------------------------------------------------------------


@clause("config_linux.time_offsets")
def move_the_clocks_of_the_namespace(box):
    if not os.path.exists("/proc/self/ns/time"):
        raise Skip("the kernel has no time namespaces")
    box.namespace("time")
    box.linux["timeOffsets"] = {"monotonic": {"secs": 86400, "nanosecs": 5}, "boottime": {"secs": 172800}}
    out = box.run("cat", "/proc/uptime").out
    inside, outside = float(out.split()[0]), time.clock_gettime(time.CLOCK_BOOTTIME)
    check(abs(inside - outside - 172800) < 60, f"uptime inside {inside}, outside {outside}")
    out = box.run("cat", "/proc/self/timens_offsets").out
    equal([line.split() for line in out.splitlines()], [["monotonic", "86400", "5"], ["boottime", "172800", "0"]], "offsets")


@clause("config_linux.time_offsets")
def without_a_time_namespace_are_an_error(box):
    box.linux["timeOffsets"] = {"monotonic": {"secs": 1}}
    box.refused("linux.timeOffsets")


@clause("config_linux.time_offsets")
def of_an_unknown_clock_are_an_error(box):
    box.namespace("time")
    box.linux["timeOffsets"] = {"realtime": {"secs": 1}}
    box.refused("linux.timeOffsets")


if __name__ == "__main__":
    main()
