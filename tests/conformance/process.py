#!/usr/bin/env python3
"""config.md, process: working directory, environment, arguments, user, limits, and the file descriptors that it gets."""

import os
import resource
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import check, clause, contains, equal, main  # noqa: E402

# -- cwd, env, args ----------------------------------------------------------------------------------------------------


@clause("config.process.cwd", callers=("root", "rootless"))
def is_where_the_program_starts(box):
    box.process["cwd"] = "/root"
    equal(box.run("pwd").out, "/root\n", "pwd")


@clause("config.process.cwd")
def that_is_relative_is_an_error(box):
    box.process["cwd"] = "root"
    box.refused("process.cwd")


@clause("config.process.cwd")
def that_is_missing_in_the_configuration_is_an_error(box):
    del box.process["cwd"]
    box.refused("process.cwd")


@clause("config.process.cwd")
def that_is_a_file_is_an_error(box):
    box.file("bundle/rootfs/etc/file")
    box.process["cwd"] = "/etc/file"
    box.refused(start=True)


@clause("config.process.env")
def an_empty_home_is_that_of_the_user(box):
    box.file("bundle/rootfs/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nother:x:2000:2000::/home/other:/bin/sh\n")
    for env, uid, wanted in ((["HOME="], 0, "/root"), (["HOME=/given", "HOME="], 0, "/root"), (["HOME="], 2000, "/home/other"), (["HOME="], 2001, "/")):
        box.process.update(env=["PATH=/bin", *env], user={"uid": uid, "gid": 0})
        equal(box.run("env").out, f"PATH=/bin\nHOME={wanted}\n", f"environment of {env}, user {uid}")


@clause("config.process.env", callers=("root", "rootless"))
def is_the_whole_environment(box):
    wanted = ["PATH=/bin", "A=1", "EMPTY=", "EQUALS=a=b", "SPACES= a  b ", "LINES=a\nb", "UTF8=\u00e9\U0001f980", "lower_case.dots=x", "HOME=/h"]
    box.process["env"] = wanted
    got = box.run("sh", "-c", "exec cat /proc/self/environ").out.split("\0")[:-1]
    # A shell adds these of its own.
    got = [entry for entry in got if not entry.startswith(("PWD=", "OLDPWD=", "SHLVL=", "_="))]
    # A shell gives on no name that is not one of its own.
    equal(sorted(got), sorted(entry for entry in wanted if "dots" not in entry), "environment of what a shell starts")


@clause("config.process.env")
def reaches_the_program_as_it_is_written(box):
    box.process["env"] = ["B=2", "A=1", "odd.name=x", "PATH=/bin", "HOME=/"]
    equal(box.run("cat", "/proc/self/environ").out.split("\0")[:-1], box.process["env"], "environment")


@clause("config.process.env")
def holds_nothing_of_the_callers(box):
    out = box.run("env", env={"LEAKED_FROM_CALLER": "1"}).out
    check("LEAKED" not in out, f"environment: {out!r}")


@clause("config.process.args", callers=("root", "rootless"))
def reach_the_program_as_they_are_written(box):
    wanted = ["sh", "-c", 'printf "%s\\n" "$#" "$@"', "zero", "", "a b", "*", "-x", "\u00e9\U0001f980", "line\nbreak"]
    equal(box.run(*wanted).out, "6\n" + "\n".join(wanted[4:]) + "\n", "arguments")


@clause("config.process.args")
def are_looked_up_in_the_path_of_the_environment(box):
    box.folder("bundle/rootfs/own")
    box.file("bundle/rootfs/own/tool", "#!/bin/sh\necho own\n", 0o755)
    box.process["env"] = ["PATH=/nowhere:/own"]
    equal(box.run("tool").out, "own\n", "output")


@clause("config.process.args")
def with_a_slash_are_not_looked_up(box):
    box.folder("bundle/rootfs/own")
    box.file("bundle/rootfs/own/tool", "#!/bin/sh\necho own\n", 0o755)
    box.process["cwd"] = "/own"
    box.process["env"] = ["PATH=/bin"]
    equal(box.run("./tool").out, "own\n", "output")


@clause("config.process.args")
def of_a_program_that_is_not_there_are_an_error(box):
    for program in ("no-such-program", "/no/such/program"):
        box.process["args"] = [program]
        box.refused(start=True)
        box.call("delete", "--force", box.id)


@clause("config.process.args")
def of_a_file_that_can_not_be_executed_are_an_error(box):
    box.file("bundle/rootfs/etc/data", "no program", 0o644)
    box.process["args"] = ["/etc/data"]
    box.refused(start=True)


@clause("config.process.args")
def that_are_empty_are_an_error(box):
    for wrong in ([], None):
        box.process["args"] = wrong
        box.refused(start=True)
        box.call("delete", "--force", box.id)


@clause("runtime.lifecycle")
def the_exit_status_is_the_programs(box):
    for code in (0, 1, 77, 255):
        box.run("sh", "-c", f"exit {code}", code=code)
    # In a pid namespace of its own it would be process 1, which no signal of its own ends.
    box.no_namespace("pid")
    box.run("sh", "-c", "kill -9 $$", code=128 + 9)


# -- user --------------------------------------------------------------------------------------------------------------


@clause("config.process.user")
def uid_and_gid_are_those_of_the_program(box):
    box.process["user"] = {"uid": 1234, "gid": 5678}
    box.process["args"] = ["cat", "/proc/self/status"]
    out = box.run().out
    equal(host.status_field(out, "Uid").split(), ["1234"] * 4, "user ids")
    equal(host.status_field(out, "Gid").split(), ["5678"] * 4, "group ids")


@clause("config.process.user")
def additional_gids_are_the_supplementary_groups(box):
    box.process["user"] = {"uid": 1234, "gid": 5678, "additionalGids": [10, 4000000, 20]}
    got = set(box.run("probe", "groups").out.split()) - {"5678"}
    equal(got, {"10", "20", "4000000"}, "groups")


@clause("config.process.user")
def without_additional_gids_the_callers_groups_are_gone(box):
    box.process["user"] = {"uid": 1234, "gid": 5678}
    got = set(box.run("probe", "groups", extra_groups=[4, 24]).out.split()) - {"5678"}
    equal(got, set(), "groups")


@clause("config.process.user", callers=("root", "rootless"))
def umask_is_that_of_the_program(box):
    for umask, text in ((0o077, "0077"), (0, "0000"), (0o027, "0027")):
        box.process["user"]["umask"] = umask
        equal(box.run("sh", "-c", "umask").out, text + "\n", "umask")


@clause("config.process.user")
def ids_are_those_inside_the_user_namespace(box):
    box.map_ids(300000)
    box.process["user"] = {"uid": 7, "gid": 8, "additionalGids": [9]}
    created = box.create("sleep", "100")
    pid = box.pid()
    box.start()
    outside = host.read(f"/proc/{pid}/status")
    equal(host.status_field(outside, "Uid").split()[0], "300007", "user id outside")
    equal(host.status_field(outside, "Gid").split()[0], "300008", "group id outside")
    contains(host.status_field(outside, "Groups"), "300009", "groups outside")
    equal(created.out, "", "output")


@clause("config.process.user")
def ids_that_are_not_mapped_are_an_error(box):
    box.map_ids(300000, 10)
    box.process["user"] = {"uid": 10, "gid": 0}
    box.refused("process.user", start=True)


# -- rlimits -----------------------------------------------------------------------------------------------------------


@clause("config.process.rlimits", callers=("root", "rootless"))
def soft_and_hard_are_what_getrlimit_says(box):
    wanted = {"RLIMIT_NOFILE": (100, 200), "RLIMIT_CORE": (0, 0), "RLIMIT_FSIZE": (4096 << 10, 8192 << 10), "RLIMIT_STACK": (1 << 20, 4 << 20),
              "RLIMIT_CPU": (50, 60)}  # fmt: skip
    box.process["rlimits"] = [{"type": kind, "soft": soft, "hard": hard} for kind, (soft, hard) in wanted.items()]
    out = box.run("cat", "/proc/self/limits").out
    for label, kind in (("Max open files", "RLIMIT_NOFILE"), ("Max core file size", "RLIMIT_CORE"), ("Max file size", "RLIMIT_FSIZE"),
                        ("Max stack size", "RLIMIT_STACK"), ("Max cpu time", "RLIMIT_CPU")):  # fmt: skip
        line = next(line for line in out.splitlines() if line.startswith(label + " "))
        equal(tuple(map(int, line[len(label) :].split()[:2])), wanted[kind], kind)


@clause("config.process.rlimits")
def an_unknown_type_is_an_error(box):
    for wrong in ("RLIMIT_BOGUS", "", "NOFILE", "rlimit_nofile"):
        box.process["rlimits"] = [{"type": wrong, "soft": 1, "hard": 1}]
        box.refused("process.rlimits")


@clause("config.process.rlimits")
def a_type_given_twice_is_an_error(box):
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 100, "hard": 100}, {"type": "RLIMIT_NOFILE", "soft": 200, "hard": 200}]
    box.refused("process.rlimits")


@clause("config.process.rlimits")
def a_hard_limit_that_can_not_be_raised_is_an_error(box):
    """Without CAP_SYS_RESOURCE nobody may (setrlimit(2)), and the message says which one."""
    lowered = (resource.RLIMIT_NOFILE, (1000, 1000))
    box.process["rlimits"] = [{"type": "RLIMIT_NOFILE", "soft": 2000, "hard": 2000}]
    box.process["args"] = ["sh", "-c", "ulimit -Sn; ulimit -Hn"]
    box.save()
    box.remember(box.id)
    ended = box.call("create", "--bundle", box.bundle, box.id, preexec_fn=lambda: resource.setrlimit(*lowered))
    if ended.code == 0:
        # Root of the host may raise it: then it has to have been raised.
        box.start()
        check(host.eventually(lambda: ended.out == "2000\n2000\n"), f"limits: {ended.out!r}")
        return
    if not box.peer:
        contains(ended.err, "RLIMIT_NOFILE", "the message")


# -- descriptors, console ------------------------------------------------------------------------------------------------


@clause("runtime_linux.file_descriptors", callers=("root", "rootless"))
def only_the_standard_streams_are_open(box):
    reading, writing = os.pipe()
    os.set_inheritable(reading, True)
    equal(box.run("probe", "fds", pass_fds=(reading,)).out.split(), ["0", "1", "2"], "open descriptors")
    os.close(reading)
    os.close(writing)


@clause("runtime_linux.file_descriptors")
def the_standard_streams_are_the_callers(box):
    box.process["args"] = ["sh", "-c", "cat; echo err >&2"]
    ended = box.try_run(input="from the caller\n").expect(0)
    equal(ended.out, "from the caller\n", "stdout")
    contains(ended.err, "err", "stderr")


@clause("runtime_linux.dev_symbolic_links")
def lead_to_the_descriptors(box):
    out = box.shell("for link in fd stdin stdout stderr; do readlink /dev/$link; done")
    equal(out.split(), ["/proc/self/fd", "/proc/self/fd/0", "/proc/self/fd/1", "/proc/self/fd/2"], "links")


@clause("config.process.terminal", callers=("root", "rootless"))
def is_not_there_by_default(box):
    lines = box.run("probe", "tty").out.splitlines()
    equal([line.split()[:2] for line in lines], [["0", "other"], ["1", "other"], ["2", "other"]], "streams")


@clause("config.process.console_size")
def is_ignored_without_a_terminal(box):
    box.process["consoleSize"] = {"height": 25, "width": 80}
    contains(box.run("probe", "tty").out, "0 other - 0x0", "streams")


if __name__ == "__main__":
    main()
