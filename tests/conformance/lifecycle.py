#!/usr/bin/env python3
"""runtime.md: the operations create, start, kill and delete, and the errors they owe."""

import json
import os
import signal
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import check, clause, contains, equal, lacks, main  # noqa: E402

# -- create ------------------------------------------------------------------------------------------------------------


@clause("runtime.create", callers=("root", "rootless"))
def makes_a_container_that_has_not_run_its_program(box):
    created = box.create("sh", "-c", "echo ran; exec sleep 100")
    equal(box.status(), "created", "status")
    check(host.alive(box.pid()), "there is no process")
    equal(created.out, "", "output of the program before start")


@clause("runtime.create")
def needs_an_id(box):
    box.save()
    box.call("create", "--bundle", box.bundle).fails()


@clause("runtime.create")
def needs_a_bundle(box):
    box.call("create", "--bundle", box.folder("empty"), box.id).fails()
    box.call("create", "--bundle", box.path("missing"), box.id).fails()
    box.call("create", box.id).fails()
    check(not box.exists(), "a container exists")


@clause("runtime.create")
def an_id_in_use_is_an_error_and_the_first_container_stays(box):
    box.create("sleep", "100")
    before = box.state()
    box.try_create().fails()
    equal(box.state(), before, "state of the first container")
    box.start()
    box.try_create().fails()
    equal(box.state()["pid"], before["pid"], "pid of the first container")


@clause("runtime.create")
def ids_that_are_no_name_are_errors(box):
    box.save()
    for wrong in ("", ".", "..", "a/b", "../a", "/a", "a\nb", "a\tb"):
        box.call("create", "--bundle", box.bundle, "--", wrong).fails()
        equal(os.listdir(box.state_root), [], f"state folder after the id {wrong!r}")


@clause("runtime.create")
def the_configuration_is_read_once(box):
    created = box.create("sh", "-c", "echo first; hostname")
    changed = json.loads(json.dumps(box.config))
    changed["process"]["args"] = ["echo", "second"]
    changed["hostname"] = "other"
    box.save(changed)
    box.start()
    check(host.eventually(lambda: "conformance" in created.out), f"output: {created.out!r} {created.err!r}")
    equal(created.out, "first\nconformance\n", "output")


@clause("runtime.errors")
def a_failed_create_leaves_things_as_they_were(box):
    """The last step fails: by then everything else has been made."""
    box.linux["cgroupsPath"] = f"/{box.tag}-group"
    box.process["cwd"] = "/"
    box.add_mount("/late", "no-such-filesystem")
    box.try_create("true").fails()
    check(not box.exists(), "the container exists")
    check(host.eventually(lambda: not box.leftovers()), f"left: {box.leftovers()}")


@clause("runtime.create")
def a_bundle_that_is_no_json_is_an_error(box):
    for text in ("", "{", "[]", "null", '{"ociVersion": "1.0.2"'):
        box.file("bundle/config.json", text)
        box.call("create", "--bundle", box.bundle, box.id).fails()
    check(not box.exists(), "a container exists")


# -- start -------------------------------------------------------------------------------------------------------------


@clause("runtime.start", callers=("root", "rootless"))
def runs_the_program(box):
    created = box.create("sh", "-c", "echo ran; exec sleep 100")
    pid = box.pid()
    box.start()
    check(host.eventually(lambda: "ran" in created.out), f"output: {created.out!r}")
    equal(box.status(), "running", "status")
    equal(box.pid(), pid, "pid")


@clause("runtime.start")
def needs_an_id_that_exists(box):
    box.call("start").fails()
    box.call("start", "no-such-container").fails()


@clause("runtime.start")
def a_running_container_is_not_started_again(box):
    created = box.create("sh", "-c", "echo ran; exec sleep 100")
    box.start()
    check(host.eventually(lambda: "ran" in created.out), f"output: {created.out!r}")
    before = box.state()
    box.call("start", box.id).fails()
    equal(box.state(), before, "state")
    equal(created.out, "ran\n", "output")


@clause("runtime.start")
def a_stopped_container_is_not_started_again(box):
    created = box.create("echo", "ran")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    box.call("start", box.id).fails()
    equal(box.status(), "stopped", "status")
    equal(created.out, "ran\n", "output")


@clause("runtime.start")
def without_a_process_is_an_error(box):
    """`process` may be left out of what is created, not of what is started; refusing it at once is as good."""
    del box.config["process"]
    if box.try_create().code == 0:
        box.call("start", box.id).fails()


# -- kill --------------------------------------------------------------------------------------------------------------


@clause("runtime.kill")
def needs_an_id_that_exists_to_signal(box):
    box.call("kill").fails()
    box.call("kill", "no-such-container", "KILL").fails()


@clause("runtime.kill", callers=("root", "rootless"))
def sends_the_signal_named(box):
    created = box.create("probe", "wait", "HUP", "USR1", "TERM")
    box.start()
    check(host.eventually(lambda: "ready" in created.out), f"output: {created.out!r}")
    for word, said in (("HUP", "HUP"), ("SIGUSR1", "USR1"), ("15", "TERM")):
        before = created.out
        box.kill(word)
        check(host.eventually(lambda: created.out == before + said + "\n"), f"after `kill {word}`: {created.out!r}")
    equal(box.status(), "running", "status")


@clause("runtime.kill")
def sends_sigterm_when_none_is_named(box):
    created = box.create("probe", "wait", "TERM")
    box.start()
    check(host.eventually(lambda: "ready" in created.out), f"output: {created.out!r}")
    box.kill()
    check(host.eventually(lambda: created.out == "ready\nTERM\n"), f"output: {created.out!r}")


@clause("runtime.kill")
def an_unknown_signal_is_an_error_and_nothing_is_sent(box):
    pid = box.launch()
    for word in ("NOSUCH", "SIGNOSUCH", "1000", "-1", "9x"):
        box.call("kill", box.id, "--", word).fails()
    check(host.alive(pid), "the process is gone")


@clause("runtime.kill")
def reaches_a_created_container(box):
    box.create("sleep", "100")
    pid = box.pid()
    box.kill("KILL")
    box.wait_gone(pid)
    equal(box.status(), "stopped", "status")


@clause("runtime.kill")
def a_stopped_container_is_an_error(box):
    box.create("true")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    before = box.state()
    box.call("kill", box.id, "KILL").fails()
    equal(box.state(), before, "state")


@clause("runtime.kill")
def the_container_is_stopped_when_its_process_has_ended(box):
    """Also while nobody has collected the process: its zombie is stopped."""
    box.create("sleep", "100")
    pid = box.pid()
    box.start()
    box.collects = False
    os.kill(pid, signal.SIGKILL)
    check(host.eventually(lambda: host.process_state(pid) == "Z"), "there is no zombie")
    equal(box.status(), "stopped", "status")
    box.wait_gone(pid)
    equal(box.status(), "stopped", "status once it was collected")


# -- delete ------------------------------------------------------------------------------------------------------------


@clause("runtime.delete")
def needs_an_id_that_exists_to_delete(box):
    box.call("delete").fails()
    box.call("delete", "no-such-container").fails()


@clause("runtime.delete")
def a_running_container_is_an_error_and_goes_on(box):
    pid = box.launch()
    before = box.state()
    box.call("delete", box.id).fails()
    equal(box.state(), before, "state")
    check(host.alive(pid), "the process is gone")


@clause("runtime.delete", callers=("root", "rootless"))
def takes_away_all_that_create_made(box):
    box.create("true")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    box.delete()
    check(not box.exists(), "the container exists")
    lacks(" ".join(os.listdir(box.state_root)), box.id, "state folder")
    check(host.eventually(lambda: not box.leftovers()), f"left: {box.leftovers()}")


@clause("runtime.delete")
def what_the_container_did_not_make_stays(box):
    """Its bundle, a group that was there before with a process of others, and a namespace that it joined."""
    group = os.path.join(host.hierarchies()["" if host.is_unified() else "pids"], f"{box.tag}-others", "inner")
    os.makedirs(group)
    box.linux["cgroupsPath"] = f"/{box.tag}-others/box"
    box.create("true")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    box.delete()
    check(os.path.isdir(group), "another's group is gone")
    os.rmdir(group)
    for folder in host.groups_named(f"{box.tag}-others"):
        os.rmdir(folder)
    contains(" ".join(os.listdir(box.rootfs)), "bin", "rootfs")
    check(os.path.exists(os.path.join(box.bundle, "config.json")), "config.json is gone")


@clause("runtime.delete")
def the_id_can_be_used_again(box):
    for _ in range(2):
        box.create("true")
        pid = box.pid()
        box.start()
        box.wait_gone(pid)
        box.delete()


@clause("runtime.scope")
def who_created_a_container_may_use_all_operations_on_it(box):
    """From any folder, with the same root."""
    box.create("sleep", "100")
    for words in (("state", box.id), ("start", box.id), ("kill", box.id, "KILL")):
        box.call(*words, cwd="/").expect(0)
    check(host.eventually(lambda: box.status() == "stopped"), "it isn't stopped")
    box.call("delete", box.id, cwd="/").expect(0)


if __name__ == "__main__":
    main()
