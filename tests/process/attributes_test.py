#!/usr/bin/env python3
"""Scheduling, memory policy, personality, clocks, keyrings, labels and network devices of a bundle, observed from inside.

Usage: attributes_test.py DRIVER PROBE. Needs root; runs in mount and network namespaces of its own.
"""

import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bundle import add_namespaces, add_user_namespace  # noqa: E402
from case import Case, main  # noqa: E402


class Scheduler(Case):
    def observe(self, **scheduler):
        return self.good(self.bundle.spec(scheduler=scheduler, args=["/probe", "scheduler"]))["scheduler"]

    def test_policies_and_their_parameters(self):
        self.assertIn("policy=3 flags=0 nice=5", self.observe(policy="SCHED_BATCH", nice=5))
        self.assertIn("policy=5", self.observe(policy="SCHED_IDLE"))
        self.assertIn("policy=0 flags=1 nice=-3", self.observe(policy="SCHED_OTHER", nice=-3, flags=["SCHED_FLAG_RESET_ON_FORK"]))

    def test_real_time(self):
        answer = self.bundle.run(self.bundle.spec(scheduler={"policy": "SCHED_RR", "priority": 7}, args=["/probe", "scheduler"]))
        # A cgroup v1 without a share of real time refuses it (sched(7)): then the field is named.
        if answer.code == 0:
            self.assertIn("policy=2 flags=0 nice=0 priority=7", answer["scheduler"])
        else:
            self.assertIn("/process/scheduler: set the scheduling policy: EPERM", answer.stderr)

    def test_deadline(self):
        wanted = {"policy": "SCHED_DEADLINE", "runtime": 1000000, "deadline": 20000000, "period": 30000000}
        answer = self.bundle.run(self.bundle.spec(scheduler=wanted, args=["/probe", "scheduler"]))
        if answer.code == 0:
            self.assertIn("policy=6", answer["scheduler"])
            self.assertIn("runtime=1000000 deadline=20000000 period=30000000", answer["scheduler"])
        else:
            self.assertIn("/process/scheduler: set the scheduling policy: E", answer.stderr)

    def test_in_a_user_namespace_nothing_above_the_caller(self):
        spec = add_user_namespace(self.bundle.spec(scheduler={"policy": "SCHED_FIFO", "priority": 1}))
        self.refused(spec, "/process/scheduler", "EPERM", "CAP_SYS_NICE")

    def test_names_and_ranges(self):
        self.refused(self.bundle.spec(scheduler={"policy": "SCHED_LUCKY"}), "/process/scheduler/policy", "SCHED_LUCKY")
        self.refused(self.bundle.spec(scheduler={"policy": "SCHED_OTHER", "flags": ["SCHED_FLAG_X"]}), "/process/scheduler/flags/0")
        self.refused(self.bundle.spec(scheduler={"policy": "SCHED_OTHER", "nice": 20}), "/process/scheduler/nice")


class IoPriority(Case):
    def test_class_and_level(self):
        for name, number, level in (("RT", 1, 3), ("BE", 2, 6), ("IDLE", 3, 0)):
            wanted = {"class": "IOPRIO_CLASS_" + name, "priority": level}
            answer = self.good(self.bundle.spec(ioPriority=wanted, args=["/probe", "ioprio"]))
            self.assertEqual(answer["ioprio"], str(number << 13 | level))

    def test_names(self):
        self.refused(self.bundle.spec(ioPriority={"class": "IOPRIO_CLASS_FAST", "priority": 0}), "/process/ioPriority/class")


class Affinity(Case):
    def test_of_another_process_in_a_container(self):
        own = sorted(os.sched_getaffinity(0))
        one = {"execCPUAffinity": {"initial": str(own[0]), "final": str(own[-1])}}
        spec = self.bundle.spec(args=["/probe", "affinity"], **one)
        self.assertEqual(self.good(spec, "--exec").words("affinity"), [own[-1]])
        spec["process"]["execCPUAffinity"] = {"initial": str(own[0])}
        self.assertEqual(self.good(spec, "--exec").words("affinity"), [own[0]])
        # Not applicable to the first one (config.md).
        self.assertEqual(self.good(spec).words("affinity"), own)

    def test_lists(self):
        for text in ("x", "3-1", "1,,2", "-1", "99999"):
            wanted = {"initial": "0", "final": text}
            self.refused(self.bundle.spec(execCPUAffinity=wanted), "/process/execCPUAffinity/final", options=["--exec"])


class Memory(Case):
    def observe(self, policy):
        spec = self.bundle.spec(args=["/probe", "mempolicy"])
        spec["linux"]["memoryPolicy"] = policy
        return spec

    def test_policy(self):
        if not os.path.exists("/sys/devices/system/node/node0"):
            self.refused(self.observe({"mode": "MPOL_BIND", "nodes": "0"}), "/linux/memoryPolicy")
            return
        self.assertEqual(self.good(self.observe({"mode": "MPOL_BIND", "nodes": "0"}))["mempolicy"], "0 2 1")
        static = {"mode": "MPOL_INTERLEAVE", "nodes": "0", "flags": ["MPOL_F_STATIC_NODES"]}
        self.assertEqual(self.good(self.observe(static))["mempolicy"], f"0 {3 | 1 << 15} 1")
        self.assertEqual(self.good(self.observe({"mode": "MPOL_LOCAL", "nodes": ""}))["mempolicy"], "0 4 0")

    def test_names_and_nodes(self):
        self.refused(self.observe({"mode": "MPOL_FAR", "nodes": "0"}), "/linux/memoryPolicy/mode")
        self.refused(self.observe({"mode": "MPOL_BIND", "nodes": "0", "flags": ["MPOL_F_X"]}), "/linux/memoryPolicy/flags/0")
        self.refused(self.observe({"mode": "MPOL_BIND", "nodes": "zero"}), "/linux/memoryPolicy/nodes")
        self.refused(self.observe({"mode": "MPOL_BIND", "nodes": "1000"}), "/linux/memoryPolicy")


class Personality(Case):
    def observe(self, **wanted):
        spec = self.bundle.spec(args=["/probe", "personality"])
        spec["linux"]["personality"] = wanted
        return spec

    def test_domains(self):
        self.assertEqual(self.good(self.observe(domain="LINUX32"))["personality"], "8")
        self.assertEqual(self.good(self.observe(domain="LINUX"))["personality"], "0")

    def test_errors(self):
        self.refused(self.observe(domain="BSD"), "/linux/personality/domain")
        self.refused(self.observe(domain="LINUX", flags=["ADDR_NO_RANDOMIZE"]), "/linux/personality/flags")


class Time(Case):
    def test_offsets(self):
        for userns in (False, True):
            spec = add_namespaces(self.bundle.spec(args=["/probe", "clock", "monotonic"]), "time")
            spec["linux"]["timeOffsets"] = {"monotonic": {"secs": 100000, "nanosecs": 5}, "boottime": {"secs": 2000000}}
            if userns:
                add_user_namespace(spec)
            with self.subTest(userns=userns):
                inside = self.good(spec).words("clock")[0]
                self.assertAlmostEqual(inside - time.clock_gettime(time.CLOCK_MONOTONIC), 100000, delta=5)
                spec["process"]["args"] = ["/probe", "clock", "boottime"]
                inside = self.good(spec).words("clock")[0]
                self.assertAlmostEqual(inside - time.clock_gettime(time.CLOCK_BOOTTIME), 2000000, delta=5)

    def test_without_offsets_the_namespace_is_new_all_the_same(self):
        spec = add_namespaces(self.bundle.spec(args=["/probe", "link", "/proc/self/ns/time"]), "time")
        self.assertNotEqual(self.good(spec)["link"], os.readlink("/proc/self/ns/time"))

    def test_errors(self):
        spec = self.bundle.spec()
        spec["linux"]["timeOffsets"] = {"monotonic": {"secs": 1}}
        self.refused(spec, "/linux/timeOffsets", "time namespace")
        add_namespaces(spec, "time")
        spec["linux"]["timeOffsets"] = {"realtime": {"secs": 1}}
        self.refused(spec, "/linux/timeOffsets/realtime")
        spec["linux"]["timeOffsets"] = {"monotonic": {"secs": -(1 << 40)}}
        self.refused(spec, "/linux/timeOffsets", "ERANGE")


class Keyring(Case):
    def test_new_when_asked_for(self):
        spec = self.bundle.spec(args=["/probe", "keyring"])
        own = subprocess.run([os.path.join(self.bundle.root, "probe"), "keyring"], stdout=subprocess.PIPE, text=True, check=True)
        outside = own.stdout.split()[1]
        if outside == "-1":
            self.skipTest("this kernel has no keyrings")
        self.assertNotEqual(self.good(spec, "--keyring")["keyring"], outside)
        self.assertEqual(self.good(spec)["keyring"], outside)


def apparmor_is_enabled():
    try:
        with open("/sys/module/apparmor/parameters/enabled") as file:
            return file.read().strip() == "Y"
    except FileNotFoundError:
        return False


class Labels(Case):
    def test_apparmor(self):
        spec = self.bundle.spec(apparmorProfile="mxc-no-such-profile")
        if apparmor_is_enabled():
            self.refused(spec, "/process/apparmorProfile", "mxc-no-such-profile", "ENOENT")
        else:
            self.refused(spec, "/process/apparmorProfile", "without AppArmor")

    def test_selinux(self):
        if os.path.exists("/sys/fs/selinux/enforce"):
            self.refused(self.bundle.spec(selinuxLabel="no-such-label"), "/process/selinuxLabel", "EINVAL")
        else:
            self.refused(self.bundle.spec(selinuxLabel="system_u:system_r:container_t:s0"), "/process/selinuxLabel", "without SELinux")


class IntelRdt(Case):
    def test_without_resctrl_it_is_refused(self):
        with open("/proc/mounts") as file:
            if " resctrl " in file.read():
                self.skipTest("resctrl is mounted here; intel_rdt_test covers the files")
        spec = self.bundle.spec()
        spec["linux"]["intelRdt"] = {"closID": "guaranteed"}
        self.refused(spec, "/linux/intelRdt", "resctrl")


def ip(*words):
    return subprocess.run(["ip", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, check=True).stdout


class NetDevices(Case):
    """The test's own network namespace is the host here."""

    def setUp(self):
        super().setUp()
        try:
            ip("link", "add", "mxc0", "type", "veth", "peer", "name", "mxcpeer")
        except subprocess.CalledProcessError as error:
            self.skipTest("no veth device can be made: " + error.stderr.strip())
        self.addCleanup(subprocess.run, ["ip", "link", "del", "mxcpeer"], stderr=subprocess.DEVNULL)

    def spec(self, devices, *words, userns=False):
        spec = add_namespaces(self.bundle.spec(args=["/probe", *words]), "network")
        spec["linux"]["netDevices"] = devices
        return add_user_namespace(spec) if userns else spec

    def test_moved_with_its_addresses_and_up(self):
        ip("address", "add", "192.0.2.7/24", "broadcast", "192.0.2.255", "dev", "mxc0")
        ip("address", "add", "2001:db8::7/64", "dev", "mxc0", "nodad")
        ip("address", "add", "192.0.2.99/24", "valid_lft", "600", "preferred_lft", "600", "dev", "mxc0")
        ip("link", "set", "mxc0", "mtu", "1400")
        for userns in (False, True):
            with self.subTest(userns=userns):
                found = self.good(self.spec({"mxc0": {}}, "interfaces", userns=userns))["interfaces"]
                self.assertIn("mxc0,up,mtu=1400", found)
                self.assertIn("mxc0=192.0.2.7", found)
                self.assertIn("mxc0=2001:db8::7", found)
                self.assertNotIn("192.0.2.99", found)
            # A virtual device ends with the container's namespace, and its peer with it.
            self.setUpAgain()

    def setUpAgain(self):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline and "mxcpeer" in ip("-o", "link"):
            time.sleep(0.05)
        ip("link", "add", "mxc0", "mtu", "1400", "type", "veth", "peer", "name", "mxcpeer")
        ip("address", "add", "192.0.2.7/24", "dev", "mxc0")
        ip("address", "add", "2001:db8::7/64", "dev", "mxc0", "nodad")

    def test_another_name(self):
        self.assertIn("uplink,up", self.good(self.spec({"mxc0": {"name": "uplink"}}, "interfaces"))["interfaces"])

    def test_a_template(self):
        self.assertIn("net0,up", self.good(self.spec({"mxc0": {"name": "net%d"}}, "interfaces"))["interfaces"])

    def test_all_or_none(self):
        ip("address", "add", "192.0.2.7/24", "dev", "mxc0")
        ip("link", "set", "mxc0", "up")
        before = json.loads(ip("-j", "address", "show", "dev", "mxc0"))[0]
        self.refused(self.spec({"mxc0": {}, "nothing": {}}, "interfaces"), "/linux/netDevices/nothing", "no network device")
        after = json.loads(ip("-j", "address", "show", "dev", "mxc0"))[0]
        self.assertEqual([entry["local"] for entry in before["addr_info"] if entry["scope"] == "global"],
                         [entry["local"] for entry in after["addr_info"] if entry["scope"] == "global"])
        self.assertIn("UP", after["flags"])

    def test_a_name_that_is_taken(self):
        self.refused(self.spec({"mxc0": {"name": "lo"}}, "interfaces"), "/linux/netDevices/mxc0", "lo is in the container already")

    def test_without_a_network_namespace(self):
        spec = self.bundle.spec()
        spec["linux"]["netDevices"] = {"mxc0": {}}
        self.refused(spec, "/linux/netDevices")

    def test_loopback_is_up(self):
        self.assertIn("lo,up", self.good(self.spec({}, "interfaces"))["interfaces"])


if __name__ == "__main__":
    main()
