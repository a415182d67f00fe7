#!/usr/bin/env python3
"""mxcd and what goes through it: `run --daemon`, sessions, who may ask, and what happens when a party dies or stands still."""

import contextlib
import json
import os
import pty
import select
import signal
import socket
import struct
import subprocess
import sys
import time

from harness import Box, ORDINARY_UID, case, check, contains, equal, eventually, lacks, main, processes_below, program
from sodium import SecretStream, transcript_hash


class Mxcd:
    """An mxcd with a folder of the box's. As root it serves everybody; `own`: started by the box's caller for himself."""

    def __init__(self, box, *arguments, own=False):
        self.box, self.own = box, own
        self.folder = box.folder("mxcd")
        if not own and os.getuid() == 0:
            os.chown(self.folder, 0, 0)
        self.socket = os.path.join(self.folder, "mxcd.sock")
        self.arguments = arguments
        self.start()

    def start(self):
        options = {"user": self.box.uid, "group": self.box.uid, "extra_groups": []} if self.own and os.getuid() == 0 else {}
        self.process = subprocess.Popen(
            [program("mxcd"), "--folder", self.folder, *self.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.box.environment(), **options,
        )
        equal(self.process.stderr.readline(), b"mxcd: ready\n", "mxcd's first line")

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.process.stderr.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Sessions that a case left are ended, so that the harness finds what should not be left.
        if self.process.poll() is None:
            for one in json.loads(self.mxc("list", "--json", as_root=not self.own).out or b"[]"):
                self.mxc("deprovision", one["session"], as_root=not self.own)
            self.process.terminate()
            self.process.wait(10)
        if not self.process.stderr.closed:
            self.process.stderr.close()

    def mxc(self, *arguments, env=None, as_root=False, **options):
        box = self.box
        if as_root and not box.root and os.getuid() == 0:
            box = Box.__new__(Box)
            box.__dict__.update(self.box.__dict__, root=True, uid=0)
        return box.mxc(*arguments, env={"MXC_SOCKET": self.socket, **(env or {})}, **options)

    def begin(self, *arguments, **options):
        return self.box.start(*arguments, env={"MXC_SOCKET": self.socket}, **options)

    def run(self, *argv, policy=None, **options):
        what = ["--policy", self.box.policy_file(policy)] if policy is not None else []
        return self.mxc("run", "--daemon", *what, "--", *argv, **options)

    @contextlib.contextmanager
    def session(self, *arguments, policy=None):
        what = ["--policy", self.box.policy_file(policy)] if policy is not None else []
        name = self.mxc("provision", *what, *arguments).expect().text.strip()
        self.mxc("start", name).expect()
        yield name
        self.mxc("deprovision", name).expect()


class Wire:
    """The protocol by hand."""

    def __init__(self, path, greet=True):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(path)
        if greet:
            self.frame(1, 0, json.dumps({"protocol": {"least": 1, "most": 1}, "program": "test"}).encode())

    def frame(self, kind, stream, payload=b""):
        self.socket.sendall(struct.pack("<IIB3x", len(payload), stream, kind) + payload)

    def ask(self, **request):
        self.frame(2, 0, json.dumps({"type": "request", "id": 1, **request}).encode())

    def read(self):
        """(type, stream, payload), or None at the end."""
        header = self._exactly(12)
        if header is None:
            return None
        size, stream, kind = struct.unpack("<IIB3x", header)
        return kind, stream, self._exactly(size) if size else b""

    def reply(self):
        while True:
            got = self.read()
            if got is None:
                return None
            if got[0] == 2:
                return json.loads(got[2])

    def _exactly(self, size):
        data = b""
        while len(data) < size:
            try:
                more = self.socket.recv(size - len(data))
            except ConnectionResetError:
                more = b""
            if not more:
                return None
            data += more
        return data


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
        states = {one["session"]: one["state"] for one in json.loads(mxcd.mxc("list", "--json").expect().out)}
        equal(states, {name: "stopped", stopped: "provisioned"}, "states")
        for one in states:
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


class Relay:
    """mxc-relay as wsl.exe starts it, spoken to as mxc.exe does."""

    MAGIC = b"\x7fMXC-RELAY-1\r\n\x1a\n"

    def __init__(self, mxcd, user="", key=bytes(range(32)), **options):
        self.process = subprocess.Popen([program("mxc-relay"), "--proto", "1", "--folder", mxcd.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        equal(self.process.stdout.read(16), self.MAGIC, "magic")
        self.greeting_text = self.part()
        self.greeting = json.loads(self.greeting_text)
        self.id = os.urandom(16)
        self.opening = opening = json.dumps({"id": self.id.hex(), "user": user, "windowsUser": "PC\\me", "windowsSid": "S-1-5-21-7"}).encode()
        self.write(struct.pack("<I", len(opening)) + opening + key)
        self.refusal = self.part().decode()

    def write(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def part(self):
        return self.process.stdout.read(struct.unpack("<I", self.process.stdout.read(4))[0])

    def frame(self, kind, stream, payload=b""):
        self.write(struct.pack("<IIB3x", len(payload), stream, kind) + payload)

    def run(self, *argv, **policy):
        """Runs a program; (stdout, stderr, the message of its end)."""
        self.write(b"S")
        self.frame(1, 0, b'{"protocol":{"least":1,"most":1}}')
        request = {"type": "request", "id": 1, "operation": "run", "policy": {"argv": argv, **policy}, "streams": {"input": 1, "output": 2, "error": 3}}
        self.frame(2, 0, json.dumps(request).encode())
        streams = {2: b"", 3: b""}
        while True:
            size, stream, kind = struct.unpack("<IIB3x", self.process.stdout.read(12))
            payload = self.process.stdout.read(size)
            if kind == 3:
                streams[stream] += payload
            elif kind == 2 and (b'"exited"' in payload or b'"error"' in payload):
                return streams[2], streams[3], json.loads(payload)

    def close(self):
        self.process.stdin.close()
        self.process.stdout.read()
        self.process.stdout.close()
        self.process.stderr.close()
        return self.process.wait(20)


@case
def a_relay_brings_windows_users_in_as_users_of_the_distribution(box):
    if os.getuid() != 0:
        return
    with Mxcd(box) as mxcd:
        relay = Relay(mxcd, user="root" if box.root else "nobody")
        equal(relay.refusal, "", "refusal")
        with open("/proc/sys/kernel/random/boot_id", encoding="utf-8") as file:
            equal(relay.greeting["bootId"], file.read().strip(), "boot id")
        # Nothing of root's is left in what stands between.
        with open(f"/proc/{relay.process.pid}/status", encoding="utf-8") as file:
            contains(file.read(), f"Uid:\t{box.uid}\t{box.uid}", "status of the relay")
        made = os.path.join(box.work, "made")
        out, err, end = relay.run("sh", "-c", f"echo out; echo err >&2; echo x > {made}; exit 7", text=json.dumps(box.policy(rw=[box.work])), source="p.json", cwd=box.work)
        equal((out, err, end["exitCode"]), (b"out\n", b"err\n", 7), "the run")
        equal(os.stat(made).st_uid, box.uid, "owner of a new file")
        relay.close()
        relay = Relay(mxcd, user="no-such-user")
        contains(relay.refusal, "no account", "refusal")
        relay.close()


@case
def over_a_channel_of_its_own_with_a_key_from_the_relay(box):
    if os.getuid() != 0:
        return
    with Mxcd(box, "--loopback-port", "0") as mxcd:
        with open(os.path.join(mxcd.folder, "port"), encoding="ascii") as file:
            port = int(file.read())
        key = os.urandom(32)

        def connect(relay, key=key, **changed):
            digest = transcript_hash(relay.greeting_text, changed.get("opening", relay.opening), relay.id, relay.greeting["vmId"].encode(), port)
            return SecretStream(socket.create_connection(("127.0.0.1", port), 20), relay.id, key, digest)

        relay = Relay(mxcd, user="root" if box.root else "nobody", key=key)
        equal((relay.refusal, relay.greeting["port"]), ("", port), "greeting")
        relay.write(b"A")
        stream = connect(relay)
        check(stream.finish(), "the server didn't show the key")
        hello = b'{"protocol":{"least":1,"most":1}}'
        request = json.dumps({"type": "request", "id": 1, "operation": "run", "policy": {"argv": ["sh", "-c", "id -u; head -c 300000 /dev/zero"]}, "streams": {"input": 1, "output": 2, "error": 3}}).encode()
        stream.send(struct.pack("<IIB3x", len(hello), 0, 1) + hello + struct.pack("<IIB3x", len(request), 0, 2) + request)
        data, out, end = b"", b"", None
        while end is None:
            plain = stream.receive()
            check(plain is not None, "the connection was cut")
            data += plain
            while len(data) >= 12 and len(data) >= 12 + struct.unpack("<I", data[:4])[0]:
                size, number, kind = struct.unpack("<IIB3x", data[:12])
                payload, data = data[12 : 12 + size], data[12 + size :]
                if kind == 3 and number == 2:
                    out += payload
                    # Credit, as the program says more than a window holds.
                    stream.send(struct.pack("<IIB3x", 4, 2, 6) + struct.pack("<I", size))
                if kind == 2 and b'"exited"' in payload:
                    end = json.loads(payload)
        equal(end["exitCode"], 0, "exit code")
        equal(len(out.split(b"\n", 1)[1]), 300_000, "bytes of output")
        stream.socket.close()
        # The id is used up.
        again = connect(relay)
        check(not again.finish(), "an id was good for a second connection")
        relay.close()
        # Another key, another conversation before it: refused, and said so in the audit.
        for wrong in ({"key": os.urandom(32)}, {"opening": b"{}"}):
            relay = Relay(mxcd, user="nobody", key=key)
            check(not connect(relay, **wrong).finish(), f"taken with {wrong}")
            relay.close()
        # A record that was changed on its way, or repeated, ends the connection.
        for harm in ("changed", "repeated"):
            relay = Relay(mxcd, user="nobody", key=key)
            relay.write(b"A")
            stream = connect(relay)
            check(stream.finish(), "no handshake")
            record = stream.sealed(struct.pack("<IIB3x", len(hello), 0, 1) + hello)
            if harm == "changed":
                record = record[:20] + bytes([record[20] ^ 1]) + record[21:]
            stream.socket.sendall(record * (2 if harm == "repeated" else 1))
            while stream.receive() is not None:
                pass
            relay.close()
        # Only root announces.
        if not box.root:
            announce = {"id": "00" * 16, "key": "00" * 32, "transcriptHash": "00" * 32, "uid": 0, "gid": 0}
            code = "import json,socket,struct,sys\ns=socket.socket(socket.AF_UNIX);s.connect(sys.argv[1])\nfor k,w in ((1,{'protocol':{'least':1,'most':1}}),(2,{'type':'request','id':1,'operation':'open','announcement':json.loads(sys.argv[2])})):\n d=json.dumps(w).encode();s.sendall(struct.pack('<IIB3x',len(d),0,k)+d)\nprint(s.recv(65536)+s.recv(65536))"
            got = subprocess.run(["/usr/bin/python3", "-c", code, mxcd.socket, json.dumps(announce)], capture_output=True, text=True, check=True, user=box.uid, group=box.uid, extra_groups=[], cwd="/")
            contains(got.stdout, "by root", "reply")
        with open(os.path.join(mxcd.folder, "audit", "audit.jsonl"), encoding="ascii") as file:
            text = file.read()
        contains(text, "doesn't know the key", "the audit")
        lacks(text, key.hex(), "the audit")


@case(callers=("root",))
def a_relay_whose_mxc_exe_goes_ends_and_so_does_its_run(box):
    with Mxcd(box) as mxcd:
        relay = Relay(mxcd, user="root")
        relay.write(b"S")
        relay.frame(1, 0, b'{"protocol":{"least":1,"most":1}}')
        request = {"type": "request", "id": 1, "operation": "run", "policy": {"argv": ["sleep", "1000"]}, "streams": {"input": 1, "output": 2, "error": 3}}
        relay.frame(2, 0, json.dumps(request).encode())
        check(eventually(lambda: "sleep" in processes_below(os.getpid()).values(), 10), "nothing runs")
        equal(relay.close(), 0, "the relay's status")
        check(eventually(lambda: "sleep" not in processes_below(os.getpid()).values(), 5), "the program still runs")


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
