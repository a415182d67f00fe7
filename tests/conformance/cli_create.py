#!/usr/bin/env python3
"""Command line of runc and crun: options of create, run, start and delete; bundles, pid files, descriptors, ids."""

import json
import os
import subprocess
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import check, clause, contains, equal, lacks, main  # noqa: E402


@clause("cli.create", callers=("root", "rootless"))
def pid_file_holds_the_number_alone(box):
    box.create("sleep", "100", flags=("--pid-file", os.path.join(box.state_root, "pid")))
    equal(host.read(os.path.join(box.state_root, "pid")), str(box.pid()), "pid file")


@clause("cli.create")
def pid_file_is_whole_from_the_start(box):
    """It appears by a rename: who waits for it never reads half a number. An older one is replaced."""
    path = box.file("pid", "left over from before")
    box.create("sleep", "100", flags=("--pid-file", path))
    equal(host.read(path), str(box.pid()), "pid file")
    equal([name for name in os.listdir(box.base) if "pid" in name], ["pid"], "files beside it")


@clause("cli.create")
def config_names_another_file(box):
    other = json.loads(json.dumps(box.config))
    other["hostname"] = "other"
    box.process["args"] = ["hostname"]
    other["process"]["args"] = ["hostname"]
    box.save(other, "other.json")
    box.save()
    box.remember(box.id)
    equal(box.call("run", "--bundle", box.bundle, "--config", f"{box.bundle}/other.json", box.id).expect(0).out, "other\n", "hostname")


@clause("cli.create")
def options_have_short_forms(box):
    box.process["args"] = ["sleep", "100"]
    box.save()
    box.remember(box.id)
    box.call("create", "-b", box.bundle, box.id).expect(0)
    box.call("delete", "-f", box.id).expect(0)
    box.call("run", "-d", "-b", box.bundle, box.id).expect(0)
    equal(box.status(), "running", "status")


@clause("cli.create")
def options_take_their_value_after_an_equals_sign(box):
    box.process["args"] = ["sleep", "100"]
    box.save()
    box.remember(box.id)
    box.call("create", f"--bundle={box.bundle}", f"--pid-file={box.path('pid')}", box.id).expect(0)
    equal(host.read(box.path("pid")), str(box.pid()), "pid file")


@clause("cli.create", callers=("root", "rootless"))
def says_nothing_when_it_succeeds(box):
    created = box.create("sleep", "100")
    equal((created.out, created.err), ("", ""), "output")


@clause("cli.create")
def holds_no_stream_of_the_caller_open(box):
    """A caller that reads create's output through pipes sees their end as soon as the container has closed its own."""
    box.process["args"] = ["sh", "-c", "exec >&- 2>&- <&-; exec sleep 100"]
    box.save()
    box.remember(box.id)
    command = [box.runtime, "--root", box.state_root, "create", "--bundle", box.bundle, box.id]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **box.options()) as started:
        equal(started.wait(20), 0, "exit status")
        box.start()
        out, err = started.communicate(timeout=5)
    equal((out, err), (b"", b""), "output")


@clause("cli.create")
def preserve_fds_passes_so_many_more(box):
    files = [box.file("first", "first"), box.file("second", "second")]
    for count in (1, 2):
        out = box.run("sh", "-c", "probe fds; cat <&3", flags=(f"--preserve-fds={count}",), files=files).out
        equal(out.split("\n"), [*map(str, range(3 + count)), "first"], f"descriptors, and text of 3, of {count}")


@clause("cli.create")
def listen_fds_are_passed_with_their_variables(box):
    """Socket activation (sd_listen_fds(3)): LISTEN_FDS of the caller are kept open and named in the environment."""
    out = box.run("sh", "-c", "echo $LISTEN_FDS; cat <&3", env={"LISTEN_FDS": "1"}, files=[box.file("passed", "text")]).out
    equal(out, "1\ntext", "output")


@clause("cli.create")
def preserve_fds_that_are_not_open_are_an_error(box):
    """Else the numbers would be descriptors that the runtime opens itself."""
    ended = box.try_create("sleep", "100", flags=("--preserve-fds=2",), files=[box.file("passed", "text")])
    ended.fails()
    assert not box.exists(), "the container exists though create failed"


@clause("cli.create")
def listen_fds_that_nobody_passed_are_none(box):
    out = box.run("sh", "-c", "echo $LISTEN_FDS; probe fds", env={"LISTEN_FDS": "3"}, files=[box.file("passed", "text")]).out
    equal(out.split("\n")[:5], ["1", "0", "1", "2", "3"], "LISTEN_FDS and the open descriptors")


@clause("cli.create")
def no_pivot_works_as_well(box):
    out = box.run("sh", "-c", "ls /bin/probe; cat /proc/self/mountinfo", flags=("--no-pivot",)).out
    contains(out, "/bin/probe", "output")
    places = [mount["place"] for mount in host.mounts(out.split("\n", 1)[1])]
    lacks(" ".join(places), box.base, "mounts")


@clause("cli.create")
def a_session_keyring_is_made_unless_told_otherwise(box):
    own = int(subprocess.run([box.rootfs + "/bin/probe", "keyring"], check=True, capture_output=True).stdout)
    check(int(box.run("probe", "keyring").out) != own, "the container has the caller's session keyring")
    equal(int(box.run("probe", "keyring", flags=("--no-new-keyring",)).out), own, "keyring with --no-new-keyring")


@clause("cli.create")
def no_subreaper_is_taken(box):
    box.run("true", flags=("--no-subreaper",))


@clause("cli.run", callers=("root", "rootless"))
def ends_with_the_status_of_the_program_and_leaves_nothing(box):
    box.run("sh", "-c", "exit 42", code=42)
    check(not box.exists(), "the container exists")
    box.run("sh", "-c", "exit 0")


@clause("cli.run")
def keep_leaves_the_container_stopped(box):
    box.run("sh", "-c", "exit 3", flags=("--keep",), code=3)
    equal(box.status(), "stopped", "status")
    box.delete()


@clause("cli.run")
def detach_returns_when_the_program_runs(box):
    ended = box.run("sh", "-c", "echo ran; exec sleep 100", flags=("--detach", "--pid-file", box.path("pid")))
    equal(box.status(), "running", "status")
    equal(host.read(box.path("pid")), str(box.pid()), "pid file")
    check(host.eventually(lambda: ended.out == "ran\n"), f"output: {ended.out!r}")


@clause("cli.run")
def signals_to_run_go_to_the_program(box):
    box.process["args"] = ["probe", "wait", "TERM", "USR1"]
    box.save()
    box.remember(box.id)
    started, out, _ = box.begin("run", "--bundle", box.bundle, box.id)
    check(host.eventually(lambda: "ready" in host.read(out)), "the program isn't ready")
    started.terminate()
    check(host.eventually(lambda: "TERM" in host.read(out)), f"output: {host.read(out)!r}")
    box.kill("KILL")
    equal(started.wait(10), 128 + 9, "exit status")


@clause("cli.run")
def a_program_that_is_not_there_is_named(box):
    ended = box.try_run("no-such-program").fails()
    contains(ended.err, "no-such-program", "the message")
    contains(ended.err, "not found in $PATH", "the message")
    check(not box.exists(), "the container exists")


@clause("cli.create")
def ids_are_of_letters_digits_and_four_signs(box):
    box.process["args"] = ["true"]
    box.save()
    for good in (f"{box.tag}_x", f"{box.tag}.x", f"{box.tag}+x", f"{box.tag}-X0", box.tag + "y" * 64):
        box.remember(good)
        box.call("create", "--bundle", box.bundle, good).expect(0)
        equal(box.state(good)["id"], good, "id")
        box.call("delete", "--force", good).expect(0)


@clause("cli.delete", callers=("root", "rootless"))
def force_ends_a_running_container(box):
    pid = box.launch()
    box.delete("--force")
    check(not box.exists(), "the container exists")
    check(not host.alive(pid), "the process goes on")


@clause("cli.delete")
def force_of_what_does_not_exist_is_no_error(box):
    box.call("delete", "--force", "no-such-container").expect(0)
    box.call("delete", "-f", "no-such-container").expect(0)


@clause("cli.delete")
def a_created_container_goes_without_force(box):
    """The specification wants an error; runc, crun and their callers do this."""
    box.create("sleep", "100")
    pid = box.pid()
    box.delete()
    check(not box.exists(), "the container exists")
    check(host.eventually(lambda: not host.alive(pid)), "the process goes on")


@clause("cli.delete")
def force_ends_all_processes_also_without_a_pid_namespace(box):
    box.no_namespace("pid")
    created = box.create("sh", "-c", "sleep 1000 & echo $!; exec sleep 1000")
    box.start()
    check(host.eventually(lambda: created.out.strip().isdigit()), f"output: {created.out!r}")
    child = int(created.out)
    box.delete("--force")
    check(host.eventually(lambda: not host.alive(child)), "a process of the container goes on")


@clause("cli.create")
def a_root_of_ones_own_is_made(box):
    box.process["args"] = ["true"]
    box.save()
    root = box.path("deep/er")
    command = [box.runtime, "--root", root]
    subprocess.run([*command, "create", "--bundle", box.bundle, box.id], check=True, stdout=subprocess.DEVNULL, **box.options())
    check(os.path.isdir(root), "the root wasn't made")
    check(not box.exists(), "a container of another root is seen")
    subprocess.run([*command, "delete", "--force", box.id], check=True, **box.options())


if __name__ == "__main__":
    main()
