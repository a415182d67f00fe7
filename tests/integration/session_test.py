#!/usr/bin/env python3
"""Sessions: their life, their programs and clients, and what happens when a party dies or stands still."""

import contextlib
import json
import os
import signal
import subprocess
import time

from harness import case, check, contains, equal, eventually, main, processes_below, program
from mxcd import Mxcd


@case
def a_session_from_its_beginning_to_its_end(box):
    with Mxcd(box) as mxcd:
        policy = box.policy(rw=[box.work])
        name = mxcd.mxc("provision", "--policy", box.policy_file(policy), "--name", "job").expect().text.strip()
        contains(mxcd.mxc("exec", name, "--", "true").expect(125).err, f"mxc start {name}", "stderr")
        contains(mxcd.mxc("list").expect().text, "provisioned", "list")
        mxcd.mxc("start", name).expect()
        contains(mxcd.mxc("start", name).expect(125).err, "running already", "stderr")
        mxcd.mxc("exec", name, "--", "sh", "-c", "echo here > /tmp/shared").expect()
        equal(mxcd.mxc("exec", name, "--", "cat", "/tmp/shared").expect().text, "here\n", "what another program left")
        ended = mxcd.mxc("exec", "--env", "COLOUR=red=blue", "--cwd", "/tmp", name, "--", "sh", "-c", "pwd; echo $COLOUR; exit 5").expect(5)
        equal(ended.text, "/tmp\nred=blue\n", "stdout")
        contains(mxcd.mxc("exec", "--cwd", "/nowhere", name, "--", "true").expect(125).err, "/nowhere", "stderr")
        contains(mxcd.mxc("exec", name, "--", "no-such-program").expect(127).err, "no-such-program", "stderr")
        mxcd.mxc("exec", "--timeout", "200", name, "--", "sleep", "60").expect(124)
        equal(mxcd.mxc("exec", name, "--", "cat", input=b"x" * 500_000).expect().out, b"x" * 500_000, "what went through")
        many = [mxcd.begin("exec", name, "--", "sh", "-c", f"sleep 0.3; echo {i}") for i in range(20)]
        equal([one.communicate(timeout=20)[0] for one in many], [f"{i}\n".encode() for i in range(20)], "side by side")
        found = json.loads(mxcd.mxc("inspect", name).expect().out)
        equal((found["state"], found["name"]), ("running", "job"), "inspect")
        mxcd.mxc("stop", name).expect()
        contains(mxcd.mxc("list").expect().text, "stopped", "list")
        mxcd.mxc("start", name).expect()
        contains(mxcd.mxc("exec", name, "--", "cat", "/tmp/shared").err, "No such file", "a new sandbox")
        mxcd.mxc("deprovision", name).expect()
        contains(mxcd.mxc("inspect", name).expect(125).err, "no session", "stderr")


@case
def a_provisioned_policy_was_checked(box):
    with Mxcd(box) as mxcd:
        bad = mxcd.mxc("provision", "--policy", box.policy_file(box.policy(ro=[box.path("missing")]))).expect(125)
        contains(bad.err, "missing", "stderr")
        equal(json.loads(mxcd.mxc("list", "--json").expect().out), [], "sessions")


@case
def programs_go_on_without_a_client(box):
    with Mxcd(box) as mxcd, mxcd.session() as name:
        number = mxcd.mxc("exec", "-d", name, "--", "sh", "-c", "echo first; echo second >&2; read x; echo $x").expect().text.strip()
        time.sleep(0.2)
        ended = mxcd.mxc("attach", name, number, input=b"typed\n").expect()
        equal((ended.text, ended.raw_err), ("first\ntyped\n", b"second\n"), "streams of a program attached to later")
        # Once more, after its end: what it said is still there.
        equal(mxcd.mxc("attach", name, number).expect().text, "first\ntyped\n", "again")
        logs = mxcd.mxc("logs", name, number).expect()
        equal((logs.text, logs.raw_err), ("first\ntyped\n", b"second\n"), "logs")
        # A client that dies leaves its program.
        started = mxcd.begin("exec", name, "--", "sh", "-c", "echo one; sleep 0.5; echo two", stdin=subprocess.PIPE)
        equal(started.stdout.readline(), b"one\n", "first line")
        started.kill()
        started.communicate()
        equal(mxcd.mxc("attach", name).expect().text, "one\ntwo\n", "after the client's death")
        # A second client takes over; the first one is told.
        first = mxcd.begin("exec", name, "--", "sh", "-c", "echo begun; read x; echo end", stdin=subprocess.PIPE)
        equal(first.stdout.readline(), b"begun\n", "first line")
        second = mxcd.mxc("attach", name, input=b"go\n").expect()
        equal(second.text, "begun\nend\n", "what the second client sees")
        contains(first.communicate()[1].decode(), "another client", "what the first one is told")


@case
def what_nobody_reads_is_bounded(box):
    with Mxcd(box) as mxcd, mxcd.session() as name:
        number = mxcd.mxc("exec", "-d", name, "--", "sh", "-c", "head -c 20000000 /dev/zero | tr '\\0' x; echo; echo last").expect().text.strip()
        check(eventually(lambda: json.loads(mxcd.mxc("inspect", name).out)["programs"][0]["state"] == "ended", 20), "it stands still")
        ended = mxcd.mxc("attach", name, number).expect()
        equal(mxcd.mxc("logs", name).expect().out, ended.out, "logs")
        check(ended.out.endswith(b"x\nlast\n") and 100_000 < len(ended.out) < 400_000, f"{len(ended.out)} bytes are kept")


@case
def a_client_that_stands_still_holds_up_only_its_program(box):
    with Mxcd(box) as mxcd, mxcd.session() as name:
        stalled = mxcd.begin("exec", name, "--", "sh", "-c", "echo still >&2; yes")
        equal(stalled.stderr.readline(), b"still\n", "stderr, while stdout stands")
        time.sleep(0.5)
        pid = json.loads(mxcd.mxc("inspect", name).expect().out)["supervisor"]

        def memory():
            with open(f"/proc/{pid}/statm", encoding="utf-8") as file:
                return int(file.read().split()[1]) * 4096

        before = memory()
        for _ in range(5):
            begin = time.monotonic()
            mxcd.mxc("exec", name, "--", "true").expect()
            check(time.monotonic() - begin < 2, "another program waited")
        stalled.send_signal(signal.SIGTERM)
        check(memory() - before < 4 << 20, f"the supervisor grew by {memory() - before} bytes")
        stalled.stdout.close()
        stalled.wait(20)
        stalled.stderr.close()


def homes_of(mxcd):
    folder = os.path.join(mxcd.folder, "homes")
    homes = {}
    for name in os.listdir(folder):
        with contextlib.suppress(FileNotFoundError):  # one that goes just now
            if name != "next":
                homes[name] = os.lstat(os.path.join(folder, name)).st_uid
    return homes


@case
def a_session_has_ids_and_a_home_that_nobody_else_has(box):
    if os.getuid() != 0:
        return
    with Mxcd(box) as mxcd:
        box.folder("own", mode=0o700)
        secret = box.path("own", "secret")
        with open(secret, "w", encoding="utf-8") as file:
            file.write("mine\n")
        box.file("open/secret", "mine\n", mode=0o600)
        box.file("open/shared", "for all\n")
        shut = box.folder("shut", mode=0o705)
        box.file("shut/file", "for others\n", mode=0o604)
        os.chmod(shut, 0o705)
        os.chown(shut, 12345, box.uid)  # everybody but the caller's group may look
        policy = box.policy(ro=[secret, box.path("open")], x={"isolation": "session"})
        contains(mxcd.mxc("provision", "--policy", box.policy_file(policy)).expect(125).err, "secret", "what lies where only its caller comes")
        if not box.root:
            policy["filesystem"] = {"readonlyPaths": [os.path.join(shut, "file")]}
            contains(mxcd.mxc("provision", "--policy", box.policy_file(policy)).expect(125).err, "shut", "what its caller is kept out of")
        policy["filesystem"] = {"readonlyPaths": [box.path("open")]}
        check(eventually(lambda: homes_of(mxcd) == {}, 5), f"homes of what was refused: {homes_of(mxcd)}")
        with mxcd.session(policy=policy) as one, mxcd.session(policy=policy) as other:
            ids = homes_of(mxcd)
            equal(set(ids), {one, other}, "homes")
            check(ids[one] != ids[other] and min(ids.values()) >= 0x7F000000, f"ids: {ids}")
            found = mxcd.mxc("exec", one, "--", "sh", "-c", f"cd && pwd && echo kept > file && cat {box.path('open')}/shared && ls -A").expect().text
            equal(found, f"{mxcd.folder}/homes/{one}/home\nfor all\nfile\n", "in its home")
            contains(mxcd.mxc("exec", one, "--", "cat", box.path("open", "secret")).expect(1).err, "Permission denied", "a file that only its caller can read")
            equal(os.lstat(f"{mxcd.folder}/homes/{one}/home/file").st_uid, ids[one], "whose its files are")
            equal(mxcd.mxc("exec", other, "--", "sh", "-c", "cd && ls -A").expect().text, "", "the other one's home")
            equal({line["firstOwnId"] for line in json.loads(mxcd.mxc("list", "--json").out)}, set(ids.values()), "list")
            # The home and the ids are the session's, not the sandbox's; mxcd's end changes nothing of it.
            mxcd.mxc("stop", one).expect()
            mxcd.kill()
            mxcd.start()
            equal(homes_of(mxcd), ids, "after mxcd's restart")
            mxcd.mxc("start", one).expect()
            equal(mxcd.mxc("exec", one, "--", "sh", "-c", "cat ~/file").expect().text, "kept\n", "after another start")
            with mxcd.session(policy=policy) as third:
                check(homes_of(mxcd)[third] not in ids.values(), "a range was given twice")
        check(eventually(lambda: homes_of(mxcd) == {}, 5), f"homes that are left: {homes_of(mxcd)}")
        with open(os.path.join(mxcd.folder, "audit", "audit.jsonl"), encoding="utf-8") as file:
            lines = [json.loads(line) for line in file]
        equal({line["ownUid"] for line in lines if line.get("session") == one}, {ids[one]}, "who it was, in the audit")
        equal({line["uid"] for line in lines if line.get("session") == one}, {box.uid}, "for whom, in the audit")


@case
def a_home_is_removed_whatever_lies_in_it(box):
    if os.getuid() != 0:
        return
    with Mxcd(box) as mxcd:
        kept = box.file("kept/file", "stays\n", mode=0o666)
        os.chmod(os.path.dirname(kept), 0o777)
        policy = box.policy(x={"isolation": "session"})
        with mxcd.session(policy=policy) as name:
            home = f"{mxcd.folder}/homes/{name}/home"
            mxcd.mxc("exec", name, "--", "sh", "-c", f"""cd; ln -s {os.path.dirname(kept)} way; ln -s / root; mkdir -p shut/in; touch shut/in/x; chmod 0 shut/in shut
                i=0; while [ $i -lt 300 ]; do mkdir deep; cd deep; i=$((i+1)); done; touch end""").expect()
            # What somebody else put there is removed no more than the session could.
            os.link(kept, f"{home}/hard")
        check(eventually(lambda: homes_of(mxcd) == {}, 5), f"left: {homes_of(mxcd)}")
        equal(open(kept, encoding="utf-8").read(), "stays\n", "what links led to")
        # A folder of root's among it stays, and so do the ids.
        with mxcd.session(policy=policy) as name:
            foreign = f"{mxcd.folder}/homes/{name}/home/foreign"
            os.makedirs(foreign + "/in")
        time.sleep(0.5)
        check(os.path.isdir(foreign + "/in"), "root's folder was removed with the session's rights")
        equal(list(homes_of(mxcd)), [name], "ids that stay taken")
        os.removedirs(foreign + "/in")
        mxcd.kill()
        mxcd.start()
        check(eventually(lambda: homes_of(mxcd) == {}, 5), "a home without a session was left by a new mxcd")


@case
def only_roots_mxcd_has_ids_to_give(box):
    policy = box.policy_file(box.policy(x={"isolation": "session"}))
    contains(box.mxc("run", "--policy", policy, "--", "true").expect(125).err, "x-linux.isolation", "a direct run")
    with Mxcd(box, own=not box.root) as mxcd:
        contains(mxcd.mxc("run", "--daemon", "--policy", policy, "--", "true").expect(125).err, "x-linux.isolation", "a run")
        if not box.root:
            contains(mxcd.mxc("provision", "--policy", policy).expect(125).err, "root's mxcd", "a user's own mxcd")


@case
def sessions_outlive_mxcd(box):
    with Mxcd(box) as mxcd:
        name = mxcd.mxc("provision").expect().text.strip()
        mxcd.mxc("start", name).expect()
        mxcd.mxc("exec", name, "--", "sh", "-c", "echo here > /tmp/shared").expect()
        running = mxcd.begin("exec", name, "--", "sh", "-c", "echo a; read x; echo b", stdin=subprocess.PIPE)
        equal(running.stdout.readline(), b"a\n", "first line")
        stopped = mxcd.mxc("provision").expect().text.strip()
        mxcd.kill()
        contains(mxcd.mxc("list").expect(125).err, "mxcd", "stderr")
        mxcd.start()
        states = {one["session"]: one["state"] for one in json.loads(mxcd.mxc("list", "--json").expect().out)}
        check(eventually(lambda: mxcd.mxc("exec", name, "--", "true").code == 0, 5), "the session was not found again")
        equal(states[stopped], "provisioned", "the other session")
        equal(mxcd.mxc("exec", name, "--", "cat", "/tmp/shared").expect().text, "here\n", "its files")
        equal(running.communicate(b"go\n", timeout=20)[0], b"b\n", "a program with its client, all the while")
        mxcd.kill()
        # Whose supervisor dies while mxcd is away is stopped afterwards.
        for pid, process in processes_below(os.getpid()).items():
            if process == "mxc-session":
                os.kill(pid, signal.SIGKILL)
        mxcd.start()

        def states():
            return {one["session"]: one["state"] for one in json.loads(mxcd.mxc("list", "--json").expect().out)}

        check(eventually(lambda: states() == {name: "stopped", stopped: "provisioned"}, 5), str(states()))
        for one in states():
            mxcd.mxc("deprovision", one).expect()


@case
def a_supervisor_that_dies_takes_its_sandbox_along(box):
    with Mxcd(box) as mxcd, mxcd.session() as name:
        started = mxcd.begin("exec", name, "--", "sh", "-c", "echo ready; sleep 1000")
        equal(started.stdout.readline(), b"ready\n", "first line")
        os.kill(json.loads(mxcd.mxc("inspect", name).expect().out)["supervisor"], signal.SIGKILL)
        _, err = started.communicate(timeout=20)
        equal(started.returncode, 125, "the client's status")
        contains(err.decode(), "connection", "stderr")
        check(eventually(lambda: "sleep" not in processes_below(os.getpid()).values(), 5), "the program still runs")
        check(eventually(lambda: "stopped" in mxcd.mxc("list").text, 5), "mxcd doesn't know")


@case(callers=("rootless",))
def others_sessions_are_not_there(box):
    if os.getuid() != 0:
        return
    with Mxcd(box) as mxcd:
        theirs = mxcd.mxc("provision", as_root=True).expect().text.strip()
        equal(json.loads(mxcd.mxc("list", "--json").expect().out), [], "list")
        for command in (["start", theirs], ["stop", theirs], ["deprovision", theirs], ["inspect", theirs], ["exec", theirs, "--", "true"]):
            contains(mxcd.mxc(*command).expect(125).err, "no session", " ".join(command))
        with mxcd.session() as mine:
            equal([one["session"] for one in json.loads(mxcd.mxc("list", "--json").expect().out)], [mine], "list")


@case
def so_many_sandboxes_and_no_more(box):
    with Mxcd(box, "--most-sessions", "3") as mxcd:
        names = [mxcd.mxc("provision").expect().text.strip() for _ in range(3)]
        contains(mxcd.mxc("provision").expect(125).err, "as many as mxcd allows", "stderr")
        contains(mxcd.run("true").expect(125).err, "as many as mxcd allows", "stderr")
        mxcd.mxc("deprovision", names[0]).expect()
        mxcd.run("true").expect()


@case
def a_session_ends_when_nobody_wants_it(box):
    with Mxcd(box) as mxcd:
        idle = mxcd.mxc("provision", "--idle-timeout", "1").expect().text.strip()
        short = mxcd.mxc("provision", "--lifetime", "2").expect().text.strip()
        for name in (idle, short):
            mxcd.mxc("start", name).expect()
        busy = mxcd.begin("exec", idle, "--", "sleep", "1.6")
        killed = mxcd.begin("exec", short, "--", "sleep", "60")
        equal(busy.wait(20), 0, "a program that runs longer than the idle time")
        check(killed.wait(20) != 0, "a program outlived its session")
        for one in (busy, killed):
            one.communicate()
        check(eventually(lambda: mxcd.mxc("list").text.count("stopped") == 2, 5), mxcd.mxc("list").text)


if __name__ == "__main__":
    main()
