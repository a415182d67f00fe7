#!/usr/bin/env python3
"""config-linux.md, seccomp: actions, errno values, comparisons, architectures, flags, and what is an error. Listeners: seccomp_notify.py."""

import errno
import os
import signal
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import Skip, check, clause, contains, equal, main  # noqa: E402
from seccomp_rules import ARCH, rule  # noqa: E402


def rules(box, *syscalls, **fields):
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [ARCH], "syscalls": list(syscalls), **fields}


def call(box, *words, **options):
    """Result of one system call inside."""
    out = box.run("probe", "call", *map(str, words), **options).out
    return int(out.split()[1])


@clause("config_linux.seccomp", callers=("root", "rootless"))
def errno_is_eperm_unless_given(box):
    rules(box, rule("getppid"), rule("sched_yield", errnoRet=errno.EBADF))
    equal(call(box, "getppid"), -errno.EPERM, "getppid")
    equal(call(box, "sched_yield"), -errno.EBADF, "sched_yield")


@clause("config_linux.seccomp")
def the_default_action_takes_its_errno_too(box):
    """Of a list that allows everything but what isn't named: no program starts under an empty one."""
    allowed = ["read", "write", "close", "fstat", "newfstatat", "mmap", "mprotect", "munmap", "brk", "rt_sigaction", "rt_sigprocmask", "ioctl",
               "execve", "exit", "exit_group", "arch_prctl", "set_tid_address", "set_robust_list", "rseq", "prlimit64", "getrandom", "readlink",
               "readlinkat", "uname", "futex", "openat", "fcntl", "getuid", "prctl", "capset", "setuid", "setgid", "setgroups", "chdir", "getcwd",
               "close_range", "statx", "lseek", "getpid", "seccomp", "getdents64", "fchdir", "capget", "umask", "kill", "nanosleep", "epoll_ctl",
               "epoll_pwait", "clone", "clone3", "madvise", "tgkill", "sigaltstack", "gettid", "writev", "fstatfs", "pipe2", "faccessat2",
               "rt_sigreturn", "sched_getaffinity", "landlock_restrict_self", "keyctl", "wait4", "waitid", "dup3", "dup2"]  # fmt: skip
    rules(box, rule(*allowed, action="SCMP_ACT_ALLOW"), defaultAction="SCMP_ACT_ERRNO", defaultErrnoRet=errno.ENOSYS)
    equal(call(box, "getppid"), -errno.ENOSYS, "getppid")
    check(call(box, "getpid") > 0, "getpid failed")


@clause("config_linux.seccomp")
def kill_actions_end_the_program_by_sigsys(box):
    for action in ("SCMP_ACT_KILL", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_KILL_THREAD"):
        rules(box, rule("getppid", action=action))
        box.run("probe", "call", "getppid", code=128 + signal.SIGSYS)


@clause("config_linux.seccomp")
def trap_sends_sigsys(box):
    rules(box, rule("getppid", action="SCMP_ACT_TRAP"))
    box.run("probe", "call", "getppid", code=128 + signal.SIGSYS)


@clause("config_linux.seccomp")
def log_lets_the_call_through(box):
    rules(box, rule("getppid", action="SCMP_ACT_LOG"))
    check(call(box, "getppid") >= 0, "getppid failed")


@clause("config_linux.seccomp")
def trace_without_a_tracer_is_enosys(box):
    rules(box, rule("getppid", action="SCMP_ACT_TRACE", errnoRet=5))
    equal(call(box, "getppid"), -errno.ENOSYS, "getppid")


@clause("config_linux.seccomp.args")
def each_operator_compares(box):
    big = 1 << 40
    # personality(2) takes any number; 0xffffffff only asks. Values that match and that don't.
    table = [
        ("SCMP_CMP_EQ", {"value": 7}, [7], [6, 8]), ("SCMP_CMP_NE", {"value": 7}, [6, 8], [7]),
        ("SCMP_CMP_LT", {"value": 7}, [6, 0], [7, 8]), ("SCMP_CMP_LE", {"value": 7}, [6, 7], [8]),
        ("SCMP_CMP_GT", {"value": 7}, [8, big], [7, 6]), ("SCMP_CMP_GE", {"value": 7}, [7, 8, big], [6]),
        ("SCMP_CMP_MASKED_EQ", {"value": 0xF0, "valueTwo": 0x30}, [0x30, 0x3F, 0x130], [0x40, 0x0F]),
    ]  # fmt: skip
    for operator, values, matching, other in table:
        rules(box, rule("dup", errnoRet=77, args=[{"index": 0, "op": operator, **values}]))
        lines = "; ".join(f"probe call dup {value}" for value in matching + other)
        got = [int(line.split()[1]) for line in box.shell(lines).splitlines()]
        equal([result == -77 for result in got], [True] * len(matching) + [False] * len(other), f"{operator} {values}: {got}")


@clause("config_linux.seccomp.args")
def several_must_all_match(box):
    rules(box, rule("getpriority", errnoRet=77, args=[{"index": 0, "value": 0, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 0, "op": "SCMP_CMP_EQ"}]))
    equal(call(box, "getpriority", 0, 0), -77, "both match")
    check(call(box, "getpriority", 0, 1) != -77, "one of two matches")


@clause("config_linux.seccomp.args")
def two_rules_of_one_call_are_alternatives(box):
    box_rules = [rule("dup", errnoRet=77, args=[{"index": 0, "value": value, "op": "SCMP_CMP_EQ"}]) for value in (500, 600)]
    rules(box, *box_rules)
    got = box.shell("probe call dup 500; probe call dup 600; probe call dup 700").split()[1::2]
    equal(got, ["-77", "-77", str(-errno.EBADF)], "results")


@clause("config_linux.seccomp.architectures")
def calls_of_another_one_are_not_let_through(box):
    """With the own architecture alone named, the gate of another must not lead around the list."""
    if os.uname().machine != "x86_64":
        raise Skip("it is tried on x86_64")
    box.process["args"] = ["probe", "foreign"]
    without = box.try_run()
    if without.code == 128 + signal.SIGSEGV:
        raise Skip("this machine takes no i386 calls: its hypervisor makes a fault of the gate")
    contains(without.out, "foreign 1\n", "output without a list")
    rules(box, rule("getppid"))
    ended = box.try_run()
    check("foreign 1\n" not in ended.out, f"the call went through: {ended.out!r}")
    equal(host.status_field(box.run("cat", "/proc/self/status").out, "Seccomp"), "2", "seccomp mode")


@clause("config_linux.seccomp.architectures")
def several_are_taken(box):
    rules(box, rule("getppid"), architectures=[ARCH, "SCMP_ARCH_X86", "SCMP_ARCH_X32"] if ARCH == "SCMP_ARCH_X86_64" else [ARCH, "SCMP_ARCH_ARM"])
    equal(call(box, "getppid"), -errno.EPERM, "getppid")


@clause("config_linux.seccomp.architectures")
def none_named_is_the_own_one(box):
    rules(box, rule("getppid"))
    del box.linux["seccomp"]["architectures"]
    equal(call(box, "getppid"), -errno.EPERM, "getppid")


@clause("config_linux.seccomp.flags")
def each_is_taken(box):
    for flag in ("SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_SPEC_ALLOW", "SECCOMP_FILTER_FLAG_TSYNC"):
        rules(box, rule("getppid"), flags=[flag])
        equal(call(box, "getppid"), -errno.EPERM, f"getppid with {flag}")


@clause("config_linux.seccomp.flags")
def wait_killable_is_taken(box):
    """It is of notifications: without a listener the kernel refuses it (seccomp(2)), so a runtime has to leave it out or refuse it by name."""
    rules(box, rule("getppid"), flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
    ended = box.try_run("probe", "call", "getppid")
    if ended.code == 0:
        equal(ended.out, f"getppid {-errno.EPERM}\n", "getppid")
    elif not box.peer:
        contains(ended.err, "linux.seccomp.flags", "the message")


@clause("config_linux.seccomp")
def without_no_new_privs_it_holds_as_well(box):
    """Then it has to be loaded with CAP_SYS_ADMIN, before the capabilities go (seccomp(2))."""
    box.process["noNewPrivileges"] = False
    rules(box, rule("getpriority"))
    equal(call(box, "getpriority", 0, 0), -errno.EPERM, "getpriority")
    equal(host.status_field(box.run("cat", "/proc/self/status").out, "NoNewPrivs"), "0", "NoNewPrivs")


@clause("config_linux.seccomp", callers=("root", "rootless"))
def exec_is_bound_by_it_too(box):
    rules(box, rule("getppid"))
    box.launch()
    equal(box.exec("probe", "call", "getppid").out, f"getppid {-errno.EPERM}\n", "getppid by exec")


@clause("config_linux.seccomp")
def names_that_this_kernel_does_not_know_are_passed_over(box):
    """Profiles are written for many kernels and libraries."""
    rules(box, rule("getppid", "no_such_call_of_any_kernel"))
    equal(call(box, "getppid"), -errno.EPERM, "getppid")


@clause("config_linux.seccomp")
def an_errno_for_an_action_that_takes_none_is_an_error(box):
    for action in ("SCMP_ACT_ALLOW", "SCMP_ACT_KILL", "SCMP_ACT_LOG", "SCMP_ACT_TRAP"):
        rules(box, rule("getppid", action=action, errnoRet=5))
        box.refused("linux.seccomp")
    rules(box, rule("getppid"), defaultAction="SCMP_ACT_ALLOW", defaultErrnoRet=5)
    box.refused("linux.seccomp")


@clause("config_linux.seccomp")
def unknown_values_are_errors(box):
    wrong = [
        {"defaultAction": "SCMP_ACT_BOGUS"}, {"architectures": ["SCMP_ARCH_BOGUS"]}, {"flags": ["SECCOMP_FILTER_FLAG_BOGUS"]},
        {"syscalls": [rule("getppid", action="SCMP_ACT_BOGUS")]}, {"syscalls": [rule("getppid", args=[{"index": 0, "value": 1, "op": "SCMP_CMP_BOGUS"}])]},
        {"syscalls": [rule("getppid", args=[{"index": 6, "value": 1, "op": "SCMP_CMP_EQ"}])]},
    ]  # fmt: skip
    for fields in wrong:
        rules(box, **fields) if "syscalls" not in fields else rules(box, *fields["syscalls"])
        box.refused("linux.seccomp")


@clause("config_linux.seccomp")
def a_rule_without_names_or_a_list_without_default_is_an_error(box):
    rules(box, rule())
    box.refused("linux.seccomp")
    rules(box, rule("getppid"))
    del box.linux["seccomp"]["defaultAction"]
    box.refused("linux.seccomp")


if __name__ == "__main__":
    main()
