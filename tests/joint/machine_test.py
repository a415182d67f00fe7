#!/usr/bin/env python3
"""mxc.exe on Windows machines of several kinds: what their registry says, by policy and of distributions, holds.

PROGRAM MXC MXCD MXC_RELAY WINE_RUN [PATTERN], with $MXC_EXE and $FAKE_WSL. The registry is that of a Wine of its own.
"""

import hashlib
import json
import os
import struct
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from remote_test import MAGIC, contains, equal, flat, main  # noqa: E402  beside this file

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
            connection.sendall(struct.pack("<IIB3x", len(hello), 0, 1) + hello)
            size = struct.unpack("<IIB3x", take(connection, 12))[0]
            said.append(json.loads(take(connection, size)))
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


if __name__ == "__main__":
    os.environ.setdefault("WINEPREFIX", f"/var/tmp/mxc-wine-{os.getuid()}/machine")
    sys.exit(main(_cases))
