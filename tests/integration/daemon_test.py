#!/usr/bin/env python3
"""mxcd: a run through it, who may ask, hostile clients, and what it writes down."""

import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import time

from harness import ORDINARY_UID, case, check, contains, equal, eventually, lacks, main, processes_below, program
from mxcd import Mxcd, Wire


@case
def a_run_is_as_one_without_mxcd(box):
    with Mxcd(box) as mxcd:
        ended = mxcd.run("sh", "-c", "echo out; echo err >&2; exit 7").expect(7)
        equal(ended.text, "out\n", "stdout")
        equal(ended.raw_err, b"err\n", "stderr")
        data = os.urandom(3_000_000)
        equal(mxcd.run("cat", input=data).expect().out, data, "what went through")
        mxcd.run("sh", "-c", "kill -9 $$").expect(137)
        contains(mxcd.run("no-such-program").expect(127).err, "no-such-program", "stderr")
        mxcd.run("sleep", "60", policy=box.policy(process={"timeout": 300})).expect(124)
        bad = mxcd.run("true", policy='{"version": "1.0.0", "filesystem": {"readonlyPath": []}}').expect(125)
        contains(bad.err, "readonlyPath", "stderr")
        contains(bad.err, ".json:1:", "stderr")
        report = box.path("home", "report.json")
        mxcd.mxc("run", "--daemon", "--report", report, "--name", "n7", "--", "true").expect()
        with open(report, encoding="utf-8") as file:
            whole = json.load(file)
        equal((whole["ended"]["how"], whole["run"], whole["profile"]), ("exited", "n7", "default"), "report")
        check(eventually(lambda: os.listdir(os.path.join(mxcd.folder, "sessions")) == [], 5), "sessions are left")


@case
def what_reads_its_output_sees_the_end_at_once(box):
    with Mxcd(box) as mxcd:
        started = mxcd.begin("run", "--daemon", "--", "echo", "x")
        started.wait(20)
        begin = time.monotonic()
        equal(started.stdout.read(), b"x\n", "stdout")
        check(time.monotonic() - begin < 0.05, "somebody else still has the output open")
        started.stdout.close()
        started.stderr.close()


@case
def the_policy_holds(box):
    secret = box.file("data/secret.txt", "s3cret")
    box.file("data/open.txt", "open")
    with Mxcd(box) as mxcd:
        policy = box.policy(ro=[box.path("data")], rw=[box.work], deny=[secret])
        ended = mxcd.run("sh", "-c", f"cat {box.path('data')}/open.txt; cat {secret}; echo x > {box.path('data')}/new; echo mine > {box.work}/made; id -u", policy=policy)
        contains(ended.text, "open", "stdout")
        contains(ended.err, "Permission denied", "stderr")
        lacks(ended.text, "s3cret", "stdout")
        check(not os.path.exists(box.path("data", "new")), "a file was made in a read-only folder")
        equal(os.stat(os.path.join(box.work, "made")).st_uid, box.uid, "owner of a new file")


@case(callers=("rootless",))
def nobody_is_lent_rights_that_he_has_not(box):
    if os.getuid() != 0:
        return
    hidden = box.folder("hidden", mode=0o700)
    os.chown(hidden, 0, 0)
    with open(os.path.join(hidden, "key"), "w", encoding="utf-8") as file:
        file.write("roots")
    with Mxcd(box) as mxcd:
        for grant in ({"ro": [hidden]}, {"rw": [hidden]}, {"ro": [os.path.join(hidden, "key")]}):
            ended = mxcd.run("cat", os.path.join(hidden, "key"), policy=box.policy(**grant))
            check(ended.code != 0, "root's file was read")
            lacks(ended.text, "roots", "stdout")
        # The supervisor is the caller's process, and has his groups, no others.
        with mxcd.session() as name:
            pid = json.loads(mxcd.mxc("inspect", name).expect().out)["supervisor"]
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                status = file.read()
            contains(status, f"Uid:\t{box.uid}\t{box.uid}\t{box.uid}\t{box.uid}", "status")
            contains(status, "CapEff:\t0000000000000000", "status")
            contains(status, "Groups:\t \n", "status")


@case
def an_mxcd_of_ones_own(box):
    with Mxcd(box, own=True) as mxcd:
        equal(mxcd.run("echo", "mine").expect().text, "mine\n", "stdout")


@case
def signals_reach_the_program(box):
    with Mxcd(box) as mxcd:
        started = mxcd.begin("run", "--daemon", "--", "sh", "-c", "trap 'echo caught; exit 3' TERM; echo ready; while :; do sleep 0.05; done")
        equal(started.stdout.readline(), b"ready\n", "first line")
        started.send_signal(signal.SIGTERM)
        out, _ = started.communicate(timeout=20)
        equal((out, started.returncode), (b"caught\n", 3), "the end")
        started = mxcd.begin("run", "--daemon", "--", "sh", "-c", "trap '' INT; echo ready; while :; do sleep 0.05; done")
        equal(started.stdout.readline(), b"ready\n", "first line")
        started.send_signal(signal.SIGINT)
        time.sleep(0.2)
        started.send_signal(signal.SIGINT)
        started.communicate(timeout=20)
        equal(started.returncode, 137, "after a second Ctrl-C")


@case
def a_terminal_of_its_own(box):
    with Mxcd(box) as mxcd:
        master, slave = pty.openpty()
        import fcntl, termios
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 111, 0, 0))
        before = termios.tcgetattr(slave)
        started = mxcd.begin("run", "--daemon", "--", "sh", "-c", "tty; stty size; read x; echo got $x; printf '\\033]52;c;eA==\\a'", stdin=slave, stdout=slave, stderr=slave)
        seen = b""

        def until(what):
            nonlocal seen
            end = time.monotonic() + 20
            while what not in seen and time.monotonic() < end:
                if select.select([master], [], [], 0.1)[0]:
                    seen += os.read(master, 4096)
            check(what in seen, f"{what!r} is missing: {seen!r}")

        until(b"33 111")
        contains(seen.decode(), "/dev/pts/", "the terminal's name")
        os.write(master, b"typed\n")
        until(b"got typed")
        equal(started.wait(20), 0, "exit status")
        check(b"]52;" not in seen, f"the clipboard was written to: {seen!r}")
        equal(termios.tcgetattr(slave), before, "settings of the terminal")
        os.close(slave)
        os.close(master)


@case
def a_run_ends_with_its_client(box):
    with Mxcd(box) as mxcd:
        started = mxcd.begin("run", "--daemon", "--", "sh", "-c", "echo ready; sleep 1000")
        equal(started.stdout.readline(), b"ready\n", "first line")
        started.kill()
        started.communicate()
        check(eventually(lambda: os.listdir(os.path.join(mxcd.folder, "sessions")) == [], 5), "the session is still there")
        check(eventually(lambda: "sleep" not in processes_below(os.getpid()).values(), 5), "the program still runs")


@case
def a_container_is_not_served(box):
    ask = """
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.settimeout(5)
try:
    s.connect(sys.argv[1])
    hello = json.dumps({"protocol": {"least": 1, "most": 1}}).encode()
    ask = json.dumps({"type": "request", "id": 1, "operation": "list"}).encode()
    try: s.sendall(struct.pack("<IIB3x", len(hello), 0, 1) + hello + struct.pack("<IIB3x", len(ask), 0, 2) + ask)
    except BrokenPipeError: pass
    while data := s.recv(65536): print(data)
except OSError as error:
    print(type(error).__name__)
"""
    with Mxcd(box) as mxcd:
        for unshare in (["-U"], ["-Ur", "-m"], ["-Ur", "-pf"]) if box.uid != 0 else (["-pf"], ["-U"], ["-Ur", "-m"]):
            options = {"user": box.uid, "group": box.uid, "extra_groups": []} if os.getuid() == 0 and not box.root else {}
            got = subprocess.run(["unshare", *unshare, "/usr/bin/python3", "-c", ask, mxcd.socket], capture_output=True, text=True, cwd="/", **options)
            contains(got.stdout, "namespace", f"unshare {unshare}: {got.stderr}")
            lacks(got.stdout, '"text"', f"unshare {unshare}")
        # Nor a sandbox of ours to which somebody grants the folder of the socket.
        policy = box.policy(ro=[mxcd.folder])
        inside = box.python(policy, ask, mxcd.socket)
        lacks(inside.text, '\\"session\\"', "an answer inside a sandbox")
        check("namespace" in inside.text or "Error" in inside.text or inside.code == 125, f"inside: {inside.text!r} {inside.err!r}")
        mxcd.mxc("list").expect()


@case
def a_spec_that_is_not_the_policys_is_refused(box):
    # By the caller himself, for whom the test's own python may be out of reach.
    code = """
import json, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(sys.argv[1])
for kind, what in ((1, {"protocol": {"least": 1, "most": 1}}), (2, {"type": "request", "id": 1, "operation": "run", "policy": json.loads(sys.argv[2])})):
    data = json.dumps(what).encode()
    s.sendall(struct.pack("<IIB3x", len(data), 0, kind) + data)
stream = s.makefile("rb")
while header := stream.read(12):
    size, _, kind = struct.unpack("<IIB3x", header)
    payload = stream.read(size)
    if kind == 2:
        print(payload.decode())
        break
"""
    with Mxcd(box) as mxcd:
        def ask(**policy):
            options = {"user": box.uid, "group": box.uid, "extra_groups": []} if os.getuid() == 0 and not box.root else {}
            got = subprocess.run(["/usr/bin/python3", "-c", code, mxcd.socket, json.dumps(policy)], capture_output=True, text=True, check=True, timeout=30, cwd="/", **options)
            return json.loads(got.stdout)

        text = json.dumps(box.policy(rw=[box.work]))
        got = ask(text=text, source="p.json", argv=["true"], cwd="/", spec='{"ociVersion":"1.2.0"}')
        contains(got["error"]["message"], "not what this policy comes to", "reply")
        if not box.root:
            got = ask(spec='{"ociVersion":"1.2.0"}', argv=["true"], cwd="/")
            contains(got["error"]["message"], "from root only", "reply")
            return
        wire = Wire(mxcd.socket)
        wire.ask(operation="facts", policy={"cwd": box.work, "env": {"PATH": "/usr/bin:/bin"}})
        facts = box.file("facts.json", wire.reply()["text"])
        policy = box.policy_file(text)
        spec = json.dumps(json.loads(box.mxc("spec", "--policy", policy, "--host-facts", facts, "--", "true").expect().out), separators=(",", ":"))
        got = ask(text=text, source=policy, argv=["true"], cwd=box.work, env={"PATH": "/usr/bin:/bin"}, spec=spec)
        lacks(json.dumps(got), "error", "reply to the policy's own spec")


@case(callers=("root",))
def nonsense_harms_nobody(box):
    with Mxcd(box) as mxcd:
        for nonsense in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\xff" * 5000, struct.pack("<IIB3x", 0xFFFFFFFF, 0, 2), struct.pack("<IIB3x", 2, 0, 2) + b"{}"):
            wire = Wire(mxcd.socket, greet=False)
            wire.socket.sendall(nonsense)
            wire.socket.shutdown(socket.SHUT_WR)
            while wire.read() is not None:
                pass
        for request in ({"operation": "format"}, {"operation": "run"}, {"operation": "exec", "session": "../../etc"}, {"operation": "signal", "session": "x", "signal": 99}):
            wire = Wire(mxcd.socket)
            wire.ask(**request)
            got = wire.reply()
            check(got is None or "error" in got, f"{request}: {got}")
        # Into a session: what its supervisor makes of a broken client.
        with mxcd.session() as name:
            wire = Wire(mxcd.socket)
            wire.ask(operation="inspect", session=name)
            check("text" in wire.reply(), "no answer")
            wire.frame(3, 77, b"x")
            check(wire.read() is None, "data for a stream that isn't there was taken")
            for streams in ({"input": 3, "output": 3, "error": 3}, {"input": 0xFFFFFFFF, "output": 1, "error": 1}):
                wire = Wire(mxcd.socket)
                wire.ask(operation="exec", session=name, exec={"argv": ["true"]}, streams=streams)
                contains(json.dumps(wire.reply()), "streams", "reply")
            wire = Wire(mxcd.socket)
            wire.ask(operation="exec", session=name, exec={"argv": ["x" * 200_000]}, streams={"input": 1, "output": 2, "error": 3})
            contains(json.dumps(wire.reply()), "131072", "reply")
            mxcd.mxc("exec", name, "--", "true").expect()
        mxcd.run("true").expect()


@case(callers=("root",))
def mxcd_ends_when_idle(box):
    mxcd = Mxcd(box, "--end-when-idle", "1")
    mxcd.run("true").expect()
    equal(mxcd.process.wait(20), 0, "mxcd's status")
    mxcd.process.stderr.close()


@case(callers=("root",))
def only_one_mxcd_has_a_folder(box):
    with Mxcd(box) as mxcd:
        second = subprocess.run([program("mxcd"), "--folder", mxcd.folder], capture_output=True, text=True, check=False)
        equal(second.returncode, 125, "status")
        contains(" ".join(second.stderr.split()), "another mxcd", "stderr")
        mxcd.mxc("list").expect()
        os.chmod(mxcd.folder, 0o755)
        other = box.folder("writable", mode=0o777)
        os.chown(other, 0, 0)
        third = subprocess.run([program("mxcd"), "--folder", other], capture_output=True, text=True, check=False)
        contains(" ".join(third.stderr.split()), "others may write there", "stderr")


@case
def the_audit_says_who_did_what(box):
    with Mxcd(box) as mxcd:
        mxcd.mxc("run", "--daemon", "--name", "job", "--agent", "agent-7", "--tool-call", "call\x1b[2J9", "--", "sh", "-c", "exit 3", env={"TOKEN": "s3cret-value"}).expect(3)
        mxcd.run("true", policy=box.policy(ro=[box.path("missing")])).expect(125)
        mxcd.mxc("start", "s-none").expect(125)
        with mxcd.session("--name", "long") as name:
            mxcd.mxc("exec", "--agent", "other", name, "--", "sh", "-c", "exit 4 # s3cret-argument").expect(4)
        folder = os.path.join(mxcd.folder, "audit")
        if os.getuid() == 0:
            equal(os.stat(folder).st_uid, 0, "owner")

        def lines():
            with open(os.path.join(folder, "audit.jsonl"), encoding="ascii") as file:
                return [json.loads(line) for line in file]

        check(eventually(lambda: sum(one["kind"] == "end" for one in lines()) == 2, 5), str(lines()))
        got = [(one["kind"], one.get("run", ""), one.get("what", ""), one.get("exitCode")) for one in lines()]
        equal(
            got,
            [
                ("begin", "", "mxcd 0.1.0", None),
                ("start", "job", "", None), ("end", "job", "", 3),
                ("refusal", "", "run", None),
                ("refusal", "", "start", None),
                ("start", "long", "", None), ("program", "long", "sh", None), ("program", "long", "sh", 4), ("end", "long", "", 0),
            ],
            "the log",
        )
        whole = lines()
        equal(whole[1]["claimed"]["agent"], "agent-7", "agent")
        equal(whole[6]["claimed"]["agent"], "other", "agent of a program")
        equal(whole[1]["uid"], box.uid, "uid")
        contains(whole[3]["reason"], "missing", "reason")
        check(whole[1]["policyDigest"].startswith("sha256:"), "no digest")
        with open(os.path.join(folder, "audit.jsonl"), encoding="ascii") as file:
            text = file.read()
        lacks(text, "s3cret", "the log")
        lacks(text, "u001b", "the log")
        contains(subprocess.run([program("mxcd"), "--check-audit", folder], capture_output=True, text=True, check=True).stdout, "9 lines", "check")
        with open(os.path.join(folder, "audit.jsonl"), "w", encoding="ascii") as file:
            file.write(text.replace('"exitCode":3', '"exitCode":0'))
        changed = subprocess.run([program("mxcd"), "--check-audit", folder], capture_output=True, text=True, check=False)
        contains(" ".join(changed.stderr.split()), "line 4", "check of a changed log")


@case(callers=("root",))
def an_impostor_gets_nothing(box):
    path = box.path("home", "mxcd.sock")
    listener = socket.socket(socket.AF_UNIX)
    pid = os.fork()
    if pid == 0:
        os.setgid(ORDINARY_UID)
        os.setuid(ORDINARY_UID)
        os.chdir("/")
        own = socket.socket(socket.AF_UNIX)
        own.bind(f"/tmp/mxc-impostor-{os.getpid()}")
        own.listen()
        own.settimeout(10)
        connection, _ = own.accept()
        heard = connection.recv(100)
        os._exit(1 if heard else 0)
    path = f"/tmp/mxc-impostor-{pid}"
    check(eventually(lambda: os.path.exists(path), 5), "no impostor")
    time.sleep(0.1)
    ended = box.mxc("run", "--daemon", "--", "true", env={"MXC_SOCKET": path})
    contains(ended.expect(125).err, f"uid {ORDINARY_UID}", "stderr")
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 0, "what the impostor heard")
    os.unlink(path)
    listener.close()


if __name__ == "__main__":
    main()
