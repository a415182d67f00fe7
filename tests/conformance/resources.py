#!/usr/bin/env python3
"""config-linux.md, control groups: the path, every resource and its file on cgroup v1 and v2, limits that hold, and what a host lacks."""

import os
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from groups import group_file, has_file  # noqa: E402
from harness import Skip, check, clause, contains, equal, main  # noqa: E402

# What to write where, and what to find in which file: (field of resources, value, v1 controller, v1 file, v1 text, v2 file, v2 text).
# A text of None: cgroup of that version has no such thing.
VALUES = {
    "memory.limit": ({"memory": {"limit": 64 << 20}}, "memory", "memory.limit_in_bytes", str(64 << 20), "memory.max", str(64 << 20)),
    "memory.reservation": ({"memory": {"limit": 64 << 20, "reservation": 32 << 20}}, "memory", "memory.soft_limit_in_bytes", str(32 << 20),
                           "memory.low", str(32 << 20)),
    "memory.swap": ({"memory": {"limit": 64 << 20, "swap": 96 << 20}}, "memory", "memory.memsw.limit_in_bytes", str(96 << 20),
                    "memory.swap.max", str(32 << 20)),
    "memory.swappiness": ({"memory": {"swappiness": 7}}, "memory", "memory.swappiness", "7", None, None),
    "memory.kernel_tcp": ({"memory": {"kernelTCP": 32 << 20}}, "memory", "memory.kmem.tcp.limit_in_bytes", str(32 << 20), None, None),
    "memory.disable_oom_killer": ({"memory": {"limit": 64 << 20, "disableOOMKiller": True}}, "memory", "memory.oom_control",
                                  "oom_kill_disable 1", None, None),
    "cpu.shares": ({"cpu": {"shares": 512}}, "cpu", "cpu.shares", "512", "cpu.weight", "20"),
    "cpu.quota": ({"cpu": {"quota": 40000, "period": 80000}}, "cpu", "cpu.cfs_quota_us", "40000", "cpu.max", "40000 80000"),
    "cpu.period": ({"cpu": {"quota": 40000, "period": 80000}}, "cpu", "cpu.cfs_period_us", "80000", "cpu.max", "40000 80000"),
    "cpu.burst": ({"cpu": {"quota": 40000, "period": 80000, "burst": 20000}}, "cpu", "cpu.cfs_burst_us", "20000", "cpu.max.burst", "20000"),
    "cpu.idle": ({"cpu": {"idle": 1}}, "cpu", "cpu.idle", "1", "cpu.idle", "1"),
    "cpu.cpus": ({"cpu": {"cpus": "0"}}, "cpuset", "cpuset.cpus", "0", "cpuset.cpus", "0"),
    "cpu.mems": ({"cpu": {"mems": "0"}}, "cpuset", "cpuset.mems", "0", "cpuset.mems", "0"),
    "pids.limit": ({"pids": {"limit": 50}}, "pids", "pids.max", "50", "pids.max", "50"),
    "block_io.weight": ({"blockIO": {"weight": 200}}, "blkio", "blkio.bfq.weight", "200", "io.bfq.weight", "default 200"),
}  # fmt: skip


def value_case(name):
    resources, controller, v1_file, v1_text, v2_file, v2_text = VALUES[name]

    def is_what_the_group_has(box):
        if not has_file(controller, v1_file, v2_file):
            raise Skip(f"the host has no {v1_file}")
        box.resources.update(resources)
        pid = box.launch()
        path = group_file(pid, controller, v1_file, v2_file)
        wanted = v2_text if host.is_unified() else v1_text
        got = host.read(path).strip()
        check(wanted in got.splitlines(), f"{path}: {got!r}, wanted {wanted!r}")

    return is_what_the_group_has


for each in VALUES:
    clause(f"config_linux.{each}")(value_case(each))


# -- the path --------------------------------------------------------------------------------------------------------------


@clause("config_linux.cgroups_path")
def that_is_absolute_is_below_the_mount_point(box):
    box.linux["cgroupsPath"] = f"/{box.tag}-top/box"
    pid = box.launch()
    for controller, folder in host.groups_of(pid).items():
        if controller != "" or host.is_unified():
            check(folder.endswith(f"/{box.tag}-top/box"), f"group of {controller}: {folder}")
    box.delete("--force")
    for folder in host.groups_named(f"{box.tag}-top"):
        os.rmdir(folder)


@clause("config_linux.cgroups_path")
def leads_to_the_same_place_each_time(box):
    for path in (f"/{box.tag}-same", f"{box.tag}-relative"):
        box.linux["cgroupsPath"] = path
        seen = []
        for _ in range(2):
            seen.append(host.groups_of(box.launch()))
            box.delete("--force")
        equal(seen[0], seen[1], f"groups for {path}")


@clause("config_linux.cgroups_path")
def not_given_makes_a_group_for_the_container_alone(box):
    other = f"{box.tag}-b"
    first = box.launch()
    box.create("sleep", "100", container=other)
    second = box.pid(other)
    own = host.groups_of("self")
    one, two = host.group_folder(first, "pids"), host.group_folder(second, "pids")
    check(one != two, f"both are in {one}")
    check(one != own["" if host.is_unified() else "pids"], "it is in the caller's group")


@clause("config_linux.cgroups_path")
def that_climbs_out_stays_below_the_mount_point(box):
    box.linux["cgroupsPath"] = f"/../../../{box.tag}-out"
    ended = box.try_create("sleep", "100")
    check(not os.path.exists(f"/sys/fs/{box.tag}-out") and not os.path.exists(f"/sys/{box.tag}-out"), "made outside")
    if ended.code == 0:
        for folder in host.groups_of(box.pid()).values():
            check(folder.startswith("/sys/fs/cgroup/"), f"group: {folder}")


@clause("config_linux.control_groups")
def the_program_and_what_exec_starts_are_in_the_same_groups(box):
    pid = box.launch()
    box.exec("sleep", "100", flags=("--detach", "--pid-file", box.path("pid")))
    second = int(host.read(box.path("pid")))
    for controller, folder in host.groups_of(pid).items():
        if controller != "" or host.is_unified():
            equal(host.groups_of(second)[controller], folder, f"group of {controller}")


@clause("config_linux.control_groups.ownership")
def stays_the_runtimes_on_v1(box):
    if host.is_unified():
        raise Skip("the host has cgroup v2")
    box.map_ids()
    box.namespace("cgroup")
    pid = box.launch()
    for controller in ("memory", "pids", "devices"):
        found = os.stat(host.group_folder(pid, controller))
        equal((found.st_uid, found.st_gid), (0, 0), f"owner of the {controller} group")


@clause("config_linux.control_groups.ownership")
def goes_to_the_containers_root_on_v2_when_mounted_writable(box):
    if not host.is_unified():
        raise Skip("the host has cgroup v1")
    box.map_ids(200000)
    box.namespace("cgroup")
    box.add_mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "rw"])
    folder = host.group_folder(box.launch(), "")
    delegated = host.read("/sys/kernel/cgroup/delegate").split()
    for name in os.listdir(folder):
        if os.path.isfile(os.path.join(folder, name)):
            owner = os.stat(os.path.join(folder, name)).st_uid
            equal(owner, 200000 if name in delegated else 0, f"owner of {name}")


# -- limits that hold --------------------------------------------------------------------------------------------------------


@clause("config_linux.memory")
def over_the_limit_the_program_is_killed(box):
    box.resources["memory"] = {"limit": 32 << 20, "swap": 32 << 20}
    contains(box.run("probe", "memory", "8").out, "touched 8 MiB", "output below the limit")
    equal(box.run("probe", "memory", "100", code=128 + 9).out, "", "output above the limit")


@clause("config_linux.memory")
def minus_one_is_no_limit(box):
    box.resources["memory"] = {"limit": -1}
    pid = box.launch()
    text = host.read(group_file(pid, "memory", "memory.limit_in_bytes", "memory.max")).strip()
    check(text == "max" or int(text) > 1 << 60, f"limit: {text}")


@clause("config_linux.memory")
def swap_below_the_limit_is_an_error(box):
    """It limits both together on v1, and the sum must hold on v2."""
    box.resources["memory"] = {"limit": 64 << 20, "swap": 32 << 20}
    box.refused("linux.resources.memory")


@clause("config_linux.cpu")
def a_wrong_list_of_cpus_is_an_error(box):
    for wrong in ("x", "0-", "9999"):
        box.resources["cpu"] = {"cpus": wrong}
        box.refused("linux.resources.cpu")


@clause("config_linux.cpu")
def cpus_are_those_the_program_may_use(box):
    box.resources["cpu"] = {"cpus": "0"}
    contains(box.run("probe", "attributes").out, "cpus 0\n", "attributes")


@clause("config_linux.pids")
def over_the_limit_no_process_is_made(box):
    box.resources["pids"] = {"limit": 20}
    made = int(box.run("probe", "processes", "100").out.split()[1])
    check(10 <= made < 20, f"processes made: {made}")


@clause("config_linux.pids")
def no_positive_number_is_no_limit(box):
    box.resources["pids"] = {"limit": -1}
    pid = box.launch()
    equal(host.read(group_file(pid, "pids", "pids.max", "pids.max")).strip(), "max", "pids.max")


def block_device():
    """major:minor of a block device whose rate can be limited."""
    for name in sorted(os.listdir("/sys/block")):
        if name.startswith(("vd", "sd", "nvme")):
            return tuple(map(int, host.read(f"/sys/block/{name}/dev").split(":")))
    raise Skip("the host has no block device to limit")


@clause("config_linux.block_io")
def throttles_are_those_of_the_group(box):
    major, minor = block_device()
    fields = {"throttleReadBpsDevice": ("read_bps_device", "rbps", 1 << 20), "throttleWriteBpsDevice": ("write_bps_device", "wbps", 2 << 20),
              "throttleReadIOPSDevice": ("read_iops_device", "riops", 100), "throttleWriteIOPSDevice": ("write_iops_device", "wiops", 200)}  # fmt: skip
    box.resources["blockIO"] = {field: [{"major": major, "minor": minor, "rate": rate}] for field, (_, _, rate) in fields.items()}
    pid = box.launch()
    for v1_name, v2_name, rate in fields.values():
        text = host.read(group_file(pid, "blkio", f"blkio.throttle.{v1_name}", "io.max"))
        contains(text, f"{v2_name}={rate}" if host.is_unified() else f"{major}:{minor} {rate}", v1_name)


@clause("config_linux.block_io")
def of_a_device_that_does_not_exist_is_an_error(box):
    box.resources["blockIO"] = {"throttleReadBpsDevice": [{"major": 4000, "minor": 4000, "rate": 1024}]}
    box.refused("linux.resources.blockIO")


# -- what a host lacks, or v2 alone has ----------------------------------------------------------------------------------------


def lacking(box, field, value, controller):
    places = host.hierarchies()
    if controller in places or (host.is_unified() and controller in host.read("/sys/fs/cgroup/cgroup.controllers").split()):
        raise Skip(f"the host has {controller}")
    box.resources[field] = value
    box.refused(f"linux.resources.{field}")


@clause("config_linux.huge_page_limits")
def without_the_controller_are_an_error(box):
    lacking(box, "hugepageLimits", [{"pageSize": "2MB", "limit": 2 << 20}], "hugetlb")


@clause("config_linux.huge_page_limits")
def of_a_size_the_host_lacks_are_an_error(box):
    box.resources["hugepageLimits"] = [{"pageSize": "3MB", "limit": 3 << 20}]
    box.refused("linux.resources.hugepageLimits")


@clause("config_linux.network")
def classes_and_priorities_without_the_controllers_are_errors(box):
    lacking(box, "network", {"classID": 1048577, "priorities": [{"name": "lo", "priority": 5}]}, "net_cls")


@clause("config_linux.rdma")
def limits_without_the_controller_are_an_error(box):
    lacking(box, "rdma", {"mlx5_0": {"hcaHandles": 3}}, "rdma")


@clause("config_linux.unified")
def on_v1_is_an_error(box):
    if host.is_unified():
        raise Skip("the host has cgroup v2")
    box.resources["unified"] = {"memory.high": "1000000"}
    box.refused("linux.resources.unified")


@clause("config_linux.unified")
def is_written_as_it_is(box):
    if not host.is_unified():
        raise Skip("the host has cgroup v1")
    box.resources["unified"] = {"memory.high": str(64 << 20), "pids.max": "77"}
    folder = host.group_folder(box.launch(), "")
    equal(host.read(f"{folder}/memory.high").strip(), str(64 << 20), "memory.high")
    equal(host.read(f"{folder}/pids.max").strip(), "77", "pids.max")


@clause("config_linux.unified")
def of_a_controller_or_file_that_is_not_there_is_an_error(box):
    if not host.is_unified():
        raise Skip("the host has cgroup v1")
    for key in ("nosuch.max", "memory.nosuch", "../cgroup.procs", "a/b"):
        box.resources["unified"] = {key: "1"}
        box.refused("linux.resources.unified")


@clause("config_linux.intel_rdt")
def without_resctrl_is_an_error(box):
    if any(mount["type"] == "resctrl" for mount in host.mounts()):
        raise Skip("the host has resctrl")
    box.linux["intelRdt"] = {"closID": "guaranteed", "l3CacheSchema": "L3:0=7f0"}
    box.refused("linux.intelRdt")


if __name__ == "__main__":
    main()
