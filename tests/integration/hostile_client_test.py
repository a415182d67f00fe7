#!/usr/bin/env python3
"""What a client, or a user's own supervisor, does to mxcd on purpose: nobody else may notice."""

import json
import os
import socket
import struct
import subprocess
import time

from harness import case, check, contains, equal, eventually, lacks, main, program
from mxcd import Mxcd, Wire

POLICY = {"argv": ["true"], "cwd": "/"}


def message(**request):
    data = json.dumps({"type": "request", "id": 1, **request}).encode()
    return struct.pack("<IIB3x", len(data), 0, 2) + data


def lives(mxcd, within=3):
    """Another client is answered, soon."""
    begin = time.monotonic()
    wire = Wire(mxcd.socket)
    wire.ask(operation="list")
    check("text" in (wire.reply() or {}), "mxcd gives no answer")
    check(time.monotonic() - begin < within, f"another client waited {time.monotonic() - begin:.1f} s")
    equal(mxcd.process.poll(), None, "mxcd's status")


@case(callers=("root",))
def a_client_that_goes_in_the_middle_of_what_it_asked(box):
    with Mxcd(box) as mxcd:
        for _ in range(5):
            wire = Wire(mxcd.socket)
            wire.read()
            wire.socket.shutdown(socket.SHUT_RD)
            wire.socket.sendall(message(operation="list") + message(operation="provision", policy=POLICY) * 3)
            wire.socket.close()
        name = mxcd.mxc("provision").expect().text.strip()
        for _ in range(5):
            wires = [Wire(mxcd.socket) for _ in range(3)]
            for wire, operation in zip(wires, ("start", "deprovision", "deprovision")):
                wire.read()
                wire.socket.shutdown(socket.SHUT_RD)
                wire.ask(operation=operation, session=name)
            for wire in wires:
                wire.socket.close()
            lives(mxcd)
            name = mxcd.mxc("provision").expect().text.strip()
        check(eventually(lambda: mxcd.mxc("list").code == 0, 5), "mxcd is gone")


@case(callers=("root",))
def one_answer_at_a_time(box):
    with Mxcd(box) as mxcd:
        wire = Wire(mxcd.socket)
        wire.socket.sendall(message(operation="provision", policy=POLICY) * 2)
        replies = [wire.reply(), wire.reply()]
        check(any("waits for an answer" in json.dumps(one) for one in replies), str(replies))


@case(callers=("root",))
def a_message_with_very_many_names(box):
    with Mxcd(box) as mxcd:
        body = ('{"type":"request","a":{' + ",".join(f'"{i:x}":0' for i in range(300_000)) + "}}").encode()
        wire = Wire(mxcd.socket)
        wire.frame(2, 0, body)
        time.sleep(0.1)
        lives(mxcd, 5)


@case(callers=("root",))
def a_descriptor_whose_close_takes_long(box):
    with Mxcd(box) as mxcd:
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        slow = socket.create_connection(listener.getsockname())
        held, _ = listener.accept()
        slow.setblocking(False)
        try:
            while True:
                slow.send(b"x" * 65536)
        except BlockingIOError:
            pass
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 20))
        wire = Wire(mxcd.socket)
        try:
            socket.send_fds(wire.socket, [message(operation="list")], [slow.fileno()])
            os.close(slow.detach())
        except PermissionError:
            slow.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            slow.close()  # this kernel takes none
        time.sleep(0.3)
        lives(mxcd)
        held.close()
        listener.close()


@case(callers=("root",))
def a_client_that_asks_and_never_reads(box):
    with Mxcd(box) as mxcd:
        names = [mxcd.mxc("provision").expect().text.strip() for _ in range(20)]

        def memory():
            with open(f"/proc/{mxcd.process.pid}/statm", encoding="utf-8") as file:
                return int(file.read().split()[1]) * 4096

        before = memory()
        wires = [Wire(mxcd.socket) for _ in range(4)]
        end = time.monotonic() + 3
        for wire in wires:
            wire.socket.setblocking(False)
        while time.monotonic() < end:
            for wire in wires:
                try:
                    wire.socket.send(message(operation="list") * 500)
                except BlockingIOError:
                    time.sleep(0.01)
        check(memory() - before < 48 << 20, f"mxcd grew by {(memory() - before) >> 20} MiB")
        lives(mxcd)
        # One that reads late is answered all the same.
        late = Wire(mxcd.socket)
        for _ in range(2000):
            late.ask(operation="inspect", session="s-none")
        for _ in range(2000):
            contains(json.dumps(late.reply()), "no session", "a late answer")
        for name in names:
            mxcd.mxc("deprovision", name).expect()


@case(callers=("root",))
def who_is_not_understood_is_told(box):
    with Mxcd(box) as mxcd, mxcd.session() as name:
        for first in (None, {"operation": "inspect", "session": name}):
            for request, said in (({"operation": "format"}, "no operation"), ({"operation": "signal", "signal": 99}, "1 to 64")):
                wire = Wire(mxcd.socket)
                if first:
                    wire.ask(**first)
                    wire.reply()
                wire.ask(**request)
                got = wire.reply()
                contains(json.dumps(got), said, f"{request} after {first}")
                check(wire.reply() is None, "the connection goes on")


@case
def a_supervisors_false_news(box):
    # It is its user's, who may speak for it: over and over, he fills nothing.
    with Mxcd(box) as mxcd, mxcd.session() as name:
        pid = json.loads(mxcd.mxc("inspect", name).expect().out)["supervisor"]
        code = """
import ctypes, os, socket, sys
pid = int(sys.argv[1])
libc = ctypes.CDLL(None, use_errno=True)
pidfd = os.pidfd_open(pid)
for name in os.listdir(f"/proc/{pid}/fd"):
    if not os.readlink(f"/proc/{pid}/fd/{name}").startswith("socket:"): continue
    fd = libc.syscall(438, pidfd, int(name), 0)
    if fd < 0: continue
    one = socket.socket(fileno=fd)
    if one.type != socket.SOCK_SEQPACKET: continue
    try: one.getpeername()
    except OSError: continue
    if "control" not in str(one.getsockname()): continue
    one.setblocking(True)
    for news in ('{"news":"ready"}', '{"news":"ended","how":"x"}', '{"news":"failed"}', '[]', 'x') * 200:
        one.send(news.encode())
    print("said")
"""
        reader = {"user": box.uid, "group": box.uid, "extra_groups": []} if os.getuid() == 0 and not box.root else {}
        said = subprocess.run(["/usr/bin/python3", "-c", code, str(pid)], capture_output=True, text=True, check=False, cwd="/", **reader)
        contains(said.stdout, "said", f"the test's own: {said.stderr}")
        lives(mxcd) if box.root else mxcd.mxc("list").expect()
        with open(os.path.join(mxcd.folder, "audit", "audit.jsonl"), encoding="ascii") as file:
            lines = file.read().splitlines()
        check(len(lines) < 20, f"{len(lines)} lines: {lines[:10]}")


@case
def a_supervisor_shows_nothing_of_mxcds(box):
    with Mxcd(box, env={"MARKER_OF_ROOT": "s3cret"}) as mxcd, mxcd.session() as name:
        pid = json.loads(mxcd.mxc("inspect", name).expect().out)["supervisor"]
        reader = {"user": box.uid, "group": box.uid, "extra_groups": []} if os.getuid() == 0 and not box.root else {}
        shown = subprocess.run(["cat", f"/proc/{pid}/environ", f"/proc/{pid}/cmdline"], capture_output=True, check=False, **reader).stdout
        lacks(shown, b"s3cret", "the supervisor's environment")
        lacks(shown, mxcd.folder.encode(), "its command line")

        def layout(of):
            with open(f"/proc/{of}/maps", encoding="utf-8") as file:
                return {line.split()[-1]: line.split("-")[0] for line in file if "[heap]" in line or "[stack]" in line}

        theirs, ours = layout(pid), layout(mxcd.process.pid)
        check(theirs["[stack]"] != ours["[stack]"], "mxcd's memory is laid out as the supervisor's, which its user may look at")


@case(callers=("root",))
def refusals_do_not_drive_the_audit_out(box):
    with Mxcd(box) as mxcd:
        wire = Wire(mxcd.socket)
        for _ in range(3000):
            wire.ask(operation="inspect", session="s-none", claims={"agent": "\x7f" * 256})
            if _ % 100 == 99:
                for _ in range(100):
                    wire.reply()
        folder = os.path.join(mxcd.folder, "audit")
        with open(os.path.join(folder, "audit.jsonl"), encoding="ascii") as file:
            lines = file.read().splitlines()
        check(len(lines) < 400, f"{len(lines)} lines of one user's refusals")
        time.sleep(1.1)
        mxcd.mxc("inspect", "s-none").expect(125)
        with open(os.path.join(folder, "audit.jsonl"), encoding="ascii") as file:
            contains(file.read(), "more refusals", "the audit")
        subprocess.run([program("mxcd"), "--check-audit", folder], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
