#!/usr/bin/env python3
"""Command line of runc and crun: pause, resume, kill --all, update, events."""

import json
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
import host  # noqa: E402
from groups import group_file  # noqa: E402
from harness import check, clause, contains, equal, main  # noqa: E402


@clause("cli.pause")
def stops_all_processes_and_resume_lets_them_go_on(box):
    created = box.create("sh", "-c", "while :; do echo x; sleep 0.02; done")
    box.start()
    check(host.eventually(lambda: len(created.out) > 4), "the program says nothing")
    box.call("pause", box.id).expect(0)
    equal(box.status(), "paused", "status")
    before = created.out
    time.sleep(0.3)
    equal(created.out, before, "output while paused")
    box.call("resume", box.id).expect(0)
    equal(box.status(), "running", "status")
    check(host.eventually(lambda: len(created.out) > len(before)), "the program says nothing more")


@clause("cli.pause")
def of_what_does_not_run_is_an_error(box):
    box.call("pause", "no-such-container").fails()
    box.call("resume", "no-such-container").fails()
    box.create("true")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    box.call("pause", box.id).fails()


@clause("cli.pause")
def a_paused_container_is_deleted_by_force(box):
    pid = box.launch()
    box.call("pause", box.id).expect(0)
    box.delete("--force")
    check(host.eventually(lambda: not host.alive(pid)), "the process goes on")
    check(not box.exists(), "the container exists")


@clause("cli.pause")
def kill_9_ends_a_paused_container(box):
    """Frozen tasks of cgroup v1 don't die: they are thawed for it."""
    pid = box.launch()
    box.call("pause", box.id).expect(0)
    box.kill("KILL")
    check(host.eventually(lambda: not host.alive(pid), 3), "the process goes on")


@clause("cli.pause")
def exec_in_a_paused_container_is_an_error(box):
    box.launch()
    box.call("pause", box.id).expect(0)
    box.call("exec", box.id, "true", seconds=5).fails()
    box.call("resume", box.id).expect(0)


@clause("cli.kill")
def all_reaches_every_process(box):
    box.no_namespace("pid")
    created = box.create("sh", "-c", "sleep 1000 & echo $!; wait")
    box.start()
    check(host.eventually(lambda: created.out.strip().isdigit()), f"output: {created.out!r}")
    child, pid = int(created.out), box.pid()
    box.call("kill", "--all", box.id, "KILL").expect(0)
    for process in (child, pid):
        check(host.eventually(lambda process=process: not host.alive(process)), f"process {process} goes on")


@clause("cli.kill")
def all_works_after_the_first_process_has_ended(box):
    """Without a pid namespace the others go on, and `kill --all` is the way to end them."""
    box.no_namespace("pid")
    created = box.create("sh", "-c", "sleep 1000 & echo $!")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    child = int(created.out)
    check(host.alive(child), "the child is gone")
    box.call("kill", "--all", box.id, "KILL").expect(0)
    check(host.eventually(lambda: not host.alive(child)), "the child goes on")


@clause("cli.kill")
def kill_9_ends_all_processes_where_the_pid_namespace_is_the_hosts(box):
    """Nothing else would end them with the first one, which may have ended before."""
    for ended_before in (False, True):
        box.no_namespace("pid")
        pid = box.launch("sleep", "1000")
        for _ in range(2):
            box.exec("sleep", "1000", flags=("--detach",))
        pids = {int(line) for line in host.read(host.group_folder(pid, "pids") + "/cgroup.procs").split()}
        equal(len(pids), 3, "processes")
        if ended_before:
            os.kill(pid, signal.SIGKILL)
            box.wait_gone(pid)
        box.kill("KILL")
        for each in pids:
            box.wait_gone(each)
        box.kill("KILL", code=1)
        box.delete()


@clause("cli.kill")
def signals_may_be_written_in_small_letters(box):
    created = box.create("probe", "wait", "USR1", "TERM")
    box.start()
    check(host.eventually(lambda: "ready" in created.out), "the program isn't ready")
    box.kill("usr1")
    check(host.eventually(lambda: created.out == "ready\nUSR1\n"), f"output: {created.out!r}")
    box.kill("sigterm")
    check(host.eventually(lambda: created.out == "ready\nUSR1\nTERM\n"), f"output: {created.out!r}")


# -- update ----------------------------------------------------------------------------------------------------------------


def group_text(pid, controller, v1_file, v2_file):
    return host.read(group_file(pid, controller, v1_file, v2_file)).strip()


@clause("cli.update")
def options_change_the_limits(box):
    box.resources["memory"] = {"limit": 64 << 20}
    pid = box.launch()
    box.call("update", "--memory", str(48 << 20), "--pids-limit", "33", "--cpu-share", "512", "--cpu-period", "100000", "--cpu-quota", "50000",
             "--cpuset-cpus", "0", box.id).expect(0)  # fmt: skip
    equal(group_text(pid, "memory", "memory.limit_in_bytes", "memory.max"), str(48 << 20), "memory")
    equal(group_text(pid, "pids", "pids.max", "pids.max"), "33", "pids")
    equal(group_text(pid, "cpuset", "cpuset.cpus", "cpuset.cpus"), "0", "cpus")
    if host.is_unified():
        equal(group_text(pid, "cpu", "", "cpu.max"), "50000 100000", "cpu.max")
    else:
        equal(group_text(pid, "cpu", "cpu.cfs_quota_us", ""), "50000", "quota")
        equal(group_text(pid, "cpu", "cpu.shares", ""), "512", "shares")


@clause("cli.update")
def sizes_of_memory_may_have_a_unit(box):
    box.resources["memory"] = {"limit": 32 << 20}
    pid = box.launch()
    for text, wanted in (("50M", 50 << 20), ("64m", 64 << 20), ("98304k", 96 << 20), ("1G", 1 << 30)):
        box.call("update", "--memory", text, box.id).expect(0)
        equal(group_text(pid, "memory", "memory.limit_in_bytes", "memory.max"), str(wanted), f"limit after --memory {text}")
    box.call("update", "--memory", "5X", box.id).fails()


@clause("cli.update")
def resources_come_from_a_file_or_stdin(box):
    pid = box.launch()
    for number, limit in enumerate((48 << 20, 40 << 20)):
        text = json.dumps({"memory": {"limit": limit}, "pids": {"limit": 40 + number}})
        if number == 0:
            box.call("update", "--resources", box.file("resources.json", text), box.id).expect(0)
        else:
            box.call("update", "-r", "-", box.id, input=text).expect(0)
        equal(group_text(pid, "memory", "memory.limit_in_bytes", "memory.max"), str(limit), "memory")
        equal(group_text(pid, "pids", "pids.max", "pids.max"), str(40 + number), "pids")


@clause("cli.update")
def what_is_not_named_stays(box):
    box.resources["memory"] = {"limit": 64 << 20}
    box.resources["pids"] = {"limit": 50}
    pid = box.launch()
    box.call("update", "--pids-limit", "40", box.id).expect(0)
    equal(group_text(pid, "memory", "memory.limit_in_bytes", "memory.max"), str(64 << 20), "memory")


@clause("cli.update")
def memory_and_swap_go_up_and_down_together(box):
    """The kernel of v1 refuses whichever order is wrong for the moment."""
    box.resources["memory"] = {"limit": 32 << 20, "swap": 32 << 20}
    pid = box.launch()
    for size in (64 << 20, 24 << 20):
        box.call("update", "--memory", str(size), "--memory-swap", str(size), box.id).expect(0)
        equal(group_text(pid, "memory", "memory.limit_in_bytes", "memory.max"), str(size), "memory")


@clause("cli.update")
def check_before_update_refuses_less_than_is_used(box):
    created = box.create("sh", "-c", "head -c 30000000 /dev/zero > /dev/shm/x; echo ready; exec sleep 100")
    box.start()
    check(host.eventually(lambda: "ready" in created.out, 30), f"the program isn't ready: {created.err}")
    pid = box.pid()
    text = json.dumps({"memory": {"limit": 4 << 20, "checkBeforeUpdate": True}})
    box.call("update", "--resources", box.file("resources.json", text), box.id).fails()
    check(host.alive(pid), "the process is gone")


@clause("cli.update")
def of_what_does_not_exist_or_is_wrong_is_an_error(box):
    box.call("update", "--memory", "100000000", "no-such-container").fails()
    box.launch()
    for wrong in (("--memory", "lots"), ("--cpuset-cpus", "x"), ("--resources", box.path("missing"))):
        box.call("update", *wrong, box.id).fails()


# -- events ----------------------------------------------------------------------------------------------------------------


@clause("cli.events")
def stats_are_one_line_of_json(box):
    box.resources["memory"] = {"limit": 64 << 20}
    box.resources["pids"] = {"limit": 50}
    box.launch()
    ended = box.call("events", "--stats", box.id).expect(0)
    equal(ended.out.count("\n"), 1, "lines")
    found = json.loads(ended.out)
    equal((found["type"], found["id"]), ("stats", box.id), "type and id")
    data = found["data"]
    check(data["cpu"]["usage"]["total"] > 0, f"cpu: {data['cpu']}")
    equal(data["memory"]["usage"]["limit"], 64 << 20, "memory limit")
    check(0 < data["memory"]["usage"]["usage"] < 64 << 20, f"memory: {data['memory']['usage']}")
    equal(data["pids"]["current"], 1, "pids")
    equal(data["pids"]["limit"], 50, "pids limit")


@clause("cli.events")
def go_on_at_the_interval_until_the_container_is_deleted(box):
    box.launch()
    started, out, _ = box.begin("events", "--interval", "1s", box.id)
    check(host.eventually(lambda: host.read(out).count('"stats"') >= 2, 10), f"events: {host.read(out)!r}")
    box.delete("--force")
    check(host.eventually(lambda: started.poll() is not None, 10), "events goes on after the container")


@clause("cli.events")
def go_on_at_an_interval_in_milliseconds(box):
    box.launch()
    started, out, _ = box.begin("events", "--interval", "50ms", box.id)
    check(host.eventually(lambda: host.read(out).count("\n") >= 3, 10), f"output: {host.read(out)[:200]!r}")
    box.delete("--force")
    equal(started.wait(10), 0, "exit status")


@clause("cli.events")
def of_what_does_not_run_are_an_error(box):
    box.call("events", "--stats", "no-such-container").fails()
    box.create("true")
    pid = box.pid()
    box.start()
    box.wait_gone(pid)
    box.call("events", "--stats", box.id).fails()


@clause("cli.events")
def an_out_of_memory_kill_is_one(box):
    box.resources["memory"] = {"limit": 32 << 20, "swap": 32 << 20}
    box.launch()
    started, out, _ = box.begin("events", "--interval", "1s", box.id)
    check(host.eventually(lambda: '"stats"' in host.read(out), 10), "no events")
    box.call("exec", box.id, "probe", "memory", "100").fails()
    seen = host.eventually(lambda: any(json.loads(line)["type"] == "oom" for line in host.read(out).splitlines() if line.endswith("}")), 5)
    started.kill()
    started.wait()
    check(seen, f"no event of type oom: {host.read(out)[-300:]!r}")
    contains(host.read(out), box.id, "events")


@clause("cli.checkpoint")
def is_refused_by_name(box):
    """Out of scope: it says so, and the container goes on."""
    pid = box.launch()
    for words in (("checkpoint", box.id), ("restore", "--bundle", box.bundle, f"{box.tag}-restored")):
        ended = box.call(*words).fails()
        contains(ended.err, words[0], "the message")
    check(host.alive(pid), "the process is gone")


if __name__ == "__main__":
    main()
