#!/usr/bin/env python3
"""Every attribute of a bundle's process, flipped in config.json and observed from inside.

Usage: process_test.py DRIVER PROBE. Needs root; the mounts stay in the mount namespace that run_test.sh makes.
"""

import os
import resource
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bundle import add_namespaces, add_own_namespace, add_user_namespace  # noqa: E402
from case import Case, caller_holds, main  # noqa: E402

SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
CHOWN, KILL, NET_BIND = 1 << 0, 1 << 5, 1 << 10
SYS_RESOURCE = 24


class User(Case):
    def test_ids_and_groups_are_as_written(self):
        spec = self.bundle.spec(user={"uid": 1000, "gid": 1001, "additionalGids": [5, 10]}, args=["/probe", "ids", ",", "groups"])
        answer = self.good(spec)
        self.assertEqual(answer.words("ids"), [1000] * 3 + [1001] * 3)
        self.assertEqual(answer.words("groups"), [5, 10])

    def test_no_group_of_the_caller_stays(self):
        spec = self.bundle.spec(user={"uid": 1000, "gid": 1000}, args=["/probe", "groups"])
        self.assertEqual(self.good(spec, extra_groups=[4, 27]).words("groups"), [])

    def test_the_callers_groups_stay_when_an_annotation_says_so(self):
        spec = self.bundle.spec(user={"uid": 1000, "gid": 1000}, args=["/probe", "groups"])
        spec["annotations"] = {"run.oci.keep_original_groups": "1"}
        self.assertIn(27, self.good(spec, extra_groups=[4, 27]).words("groups"))

    def test_in_a_user_namespace(self):
        user = {"uid": 1000, "gid": 1001, "additionalGids": [5]}
        spec = add_user_namespace(self.bundle.spec(user=user, args=["/probe", "ids", ",", "groups"]))
        answer = self.good(spec)
        self.assertEqual(answer.words("ids"), [1000] * 3 + [1001] * 3)
        self.assertEqual(answer.words("groups"), [5])

    def test_an_id_that_is_not_mapped_is_an_error(self):
        self.refused(add_user_namespace(self.bundle.spec(user={"uid": 70000, "gid": 0})), "/process/user/uid", "70000")
        self.refused(add_user_namespace(self.bundle.spec(user={"uid": 0, "gid": 70001})), "/process/user/gid", "70001")
        groups = {"uid": 0, "gid": 0, "additionalGids": [70002]}
        self.refused(add_user_namespace(self.bundle.spec(user=groups)), "/process/user/additionalGids")

    def test_umask(self):
        self.assertEqual(self.good(self.bundle.spec(args=["/probe", "umask"]), umask=0)["umask"], "22")
        spec = self.bundle.spec(user={"uid": 0, "gid": 0, "umask": 0o77}, args=["/probe", "umask"])
        self.assertEqual(self.good(spec)["umask"], "77")

    def test_pipes_become_the_users(self):
        spec = self.bundle.spec(user={"uid": 1000, "gid": 1000}, args=["/probe", "streams"])
        before = os.stat(os.devnull).st_uid
        # A device of the host, here /dev/null, stays its owner's.
        self.assertEqual(self.good(spec).words("streams"), [before, 1000, 1000])
        self.assertEqual(os.stat(os.devnull).st_uid, before)


class CapabilitySets(Case):
    def observe(self, capabilities, uid=1000, userns=False, nnp=True):
        spec = self.bundle.spec(user={"uid": uid, "gid": uid}, capabilities=capabilities, noNewPrivileges=nnp)
        found = {}
        for field in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            spec["process"]["args"] = ["/probe", "status", field]
            run = add_user_namespace(self.bundle.spec(**spec["process"])) if userns else spec
            found[field] = int(self.good(run)["status"], 16)
        return found

    def test_each_set_is_its_own(self):
        written = {"bounding": ["CAP_CHOWN", "CAP_KILL", "CAP_NET_BIND_SERVICE"], "inheritable": ["CAP_KILL", "CAP_CHOWN"],
                   "permitted": ["CAP_KILL", "CAP_CHOWN"], "effective": ["CAP_CHOWN"], "ambient": ["CAP_KILL"]}
        for userns in (False, True):
            with self.subTest(userns=userns):
                # exec gives a user who isn't root its ambient set (capabilities(7)).
                self.assertEqual(self.observe(written, userns=userns), {
                    "CapBnd": CHOWN | KILL | NET_BIND, "CapInh": KILL | CHOWN, "CapAmb": KILL, "CapPrm": KILL, "CapEff": KILL})

    def test_inheritable_may_hold_what_bounding_lacks(self):
        written = {"bounding": [], "inheritable": ["CAP_CHOWN"], "permitted": ["CAP_CHOWN"], "ambient": ["CAP_CHOWN"]}
        found = self.observe(written)
        self.assertEqual((found["CapBnd"], found["CapInh"], found["CapEff"]), (0, CHOWN, CHOWN))

    def test_root_gets_the_bounding_set(self):
        written = {name: ["CAP_CHOWN", "CAP_KILL"] for name in ("bounding", "effective", "permitted")}
        found = self.observe(written, uid=0)
        self.assertEqual((found["CapPrm"], found["CapEff"], found["CapBnd"]), (CHOWN | KILL,) * 3)

    def test_none(self):
        self.assertEqual(set(self.observe({}).values()), {0})
        self.assertEqual(set(self.observe({}, uid=0, userns=True).values()), {0})

    def test_unknown_names_are_errors(self):
        for name in SETS:
            self.refused(self.bundle.spec(capabilities={name: ["CAP_EVERYTHING"]}), f"/process/capabilities/{name}/0", "CAP_EVERYTHING")

    def test_what_the_caller_has_not_is_noted_and_left_out(self):
        if caller_holds(SYS_RESOURCE):
            self.skipTest("this process has CAP_SYS_RESOURCE, so nothing is missing")
        written = {name: ["CAP_CHOWN", "CAP_SYS_RESOURCE"] for name in ("bounding", "permitted", "effective")}
        spec = self.bundle.spec(capabilities=written, args=["/probe", "status", "CapEff"])
        answer = self.good(spec)
        self.assertEqual(int(answer["status"], 16), CHOWN)
        self.assertIn("CAP_SYS_RESOURCE is not given", answer.stderr)

    def test_no_new_privileges(self):
        for value in (True, False):
            spec = self.bundle.spec(noNewPrivileges=value, args=["/probe", "status", "NoNewPrivs"])
            self.assertEqual(self.good(spec)["status"], str(int(value)))


class Limits(Case):
    def test_soft_and_hard(self):
        spec = self.bundle.spec(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 128},
                                         {"type": "RLIMIT_CORE", "soft": 0, "hard": 4096}],
                                args=["/probe", "limit", str(resource.RLIMIT_NOFILE)])
        self.assertEqual(self.good(spec)["limit"], "64 128")
        spec["process"]["args"][2] = str(resource.RLIMIT_CORE)
        self.assertEqual(self.good(spec)["limit"], "0 4096")

    def test_a_limit_that_the_runtime_itself_could_not_live_with(self):
        spec = self.bundle.spec(rlimits=[{"type": "RLIMIT_NOFILE", "soft": 3, "hard": 3}],
                                args=["/probe", "limit", str(resource.RLIMIT_NOFILE)])
        self.assertEqual(self.good(spec)["limit"], "3 3")

    def test_unknown_names_and_duplicates_are_errors(self):
        one = {"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}
        self.refused(self.bundle.spec(rlimits=[one, dict(one)]), "/process/rlimits/1", "a second RLIMIT_NOFILE")
        self.refused(self.bundle.spec(rlimits=[one, dict(one, type="RLIMIT_LUCK")]), "/process/rlimits/1", "RLIMIT_LUCK")
        self.refused(self.bundle.spec(rlimits=[dict(one, soft=65)]), "/process/rlimits/0", "soft is more than hard")

    def test_raising_a_hard_limit(self):
        hard = resource.getrlimit(resource.RLIMIT_MEMLOCK)[1]
        if hard == resource.RLIM_INFINITY:
            resource.setrlimit(resource.RLIMIT_MEMLOCK, (1 << 20, 1 << 20))
            hard = 1 << 20
        wanted = [{"type": "RLIMIT_MEMLOCK", "soft": 4096, "hard": hard + 4096}]
        for userns in (False, True):
            spec = self.bundle.spec(rlimits=wanted, args=["/probe", "limit", str(resource.RLIMIT_MEMLOCK)])
            if userns:
                add_user_namespace(spec)
            if caller_holds(SYS_RESOURCE):
                self.assertEqual(self.good(spec)["limit"], f"4096 {hard + 4096}")
            else:
                self.refused(spec, "/process/rlimits/0", "RLIMIT_MEMLOCK", f"from {hard} to {hard + 4096}", "CAP_SYS_RESOURCE")


class OomScore(Case):
    def test_written(self):
        for userns in (False, True):
            spec = self.bundle.spec(oomScoreAdj=345, args=["/probe", "file", "/proc/self/oom_score_adj"])
            if userns:
                add_user_namespace(spec)
            self.assertEqual(self.good(spec)["file"], "345")

    def test_absent_means_inherited(self):
        with open("/proc/self/oom_score_adj") as file:
            own = file.read().strip()
        self.assertEqual(self.good(self.bundle.spec(args=["/probe", "file", "/proc/self/oom_score_adj"]))["file"], own)

    def test_lowering_takes_a_capability(self):
        spec = self.bundle.spec(oomScoreAdj=-500, args=["/probe", "file", "/proc/self/oom_score_adj"])
        if caller_holds(SYS_RESOURCE):
            self.assertEqual(self.good(spec)["file"], "-500")
        else:
            self.refused(spec, "/process/oomScoreAdj", "EACCES", "CAP_SYS_RESOURCE")


class Environment(Case):
    def test_home_comes_from_passwd_inside(self):
        for uid, home in ((0, "/root"), (1000, "/home/somebody"), (77, "/"), (4242, "/")):
            spec = self.bundle.spec(user={"uid": uid, "gid": 0}, args=["/probe", "env", "HOME"])
            self.assertEqual(self.good(spec)["env"], home)

    def test_home_in_the_spec_stays(self):
        spec = self.bundle.spec(env=["HOME=/elsewhere"], args=["/probe", "environ"])
        self.assertEqual(self.good(spec)["environ"], "HOME=/elsewhere;")

    def test_a_passwd_that_is_a_pipe_holds_nothing_up(self):
        path = os.path.join(self.bundle.root, "etc/passwd")
        os.remove(path)
        os.mkfifo(path)
        self.assertEqual(self.good(self.bundle.spec(args=["/probe", "env", "HOME"]))["env"], "/")

    def test_the_last_of_two_entries_counts(self):
        spec = self.bundle.spec(env=["A=1", "HOME=/", "A=2"], args=["/probe", "environ"])
        self.assertEqual(self.good(spec)["environ"], "HOME=/;A=2;")


class Program(Case):
    def test_found_in_path(self):
        answer = self.good(self.bundle.spec(args=["probe", "ids"], env=["PATH=/nowhere:/bin"]))
        self.assertEqual(answer.words("ids"), [0] * 6)

    def test_texts_that_callers_look_for(self):
        self.refused(self.bundle.spec(args=["nothing"]), 'exec "nothing": executable file not found in $PATH')
        self.refused(self.bundle.spec(args=["/bin/nothing"]), 'exec "/bin/nothing": no such file or directory')
        self.refused(self.bundle.spec(args=["/bin/unexecutable"]), 'exec "/bin/unexecutable": permission denied')
        self.refused(self.bundle.spec(args=["unexecutable"]), 'exec "unexecutable": permission denied')
        self.refused(self.bundle.spec(args=["/bin"]), 'exec "/bin": permission denied')

    def test_looked_for_as_the_user(self):
        os.chmod(os.path.join(self.bundle.root, "bin/probe"), 0o700)
        user = {"uid": 1000, "gid": 1000}
        self.refused(self.bundle.spec(args=["probe"], user=user), 'exec "probe": permission denied')

    def test_the_runtime_is_no_program(self):
        self.refused(self.bundle.spec(args=["/proc/self/exe"]), "leads out of the container")
        os.symlink("/proc/self/exe", os.path.join(self.bundle.root, "bin/entry"))
        self.refused(self.bundle.spec(args=["entry"]), "leads out of the container")


class WorkingFolder(Case):
    def test_changed_to(self):
        self.assertEqual(self.good(self.bundle.spec(cwd="/home/somebody", args=["/probe", "cwd"]))["cwd"], "/home/somebody")

    def test_made_when_missing(self):
        os.symlink("/etc", os.path.join(self.bundle.root, "home/link"))
        for cwd, real in (("/a/b/c", "/a/b/c"), ("/home/link/made", "/etc/made"), ("/d//e/", "/d/e")):
            self.assertEqual(self.good(self.bundle.spec(cwd=cwd, args=["/probe", "cwd"]))["cwd"], real)
            self.assertEqual(os.stat(self.bundle.root + real).st_mode & 0o7777, 0o755)

    def test_a_link_never_leads_outside(self):
        with tempfile.TemporaryDirectory() as outside:
            os.symlink(outside, os.path.join(self.bundle.root, "tmp/out"))
            self.bundle.run(self.bundle.spec(cwd="/tmp/out/made", args=["/probe", "cwd"]))
            self.assertEqual(os.listdir(outside), [])

    def test_a_file_is_no_folder(self):
        self.refused(self.bundle.spec(cwd="/etc/passwd"), "/etc/passwd")

    def test_one_that_only_its_user_may_enter(self):
        path = os.path.join(self.bundle.root, "private")
        os.mkdir(path, 0o700)
        os.chown(path, 1000, 1000)
        answer = self.good(self.bundle.spec(cwd="/private", user={"uid": 1000, "gid": 1000}, args=["/probe", "cwd"]))
        self.assertEqual(answer["cwd"], "/private")

    def test_an_open_folder_of_the_host_is_no_way_out(self):
        folder = os.open("/", os.O_RDONLY)
        os.set_inheritable(folder, True)
        try:
            answer = self.bundle.run(self.bundle.spec(cwd=f"/proc/self/fd/{folder}"), pass_fds=[folder])
        finally:
            os.close(folder)
        self.assertEqual(answer.code, 125, answer.stderr)
        self.assertIn("/process/cwd", answer.stderr)


class Sysctl(Case):
    def observe(self, name, value, *namespaces, userns=False):
        spec = add_namespaces(self.bundle.spec(args=["/probe", "file", "/proc/sys/" + name.replace(".", "/")]), *namespaces)
        spec["linux"]["sysctl"] = {name: value}
        if userns:
            add_user_namespace(spec)
        return self.good(spec)["file"]

    def test_of_each_namespace(self):
        for userns in (False, True):
            with self.subTest(userns=userns):
                self.assertEqual(self.observe("net.ipv4.ip_forward", "1", "network", userns=userns), "1")
                self.assertEqual(self.observe("net/ipv4/ip_default_ttl", "77", "network", userns=userns), "77")
                self.assertEqual(self.observe("kernel.msgmax", "4444", "ipc", userns=userns), "4444")
                self.assertEqual(self.observe("fs.mqueue.msg_max", "7", "ipc", userns=userns), "7")
        self.assertEqual(self.observe("kernel.domainname", "corner", "uts"), "corner")

    def test_what_is_not_the_containers_is_refused(self):
        for name, namespaces in (("net.ipv4.ip_forward", ["ipc"]), ("kernel.msgmax", ["network"]), ("vm.swappiness", ["ipc"]),
                                 ("kernel.hostname", ["uts"]), ("kernel.core_pattern", ["uts", "ipc", "network"]),
                                 ("net.ipv4/../../kernel.core_pattern", ["network"])):
            spec = add_namespaces(self.bundle.spec(), *namespaces)
            spec["linux"]["sysctl"] = {name: "1"}
            answer = self.bundle.run(spec)
            self.assertEqual(answer.code, 125, name)
            self.assertTrue("/linux/sysctl/" + name in answer.stderr or "/proc/sys/" in answer.stderr, answer.stderr)

    def test_a_namespace_by_path_that_is_the_hosts(self):
        spec = self.bundle.spec()
        spec["linux"]["namespaces"].append({"type": "network", "path": "/proc/self/ns/net"})
        spec["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
        self.refused(spec, "/linux/")

    def test_one_that_does_not_exist_is_named(self):
        spec = add_namespaces(self.bundle.spec(), "network")
        spec["linux"]["sysctl"] = {"net.no.such": "1"}
        self.refused(spec, "/proc/sys/net/no/such", "ENOENT")


class Rootless(Case):
    """An ordinary user, whose user namespace maps him alone and denies setgroups(2)."""

    UID = 12345

    def setUp(self):
        super().setUp()
        self.bundle.as_user(self.UID)

    def own(self, *words, namespaces=(), **process):
        return add_own_namespace(add_namespaces(self.bundle.spec(args=["/probe", *words], **process), *namespaces), self.UID)

    def test_root_inside(self):
        answer = self.good(self.own("ids", ",", "env", "HOME", ",", "status", "CapEff", capabilities={
            name: ["CAP_CHOWN", "CAP_KILL"] for name in ("bounding", "permitted", "effective")}))
        self.assertEqual(answer.words("ids"), [0] * 6)
        self.assertEqual(answer["env"], "/root")
        self.assertEqual(int(answer["status"], 16), CHOWN | KILL)

    def test_groups_that_can_not_be_set(self):
        self.refused(self.own("groups", user={"uid": 0, "gid": 0, "additionalGids": [0]}), "/process/user/additionalGids", "newgidmap")

    def test_the_callers_groups_stay_where_they_can_not_be_dropped(self):
        self.assertEqual(len(self.good(self.own("groups"), extra_groups=[4]).words("groups")), 1)

    def test_oom_score(self):
        self.assertEqual(self.good(self.own("file", "/proc/self/oom_score_adj", oomScoreAdj=500))["file"], "500")
        self.refused(self.own("ids", oomScoreAdj=-1000), "/process/oomScoreAdj", "CAP_SYS_RESOURCE")

    def test_sysctl_and_clock(self):
        spec = self.own("file", "/proc/sys/net/ipv4/ip_forward",
                        namespaces=["network", "time"])
        spec["linux"]["sysctl"] = {"net.ipv4.ip_forward": "1"}
        spec["linux"]["timeOffsets"] = {"boottime": {"secs": 777}}
        self.assertEqual(self.good(spec)["file"], "1")
        spec["process"]["args"] = ["/probe", "file", "/proc/self/timens_offsets"]
        self.assertRegex(self.good(spec)["file"], r"boottime\s+777")

    def test_limits(self):
        spec = self.own("limit", str(resource.RLIMIT_NOFILE), rlimits=[{"type": "RLIMIT_NOFILE", "soft": 10, "hard": 20}])
        self.assertEqual(self.good(spec)["limit"], "10 20")

    def test_network_devices_are_out_of_reach(self):
        spec = self.own("ids", namespaces=["network"])
        spec["linux"]["netDevices"] = {"lo": {"name": "other"}}
        self.refused(spec, "/linux/netDevices")


if __name__ == "__main__":
    main()
