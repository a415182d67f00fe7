#!/usr/bin/env python3
"""mxc-relay, and the encrypted way with a key that came through it."""

import json
import os
import socket
import struct
import subprocess

from harness import Skip, case, check, contains, equal, eventually, lacks, main, processes_below, program
from mxcd import Mxcd, Relay
from sodium import SecretStream, transcript_hash


SLOW = 120  # seconds; the lab is slow


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


def vsock_to(cid, port):
    channel = socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM)
    channel.settimeout(SLOW)
    channel.connect((cid, port))
    return channel


@case(callers=("root",))
def only_the_host_is_answered_on_vsock(box):
    try:
        socket.socket(socket.AF_VSOCK, socket.SOCK_STREAM).bind((1, 7830))
    except OSError as error:
        raise Skip(f"no vsock that leads back to this machine: {error}") from None
    with Mxcd(box, "--vsock-port", "783") as mxcd:
        relay = Relay(mxcd, user="root")
        equal(relay.greeting["port"], 783, "greeting")
        relay.write(b"A")
        channel = vsock_to(1, 783)
        channel.sendall(b"x" * 64)
        try:
            equal(channel.recv(1), b"", "what this machine itself is told")
        except ConnectionResetError:
            pass
        relay.close()
        # Who sits on the port keeps mxcd from starting, and is told of.
        other = subprocess.run([program("mxcd"), "--folder", box.folder("other"), "--vsock-port", "783"], stderr=subprocess.PIPE, text=True, timeout=SLOW, check=False)
        equal(other.returncode, 125, "status of a second mxcd")
        contains(other.stderr, "vsock port 783", "its message")


@case
def over_a_channel_of_its_own_with_a_key_from_the_relay(box):
    if os.getuid() != 0:
        return
    # The machine itself in the host's place, where the kernel has vsock: in the lab.
    vsock = "vsock" in os.environ.get("MXC_TEST_CHANNEL", "")
    with Mxcd(box, *(["--vsock-port", "783", "--vsock-peer", "1"] if vsock else ["--loopback-port", "0"])) as mxcd:
        with open(os.path.join(mxcd.folder, "port"), encoding="ascii") as file:
            port = int(file.read())
        key = os.urandom(32)

        def connect(relay, key=key, **changed):
            digest = transcript_hash(relay.greeting_text, changed.get("opening", relay.opening), relay.id, relay.greeting["vmId"].encode(), port)
            channel = vsock_to(1, port) if vsock else socket.create_connection(("127.0.0.1", port), 20)
            return SecretStream(channel, relay.id, key, digest)

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


if __name__ == "__main__":
    main()
