#!/usr/bin/env python3
"""System call filters of a bundle, every action and flag, seen from inside; and an agent that answers notifications.

Usage: seccomp_test.py DRIVER PROBE. Needs root; the mounts stay in a mount namespace of its own.
"""

import errno
import os
import signal
import socket
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from agent import Agent  # noqa: E402
from bundle import add_user_namespace  # noqa: E402
from case import Case, main  # noqa: E402

GETPPID, SOCKET, GETPRIORITY = 110, 41, 140
X32 = 0x40000000
I386_GETPPID = 64


class Filters(Case):
    def spec(self, seccomp, *words, nnp=True, **process):
        spec = self.bundle.spec(args=["/probe", *words], noNewPrivileges=nnp, **process)
        spec["linux"]["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", **seccomp}
        return spec

    def rule(self, action, names=("getppid",), **more):
        return {"syscalls": [{"names": list(names), "action": action, **more}]}

    def call(self, seccomp, *words, **more):
        return self.good(self.spec(seccomp, "call", *map(str, words), **more)).words("call")


class Actions(Filters):
    def test_errno(self):
        self.assertEqual(self.call(self.rule("SCMP_ACT_ERRNO"), GETPPID), [-1, errno.EPERM])
        self.assertEqual(self.call(self.rule("SCMP_ACT_ERRNO", errnoRet=errno.ENOTTY), GETPPID), [-1, errno.ENOTTY])
        self.assertEqual(self.call({}, GETPPID), [0, 0])

    def test_default_errno(self):
        # What the probe and the runtime's exec need; everything else is the default.
        needed = ["execve", "exit_group", "write", "brk", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64",
                  "readlink", "getrandom", "mprotect", "newfstatat", "fstat", "ioctl", "mmap", "readlinkat"]
        seccomp = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": errno.ENOLINK, **self.rule("SCMP_ACT_ALLOW", needed)}
        self.assertEqual(self.call(seccomp, GETPPID), [-1, errno.ENOLINK])

    def test_kill(self):
        for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_TRAP"):
            answer = self.bundle.run(self.spec(self.rule(action), "call", str(GETPPID)))
            self.assertEqual(answer.code, 128 + signal.SIGSYS, action)

    def test_log_and_trace(self):
        self.assertEqual(self.call(self.rule("SCMP_ACT_LOG"), GETPPID), [0, 0])
        # Without a tracer the call isn't there (seccomp(2)).
        self.assertEqual(self.call(self.rule("SCMP_ACT_TRACE", errnoRet=7), GETPPID), [-1, errno.ENOSYS])

    def test_arguments(self):
        first = [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}]
        seccomp = self.rule("SCMP_ACT_ERRNO", ["getpriority"], args=first, errnoRet=errno.ENOLINK)
        self.assertEqual(self.call(seccomp, GETPRIORITY, 1, 0), [-1, errno.ENOLINK])
        self.assertNotEqual(self.call(seccomp, GETPRIORITY, 0, 0)[1], errno.ENOLINK)

    def test_unknown_calls_are_passed_over(self):
        self.assertEqual(self.call(self.rule("SCMP_ACT_ERRNO", ["no_such_call", "getppid"]), GETPPID), [-1, errno.EPERM])

    def test_errors_name_the_place(self):
        self.refused(self.spec(self.rule("SCMP_ACT_HOPE"), "ids"), "/linux/seccomp/syscalls/0/action")
        self.refused(self.spec({"defaultAction": "SCMP_ACT_HOPE"}, "ids"), "/linux/seccomp/defaultAction")
        self.refused(self.spec({"flags": ["SECCOMP_FILTER_FLAG_X"]}, "ids"), "/linux/seccomp/flags/0")
        self.refused(self.spec({"architectures": ["SCMP_ARCH_Z80"]}, "ids"), "/linux/seccomp/architectures/0")

    def test_flags(self):
        for flag in ("TSYNC", "LOG", "SPEC_ALLOW", "WAIT_KILLABLE_RECV"):
            seccomp = {"flags": ["SECCOMP_FILTER_FLAG_" + flag], **self.rule("SCMP_ACT_ERRNO")}
            self.assertEqual(self.call(seccomp, GETPPID), [-1, errno.EPERM], flag)
        status = {"flags": ["SECCOMP_FILTER_FLAG_SPEC_ALLOW"]}
        without = self.good(self.spec({}, "status", "Speculation_Store_Bypass"))["status"]
        with_flag = self.good(self.spec(status, "status", "Speculation_Store_Bypass"))["status"]
        if "force mitigated" in without:
            self.assertNotIn("force mitigated", with_flag)

    def test_the_filter_is_there(self):
        self.assertEqual(self.good(self.spec({}, "status", "Seccomp"))["status"], "2")
        self.assertEqual(self.good(self.bundle.spec(args=["/probe", "status", "Seccomp"]))["status"], "0")


class Architectures(Filters):
    def test_x86(self):
        listed = {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"], **self.rule("SCMP_ACT_ERRNO")}
        plain = self.bundle.run(self.bundle.spec(args=["/probe", "int80", str(I386_GETPPID)]))
        if plain.code != 0:
            self.skipTest("this kernel takes no calls of i386")
        self.assertEqual(self.good(self.spec(listed, "int80", str(I386_GETPPID)))["int80"], str(-errno.EPERM))
        unlisted = self.bundle.run(self.spec(self.rule("SCMP_ACT_ERRNO"), "int80", str(I386_GETPPID)))
        self.assertEqual(unlisted.code, 128 + signal.SIGSYS)

    def test_x32(self):
        self.assertEqual(self.call(self.rule("SCMP_ACT_ERRNO"), X32 | GETPPID), [-1, errno.ENOSYS])
        listed = {"architectures": ["SCMP_ARCH_X86_64", "SCMP_ARCH_X32"], **self.rule("SCMP_ACT_ERRNO", errnoRet=errno.ENOLINK)}
        self.assertEqual(self.call(listed, X32 | GETPPID), [-1, errno.ENOLINK])


class WithoutNoNewPrivileges(Filters):
    def test_the_filter_holds_and_no_capability_stays(self):
        for userns in (False, True):
            for uid in (0, 1000):
                spec = self.spec(self.rule("SCMP_ACT_ERRNO"), "status", "CapPrm", ",", "call", str(GETPPID), nnp=False,
                                 user={"uid": uid, "gid": 0})
                if userns:
                    add_user_namespace(spec)
                with self.subTest(userns=userns, uid=uid):
                    answer = self.good(spec)
                    self.assertEqual(answer.words("call"), [-1, errno.EPERM])
                    self.assertEqual(int(answer["status"], 16), 0)

    def test_only_exec_has_to_be_allowed(self):
        # Neither capset nor prctl nor setuid: with the filter in place the runtime calls nothing but execve.
        denied = ["capset", "capget", "prctl", "setresuid", "setresgid", "setgroups", "openat", "openat2", "read", "close",
                  "sendmsg", "prlimit64", "chdir", "umask", "rt_sigaction"]
        spec = self.spec(self.rule("SCMP_ACT_KILL_PROCESS", denied), "ids", nnp=False, user={"uid": 1000, "gid": 1000})
        answer = self.bundle.run(spec)
        # The probe's own start may call one of them; then at least it was started.
        self.assertIn(answer.code, (0, 128 + signal.SIGSYS))
        self.assertEqual(answer.stderr, "")


class Guard(Filters):
    def test_under_wsl_every_bundle_is_kept_from_vsock(self):
        spec = self.bundle.spec(args=["/probe", "call", str(SOCKET), str(socket.AF_VSOCK), "1", "0"])
        self.assertEqual(self.good(spec, "--wsl").words("call"), [-1, errno.EAFNOSUPPORT])
        wide = self.bundle.spec(args=["/probe", "call", str(SOCKET), hex(1 << 32 | socket.AF_VSOCK), "1", "0"])
        self.assertEqual(self.good(wide, "--wsl").words("call"), [-1, errno.EAFNOSUPPORT])
        ring = self.bundle.spec(args=["/probe", "call", "425", "1", "0"])
        self.assertEqual(self.good(ring, "--wsl").words("call"), [-1, errno.ENOSYS])

    def test_elsewhere_a_bundle_gets_what_its_spec_says(self):
        spec = self.bundle.spec(args=["/probe", "status", "Seccomp"])
        self.assertEqual(self.good(spec)["status"], "0")

    def test_the_guard_stands_beside_the_specs_list(self):
        spec = self.spec({}, "call", str(SOCKET), str(socket.AF_VSOCK), "1", "0")
        self.assertEqual(self.good(spec, "--wsl").words("call"), [-1, errno.EAFNOSUPPORT])


class Notify(Filters):
    def agent(self, value):
        path = os.path.join(self.bundle.folder, "agent.sock")
        agent = Agent(path, value)
        self.addCleanup(agent.close)
        return agent, path

    def notify(self, path, names=("getppid",), **more):
        return {"listenerPath": path, **self.rule("SCMP_ACT_NOTIFY", names), **more}

    def test_an_agent_answers(self):
        for nnp in (True, False):
            agent, path = self.agent(4242)
            spec = self.spec(self.notify(path, listenerMetadata="some metadata"), "call", str(GETPPID), nnp=nnp)
            self.assertEqual(self.good(spec).words("call"), [4242, 0])
            agent.close()
            self.assertEqual(agent.calls, [GETPPID])
            self.assertEqual((agent.connections, agent.descriptors), (1, 1))
            state = agent.state
            self.assertEqual(state["ociVersion"], "1.2.0")
            self.assertEqual(state["fds"], ["seccompFd"])
            self.assertEqual(state["metadata"], "some metadata")
            self.assertGreater(state["pid"], 1)
            self.assertEqual(state["state"]["id"], "driver")
            os.remove(path)

    def test_flags_that_go_with_it(self):
        agent, path = self.agent(4242)
        flags = ["SECCOMP_FILTER_FLAG_TSYNC", "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV", "SECCOMP_FILTER_FLAG_LOG"]
        self.assertEqual(self.call(self.notify(path, flags=flags), GETPPID), [4242, 0])
        agent.close()
        self.assertEqual(agent.calls, [GETPPID])

    def test_calls_that_the_start_itself_makes(self):
        agent, path = self.agent(None)
        names = ["getppid", "execve", "prlimit64", "rt_sigaction"]
        self.good(self.spec(self.notify(path, names), "call", str(GETPPID), rlimits=[{"type": "RLIMIT_CORE", "soft": 0, "hard": 0}]))
        agent.close()
        self.assertIn(GETPPID, agent.calls)
        self.assertGreater(len(agent.calls), 2)

    def test_what_can_not_be_served(self):
        self.refused(self.spec(self.notify(""), "ids"), "/linux/seccomp/listenerPath")
        self.refused(self.spec(self.notify("/nowhere/agent"), "ids"), "/linux/seccomp/listenerPath", "/nowhere/agent", "ENOENT")
        self.refused(self.spec(self.notify("/x", ["sendmsg"]), "ids"), "/linux/seccomp/syscalls/0/names", "sendmsg")
        everything = {"listenerPath": "/x", "defaultAction": "SCMP_ACT_NOTIFY"}
        self.refused(self.spec(everything, "ids"), "/linux/seccomp/defaultAction")

    def test_a_path_without_notifications_is_ignored(self):
        self.assertEqual(self.call({"listenerPath": "/nowhere", **self.rule("SCMP_ACT_ERRNO")}, GETPPID), [-1, errno.EPERM])


if __name__ == "__main__":
    main()
