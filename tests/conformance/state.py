#!/usr/bin/env python3
"""runtime.md: what a state says, when, and in which form."""

import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
import schemas  # noqa: E402
from harness import check, clause, equal, main  # noqa: E402

# https://semver.org: what `ociVersion` has to be.
SEMVER = r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?"


def in_each_state(box):
    """Yields the state of a created, a running and a stopped container."""
    box.create("sleep", "100")
    yield "created", box.state()
    pid = box.pid()
    box.start()
    yield "running", box.state()
    box.kill("KILL")
    box.wait_gone(pid)
    yield "stopped", box.state()


@clause("runtime.state")
def has_the_properties_that_it_must_have(box):
    for status, state in in_each_state(box):
        for name, kind in (("ociVersion", str), ("id", str), ("status", str), ("bundle", str)):
            check(isinstance(state.get(name), kind), f"{name} of a {status} container: {state.get(name)!r}")
        equal((state["id"], state["status"]), (box.id, status), "id and status")
        if status != "stopped":
            check(isinstance(state.get("pid"), int) and state["pid"] > 0, f"pid of a {status} container: {state.get('pid')!r}")


@clause("runtime.state")
def conforms_to_the_schema(box):
    box.config["annotations"] = {"com.example.key": "value", "com.example.empty": ""}
    for status, state in in_each_state(box):
        equal(schemas.errors("state-schema.json", state), [], f"errors in the state of a {status} container")


@clause("runtime.state")
def oci_version_is_a_version(box):
    box.create("true")
    check(re.fullmatch(SEMVER, box.state()["ociVersion"]), f"ociVersion: {box.state()['ociVersion']!r}")


@clause("runtime.state")
def pid_is_the_first_process_as_the_host_sees_it(box):
    pid = box.launch()
    equal(host.status_field(host.read(f"/proc/{pid}/status"), "NSpid").split(), [str(pid), "1"], "NSpid")


@clause("runtime.state")
def bundle_is_absolute_whatever_was_given(box):
    box.save()
    box.remember(box.id)
    box.call("create", "--bundle", "../" + os.path.basename(box.base) + "/./bundle", box.id).expect(0)
    bundle = box.state()["bundle"]
    check(os.path.isabs(bundle), f"bundle: {bundle!r}")
    check(os.path.samefile(bundle, box.bundle), f"bundle: {bundle!r}")


@clause("runtime.state")
def the_bundle_is_the_current_folder_when_none_is_given(box):
    box.save()
    box.remember(box.id)
    box.call("create", box.id, cwd=box.bundle).expect(0)
    equal(os.path.realpath(box.state()["bundle"]), os.path.realpath(box.bundle), "bundle")


@clause("runtime.state")
def annotations_are_those_of_the_configuration(box):
    wanted = {"com.example.key": "value", "com.example.empty": "", "com.example.text": 'quote " and \u00e9 \U0001f980'}
    box.config["annotations"] = wanted
    box.create("true")
    got = box.state().get("annotations", {})
    equal({name: got.get(name) for name in wanted}, wanted, "annotations")


@clause("runtime.state")
def without_annotations_it_has_none_or_an_empty_map(box):
    box.create("true")
    check(box.state().get("annotations") in (None, {}), f"annotations: {box.state().get('annotations')!r}")


@clause("runtime.query_state")
def needs_an_id(box):
    box.call("state").fails()


@clause("runtime.query_state")
def of_a_container_that_does_not_exist_is_an_error(box):
    ended = box.call("state", "no-such-container").fails()
    equal(ended.out, "", "stdout")


@clause("runtime.query_state")
def is_the_same_whoever_asks_and_says_nothing_else(box):
    box.launch()
    first = box.call("state", box.id).expect(0)
    equal(first.err, "", "stderr")
    equal(json.loads(first.out), box.state(), "state")


@clause("runtime.state")
def a_recycled_pid_is_not_taken_for_the_container(box):
    """The process is gone and its pid is another's: the container is stopped, and the other is left alone."""
    box.create("sleep", "100")
    pid = box.pid()
    box.start()
    box.kill("KILL")
    box.wait_gone(pid)
    # Writing here needs CAP_CHECKPOINT_RESTORE, and the next process takes the number after it (proc(5)).
    other = None
    for _ in range(50):
        try:
            host.write("/proc/sys/kernel/ns_last_pid", str(pid - 1))
        except OSError:
            break
        started = subprocess.Popen(["sleep", "100"])
        if started.pid == pid:
            other = started
            break
        started.kill()
        started.wait()
    if other is None:
        # Not a skip: what the host doesn't let us do is part of the answer only for pids.
        equal(box.status(), "stopped", "status")
        return
    try:
        equal(box.status(), "stopped", "status")
        box.call("kill", box.id, "KILL").fails()
        equal(other.poll(), None, "exit status of the other process")
        box.call("delete", "--force", box.id).expect(0)
        equal(other.poll(), None, "exit status of the other process after delete")
    finally:
        other.kill()
        other.wait()


if __name__ == "__main__":
    main()
