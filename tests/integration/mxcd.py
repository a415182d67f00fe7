"""mxcd, the protocol by hand and the relay, for test programs on harness.py."""

import contextlib
import json
import os
import socket
import struct
import subprocess

from harness import Box, equal, program


def exactly(connection, size):
    """So many bytes; None when it ends before."""
    data = b""
    while len(data) < size:
        try:
            more = connection.recv(size - len(data))
        except ConnectionResetError:
            more = b""
        if not more:
            return None
        data += more
    return data


class Mxcd:
    """An mxcd with a folder of the box's. As root it serves everybody; `own`: started by the box's caller for himself."""

    def __init__(self, box, *arguments, own=False, env=None):
        self.box, self.own = box, own
        self.folder = box.folder("mxcd")
        if not own and os.getuid() == 0:
            os.chown(self.folder, 0, 0)
        self.socket = os.path.join(self.folder, "mxcd.sock")
        self.arguments, self.env = arguments, env or {}
        self.start()

    def start(self):
        options = {"user": self.box.uid, "group": self.box.uid, "extra_groups": []} if self.own and os.getuid() == 0 else {}
        self.process = subprocess.Popen(
            [program("mxcd"), "--folder", self.folder, *self.arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=self.box.environment(self.env), **options,
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
        return exactly(self.socket, size)


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
