#!/usr/bin/env python3
"""config-linux.md 1.3, netDevices: interfaces of the host moved into the container's network namespace."""

import json
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import Skip, check, clause, equal, main, unshare_network  # noqa: E402


def ip(*words):
    return subprocess.run(["ip", *words], check=True, capture_output=True, text=True).stdout


def device(number=0):
    """A virtual interface where the runtime starts, which is a network namespace of the case's own; its name."""
    if number == 0:
        unshare_network()
    name = f"dev{number}"
    try:
        ip("link", "add", name, "type", "veth", "peer", "name", f"peer{number}")
    except subprocess.CalledProcessError as error:
        raise Skip(f"no veth can be made here: {error.stderr.strip()}") from None
    return name


def here():
    """Names of the interfaces where the runtime starts."""
    return {entry["ifname"] for entry in json.loads(ip("-j", "link"))}


def inside(pid):
    """{name: what `ip address` says} of a process's network namespace."""
    out = subprocess.run(["nsenter", "-t", str(pid), "-n", "ip", "-j", "address"], check=True, capture_output=True, text=True).stdout
    return {entry["ifname"]: entry for entry in json.loads(out)}


@clause("config_linux.net_devices")
def are_moved_and_keep_their_names_unless_given_one(box):
    first, second = device(), device(1)
    box.linux["netDevices"] = {first: {}, second: {"name": "inner0"}}
    found = inside(box.launch())
    check(first in found and "inner0" in found, f"interfaces inside: {sorted(found)}")
    check(not {first, second} & here(), "they are on the host still")


@clause("config_linux.net_devices")
def are_up_and_keep_their_global_addresses(box):
    name = device()
    ip("address", "add", "10.203.0.5/24", "dev", name)
    ip("-6", "address", "add", "fd00:203::5/64", "dev", name)
    ip("link", "set", name, "address", "02:11:22:33:44:55", "mtu", "1300")
    box.linux["netDevices"] = {name: {"name": "eth0"}}
    found = inside(box.launch())["eth0"]
    check("UP" in found["flags"], f"flags: {found['flags']}")
    addresses = {address["local"] for address in found["addr_info"] if address["scope"] == "global"}
    equal(addresses, {"10.203.0.5", "fd00:203::5"}, "addresses")
    equal((found["address"], found["mtu"]), ("02:11:22:33:44:55", 1300), "hardware address and MTU")


@clause("config_linux.net_devices")
def a_template_gets_a_number_of_the_kernels(box):
    name = device()
    box.linux["netDevices"] = {name: {"name": "box%d"}}
    check("box0" in inside(box.launch()), "there is no box0")


@clause("config_linux.net_devices")
def a_name_that_is_taken_is_an_error_and_the_device_stays(box):
    name = device()
    box.linux["netDevices"] = {name: {"name": "lo"}}
    box.refused("linux.netDevices")
    check(name in here(), "it is not on the host any more")


@clause("config_linux.net_devices")
def one_that_does_not_exist_is_an_error(box):
    box.linux["netDevices"] = {"nosuchdevice0": {}}
    box.refused("linux.netDevices")


@clause("config_linux.net_devices")
def a_name_that_the_kernel_would_not_take_is_an_error(box):
    name = device()
    for wrong in ("a/b", "..", "much-too-long-a-name"):
        box.linux["netDevices"] = {name: {"name": wrong}}
        box.refused("linux.netDevices")


@clause("config_linux.net_devices")
def without_a_network_namespace_are_an_error(box):
    name = device()
    box.no_namespace("network")
    box.linux["netDevices"] = {name: {}}
    box.refused("linux.netDevices")
    check(name in here(), "it is not on the host any more")


if __name__ == "__main__":
    main()
