#!/usr/bin/env python3
"""config.md, process: capabilities, no_new_privs, scheduling, OOM score, labels; personality and memory policy of config-linux.md."""

import os
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from capabilities import KINDS, NUMBERS, bits, sets  # noqa: E402
from harness import Skip, clause, contains, equal, main  # noqa: E402

# -- capabilities ------------------------------------------------------------------------------------------------------


@clause("config.process.capabilities")
def each_set_is_exactly_what_is_written(box):
    wanted = {
        "bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"],
        "permitted": ["CAP_KILL", "CAP_NET_BIND_SERVICE", "CAP_AUDIT_WRITE"],
        "inheritable": ["CAP_KILL", "CAP_NET_BIND_SERVICE"],
        "effective": ["CAP_KILL", "CAP_AUDIT_WRITE"],
        "ambient": ["CAP_KILL"],
    }
    # As an ordinary user: exec gives root all of its bounding set (capabilities(7)).
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.process["capabilities"] = wanted
    got = sets(box.run("cat", "/proc/self/status").out)
    equal(got["bounding"], bits(wanted["bounding"]), "bounding set")
    equal(got["inheritable"], bits(wanted["inheritable"]), "inheritable set")
    # What an exec leaves of the others is the ambient set.
    for kind in ("permitted", "effective", "ambient"):
        equal(got[kind], bits(wanted["ambient"]), f"{kind} set after exec")


@clause("config.process.capabilities", callers=("root", "rootless"))
def of_root_are_bounded(box):
    box.capabilities("CAP_CHOWN", "CAP_KILL")
    got = sets(box.run("cat", "/proc/self/status").out)
    equal({kind: got[kind] for kind in ("bounding", "permitted", "effective")},
          {kind: bits(["CAP_CHOWN", "CAP_KILL"]) for kind in ("bounding", "permitted", "effective")}, "sets")  # fmt: skip


@clause("config.process.capabilities")
def that_are_left_out_leave_none(box):
    for nothing in ({}, {kind: [] for kind in KINDS}):
        box.process["capabilities"] = nothing
        equal(set(sets(box.run("cat", "/proc/self/status").out).values()), {0}, "sets")


@clause("config.process.capabilities")
def hold_in_what_they_allow(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    equal(box.run("probe", "call", "sethostname", "s:x", "1").out, "sethostname -1\n", "without CAP_SYS_ADMIN")
    box.process["capabilities"] = {kind: ["CAP_SYS_ADMIN"] for kind in KINDS}
    equal(box.run("probe", "call", "sethostname", "s:x", "1").out, "sethostname 0\n", "with CAP_SYS_ADMIN")


@clause("config.process.capabilities")
def an_unknown_name_is_an_error_that_names_it(box):
    """The specification (since 1.1) asks for a warning; we take a misspelt name for a mistake, as crun does."""
    box.capabilities("CAP_BOGUS")
    box.refused("CAP_BOGUS")


@clause("config.process.capabilities")
def one_that_can_not_be_granted_is_a_warning(box):
    """A runtime that lacks a capability itself can't give it."""
    box.capabilities("CAP_SYS_RESOURCE", "CAP_KILL")
    log = box.path("log")
    # setpriv(1) takes it from the runtime's bounding set; where the host has none, as in a VM of containers, it is gone anyway.
    held = int(host.status_field(host.read("/proc/self/status"), "CapBnd"), 16) >> NUMBERS["CAP_SYS_RESOURCE"] & 1
    if held:
        raise Skip("the host grants CAP_SYS_RESOURCE")
    ended = box.try_run("cat", "/proc/self/status", before=("--log", log)).expect(0)
    equal(sets(ended.out)["effective"], bits(["CAP_KILL"]), "effective set")
    contains(host.read(log) + ended.err, "SYS_RESOURCE", "log")


@clause("config.process.no_new_privileges", callers=("root", "rootless"))
def is_what_is_written(box):
    for wanted in (True, False):
        box.process["noNewPrivileges"] = wanted
        equal(host.status_field(box.run("cat", "/proc/self/status").out, "NoNewPrivs"), str(int(wanted)), "NoNewPrivs")


# -- OOM score, scheduling ---------------------------------------------------------------------------------------------


@clause("config.process.oom_score_adj", callers=("root", "rootless"))
def set_is_what_the_program_has(box):
    box.process["oomScoreAdj"] = 500
    equal(box.run("cat", "/proc/self/oom_score_adj").out, "500\n", "oom_score_adj")


@clause("config.process.oom_score_adj", callers=("root", "rootless"))
def not_set_is_the_callers(box):
    # The case is a process of its own, and what it starts has its value.
    host.write("/proc/self/oom_score_adj", "77")
    equal(box.run("cat", "/proc/self/oom_score_adj").out, "77\n", "oom_score_adj")


def attributes(box):
    return dict(line.split(" ", 1) for line in box.run("probe", "attributes").out.splitlines())


@clause("config.process.scheduler")
def policy_and_nice_are_what_is_written(box):
    # <linux/sched.h>
    for policy, number, nice in (("SCHED_BATCH", "3", 5), ("SCHED_IDLE", "5", 0), ("SCHED_OTHER", "0", 7)):
        box.process["scheduler"] = {"policy": policy, "nice": nice}
        got = attributes(box)
        equal((got["policy"], got["nice"]), (number, str(nice)), f"policy and nice of {policy}")


@clause("config.process.scheduler")
def flags_are_what_is_written(box):
    box.process["scheduler"] = {"policy": "SCHED_BATCH", "flags": ["SCHED_FLAG_RESET_ON_FORK"]}
    equal(attributes(box)["flags"], "1", "flags")


@clause("config.process.scheduler")
def an_unknown_policy_is_an_error(box):
    box.process["scheduler"] = {"policy": "SCHED_BOGUS"}
    box.refused("process.scheduler")


@clause("config.process.scheduler")
def an_unknown_flag_is_an_error(box):
    box.process["scheduler"] = {"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_BOGUS"]}
    box.refused("process.scheduler")


@clause("config.process.io_priority")
def class_and_level_are_what_is_written(box):
    for name, number, level in (("IOPRIO_CLASS_BE", "2", 6), ("IOPRIO_CLASS_IDLE", "3", 0), ("IOPRIO_CLASS_RT", "1", 3)):
        box.process["ioPriority"] = {"class": name, "priority": level}
        got = attributes(box)
        equal((got["ioclass"], got["ioprio"]), (number, str(level)), name)


@clause("config.process.io_priority")
def wrong_values_are_errors(box):
    for wrong in ({"class": "IOPRIO_CLASS_BOGUS", "priority": 0}, {"class": "IOPRIO_CLASS_BE", "priority": 8}):
        box.process["ioPriority"] = wrong
        box.refused("process.ioPriority")


@clause("config.process.exec_cpu_affinity")
def is_for_exec_only_and_ends_as_written(box):
    if os.cpu_count() < 2:
        raise Skip("one processor only")
    box.process["execCPUAffinity"] = {"initial": "0", "final": "1"}
    box.launch()
    equal(host.status_field(host.read(f"/proc/{box.pid()}/status"), "Cpus_allowed_list"),
          host.status_field(host.read("/proc/self/status"), "Cpus_allowed_list"), "CPUs of the first process")  # fmt: skip
    contains(box.exec("probe", "attributes").out, "cpus 1\n", "attributes of exec")


@clause("config.process.exec_cpu_affinity")
def what_is_no_list_of_cpus_is_an_error(box):
    box.process["execCPUAffinity"] = {"initial": "0-"}
    box.refused("process.execCPUAffinity")


# -- labels ------------------------------------------------------------------------------------------------------------


@clause("config.process.selinux_label")
def on_a_host_without_selinux_is_an_error(box):
    if os.path.exists("/sys/fs/selinux/enforce"):
        raise Skip("the host has SELinux")
    box.process["selinuxLabel"] = "system_u:system_r:container_t:s0"
    box.refused("process.selinuxLabel", start=True)


@clause("config.process.apparmor_profile")
def on_a_host_without_apparmor_is_an_error(box):
    if os.path.exists("/sys/module/apparmor/parameters/enabled"):
        raise Skip("the host has AppArmor")
    box.process["apparmorProfile"] = "container-default"
    box.refused("process.apparmorProfile", start=True)


@clause("config_linux.mount_label")
def on_a_host_without_selinux_mounts_are_not_labelled_silently(box):
    if os.path.exists("/sys/fs/selinux/enforce"):
        raise Skip("the host has SELinux")
    box.linux["mountLabel"] = "system_u:object_r:container_file_t:s0"
    box.refused("linux.mountLabel", start=True)


# -- personality, memory policy ------------------------------------------------------------------------------------------


@clause("config_linux.personality", callers=("root", "rootless"))
def linux32_shows_a_32_bit_machine(box):
    # Of an x86-64 processor; on others it is the name of their 32 bit one (personality(2)).
    if os.uname().machine != "x86_64":
        raise Skip("it is tried on x86_64")
    box.linux["personality"] = {"domain": "LINUX32"}
    equal(box.run("uname", "-m").out, "i686\n", "machine")
    box.linux["personality"] = {"domain": "LINUX"}
    equal(box.run("uname", "-m").out, "x86_64\n", "machine")


@clause("config_linux.personality")
def an_unknown_domain_is_an_error(box):
    box.linux["personality"] = {"domain": "BOGUS"}
    box.refused("linux.personality")


@clause("config_linux.memory_policy")
def is_that_of_the_program(box):
    if not os.path.isdir("/sys/devices/system/node/node0"):
        raise Skip("the kernel has no memory nodes")
    # <linux/mempolicy.h>
    for mode, number in (("MPOL_BIND", 2), ("MPOL_INTERLEAVE", 3)):
        box.linux["memoryPolicy"] = {"mode": mode, "nodes": "0"}
        equal(box.run("probe", "mempolicy").out, f"mode {number} nodes 1\n", "policy")


@clause("config_linux.memory_policy")
def wrong_modes_and_nodes_are_errors(box):
    for wrong in ({"mode": "MPOL_BOGUS"}, {"mode": "MPOL_BIND", "nodes": "x"}, {"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_BOGUS"]}):
        box.linux["memoryPolicy"] = wrong
        box.refused("linux.memoryPolicy")


@clause("config.hostname", callers=("root", "rootless"))
def is_that_of_the_uts_namespace(box):
    box.config["hostname"] = "mrs-dalloway"
    equal(box.run("hostname").out, "mrs-dalloway\n", "hostname")
    equal(os.uname().nodename == "mrs-dalloway", False, "whether the host has that name too")


@clause("config.domainname", callers=("root", "rootless"))
def is_that_of_the_container(box):
    box.config["domainname"] = "foobarbaz.test"
    equal(box.run("cat", "/proc/sys/kernel/domainname").out, "foobarbaz.test\n", "domainname")


@clause("config.hostname")
def without_a_uts_namespace_is_an_error(box):
    """It would be the host's name that changes."""
    name = os.uname().nodename
    box.no_namespace("uts")
    box.refused("hostname")
    equal(os.uname().nodename, name, "the host's name")


if __name__ == "__main__":
    main()
