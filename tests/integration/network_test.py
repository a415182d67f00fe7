#!/usr/bin/env python3
"""Network rules against real peers: what packets did is compared with what the policy says; hostile programs; clean-up.

Runs in a network namespace of its own, which is the host of the sandboxes; the world is one more behind a veth pair.
"""
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

sys.dont_write_bytecode = True
from harness import case, check, contains, equal, eventually, with_tun  # noqa: E402
from outside import Outside, main_in_own_network, sh  # noqa: E402

HOST4, HOST6 = "203.0.113.1", "2001:db8:1::1"
OTHER_HOST4 = "198.51.100.1"  # the host's, on a device that the sandbox isn't behind
PEERS4 = ["203.0.113.2", "203.0.113.3", "203.0.113.6"]
PEERS6 = ["2001:db8:1::2", "2001:db8:1::3", "2001:db8:1::6"]
PORTS = [80, 81, 443]

# Servers for everything that the peers have: TCP and UDP, answering with one byte; the kernel answers ICMP.
SERVERS = """
import selectors, socket, sys
# Each address by itself: an answer to UDP has to come from the one that was asked.
chosen = selectors.DefaultSelector()
for address in sys.argv[1].split(","):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for port in map(int, sys.argv[2].split(",")):
        for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
            server = socket.socket(family, kind)
            server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            server.bind((address, port))
            if kind == socket.SOCK_STREAM:
                server.listen(128)
            chosen.register(server, selectors.EVENT_READ, kind)
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        if key.data == socket.SOCK_STREAM:
            peer, _ = key.fileobj.accept()
            peer.send(b"!")
            peer.close()
        else:
            _, source = key.fileobj.recvfrom(2048)
            key.fileobj.sendto(b"!", source)
"""

# What a program inside finds of each destination: "yes", or the error's name, and the time in ms.
TRY = """
import errno, json, socket, sys, time
patience = 3
def attempt(transport, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    begin = time.monotonic()
    try:
        if transport == "tcp":
            client = socket.socket(family, socket.SOCK_STREAM)
            client.settimeout(patience)
            client.connect((address, port))
            said = "yes" if client.recv(1) == b"!" else "closed"
        else:
            client = socket.socket(family, socket.SOCK_DGRAM)
            client.settimeout(patience / 3)
            for last in (False, False, True):  # one may be lost
                client.sendto(b"?", (address, port))
                try:
                    said = "yes" if client.recv(1) == b"!" else "empty"
                    break
                except TimeoutError:
                    if last:
                        raise
    except TimeoutError:
        said = "timeout"
    except OSError as error:
        said = errno.errorcode.get(error.errno, str(error))
    client.close()
    return [said, (time.monotonic() - begin) * 1000]
"""


class World(Outside):
    """The peers, in a namespace of their own, and servers on the host that nobody inside should reach."""

    def __init__(self):
        super().__init__(
            [
                f"ip addr add {HOST4}/24 dev up0",
                f"ip -6 addr add {HOST6}/64 dev up0 nodad",
                "ip link add other0 type veth peer name other1",
                f"ip addr add {OTHER_HOST4}/24 dev other0",
                "ip link set other0 up",
                "ip link set other1 up",
                "ip route add default via 203.0.113.9",
                "ip -6 route add default via 2001:db8:1::9",
            ],
            [
                *(f"ip addr add {address}/24 dev up1" for address in PEERS4),
                *(f"ip -6 addr add {address}/64 dev up1 nodad" for address in PEERS6),
            ],
        )
        self._answer(self.enter, PEERS4 + PEERS6, PORTS)
        self._answer([], [HOST4, HOST6, OTHER_HOST4], [80, 7777])

    def inside(self, *command):
        return sh(*self.enter, *command)

    def _answer(self, before, addresses, ports):
        self.serve([*before, "python3", "-c", SERVERS, ",".join(addresses), ",".join(map(str, ports))])

    def __exit__(self, *_):
        sh("ip", "link", "del", "other0", check_it=False)
        super().__exit__()


def tables():
    return [line for line in sh("nft", "list", "tables").stdout.splitlines() if "mxc-" in line]


def links():
    return [line for line in sh("ip", "-o", "link").stdout.splitlines() if "mxcv" in line]


def setting(name):
    with open(f"/proc/sys/net/{name}", encoding="utf-8") as file:
        return file.read().strip()


def nothing_left():
    check(eventually(lambda: not links(), 3), f"left: {links()}")
    equal(tables(), [], "tables left on the host")
    equal(setting("ipv4/ip_forward"), "0", "ip_forward")
    equal(setting("ipv6/conf/all/forwarding"), "0", "forwarding of IPv6")


def network(default="deny", allow=(), deny=()):
    egress = {"default": default}
    if allow:
        egress["allow"] = list(allow)
    if deny:
        egress["deny"] = list(deny)
    return {"egress": egress}


def attempts(box, policy, destinations, report=None):
    """What a program finds of [transport, address, port]: a list of [answer, ms]."""
    code = TRY + "print(json.dumps([attempt(*each) for each in json.loads(sys.argv[1])]))"
    command = ["run", "--policy", box.policy_file(policy)]
    if report:
        command += ["--report", report]
    ended = box.mxc(*command, "--", "python3", "-c", code, json.dumps(destinations)).expect(0)
    return json.loads(ended.text)


# ---- the table ----


def number(address):
    """As an integer with its family; an IPv4 address written as IPv6 is IPv4."""
    import ipaddress

    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None)
    return mapped or parsed


def within(address, cidr):
    import ipaddress

    whole = ipaddress.ip_network(cidr)
    found = number(address)
    return found.version == whole.version and found in whole


def rule_matches(rule, transport, address, port):
    peers = rule.get("to")
    if peers is not None and not any(
        within(address, peer["cidr"]) and not any(within(address, hole) for hole in peer.get("except", []))
        for peer in peers
    ):
        return False
    ports = rule.get("ports")
    if ports is None:
        return True
    for one in ports:
        if one.get("protocol", "any") not in ("any", transport):
            continue
        if "port" not in one or one["port"] <= port <= one.get("endPort", one["port"]):
            return True
    return False


def wanted(policy, transport, address, port):
    egress = policy["egress"]
    if any(rule_matches(rule, transport, address, port) for rule in egress.get("deny", [])):
        return False
    if any(rule_matches(rule, transport, address, port) for rule in egress.get("allow", [])):
        return True
    return egress["default"] == "allow"


@case
def every_combination_does_what_the_policy_says(box):
    if not box.root:
        with_tun(box)
    wide4, wide6 = {"cidr": "203.0.113.0/29"}, {"cidr": "2001:db8:1::/125"}
    holes4, holes6 = dict(wide4, **{"except": ["203.0.113.2/31"]}), dict(wide6, **{"except": ["2001:db8:1::2/127"]})
    peers = [None, [wide4], [wide6], [holes4, holes6], [{"cidr": PEERS4[0]}, {"cidr": PEERS6[1]}]]
    ports = [
        None,
        [{"protocol": "tcp"}],
        [{"protocol": "udp", "port": 80}],
        [{"port": 80, "endPort": 81}],
        [{"protocol": "tcp", "port": 443}, {"protocol": "icmp"}],
    ]
    rules = []
    for to in peers:
        for port in ports:
            rule = {}
            if to is not None:
                rule["to"] = to
            if port is not None:
                rule["ports"] = port
            rules.append(rule)
    mapped = [f"::ffff:{address}" for address in PEERS4[:2]]
    destinations = [
        [transport, address, port]
        for transport in ("tcp", "udp")
        for address in PEERS4 + PEERS6 + mapped
        for port in PORTS
    ]
    compared = 0
    with World():
        for index, rule in enumerate(rules):
            other = rules[(index * 7 + 3) % len(rules)]
            for policy in (
                network("deny", allow=[rule]),
                network("allow", deny=[rule]),
                network("deny", allow=[rule], deny=[other]),
            ):
                found = attempts(box, box.policy(network=policy), destinations)
                for (transport, address, port), (said, _) in zip(destinations, found):
                    good = "yes" if wanted(policy, transport, address, port) else {"tcp": "ECONNREFUSED", "udp": "EPERM"}[transport]
                    # Where no rule allows any of IPv6 there is none.
                    if good != "yes" and number(address).version == 6 and said == "ENETUNREACH":
                        good = said
                    equal(said, good, f"{transport} {address} {port} under {json.dumps(policy)}")
                    compared += 1
        nothing_left()
    check(compared == len(rules) * 3 * len(destinations), f"{compared} compared")


@case
def refusals_are_immediate_and_reported(box):
    if not box.root:
        with_tun(box)
    policy = box.policy(network=network("deny", allow=[{"to": [{"cidr": PEERS4[0]}, {"cidr": PEERS6[1]}]}], deny=[{"to": [{"cidr": PEERS4[1]}]}]))
    report = box.path("runtime", "report.json")
    refused = [["tcp", PEERS4[1], 80]] * 50 + [["udp", PEERS4[2], 443]] * 3 + [["tcp", PEERS6[0], 443]]
    with World():
        found = attempts(box, policy, [["tcp", PEERS4[0], 80]] + refused, report)
    equal(found[0][0], "yes", "the allowed peer")
    equal({said for said, _ in found[1:51]}, {"ECONNREFUSED"}, "the denied peer")
    times = sorted(ms for _, ms in found[1:51])
    check(times[25] < 1, f"half of the refusals took more than {times[25]:.2f} ms")
    with open(report, encoding="utf-8") as file:
        told = json.load(file)
    denials = {(d["what"], d["rule"].split("#")[1]): d["count"] for d in told["denials"] if d["source"] == "nftables"}
    equal(denials.get((f"send to tcp {PEERS4[1]}:80", "/network/egress/deny/0")), 50, f"refusals by the deny rule in {denials}")
    equal(denials.get((f"send to udp {PEERS4[2]}:443", "/network/egress/default")), 3, f"refusals by default in {denials}")
    equal(denials.get((f"send to tcp [{PEERS6[0]}]:443", "/network/egress/default")), 1, f"refusals by default in {denials}")
    equal(len(denials), 3, f"denials {denials}")


@case
def the_host_is_left_out_unless_named(box):
    if not box.root:
        with_tun(box)
    with World():
        hosts = [["tcp", HOST4, 80], ["udp", HOST4, 80], ["tcp", OTHER_HOST4, 80], ["tcp", HOST6, 80], ["tcp", f"::ffff:{HOST4}", 7777]]
        for allow in ((), [{}], [{"to": [{"cidr": "203.0.113.0/24"}, {"cidr": "198.51.100.0/24"}, {"cidr": "2001:db8:1::/64"}]}]):
            found = attempts(box, box.policy(network=network("allow", allow=allow)), hosts + [["tcp", PEERS4[0], 80]])
            # pasta gives the sandbox the host's first address: there it is its own, and nobody answers.
            own = "EPERM" if box.root else "timeout"
            equal([said for said, _ in found], ["ECONNREFUSED", own] + ["ECONNREFUSED"] * 3 + ["yes"], f"with {allow}")
        named = network("deny", allow=[{"to": [{"cidr": OTHER_HOST4}], "ports": [{"protocol": "tcp", "port": 80}]}])
        found = attempts(box, box.policy(network=named), [["tcp", OTHER_HOST4, 80], ["tcp", OTHER_HOST4, 7777], ["tcp", HOST4, 80]])
        equal([said for said, _ in found], ["yes", "ECONNREFUSED", "ECONNREFUSED"], "a host address that is named")
        nothing_left()


@case
def ways_around(box):
    """Each line that the program prints is a way that should be shut."""
    if not box.root:
        with_tun(box)
    code = TRY + """
import ctypes, fcntl, os, struct
def shut(name, function):
    try:
        said = function()
    except OSError as error:
        said = errno.errorcode.get(error.errno, str(error))
    print(name, said, flush=True)
peer, host, other = sys.argv[1:4]
def to_device(kind, address, port):
    client = socket.socket(socket.AF_INET, kind)
    client.settimeout(0.5)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"eth0\\0")
    try:
        client.connect((address, port)); client.send(b"?")
        return "OPEN" if client.recv(1) else "closed"
    except TimeoutError:
        return "timeout"
def packet_info(address):
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(0.5)
    index = socket.if_nametoindex("eth0")
    try:
        client.sendmsg([b"?"], [(socket.IPPROTO_IP, 8, struct.pack("=I4s4s", index, bytes(4), bytes(4)))], 0, (address, 80))
        return "OPEN" if client.recv(1) else "empty"
    except TimeoutError:
        return "timeout"
def source_route():
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.settimeout(0.5)
    # Loose source routing by way of the peer that is allowed.
    client.setsockopt(socket.IPPROTO_IP, socket.IP_OPTIONS, bytes([131, 7, 4]) + socket.inet_aton(peer) + bytes(1))
    try:
        client.sendto(b"?", (other, 80))
        return "OPEN" if client.recv(1) else "empty"
    except TimeoutError:
        return "timeout"
def raw(family, kind, protocol):
    socket.socket(family, kind, protocol)
    return "OPEN"
def spoofed():
    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    client.setsockopt(socket.IPPROTO_IP, 15, 1)  # IP_FREEBIND
    client.bind((other, 5555))
    client.sendto(b"?", (peer, 80))
    return "OPEN"
def marked():
    socket.socket().setsockopt(socket.SOL_SOCKET, 36, 7)  # SO_MARK
    return "OPEN"
def transparent():
    socket.socket().setsockopt(socket.IPPROTO_IP, 19, 1)  # IP_TRANSPARENT
    return "OPEN"
def netlink(protocol, message_type):
    link = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol)
    # A request that changes something, of no device; permission is asked first.
    body = struct.pack("=BxHiII", 0, 0, 9999, 0, 0)
    link.send(struct.pack("=IHHII", 16 + len(body), message_type, 5, 1, 0) + body)
    code = struct.unpack("=i", link.recv(4096)[16:20])[0]
    return errno.errorcode.get(-code, "OPEN")
shut("device-tcp", lambda: to_device(socket.SOCK_STREAM, host, 80))
shut("device-udp", lambda: to_device(socket.SOCK_DGRAM, host, 80))
shut("device-denied", lambda: to_device(socket.SOCK_STREAM, other, 80))
shut("pktinfo", lambda: packet_info(other))
shut("pktinfo-host", lambda: packet_info(host))
shut("source-route", source_route)
shut("raw", lambda: raw(socket.AF_INET, socket.SOCK_RAW, 255))
shut("raw6", lambda: raw(socket.AF_INET6, socket.SOCK_RAW, 58))
shut("packet", lambda: raw(17, socket.SOCK_RAW, 3))
shut("vsock", lambda: raw(40, socket.SOCK_STREAM, 0))
shut("spoofed", spoofed)
shut("mark", marked)
shut("transparent", transparent)
shut("link-down", lambda: netlink(0, 17))
shut("route", lambda: netlink(0, 24))
shut("nftables", lambda: netlink(12, (10 << 8) | 2))
shut("broadcast", lambda: attempt("udp", "255.255.255.255", 80)[0])
shut("multicast", lambda: attempt("udp", "224.0.0.1", 80)[0])
shut("metadata", lambda: attempt("tcp", "169.254.169.254", 80)[0])
shut("allowed", lambda: attempt("tcp", peer, 80)[0])
"""
    policy = box.policy(network=network("deny", allow=[{"to": [{"cidr": PEERS4[0]}]}]))
    with World():
        ended = box.python(policy, code, PEERS4[0], HOST4, PEERS4[1]).expect(0)
    said = dict(line.split(" ", 1) for line in ended.text.splitlines())
    equal(said.pop("allowed"), "yes", "the allowed peer")
    equal(len(said), 19, f"ways tried: {said}")
    for way, found in said.items():
        check(found not in ("OPEN", "yes", "empty"), f"{way}: {found}; all: {said}")
    for way in ("raw", "raw6", "packet", "spoofed", "mark", "transparent"):
        check(said[way] != "timeout", f"{way} got as far as sending: {said}")


@case
def a_namespace_made_inside_gives_no_right_over_the_rules(box):
    """With nesting a program becomes root of a user namespace of its own; the network isn't that one's."""
    if not box.root:
        with_tun(box)
    policy = box.policy(network=network("deny", allow=[{"to": [{"cidr": PEERS4[0]}]}]), x={"nesting": True})
    code = TRY + """
import subprocess
print(attempt("tcp", sys.argv[1], 80)[0])
for command in ("nft flush ruleset", "ip link set eth0 down", "ip route flush all", "ip rule add prohibit"):
    ended = subprocess.run(["unshare", "-Ur", *command.split()], capture_output=True, text=True)
    print("denied" if ended.returncode != 0 and "ermitted" in ended.stderr else f"{command}: {ended.returncode} {ended.stderr}")
subprocess.run(["unshare", "-Ur", "true"], check=True)
print(attempt("tcp", sys.argv[2], 80)[0])
"""
    with World():
        ended = box.python(policy, code, PEERS4[0], PEERS4[1]).expect(0)
    equal(ended.text.splitlines(), ["yes", "denied", "denied", "denied", "denied", "ECONNREFUSED"], "what the program could do")


@case(callers=("root",))
def nothing_reaches_in(box):
    """Neither the host, nor the world, nor another sandbox, gets at a server inside."""
    server = """
import socket, sys, time
server = socket.socket(); server.bind(("0.0.0.0", 9000)); server.listen(5); server.settimeout(20)
probe = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); probe.connect((sys.argv[1], 80))
print(probe.getsockname()[0], flush=True)
try:
    server.accept(); print("REACHED", flush=True)
except TimeoutError:
    pass
"""
    policy = box.policy_file(box.policy(network=network("allow")))
    with World() as world:
        started = box.start("run", "--policy", policy, "--", "python3", "-u", "-c", server, PEERS4[0])
        try:
            address = started.stdout.readline().decode().strip()
            check(address.startswith("198.18."), f"the sandbox's address {address!r}")
            probe = textwrap.dedent(
                f"""
                import socket
                try:
                    socket.create_connection(("{address}", 9000), 0.7); print("REACHED")
                except OSError as error:
                    print(type(error).__name__)
                """
            )
            found = sh("python3", "-c", probe).stdout.strip()
            check(found != "REACHED", "the host reached a server inside")
            world.inside("ip", "route", "add", "198.18.0.0/16", "via", HOST4)
            found = world.inside("python3", "-c", probe).stdout.strip()
            check(found != "REACHED", "the world reached a server inside")
            found = attempts(box, box.policy(network=network("allow")), [["tcp", address, 9000]])
            equal(found[0][0], "ECONNREFUSED", "another sandbox")
        finally:
            started.kill()
            out, _ = started.communicate()
        check(b"REACHED" not in out, "the server inside was reached")
        # That one was killed: the next run sweeps.
        attempts(box, box.policy(network=network("allow")), [["tcp", PEERS4[0], 80]])
        nothing_left()


@case(callers=("root",))
def killed_runs_are_swept(box):
    policy = box.policy_file(box.policy(network=network("allow")))
    with World():
        for moment in (0.0, 0.005, 0.01, 0.015, 0.02, 0.03, 0.05, 0.1, 0.3):
            started = box.start("run", "--policy", policy, "--", "sleep", "30")
            time.sleep(moment)
            started.send_signal(signal.SIGKILL)
            started.communicate()
        attempts(box, box.policy(network=network("allow")), [["tcp", PEERS4[0], 80]])
        nothing_left()


@case(callers=("root",))
def many_at_once(box):
    policy = box.policy_file(box.policy(network=network("deny", allow=[{"to": [{"cidr": PEERS4[0]}]}])))
    # Hundreds of Pythons that start at once on two processors keep each other, and the one server, waiting.
    code = TRY + "patience = 30; print(attempt('tcp', sys.argv[1], 80)[0], attempt('tcp', sys.argv[2], 80)[0], flush=True); sys.stdin.read()"
    count = int(os.environ.get("MXC_NETWORKS", "40"))
    with World():
        started = [
            box.start("run", "--policy", policy, "--", "python3", "-c", code, PEERS4[0], PEERS4[1], stdin=subprocess.PIPE)
            for _ in range(count)
        ]
        for one in started:
            equal(one.stdout.readline().decode().strip(), "yes ECONNREFUSED", "what one of many found")
        equal(len(links()), count, "links")
        for one in started:
            one.communicate(b"")
            equal(one.returncode, 0, "exit status")
        nothing_left()


@case(callers=("root",))
def settings_that_were_on_stay_on(box):
    with World():
        sh("sysctl", "-qw", "net.ipv4.ip_forward=1")
        attempts(box, box.policy(network=network("allow")), [["tcp", PEERS4[0], 80]])
        equal(setting("ipv4/ip_forward"), "1", "ip_forward, which was on before")
        sh("sysctl", "-qw", "net.ipv4.ip_forward=0")
        nothing_left()


@case(callers=("root",))
def ten_thousand_rules(box):
    peers = [{"cidr": f"10.{a}.{b}.0/25"} for a in range(40) for b in range(250)]
    policy = box.policy(network=network("allow", deny=[{"to": peers}]))
    text = json.dumps(policy)
    check(len(text) < 1 << 20, f"{len(text)} bytes of policy")
    with World():
        ended = box.mxc("run", "--policy", box.policy_file(policy), "--", "python3", "-c", TRY + f"print(attempt('tcp', '{PEERS4[0]}', 80)[0], attempt('tcp', '10.39.249.1', 80)[0])")
        ended.expect(0)
        equal(ended.text.strip(), "yes ECONNREFUSED", "what the program found")
        check(ended.seconds < 3, f"10,000 rules took {ended.seconds:.2f} s from start to end")
        nothing_left()


@case(callers=("rootless",))
def refused_by_name_without_root_and_a_link(box):
    if os.path.exists("/dev/net"):
        box.mount("-t", "tmpfs", "none", "/dev/net")
    for rules in (network("allow"), network("deny", allow=[{"to": [{"cidr": PEERS4[0]}]}])):
        ended = box.run(box.policy(network=rules), "true").expect(125)
        contains(ended.err, "/network/egress", "the refusal")
        contains(ended.err, "root", "the refusal")
    box.run(box.policy(network=network("deny", deny=[{}])), "true").expect(0)


if __name__ == "__main__":
    main_in_own_network()
