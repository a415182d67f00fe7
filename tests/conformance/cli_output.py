#!/usr/bin/env python3
"""Command line of runc and crun: what list, ps, spec, version and errors look like, for those who read them by program."""

import json
import os
import re
import subprocess
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
import schemas  # noqa: E402
from harness import check, clause, contains, equal, main  # noqa: E402

RFC3339 = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)"


# -- list, ps --------------------------------------------------------------------------------------------------------------


@clause("cli.list", callers=("root", "rootless"))
def as_json_is_an_array_of_containers(box):
    equal(box.call("list", "--format", "json").expect(0).json or [], [], "containers before any")
    pid = box.launch()
    box.create("true", container=f"{box.tag}-b")
    found = {entry["id"]: entry for entry in box.call("list", "-f", "json").expect(0).json}
    equal(sorted(found), [box.id, f"{box.tag}-b"], "ids")
    entry = found[box.id]
    equal((entry["pid"], entry["status"], os.path.realpath(entry["bundle"])), (pid, "running", os.path.realpath(box.bundle)), "entry")
    check(re.fullmatch(RFC3339, entry["created"]), f"created: {entry['created']!r}")
    equal(entry["owner"], "root" if box.uid == 0 else entry["owner"], "owner")
    equal(found[f"{box.tag}-b"]["status"], "created", "status of the other")


@clause("cli.list")
def as_a_table_has_a_header_and_a_line_a_container(box):
    pid = box.launch()
    lines = box.call("list").expect(0).out.splitlines()
    equal(len(lines), 2, "lines")
    for word in ("PID", "STATUS", "BUNDLE", "CREATED", "OWNER"):
        contains(lines[0], word, "header")
    for word in (box.id, str(pid), "running", box.bundle, "root"):
        contains(lines[1], word, "line")
    equal(box.call("list", "--format", "table").expect(0).out.splitlines()[0].split()[:2], lines[0].split()[:2], "header by name")


@clause("cli.list")
def quiet_gives_ids_alone(box):
    box.launch()
    equal(box.call("list", "--quiet").expect(0).out, f"{box.id}\n", "output")
    equal(box.call("list", "-q").expect(0).out, f"{box.id}\n", "output")


@clause("cli.list")
def shows_stopped_containers_with_pid_0(box):
    box.create("true")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    entry = box.call("list", "--format", "json").expect(0).json[0]
    equal((entry["status"], entry["pid"]), ("stopped", 0), "status and pid")


@clause("cli.list")
def an_unknown_format_is_an_error(box):
    box.call("list", "--format", "bogus").fails()


@clause("cli.ps")
def as_json_is_an_array_of_pids(box):
    pid = box.launch()
    equal(box.call("ps", "--format", "json", box.id).expect(0).json, [pid], "pids")
    box.exec("sleep", "100", flags=("--detach", "--pid-file", box.path("pid")))
    equal(sorted(box.call("ps", "-f", "json", box.id).expect(0).json), sorted([pid, int(host.read(box.path("pid")))]), "pids with exec")


@clause("cli.ps")
def as_a_table_has_the_columns_of_ps(box):
    pid = box.launch()
    lines = box.call("ps", box.id).expect(0).out.splitlines()
    contains(lines[0], "PID", "header")
    equal(len(lines), 2, "lines")
    contains(lines[1], str(pid), "line")
    contains(lines[1], "probe wait", "line")


@clause("cli.ps")
def passes_options_to_ps(box):
    box.launch()
    out = box.call("ps", box.id, "-o", "pid,comm").expect(0).out
    equal(out.splitlines()[0].split(), ["PID", "COMMAND"], "header")
    contains(out, "probe", "output")


@clause("cli.ps")
def of_a_stopped_container_has_no_processes(box):
    pid = box.launch()
    box.kill("KILL")
    box.wait_gone(pid)
    equal(box.call("ps", "--format", "json", box.id).expect(0).json or [], [], "pids")
    equal(len(box.call("ps", box.id).expect(0).out.splitlines()), 1, "lines")


@clause("cli.ps")
def of_what_does_not_exist_is_an_error(box):
    box.call("ps", "no-such-container").fails()


# -- state, version, spec ----------------------------------------------------------------------------------------------------


@clause("cli.state")
def has_the_fields_that_callers_of_runc_read(box):
    box.launch()
    state = box.state()
    equal(os.path.realpath(state["rootfs"]) if os.path.isabs(state["rootfs"]) else state["rootfs"], os.path.realpath(box.rootfs), "rootfs")
    check(re.fullmatch(RFC3339, state["created"]), f"created: {state['created']!r}")
    check(isinstance(state["owner"], str), f"owner: {state.get('owner')!r}")


@clause("cli.version")
def names_the_program_and_the_specification(box):
    """podman and containerd read the first line's last word and the line `spec:`."""
    for flag in ("--version", "-v"):
        lines = subprocess.run([box.runtime, flag], check=True, capture_output=True, text=True).stdout.splitlines()
        check(re.match(r"\S+ version \d+\.\d+\S*$", lines[0]), f"first line: {lines[0]!r}")
        check(any(re.match(r"spec: 1\.\d+\.\d+", line) for line in lines), f"lines: {lines}")


@clause("cli.spec", callers=("root", "rootless"))
def writes_a_configuration_that_runs(box):
    words = ("--rootless",) if box.uid else ()
    box.call("spec", *words, "--bundle", box.bundle).expect(0)
    config = json.loads(host.read(f"{box.bundle}/config.json"))
    equal(schemas.errors("config-schema.json", config), [], "errors")
    config["process"].update(terminal=False, args=["echo", "ran"])
    # As it is otherwise, but for what a machine need not have.
    box.save(config)
    box.remember(box.id)
    equal(box.call("run", "--bundle", box.bundle, box.id).expect(0).out, "ran\n", "output")


@clause("cli.spec")
def goes_into_the_current_folder(box):
    folder = box.folder("fresh")
    box.call("spec", cwd=folder).expect(0)
    check(os.path.isfile(f"{folder}/config.json"), "there is no config.json")


@clause("cli.spec")
def does_not_overwrite(box):
    box.file("bundle/config.json", "mine")
    box.call("spec", "--bundle", box.bundle).fails()
    equal(host.read(f"{box.bundle}/config.json"), "mine", "the file")


@clause("cli.spec")
def rootless_maps_the_caller(box):
    box.call("spec", "--rootless", "--bundle", box.bundle).expect(0)
    linux = json.loads(host.read(f"{box.bundle}/config.json"))["linux"]
    check({"type": "user"} in linux["namespaces"], f"namespaces: {linux['namespaces']}")
    equal([(entry["containerID"], entry["hostID"], entry["size"]) for entry in linux["uidMappings"]], [(0, os.getuid(), 1)], "uidMappings")
    check(not linux.get("resources"), f"resources: {linux.get('resources')}")


# -- errors, logs ----------------------------------------------------------------------------------------------------------


@clause("cli.errors")
def a_container_that_does_not_exist_is_said_not_to(box):
    """Callers look for this text."""
    for words in (("state",), ("start",), ("kill",), ("delete",), ("ps",), ("pause",), ("resume",)):
        ended = box.call(*words, "no-such-container")
        equal(ended.code, 1, f"exit status of {words[0]}")
        contains(ended.err, "does not exist", f"the message of {words[0]}")


@clause("cli.errors")
def a_stopped_container_is_said_not_to_run(box):
    """containerd and podman look for `container not running` after kill."""
    box.create("true")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    ended = box.call("kill", box.id, "KILL")
    equal(ended.code, 1, "exit status")
    contains(ended.err, "not running", "the message")


@clause("cli.errors")
def wrong_usage_is_an_error_on_stderr(box):
    for words in (("no-such-command",), ("--no-such-option",), ("state",), ("state", "a", "b"), ("create", "--no-such-option", "x")):
        box.call(*words).fails()


@clause("cli.log", callers=("root", "rootless"))
def as_json_has_a_line_an_entry(box):
    log = os.path.join(box.state_root, "log")
    box.call("state", "no-such-container", before=("--log", log, "--log-format", "json")).fails()
    lines = host.read(log).splitlines()
    check(lines, "nothing was logged")
    for line in lines:
        entry = json.loads(line)
        check({"level", "msg", "time"} <= set(entry), f"entry: {entry}")
        check(re.fullmatch(RFC3339, entry["time"]), f"time: {entry['time']!r}")
    equal(entry["level"], "error", "level of the last entry")
    check(entry["msg"], "the message is empty")


@clause("cli.log")
def as_text_holds_the_message(box):
    log = box.path("log")
    box.call("state", "no-such-container", before=("--log", log)).fails()
    contains(host.read(log), "no-such-container" if not box.peer else "", "log")
    check(host.read(log).strip(), "nothing was logged")


@clause("cli.log")
def is_appended_to(box):
    log = box.file("log", "before\n")
    box.call("state", "no-such-container", before=("--log", log, "--log-format", "json")).fails()
    check(host.read(log).startswith("before\n") and len(host.read(log)) > 8, f"log: {host.read(log)!r}")


@clause("cli.log")
def the_message_goes_to_stderr_too(box):
    ended = box.call("state", "no-such-container", before=("--log", box.path("log"))).fails()
    check(ended.err, "stderr is empty")


@clause("cli.log")
def debug_says_more(box):
    log = box.path("log")
    box.process["args"] = ["true"]
    box.save()
    box.remember(box.id)
    box.call("run", "--bundle", box.bundle, box.id, before=("--debug", "--log", log)).expect(0)
    check(os.path.exists(log) and host.read(log).strip(), "nothing was logged")


@clause("cli.log")
def an_unknown_format_is_refused(box):
    box.call("list", before=("--log", box.path("log"), "--log-format", "bogus")).fails()


@clause("cli.log")
def errors_of_the_container_side_get_there_too(box):
    """What fails between clone and exec is logged like the rest: podman shows its user the log's last entry."""
    log = box.path("log")
    box.process["args"] = ["no-such-program"]
    box.save()
    box.remember(box.id)
    box.call("create", "--bundle", box.bundle, box.id, before=("--log", log, "--log-format", "json"))
    box.call("start", box.id, before=("--log", log, "--log-format", "json")).fails()
    contains(host.read(log), "no-such-program", "log")


@clause("cli.cgroup_manager")
def cgroupfs_and_disabled_are_taken(box):
    box.process["args"] = ["true"]
    box.save()
    box.remember(box.id)
    box.call("run", "--bundle", box.bundle, box.id, before=("--cgroup-manager", "cgroupfs")).expect(0)
    del box.linux["resources"]
    box.process["args"] = ["cat", "/proc/self/cgroup"]
    box.save()
    out = box.call("run", "--bundle", box.bundle, box.id, before=("--cgroup-manager", "disabled")).expect(0).out
    equal(sorted(out.splitlines()), sorted(host.read("/proc/self/cgroup").splitlines()), "groups with --cgroup-manager disabled")
    box.call("run", "--bundle", box.bundle, box.id, before=("--cgroup-manager", "bogus")).fails()


if __name__ == "__main__":
    main()
