#!/usr/bin/env python3
"""mxc.exe on Windows machines of several kinds: what their registry says, by policy and of distributions, holds.

PROGRAM MXC MXCD MXC_RELAY WINE_RUN [PATTERN], with $MXC_EXE, mxc_loopback.exe beside it, and $FAKE_WSL. The registry is that of a Wine of its own.
"""

import contextlib
import hashlib
import json
import os
import shutil
import socket
import struct
import subprocess
import sys
import threading
import time

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from remote_test import MAGIC, World, contains, equal, flat, main  # noqa: E402  beside this file

POLICY = "HKLM\\SOFTWARE\\Policies\\MxcRuntime\\MxcHost"
LXSS = "HKCU\\Software\\Microsoft\\Windows\\CurrentVersion\\Lxss"
_cases = []


def case(function):
    _cases.append(function)
    return function


class Registry:
    """Sets keys for a case, and takes them away after it."""

    def __init__(self, world):
        self.wine, self.roots = world.wine, []

    def _reg(self, *arguments, ok=True):
        ended = subprocess.run([self.wine, "reg", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False)
        if ok:
            equal(ended.returncode, 0, f"reg {arguments}: {ended.stdout!r}")

    def __enter__(self):
        return self

    def set(self, key, **values):
        root = POLICY if key.startswith(POLICY) else LXSS
        if root not in self.roots:
            self.roots.append(root)
        self._reg("add", key, "/f")
        for name, value in values.items():
            kind = "REG_DWORD" if isinstance(value, int) else "REG_SZ"
            self._reg("add", key, "/v", name, "/t", kind, "/d", str(value), "/f")
        return self

    def policy(self, **values):
        for name, value in values.items():
            if isinstance(value, list):
                self.set(f"{POLICY}\\{name}", **{str(number): item for number, item in enumerate(value)})
            else:
                self.set(POLICY, **{name: value})
        return self

    def distribution(self, guid, name, version=2, state=1, default=False):
        self.set(f"{LXSS}\\{guid}", DistributionName=name, Version=version, State=state)
        if default:
            self.set(LXSS, DefaultDistribution=guid)
        return self

    def __exit__(self, *_):
        for root in self.roots:
            self._reg("delete", root, "/f", ok=False)


def refused(world, said, *arguments, input=b""):
    code, out, err = world.run(*arguments, input=input)
    equal((code, out), (125, b""), f"status and output ({err!r})")
    contains(flat(err), said, "stderr")


def arguments_of_wsl(world):
    with open(os.path.join(world.base, "fake_wsl.log"), encoding="utf-8") as file:
        return [line[9:] for line in file.read().splitlines() if line.startswith("argument ")]


@case
def a_policy_that_is_not_understood_ends_everything(world):
    with Registry(world) as registry:
        registry.policy(AllowEgresss=0)
        for command in (["run", "--", "true"], ["check", "--profile", "default"], ["list"]):
            refused(world, "AllowEgresss", *command)
        equal(world.run("version")[0], 0, "version")
        equal(os.path.exists(os.path.join(world.base, "fake_wsl.log")), False, "wsl.exe was started")


@case
def switched_off(world):
    with Registry(world) as registry:
        registry.policy(Enabled=0)
        refused(world, "MxcHost\\Enabled", "run", "--", "true")


@case
def a_machine_without_detached_programs(world):
    with Registry(world) as registry:
        registry.policy(AllowDetached=0)
        refused(world, "AllowDetached", "provision")
        equal(world.run("run", "--", "echo", "x")[:2], (0, b"x\n"), "a run")


@case
def no_elevated_programs(world):
    with Registry(world) as registry:
        registry.policy(AllowElevated=0)
        refused(world, "AllowElevated", "run", "--", "true")  # Wine's users are administrators


@case
def the_sandbox_is_narrowed_by_the_machine(world):
    with Registry(world) as registry:
        registry.policy(AllowEgress=0, AllowedProfiles=["default"], AllowedWindowsPaths=["C:\\work"], DeniedWindowsPaths=["C:\\work\\pay"])
        equal(world.run("run", "--", "echo", "x")[:2], (0, b"x\n"), "a plain run")
        refused(world, "network egress is forbidden by the managed floor HKLM", "run", "--policy", "-", "--", "true", input=b'{"version": "1.0.0", "network": {"egress": {"default": "allow"}}}')
        refused(world, "the profile \"build\" is forbidden by the managed floor HKLM", "run", "--profile", "build", "--", "true")
        refused(world, "holds C:\\work\\pay", "run", "--policy", "-", "--", "true", input=b'{"version": "1.0.0", "filesystem": {"readonlyPaths": ["C:\\\\Work"]}}')
        refused(world, "the profile", "provision", "--profile", "build")
        # The looking commands say it too, and mxcd's audit has the refusal.
        code, out, err = world.run("check", "--policy", "-", input=b'{"version": "1.0.0", "filesystem": {"readonlyPaths": ["C:\\\\other"]}}')
        equal(code, 0, f"check ({err!r})")
        contains(flat(out), "HKLM", "check")
        contains([one["kind"] for one in world.audit()], "refusal", "mxcd's audit")


@case
def a_file_of_policy(world):
    text = b"floor: 1\nmaximum: {pids: 7}\nforbid: [nesting]\n"
    path = world.file("floor.yaml", text)
    with Registry(world) as registry:
        registry.policy(PolicyFile="Z:" + path.replace("/", "\\"), PolicySha256=hashlib.sha256(text).hexdigest())
        refused(world, "nesting is forbidden by the managed floor Z:", "run", "--policy", "-", "--", "true", input=b'{"version": "1.0.0", "x-linux": {"nesting": true}}')
        world.file("floor.yaml", text + b"\n")
        refused(world, "PolicySha256", "run", "--", "true")


@case
def an_mxcd_that_knows_no_floors_gets_none(world):
    hello = json.dumps({"protocol": {"least": 1, "most": 1}, "program": "mxcd 0.0.1"}).encode()
    said = []

    def take(connection, size):
        data = b""
        while len(data) < size:
            more = connection.recv(size - len(data))
            if not more:
                raise EOFError
            data += more
        return data

    def old(connection):
        with connection:
            greeting = b'{"program":"mxc-relay 0.0.1"}'
            connection.sendall(MAGIC + struct.pack("<I", len(greeting)) + greeting)
            take(connection, struct.unpack("<I", take(connection, 4))[0] + 32)
            connection.sendall(struct.pack("<I", 0))
            equal(take(connection, 1), b"S", "the way")
            size = struct.unpack("<IIB3x", take(connection, 12))[0]
            said.append(json.loads(take(connection, size)))
            connection.sendall(struct.pack("<IIB3x", len(hello), 0, 1) + hello)
            connection.shutdown(1)
            while connection.recv(4096):
                pass

    world._carry = old
    with Registry(world) as registry:
        registry.policy(AllowEgress=0)
        refused(world, "speaks versions 1 to 1 of the protocol, this one needs 2", "run", "--", "true")
    # What an old mxcd makes of such a greeting: there is no version that both speak.
    equal(said[0]["protocol"]["least"], 2, "the least version that mxc.exe offers")


@case
def distributions_are_looked_up(world):
    with Registry(world) as registry:
        registry.set(LXSS)
        refused(world, "WSL has no distribution for this user", "run", "--", "true")
        registry.distribution("{A}", "Debian", default=True).distribution("{B}", "Old", version=1).distribution("{C}", "New", state=3)
        equal(world.run("run", "--", "echo", "x")[:2], (0, b"x\n"), "the default one")
        refused(world, "no distribution called \"Fedora\"", "--distribution", "Fedora", "run", "--", "true")
        refused(world, "is of WSL 1", "--distribution", "old", "run", "--", "true")
        refused(world, "is being installed", "--distribution", "New", "run", "--", "true")


@case
def distributions_that_the_machine_allows(world):
    with Registry(world) as registry:
        registry.policy(AllowedDistributions=["debian"])
        refused(world, "no distribution", "run", "--", "true")
        registry.distribution("{A}", "Debian").distribution("{B}", "Debian-evil", default=True)
        refused(world, "\"Debian-evil\" is not allowed", "run", "--", "true")
        equal(world.run("--distribution", "DEBIAN", "run", "--", "echo", "x")[:2], (0, b"x\n"), "an allowed one")
        equal(arguments_of_wsl(world)[:2], ["--distribution", "Debian"], "the registered name")
        registry.policy(DeniedDistributions=["Debian"])
        refused(world, "DeniedDistributions", "--distribution", "Debian", "run", "--", "true")


def take(connection, size):
    data = b""
    while len(data) < size:
        more = connection.recv(size - len(data)) if isinstance(connection, socket.socket) else os.read(connection, size - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def by_loopback(world):
    """mxc.exe with loopback in the place of hvsocket."""
    shutil.copyfile(os.path.join(os.path.dirname(os.environ["MXC_EXE"]), "mxc_loopback.exe"), world.exe)


def changing(world, greeting=lambda text: text, key=lambda text: text):
    """Somebody between wsl.exe and the relay."""

    def carry(connection):
        relay = subprocess.Popen([world.relay, "--proto", "1", "--folder", world.folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        with connection, relay:
            out = relay.stdout.fileno()
            head = take(out, len(MAGIC) + 4)
            connection.sendall(head + greeting(take(out, struct.unpack("<I", head[-4:])[0])))
            size = take(connection, 4)
            relay.stdin.write(size + take(connection, struct.unpack("<I", size)[0]) + key(take(connection, 32)))
            threading.Thread(target=world._carry_in, args=(connection, relay.stdin), daemon=True).start()
            with contextlib.suppress(OSError):
                while data := os.read(out, 65536):
                    world.carried += len(data)
                    connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)

    world._carry = carry


@contextlib.contextmanager
def squatter(world, answer):
    """Somebody else on mxcd's port; yields what he is told."""
    listener = socket.create_server(("127.0.0.1", 0))
    with open(os.path.join(world.folder, "port"), "w", encoding="ascii") as file:
        file.write(str(listener.getsockname()[1]))
    told = []

    def serve():
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if answer is None:
                    continue
                connection.sendall(answer)
                with contextlib.suppress(OSError):
                    while data := connection.recv(4096):
                        told.append(data)

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield told
    finally:
        listener.close()


@case
def the_wire_goes_by_a_socket_where_there_is_one(world):
    by_loopback(world)
    data = os.urandom(1_000_000)
    code, out, err = world.run("run", "--", "cat", input=data)
    equal((code, out == data, err), (0, True, b""), "what came back")
    if world.carried > 2000:
        raise AssertionError(f"{world.carried} bytes came by the pipes")
    equal(world.run("run", "--", "sh", "-c", "echo err >&2; exit 9"), (9, b"", b"err\n"), "another run")
    world.carried = 0
    with Registry(world) as registry:
        registry.policy(RequireHvSocket=1)
        equal(world.run("run", "--", "echo", "x")[:2], (0, b"x\n"), "a machine that requires it")


@case
def without_hvsocket_the_pipes_do_unless_the_machine_requires_it(world):
    equal(world.run("run", "--", "echo", "x"), (0, b"x\n", b""), "by the pipes, without a word")
    with Registry(world) as registry:
        registry.policy(RequireHvSocket=1)
        refused(world, "RequireHvSocket", "run", "--", "true")
        equal([one for one in world.audit() if one["kind"] == "start"][1:], [], "nothing else started")


@case
def who_squats_on_the_port_gets_nothing(world):
    by_loopback(world)
    for answer in (b"HTTP/1.1 200 OK\r\n\r\n", b"MXCHV1\r\n" + bytes(24) + struct.pack("<I", 49) + bytes(49), b"", None):
        with squatter(world, answer) as told:
            code, out, err = world.run("run", "--", "echo", "s3cret")
            equal((code, out), (0, b"s3cret\n"), f"by the pipes ({err!r})")
            contains(flat(err), "going by wsl.exe's pipes", "stderr")
            if len(b"".join(told)) > 200:
                raise AssertionError(f"the squatter was told {told}")
            with Registry(world) as registry:
                registry.policy(RequireHvSocket=1)
                refused(world, "RequireHvSocket", "run", "--", "true")


@case
def a_port_that_nobody_listens_on(world):
    by_loopback(world)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with open(os.path.join(world.folder, "port"), "w", encoding="ascii") as file:
            file.write(str(taken.getsockname()[1]))
    equal(world.run("run", "--", "echo", "x"), (0, b"x\n", b""), "by the pipes, without a word")


@case
def another_key_or_another_conversation_is_no_way(world):
    by_loopback(world)
    for change in ({"key": lambda key: key[:-1] + bytes([key[-1] ^ 1])}, {"greeting": lambda text: text.replace(b"mxc-relay 0.", b"mxc-relay 9.")}):
        changing(world, **change)
        code, out, err = world.run("run", "--", "echo", "x")
        equal((code, out), (0, b"x\n"), f"by the pipes ({err!r})")
        contains(flat(err), "going by wsl.exe's pipes", "stderr")
        with Registry(world) as registry:
            registry.policy(RequireHvSocket=1)
            refused(world, "RequireHvSocket", "run", "--", "true")


@case
def a_plan_and_the_facts_of_the_distribution(world):
    code, out, err = world.run("plan", "--", "true")
    equal(code, 0, f"plan ({err!r})")
    contains(out.decode(), "mount", "plan")
    refused(world, "readonlyPath", "plan", "--policy", "-", "--", "true", input=b'{"version": "1.0.0", "filesystem": {"readonlyPath": []}}')
    equal([one["kind"] for one in world.audit() if one["kind"] == "start"], [], "a plan starts nothing")
    facts = world.run("doctor", "--facts")[1]
    path = world.file("facts.json", facts)
    code, out, err = world.run("check", "--host-facts", "Z:" + path.replace("/", "\\"), "--profile", "default")
    equal(code, 0, f"check with the distribution's facts ({err!r})")


def relays_alive(world):
    return [one for one in world.relays if one.poll() is None]


def end_holders(world):
    """How many there were."""
    folder, count = os.path.basename(world.base).encode(), 0
    for entry in filter(str.isdigit, os.listdir("/proc")):
        with contextlib.suppress(OSError):
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                line = file.read()
            if folder in line and b"__hold" in line:
                os.kill(int(entry), 9)
                count += 1
    return count


def soon(what, condition, seconds=20):
    last = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > last:
            raise AssertionError(what)
        time.sleep(0.1)


@case
def a_session_keeps_its_distribution(world):
    name = world.run("provision")[1].decode().strip()
    equal(world.run("start", name)[0], 0, "start")
    # `start` has left somebody who holds the distribution.
    soon("nobody holds the distribution", lambda: len(relays_alive(world)) == 1)
    equal(world.run("__hold")[0], 0, "another one")
    equal(len(relays_alive(world)), 1, "relays")
    equal(end_holders(world), 1, "holders")
    soon("the holder's relay goes on", lambda: not relays_alive(world))
    # It stays while the session runs, and a little longer.
    holder = world.start("__hold", "--every", "200", "--linger", "500", stdin=subprocess.DEVNULL)
    soon("nobody holds the distribution", lambda: relays_alive(world))
    time.sleep(2)
    equal((holder.poll(), len(relays_alive(world))), (None, 1), "the holder of a running session")
    equal(world.run("stop", name)[0], 0, "stop")
    holder.communicate(timeout=20)
    equal(holder.returncode, 0, "the holder's end")
    soon("the holder's relay goes on", lambda: not relays_alive(world))


@case
def what_doctor_finds(world):
    code, out, err = world.run("doctor")
    equal((code, err), (0, b""), "status")
    text = out.decode()
    contains(flat(out), "mxc inside mxcd 0.", "doctor")
    contains(flat(out), "hvsocket this Windows makes no sockets of that kind", "doctor")
    equal([line for line in text.splitlines() if len(line) > 80 and "\\" not in line], [], "lines that are too long")
    with Registry(world) as registry:
        registry.distribution("{A}", "Debian", default=True).distribution("{B}", "Old", version=1).policy(DeniedDistributions=["Other"])
        found = {one["topic"]: one for one in json.loads(world.run("doctor", "--json")[1])["findings"]}
        equal((found["Distribution"]["found"], found["Distribution"]["status"]), ("Debian, WSL 2, the default one", "ok"), "distribution")
        found = {one["topic"]: one for one in json.loads(world.run("--distribution", "Old", "doctor", "--json")[1])["findings"]}
        equal(found["Distribution"]["status"], "missing", "a distribution of WSL 1")
        registry.policy(Enabled=2)
        found = {one["topic"]: one for one in json.loads(world.run("doctor", "--json")[1])["findings"]}
        equal(found["Machine policy"]["status"], "missing", "a policy that isn't understood")
        contains(found["Machine policy"]["found"], "Enabled", "doctor")
    world.mode("die")
    found = {one["topic"]: one for one in json.loads(world.run("doctor", "--json")[1])["findings"]}
    contains(found["mxc inside"]["found"], "no distribution with the supplied name", "doctor")


if __name__ == "__main__":
    World.mxcd_options = ("--loopback-port", "0")
    os.environ.setdefault("WINEPREFIX", f"/var/tmp/mxc-wine-{os.getuid()}/machine")
    sys.exit(main(_cases))
