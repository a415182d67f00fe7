#!/usr/bin/env python3
"""Command line of runc and crun: exec and its options."""

import json
import os
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from capabilities import KINDS, bits, sets  # noqa: E402
from harness import check, clause, contains, equal, lacks, main  # noqa: E402


@clause("cli.exec", callers=("root", "rootless"))
def gives_the_programs_output_and_status(box):
    box.launch()
    ended = box.exec("sh", "-c", "echo out; echo err >&2; exit 7", code=7)
    equal((ended.out, ended.err), ("out\n", "err"), "output")
    box.exec("sh", "-c", "kill -9 $$", code=128 + 9)


@clause("cli.exec", callers=("root", "rootless"))
def passes_stdin(box):
    box.launch()
    equal(box.exec("cat", input="text").out, "text", "output")


@clause("cli.exec")
def has_the_environment_and_folder_of_the_container_unless_given_its_own(box):
    box.process["env"].append("OF_THE_CONTAINER=1")
    box.process["cwd"] = "/etc"
    box.launch()
    out = box.exec("sh", "-c", "pwd; env").out
    contains(out, "/etc\n", "output")
    contains(out, "OF_THE_CONTAINER=1\n", "output")
    out = box.exec("sh", "-c", "pwd; env", flags=("--cwd", "/tmp", "--env", "ADDED=2", "--env", "OF_THE_CONTAINER=3")).out
    contains(out, "/tmp\n", "output")
    contains(out, "ADDED=2\n", "output")
    contains(out, "OF_THE_CONTAINER=3\n", "output")
    contains(box.exec("env", flags=("-e", "SHORT=1")).out, "SHORT=1\n", "output")


@clause("cli.exec")
def user_is_that_given(box):
    box.launch()
    equal(box.exec("sh", "-c", "id -u; id -g", flags=("--user", "1234:5678")).out, "1234\n5678\n", "ids")
    equal(box.exec("id", "-u", flags=("-u", "1234")).out, "1234\n", "user id")


@clause("cli.exec")
def additional_gids_are_added(box):
    box.launch()
    got = set(box.exec("probe", "groups", flags=("--additional-gids", "10", "--additional-gids", "20")).out.split())
    check({"10", "20"} <= got, f"groups: {got}")


@clause("cli.exec")
def cap_adds_a_capability(box):
    box.process["user"] = {"uid": 1000, "gid": 1000}
    box.launch()
    got = sets(box.exec("cat", "/proc/self/status").out)
    equal(got["bounding"], bits(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]), "bounding set")
    got = sets(box.exec("cat", "/proc/self/status", flags=("--cap", "CAP_CHOWN")).out)
    check(got["bounding"] & bits(["CAP_CHOWN"]), f"bounding set: {got}")
    got = sets(box.exec("cat", "/proc/self/status", flags=("--cap", "CAP_CHOWN", "--user", "0:0")).out)
    check(got["effective"] & bits(["CAP_CHOWN"]), f"effective set of root: {got}")


@clause("cli.exec")
def capabilities_are_those_of_the_container(box):
    box.launch()
    got = sets(box.exec("cat", "/proc/self/status").out)
    equal({kind: got[kind] for kind in ("bounding", "effective", "permitted")},
          {kind: bits(["CAP_AUDIT_WRITE", "CAP_KILL", "CAP_NET_BIND_SERVICE"]) for kind in ("bounding", "effective", "permitted")}, "sets")  # fmt: skip
    equal(set(got), set(KINDS), "sets")


@clause("cli.exec")
def no_new_privs_is_added(box):
    box.process["noNewPrivileges"] = False
    box.launch()
    equal(host.status_field(box.exec("cat", "/proc/self/status").out, "NoNewPrivs"), "0", "NoNewPrivs")
    out = box.exec("cat", "/proc/self/status", flags=("--no-new-privs",)).out
    equal(host.status_field(out, "NoNewPrivs"), "1", "NoNewPrivs with --no-new-privs")


@clause("cli.exec", callers=("root", "rootless"))
def process_is_read_from_a_file(box):
    box.launch()
    process = {"user": {"uid": 0, "gid": 0}, "args": ["sh", "-c", "pwd; env; ulimit -n"], "env": ["PATH=/bin", "X=1"], "cwd": "/tmp",
               "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 99, "hard": 99}]}  # fmt: skip
    path = box.file("process.json", json.dumps(process))
    out = box.call("exec", "--process", path, box.id).expect(0).out
    contains(out, "/tmp\n", "output")
    contains(out, "X=1\n", "output")
    contains(out, "99\n", "output")
    equal(box.call("exec", "-p", path, box.id).expect(0).out, out, "output with -p")


@clause("cli.exec")
def detach_returns_at_once(box):
    box.launch()
    ended = box.exec("sh", "-c", "echo ran; exec sleep 100", flags=("--detach", "--pid-file", box.path("pid")))
    check(host.eventually(lambda: ended.out == "ran\n"), f"output: {ended.out!r}")
    pid = int(host.read(box.path("pid")))
    check(host.alive(pid), "the process is gone")
    equal(host.read(box.path("pid")), str(pid), "pid file")
    contains(host.read(f"/proc/{pid}/cmdline"), "sleep", "its command line")


@clause("cli.exec")
def preserve_fds_passes_so_many_more(box):
    box.launch()
    out = box.exec("sh", "-c", "cat <&3; probe fds", flags=("--preserve-fds=1",), files=[box.file("passed", "text")]).out
    equal(out, "text0\n1\n2\n3\n", "output")


@clause("cli.exec", callers=("root", "rootless"))
def has_no_descriptor_but_the_standard_streams(box):
    box.launch()
    equal(box.exec("probe", "fds").out, "0\n1\n2\n", "descriptors")


@clause("cli.exec")
def options_after_the_id_are_the_programs(box):
    box.launch()
    equal(box.exec("echo", "-n", "--cwd", "-e").out, "--cwd -e", "output")


@clause("cli.exec")
def of_a_program_that_is_not_there_names_it(box):
    box.launch()
    ended = box.call("exec", box.id, "no-such-program")
    equal(ended.code, 255, "exit status")
    contains(ended.err, "no-such-program", "the message")
    contains(ended.err, "not found in $PATH", "the message")


@clause("cli.exec")
def of_what_can_not_be_executed_is_an_error(box):
    box.launch()
    equal(box.call("exec", box.id, "/bin").code, 255, "exit status")


@clause("cli.exec")
def works_in_a_created_container(box):
    box.create("sleep", "100")
    equal(box.exec("echo", "hi").out, "hi\n", "output")
    equal(box.status(), "created", "status")


@clause("cli.exec")
def in_a_stopped_container_is_an_error(box):
    box.launch()
    pid = box.pid()
    box.kill("KILL")
    box.wait_gone(pid)
    box.call("exec", box.id, "true").fails()


@clause("cli.exec")
def in_what_does_not_exist_is_an_error(box):
    box.call("exec", "no-such-container", "true").fails()
    box.launch()
    box.call("exec", box.id).fails()


@clause("cli.exec")
def is_gone_with_the_container(box):
    box.launch()
    box.exec("sleep", "100", flags=("--detach", "--pid-file", box.path("pid")))
    pid = int(host.read(box.path("pid")))
    box.delete("--force")
    check(host.eventually(lambda: not host.alive(pid)), "the process goes on")


@clause("cli.exec")
def the_programs_child_is_not_the_containers_business(box):
    """exec returns when its program has ended, though a child of that goes on and holds no stream."""
    box.launch()
    box.exec("sh", "-c", "(sleep 100 >/dev/null 2>&1 </dev/null &) ; echo done")


@clause("cli.exec")
def cgroup_is_a_group_below_the_containers(box):
    """Made by who calls exec (runc), on v2 where the container's program may make it."""
    box.namespace("cgroup")
    pid = box.launch()
    folder = host.group_folder(pid, "pids")
    os.mkdir(f"{folder}/sub")
    flag = "sub" if host.is_unified() else "pids:sub"
    box.exec("sleep", "100", flags=("--detach", "--cgroup", flag, "--pid-file", box.path("pid")))
    second = int(host.read(box.path("pid")))
    equal(host.group_folder(second, "pids"), f"{folder}/sub", "group")
    box.call("exec", "--cgroup", "no-such-group", box.id, "true").fails()
    box.call("exec", "--cgroup", "../..", box.id, "true").fails()


@clause("cli.exec.security")
def the_runtimes_own_program_can_not_be_reached(box):
    """CVE-2019-5736: while exec is under way, nothing in the container opens the runtime's file for writing."""
    box.capabilities("CAP_SYS_PTRACE", "CAP_DAC_OVERRIDE", "CAP_KILL")
    before = host.read_bytes(box.runtime)
    created = box.create("sh", "-c", "echo ready; while :; do for p in /proc/[0-9]*; do [ $p = /proc/1 ] || (exec 9>>$p/exe) 2>/dev/null && "
                         "[ $p != /proc/1 ] && readlink $p/exe; done; done 2>/dev/null")  # fmt: skip
    box.start()
    check(host.eventually(lambda: "ready" in created.out), "the program isn't ready")
    for _ in range(20):
        box.exec("true")
    lacks(created.out, os.path.basename(box.runtime), "files opened for writing")
    equal(host.read_bytes(box.runtime), before, "the runtime's file")


@clause("cli.exec.security")
def a_folder_that_leads_out_by_a_descriptor_is_not_entered(box):
    """CVE-2024-21626: /proc/self/fd/N of a runtime that has a folder of the host open."""
    box.launch()
    for number in range(3, 12):
        ended = box.call("exec", "--cwd", f"/proc/self/fd/{number}", box.id, "sh", "-c", "ls -a; pwd")
        if ended.code == 0:
            lacks(ended.out, os.path.basename(box.base), "files of that folder")
            lacks(ended.out, "/var", "folder")


@clause("cli.create.security")
def a_working_folder_that_leads_out_by_a_descriptor_is_not_entered(box):
    for number in range(3, 12):
        box.process["cwd"] = f"/proc/self/fd/{number}"
        ended = box.try_run("sh", "-c", "ls -a /proc/self/cwd/../../../..; pwd")
        if ended.code == 0:
            lacks(ended.out, "lost+found", "files of that folder")
            lacks(ended.out, "mxc-conformance", "files of that folder")


if __name__ == "__main__":
    main()
