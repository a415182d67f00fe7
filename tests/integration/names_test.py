#!/usr/bin/env python3
"""Names, shared ports, the host's proxy, and rules without root: what programs that know nothing of any of it can reach.

Runs in a network namespace of its own, which is the host of the sandboxes; the world, with public addresses and a name server
that lies where it is asked to, is one more behind a veth pair.
"""
import http.server
import json
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
import zipfile

sys.dont_write_bytecode = True
from harness import Skip, case, check, contains, equal, eventually, lacks, main, processes_below, with_tun  # noqa: E402

HOST4, HOST6 = "151.101.0.1", "2a04:4e42::1"
SERVER4, SERVER6 = "151.101.0.10", "2a04:4e42::10"  # answers on 80, 443 (TLS), 8080 and 22
OTHER4 = "151.101.0.11"
NAMES4 = "151.101.0.53"
PRIVATE4 = "10.9.9.9"  # in the world, too

# What the name server says: a list of records, or a behaviour.
ZONE = {
    "pypi.test": [SERVER4],
    "www.pypi.test": [SERVER4],
    "a.b.pypi.test": [SERVER4],
    "both.test": [SERVER4, SERVER6],
    "six.test": [SERVER6],
    "private.test": [PRIVATE4],
    "mixed.test": [PRIVATE4, SERVER4],
    "loopback.test": ["127.0.0.1"],
    "metadata.test": ["169.254.169.254"],
    "host.test": [HOST4],
    "mapped.test": ["::ffff:127.0.0.1"],
    "alias.test": "cname loopback.test",
    "good-alias.test": "cname www.pypi.test",
    "loop.test": "cname loop.test",
    "truncated.test": "truncate",
    "compressed.test": "compression loop",
    "huge.test": "huge",
    "wrong-id.test": "wrong id",
    "silent.test": "silent",
    "fails.test": "servfail",
    "rebinds.test": "rebind",
}

NAME_SERVER = r"""
import json, selectors, socket, struct, sys
zone, address, log = json.loads(sys.argv[1]), sys.argv[2], open(sys.argv[3], "a", buffering=1)
asked = {}
def name_of(message, at):
    labels = []
    while message[at]:
        labels.append(message[at + 1:at + 1 + message[at]].decode())
        at += 1 + message[at]
    return ".".join(labels).lower(), at + 1
def wire(name):
    return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"
def record(owner, kind, data):
    return owner + struct.pack(">HHIH", kind, 1, 60, len(data)) + data
def addresses(owner, kind, values):
    family, wanted = (socket.AF_INET, 1) if kind == 1 else (socket.AF_INET6, 28)
    return [record(owner, wanted, socket.inet_pton(family, v)) for v in values if (":" in v) == (kind == 28)]
def answer(message, stream):
    name, end = name_of(message, 12)
    kind = struct.unpack(">H", message[end:end + 2])[0]
    log.write(f"{name} {kind} {'tcp' if stream else 'udp'}\n")
    asked[name] = asked.get(name, 0) + 1
    what, flags, records, ident = zone.get(name), 0x8180, [], message[:2]
    question = message[12:end + 4]
    if what is None:
        flags |= 3
    elif isinstance(what, list):
        records = addresses(b"\xc0\x0c", kind, what)
    elif what.startswith("cname "):
        target = what[6:]
        records = [record(b"\xc0\x0c", 5, wire(target))]
        values = zone.get(target)
        if isinstance(values, list):
            records += addresses(wire(target), kind, values)
    elif what == "truncate":
        if stream:
            records = addresses(b"\xc0\x0c", kind, zone["pypi.test"])
        else:
            flags |= 0x0200
    elif what == "compression loop":
        records = [b"\xc0\x0c" + struct.pack(">HHIH", 5, 1, 60, 2) + b"\xc0" + bytes([12 + len(question) + 12])]
    elif what == "huge":
        records = addresses(b"\xc0\x0c", kind, ["151.101.0.10"] * 3000)
    elif what == "wrong id":
        ident = bytes([message[0] ^ 1, message[1]])
        records = addresses(b"\xc0\x0c", kind, zone["pypi.test"])
    elif what == "silent":
        return None
    elif what == "servfail":
        flags |= 2
    elif what == "rebind":
        first = asked[name] == 1
        records = addresses(b"\xc0\x0c", kind, ["151.101.0.10"] if first else ["127.0.0.1"])
    reply = ident + struct.pack(">HHHHH", flags, 1, len(records), 0, 0) + question + b"".join(records)
    return reply[:65535] if stream else reply[:60000]
chosen = selectors.DefaultSelector()
datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
datagrams.bind((address, 53))
streams = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
streams.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
streams.bind((address, 53))
streams.listen(16)
for each in (datagrams, streams):
    chosen.register(each, selectors.EVENT_READ)
print("ready", flush=True)
while True:
    for key, _ in chosen.select():
        if key.fileobj is datagrams:
            message, source = datagrams.recvfrom(4096)
            reply = answer(message, False)
            if reply is not None:
                datagrams.sendto(reply, source)
        else:
            peer, _ = streams.accept()
            peer.settimeout(2)
            size = struct.unpack(">H", peer.recv(2))[0]
            reply = answer(peer.recv(size), True)
            peer.sendall(struct.pack(">H", len(reply)) + reply)
            peer.close()
"""

# 80 and 8080: HTTP that says its own port and the Host; 443: TLS with a certificate of its own; 22: speaks first; 9: echoes.
SERVERS = r"""
import http.server, socket, socketserver, ssl, sys, threading
addresses, certificate = sys.argv[1].split(","), sys.argv[2]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        body = f"port {self.server.server_port} host {self.headers['Host']} from {self.client_address[0]}\n".encode()
        if self.path.startswith("/big/"):
            body = b"x" * int(self.path[5:])
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_POST(self):
        size = int(self.headers["Content-Length"])
        while size > 0:
            size -= len(self.rfile.read(min(size, 65536)))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_):
        pass
    def handle(self):
        try:
            super().handle()
        except OSError:
            pass  # who asked is gone
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 1024
    address_family = socket.AF_INET
class Server6(Server):
    address_family = socket.AF_INET6
class First(socketserver.BaseRequestHandler):
    def handle(self):
        self.request.sendall(b"SSH-2.0-test\r\n")
        self.request.recv(100)
class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        try:
            while data := self.request.recv(65536):
                self.request.sendall(data)
        except OSError:
            pass  # who sent is gone
class Tcp(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 1024
for address in addresses:
    kind = Server6 if ":" in address else Server
    for port in (80, 8080, 443, 8443):
        server = kind((address, port), Handler)
        if port in (443, 8443):
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(certificate)
            if port == 8443:  # asks for another hello, since no client's first one has a share of this group
                context.minimum_version = ssl.TLSVersion.TLSv1_3
                context.set_ecdh_curve("secp384r1")
            server.socket = context.wrap_socket(server.socket, server_side=True)
        threading.Thread(target=server.serve_forever, daemon=True).start()
    if kind is Server:
        for port, handler in ((22, First), (9, Echo)):
            threading.Thread(target=Tcp((address, port), handler).serve_forever, daemon=True).start()
        datagrams = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        datagrams.bind((address, 443))
        def answer(server=datagrams):
            while True: server.sendto(b"!", server.recvfrom(100)[1])
        threading.Thread(target=answer, daemon=True).start()
print("ready", flush=True)
threading.Event().wait()
"""


def sh(*command, check_it=True):
    return subprocess.run(command, check=check_it, capture_output=True, text=True)


class World:
    def __init__(self, box):
        self.log = box.file("queries.log")
        certificate = box.path("certificate.pem")
        if not os.path.exists(certificate):
            sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", certificate + ".key", "-out", certificate, "-days", "30", "-subj", "/CN=pypi.test", "-addext", "subjectAltName=DNS:pypi.test,DNS:*.pypi.test,DNS:other.test")  # noqa: E501
            with open(certificate, "a", encoding="utf-8") as whole, open(certificate + ".key", encoding="utf-8") as key:
                whole.write(key.read())
        self.certificate = certificate
        os.chmod(certificate, 0o644)
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        own = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, 5)
        pid = str(self.holder.pid)
        for line in (
            "ip link set lo up",
            f"ip link add up0 type veth peer name up1 netns {pid}",
            f"ip addr add {HOST4}/24 dev up0",
            f"ip -6 addr add {HOST6}/64 dev up0 nodad",
            "ip link set up0 up",
            f"ip route add {PRIVATE4}/32 dev up0",
        ):
            sh(*line.split())
        for line in ["ip link set lo up", "ip link set up1 up"] + [
            *(f"ip addr add {address}/24 dev up1" for address in (SERVER4, OTHER4, NAMES4)),
            f"ip addr add {PRIVATE4}/32 dev up1",
            f"ip -6 addr add {SERVER6}/64 dev up1 nodad",
        ]:
            sh("nsenter", "-t", pid, "-n", *line.split())
        for line in ("ip route add default via 151.101.0.254", "ip -6 route add default via 2a04:4e42::254"):
            sh(*line.split())
        # The host's resolver, for those who read it there.
        resolv = box.file("resolv.conf", f"nameserver {NAMES4}\n")
        hosts = box.file("hosts", f"127.0.0.1 localhost\n{SERVER4} written.test\n127.0.0.1 blocked.test\n")
        box.mount("--bind", resolv, "/etc/resolv.conf")
        box.mount("--bind", hosts, "/etc/hosts")
        there = ["nsenter", "-t", pid, "-n", "python3", "-c"]
        self.servers = [
            self._serve([*there, NAME_SERVER, json.dumps(ZONE), NAMES4, self.log]),
            self._serve([*there, SERVERS, ",".join((SERVER4, OTHER4, PRIVATE4, SERVER6)), certificate]),
            self._serve(["python3", "-c", SERVERS, f"127.0.0.1,{HOST4}", certificate]),
        ]

    def _serve(self, command):
        started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        equal(started.stdout.readline(), "ready\n", "the servers")
        return started

    def queries(self):
        with open(self.log, encoding="utf-8") as log:
            asked = [line.split()[0] for line in log]
        # The servers of the tests look for the names of their clients.
        return [name for name in asked if not name.endswith(".arpa")]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
            server.wait()
            server.stdout.close()
        self.holder.kill()
        self.holder.wait()
        check(eventually(lambda: "up0" not in os.listdir("/sys/class/net"), 5) or True, "")
        sh("ip", "link", "del", "up0", check_it=False)


# What a program finds: the first line of an answer, or the error's name; and the time in ms.
TRY = r"""
import errno, json, os, socket, ssl, sys, time, urllib.request
def named(error):
    if isinstance(error, (TimeoutError, socket.timeout)): return "timeout"
    if isinstance(error, socket.gaierror): return {-2: "NONAME", -3: "AGAIN", -4: "FAIL", -5: "NODATA"}.get(error.errno, str(error.errno))
    if isinstance(error, OSError) and error.errno: return errno.errorcode.get(error.errno, str(error))
    return type(error).__name__
def get(host, port=80, sni=None, header=None, patience=8, tls=None):
    begin = time.monotonic()
    try:
        with socket.create_connection((host, port), patience) as client:
            if tls if tls is not None else port == 443:
                context = ssl.create_default_context()
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
                client = context.wrap_socket(client, server_hostname=host if sni is None else sni or None)
            client.sendall(f"GET / HTTP/1.1\r\nHost: {header or host}\r\nConnection: close\r\n\r\n".encode())
            data = b""
            while chunk := client.recv(65536): data += chunk
            client.close()
            said = data.decode().split("\r\n\r\n")[-1].strip() or "empty"
    except OSError as error:
        said = named(error)
    return [said, (time.monotonic() - begin) * 1000]
"""


def found(box, policy, code, report=None, timeout=60):
    """What `code` prints as JSON inside."""
    command = ["run", "--policy", box.policy_file(policy)]
    if report:
        command += ["--report", report]
    ended = box.mxc(*command, "--", "python3", "-c", TRY + textwrap.dedent(code), timeout=timeout).expect(0)
    return json.loads(ended.text)


def names(allow=(), deny=(), **fields):
    return {"domains": {**({"allow": list(allow)} if allow else {}), **({"deny": list(deny)} if deny else {})}, **fields}


def nothing_left():
    lines = sh("nft", "list", "tables", check_it=False).stdout.splitlines()
    equal([line for line in lines if "mxc-" in line], [], "tables left on the host")


@case
def allowed_names_are_reached_and_no_others(box):
    policy = box.policy(x=names(["pypi.test", "*.pypi.test", "six.test", "both.test", "good-alias.test", "written.test"], ["a.b.pypi.test"]))
    with World(box) as world:
        report = box.path("home", "report.json")
        got = found(
            box,
            policy,
            """
            print(json.dumps({name: get(name, port) for name, port in [("pypi.test", 80), ("PyPI.test", 443), ("www.pypi.test", 443),
                ("a.b.pypi.test", 80), ("six.test", 80), ("both.test", 80), ("good-alias.test", 80), ("written.test", 80),
                ("evil.test", 80), ("secret-data.evil.test", 443), ("pypi.test.", 80)]}))
            """,
            report=report,
        )
        for name in ("pypi.test", "six.test", "both.test", "good-alias.test", "written.test", "pypi.test."):
            check(got[name][0].startswith("port 80 host " + name), f"{name}: {got[name]}")
        for name in ("PyPI.test", "www.pypi.test"):
            check(got[name][0].startswith("port 443"), f"{name}: {got[name]}")
        for name in ("a.b.pypi.test", "evil.test", "secret-data.evil.test"):
            equal(got[name][0], "NONAME", name)
            check(got[name][1] < 500, f"{name} took {got[name][1]} ms")
        asked = set(world.queries())
        lacks(" ".join(asked), "evil.test", "what was asked outside")
        lacks(" ".join(asked), "a.b.pypi.test", "what was asked outside")
        with open(report, encoding="utf-8") as file:
            whole = json.load(file)
        denied = {(one["what"], one["rule"]): one["count"] for one in whole["denials"] if one["source"] == "gateway"}
        policy_name = whole["policy"]
        check(any(what == "look up evil.test" and rule.endswith("#/network/egress/default") for what, rule in denied), denied)
        check(any(what == "look up a.b.pypi.test" and rule.endswith("#/x-linux/domains/deny/0") for what, rule in denied), denied)
        used = {one["name"]: one for one in whole["names"]}
        check(used["pypi.test"]["connections"] >= 2 and used["pypi.test"]["receivedBytes"] > 100, str(used))
        check(policy_name, "the policy's name")
        nothing_left()


@case
def a_look_up_alone_asks_nobody(box):
    with World(box) as world:
        got = found(box, box.policy(x=names(["**.pypi.test"])), 'print(json.dumps([socket.gethostbyname(f"data-{i}.pypi.test") for i in range(5)]))')
        equal(len(set(got)), 5, "addresses")
        check(all(address.startswith("198.19.") for address in got), str(got))
        equal(world.queries(), [], "queries outside")
        nothing_left()


@case
def ports_of_names(box):
    policy = box.policy(x=names(["pypi.test", "www.pypi.test:8000-8100", "both.test:22"], ["pypi.test:443"]))
    with World(box):
        got = found(
            box,
            policy,
            """
            def first(host, port):
                try:
                    with socket.create_connection((host, port), 8) as client: return client.recv(100).decode().strip() or "closed"
                except OSError as error: return named(error)
            print(json.dumps({"80": get("pypi.test", 80)[0], "443": get("pypi.test", 443)[0], "8080": get("www.pypi.test", 8080)[0],
                "www 80": get("www.pypi.test", 80)[0], "22": first("both.test", 22), "pypi 22": first("pypi.test", 22)}))
            """,
        )
        check(got["80"].startswith("port 80"), got)
        check(got["8080"].startswith("port 8080"), got)
        equal(got["22"], "SSH-2.0-test", "a server that speaks first")
        for refused in ("443", "www 80", "pypi 22"):
            equal(got[refused], "ECONNRESET", refused)
        nothing_left()


@case
def names_that_lead_elsewhere(box):
    bad = ["private.test", "loopback.test", "metadata.test", "host.test", "mapped.test", "alias.test", "blocked.test"]
    odd = ["loop.test", "compressed.test", "wrong-id.test", "fails.test"]
    good = ["mixed.test", "truncated.test", "huge.test"]
    with World(box):
        report = box.path("home", "report.json")
        got = found(
            box,
            box.policy(x=names([*bad, *odd, *good, "rebinds.test"])),
            f"""
            import concurrent.futures
            with concurrent.futures.ThreadPoolExecutor(30) as pool:
                results = dict(zip({bad + odd + good!r}, pool.map(lambda name: get(name, patience=25), {bad + odd + good!r})))
            results["rebinds first"], results["rebinds then"] = get("rebinds.test"), get("rebinds.test")
            print(json.dumps(results))
            """,
            report=report,
        )
        for name in bad + odd:
            equal(got[name][0], "ECONNRESET", name)
        for name in bad:
            check(got[name][1] < 2000, f"{name} took {got[name][1]} ms")
        for name in good + ["rebinds first"]:
            check(got[name][0].startswith("port 80"), f"{name}: {got[name]}")
        equal(got["rebinds then"][0], "ECONNRESET", "a name that has become the loopback's")
        with open(report, encoding="utf-8") as file:
            denied = {one["what"]: one["rule"] for one in json.load(file)["denials"]}
        contains(denied["connect to private.test:80"], "isn't public", "the report")
        contains(denied["connect to host.test:80"], "this host", "the report")
        nothing_left()


@case
def rules_open_what_names_may_not_lead_to(box):
    egress = {"allow": [{"to": [{"cidr": PRIVATE4}], "ports": [{"protocol": "tcp", "port": 80}]}], "deny": [{"to": [{"cidr": OTHER4}]}]}
    policy = box.policy(x=names(["private.test", "mixed.test", "pypi.test"]), network={"egress": egress})
    with World(box):
        got = found(box, policy, f'print(json.dumps([get(name)[0] for name in ("private.test", "mixed.test", "pypi.test", "{PRIVATE4}", "{SERVER4}", "{OTHER4}")]))')
        check(all(answer.startswith("port 80") for answer in got[:4]), str(got))
        equal(got[4:], ["ECONNREFUSED", "ECONNREFUSED"], "addresses that no rule allows")
        nothing_left()


@case(callers=("root",))
def sockets_bound_to_the_link_reach_no_name(box):
    egress = {"allow": [{"to": [{"cidr": SERVER4}], "ports": [{"protocol": "tcp", "port": 80}]}]}
    with World(box) as world:
        seen = subprocess.Popen(["nsenter", "-t", str(world.holder.pid), "-n", "python3", "-c", "import socket\ns = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(3)); s.bind(('up1', 0)); s.settimeout(6)\nprint('up', flush=True)\ntry:\n  while True:\n    if b'\\xc6\\x13' in s.recv(2000): print('LEAK', flush=True)\nexcept OSError: pass"], stdout=subprocess.PIPE, text=True)
        equal(seen.stdout.readline(), "up\n", "the listener")
        got = found(
            box,
            box.policy(x=names(["pypi.test"]), network={"egress": egress}),
            """
            def bound(kind, to, source=None):
                client = socket.socket(socket.AF_INET, kind); client.settimeout(2)
                try:
                    client.setsockopt(socket.SOL_SOCKET, 25, b"eth0\\0")
                    if source: client.bind((source, 0))
                    if kind == socket.SOCK_DGRAM: client.sendto(b"data", to); return "sent"
                    client.connect(to); client.send(b"x"); return "answer" if client.recv(1) else "closed"
                except OSError as error: return named(error)
            name = socket.gethostbyname("pypi.test")
            print(json.dumps({"query": bound(socket.SOCK_DGRAM, ("198.19.0.1", 53)), "name": bound(socket.SOCK_STREAM, (name, 80)), "udp": bound(socket.SOCK_DGRAM, (name, 443)),
                "source": bound(socket.SOCK_DGRAM, ("151.101.0.11", 53), name), "tcp source": bound(socket.SOCK_STREAM, ("151.101.0.11", 80), "198.19.0.1")}))
            """,
        )
        for what, answer in got.items():
            check(answer in ("EPERM", "ECONNREFUSED", "ENETUNREACH", "EINVAL", "timeout", "EADDRNOTAVAIL"), f"{what}: {answer}")
        seen.terminate()
        lacks(seen.communicate()[0], "LEAK", "the wire")
        nothing_left()


@case
def tls_must_ask_for_the_name(box):
    with World(box):
        report = box.path("home", "report.json")
        got = found(
            box,
            box.policy(x=names(["pypi.test:1-65535", "www.pypi.test"])),
            """
            def raw(data, split=0):
                with socket.create_connection(("pypi.test", 443), 8) as client:
                    try:
                        if split:
                            for i in range(0, len(data), split):
                                client.sendall(data[i:i + split]); time.sleep(0.002)
                        else:
                            client.sendall(data)
                        return "answer" if client.recv(100) else "closed"
                    except OSError as error: return named(error)
            def hello(name):
                incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
                context = ssl.create_default_context(); context.check_hostname = False; context.verify_mode = ssl.CERT_NONE
                try: context.wrap_bio(incoming, outgoing, server_hostname=name).do_handshake()
                except ssl.SSLWantReadError: pass
                return outgoing.read()
            good = hello("pypi.test")
            def retry(second, at_once=b""):
                with socket.create_connection(("pypi.test", 8443), 8) as client:
                    try:
                        client.sendall(good + at_once)
                        first = client.recv(4096)
                        if second: client.sendall(second)
                        return "answer" if client.recv(4096) else "closed"
                    except OSError as error: return named(error)
            cut = good[:3] + (50).to_bytes(2, "big") + good[5:55] + good[:3] + (len(good) - 55).to_bytes(2, "big") + good[55:]
            print(json.dumps({"same": get("pypi.test", 443)[0], "other": get("pypi.test", 443, sni="www.pypi.test")[0],
                "foreign": get("pypi.test", 443, sni="evil.test")[0], "none": get("pypi.test", 443, sni="")[0],
                "in bytes": raw(good, 7), "in records": raw(cut), "lying in bytes": raw(hello("evil.test"), 7), "other port": get("pypi.test", 8080, sni="evil.test", tls=True)[0],
                "upper": raw(hello("PyPI.test")), "alert in front": raw(b"\\x15\\3\\1\\0\\2\\1\\x5a" + hello("evil.test")), "other version": raw(b"\\x16\\0\\1" + hello("evil.test")[3:]),
                "two hellos at once": raw(good + hello("evil.test")), "retry": get("pypi.test", 8443, tls=True)[0], "lying retry": retry(hello("evil.test")),
                "lying retry behind others": retry(b"\\x14\\3\\3\\0\\1\\1\\x17\\3\\3\\0\\4abcd" + hello("evil.test")), "lying at once": retry(b"", hello("evil.test"))}))
            """,
            report=report,
        )
        check(got["same"].startswith("port 443"), str(got))
        for passes in ("in bytes", "in records", "upper"):
            equal(got[passes], "answer", passes)
        check(got["retry"].startswith("port 8443"), str(got))
        for refused in ("alert in front", "other version", "lying retry", "lying retry behind others", "lying at once"):
            equal(got[refused], "ECONNRESET", refused)
        check(got["two hellos at once"] in ("answer", "ECONNRESET"), str(got))
        for refused in ("other", "foreign", "none", "lying in bytes", "other port"):
            check(got[refused] in ("ECONNRESET", "SSLEOFError", "EPIPE"), f"{refused}: {got[refused]}")
        with open(report, encoding="utf-8") as file:
            rules = " ".join(one.get("rule", "") for one in json.load(file)["denials"])
        contains(rules, "evil.test", "the report")
        contains(rules, "SNI", "the report")
        nothing_left()


@case
def everything_but_tcp_to_names_is_refused(box):
    with World(box):
        report = box.path("home", "report.json")
        got = found(
            box,
            box.policy(x=names(["pypi.test"])),
            """
            address = socket.gethostbyname("pypi.test")
            def datagram(to, port):
                client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.settimeout(3)
                try:
                    client.connect((to, port)); client.send(b"x"); return client.recv(10).decode()
                except OSError as error: return named(error)
            print(json.dumps({"quic": datagram(address, 443), "dns": datagram(address, 53), "world": datagram("151.101.0.10", 443),
                "tcp to an address": get("151.101.0.10")[0], "an address of nobody": get("198.19.77.7")[0], "the resolver": get("198.19.0.1", 80)[0],
                "the listener itself": get("127.0.0.1", 1010)[0]}))
            """,
            report=report,
        )
        equal(got["quic"], "EPERM", "UDP to a name")
        equal(got["dns"], "EPERM", "UDP to a name, port 53")
        equal(got["world"], "ENETUNREACH", "UDP to an address")
        equal(got["tcp to an address"], "ENETUNREACH", "TCP to an address")
        for nowhere in ("an address of nobody", "the listener itself"):
            check(got[nowhere] in ("ECONNRESET", "empty"), f"{nowhere}: {got[nowhere]}")
        equal(got["the resolver"], "ECONNREFUSED", "another port of the resolver")
        with open(report, encoding="utf-8") as file:
            rules = [one.get("rule", "") for one in json.load(file)["denials"]]
        contains(" ".join(rules), "only TCP goes to names", "the report")
        nothing_left()


@case
def a_resolver_for_hostile_queries(box):
    with World(box):
        got = found(
            box,
            box.policy(x=names(["pypi.test", "**.wild.test"])),
            r"""
            import os, random, struct
            server = ("198.19.0.1", 53)
            def wire(name): return b"".join(bytes([len(l)]) + l.encode() for l in name.split(".")) + b"\0"
            def query(name, kind=1, ident=b"ab", flags=0x0100): return ident + struct.pack(">HHHHH", flags, 1, 0, 0, 0) + wire(name) + struct.pack(">HH", kind, 1)
            def ask(message, patience=2):
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
                    client.settimeout(patience); client.sendto(message, server)
                    try: return client.recv(4096)
                    except OSError: return b""
            def stream(message):
                with socket.create_connection(server, 3) as client:
                    client.sendall(struct.pack(">H", len(message)) + message)
                    try:
                        size = client.recv(2)
                        return client.recv(4096) if size else b""
                    except OSError: return b""
            def said(reply): return [reply[3] & 15, struct.unpack(">H", reply[6:8])[0]] if len(reply) > 11 else []
            results = {"a": said(ask(query("pypi.test"))), "aaaa": said(ask(query("pypi.test", 28))), "https": said(ask(query("pypi.test", 65))),
                "any": said(ask(query("pypi.test", 255))), "denied": said(ask(query("evil.test"))), "tcp": said(stream(query("pypi.test"))),
                "case": said(ask(query("PYPI.TEST"))), "response": said(ask(query("pypi.test", flags=0x8180), 0.3)), "short": said(ask(b"abc", 0.3)),
                "two questions": said(ask(b"ab" + struct.pack(">HHHHH", 0x100, 2, 0, 0, 0) + (wire("pypi.test") + struct.pack(">HH", 1, 1)) * 2)),
                "loop": said(ask(b"ab" + struct.pack(">HHHHH", 0x100, 1, 0, 0, 0) + b"\xc0\x0c" + struct.pack(">HH", 1, 1))),
                "update": said(ask(query("pypi.test", flags=0x2800))), "odd bytes": said(ask(query("a b.wild.test"))),
                "long": said(ask(query(".".join(["a" * 60] * 2) + ".wild.test"))), "label": said(ask(query("x" * 63 + ".wild.test")))}
            random.seed(7)
            for _ in range(3000):
                message = bytearray(query("pypi.test"))
                for _ in range(random.randrange(1, 8)): message[random.randrange(len(message))] = random.randrange(256)
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client: client.sendto(bytes(message[:random.randrange(1, len(message) + 1)]), server)
            with socket.create_connection(server, 3) as idle:
                results["still there"] = said(ask(query("pypi.test")))
            results["names"] = sum(said(ask(query(f"n{i}.wild.test")))[:1] == [0] for i in range(1100))
            print(json.dumps(results))
            """,
        )
        for right in ("a", "tcp", "case", "still there"):
            equal(got[right], [0, 1], right)
        for empty in ("aaaa", "https", "any"):
            equal(got[empty], [0, 0], empty)
        equal(got["denied"], [3, 0], "a denied name")
        equal(got["response"], [], "an answer to an answer")
        equal(got["short"], [], "three bytes")
        for wrong in ("two questions", "loop", "update"):
            equal(got[wrong], [1, 0], wrong)
        equal(got["odd bytes"], [3, 0], "a name that is none")
        equal(got["long"], [5, 0], "more under a wildcard than one may ask for")
        equal(got["label"], [0, 1], "the longest label")
        check(1000 <= got["names"] <= 1024, f"{got['names']} names under one wildcard")
        nothing_left()


@case
def bytes_arrive_whole_and_ends_do_too(box):
    with World(box):
        got = found(
            box,
            box.policy(x=names(["pypi.test:1-65535"])),
            """
            import hashlib, threading
            def echo(size, half):
                with socket.create_connection(("pypi.test", 9), 20) as client:
                    data, back = (b"x" + os.urandom(size))[:size], b""  # no byte that TLS begins with
                    def send():
                        client.sendall(data)
                        if half: client.shutdown(socket.SHUT_WR)
                    sender = threading.Thread(target=send); sender.start()
                    while len(back) < size:
                        chunk = client.recv(1 << 16)
                        if not chunk: break
                        back += chunk
                    sender.join()
                    return back == data and (not half or client.recv(1) == b"")
            results = [echo(size, half) for size in (1, 4095, 4097, 70000, 5_000_000) for half in (False, True)]
            # Somebody who doesn't read holds up nobody else.
            stuck = socket.create_connection(("pypi.test", 8080), 8)
            stuck.sendall(b"GET /big/50000000 HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n")
            results += [get("pypi.test")[0].startswith("port 80") for _ in range(5)]
            body = urllib.request.urlopen("http://pypi.test:8080/big/20000000", timeout=30).read()
            results.append(len(body) == 20000000)
            many = [socket.create_connection(("pypi.test", 9), 20) for _ in range(300)]
            for each in many: each.sendall(b"hi")
            results.append(all(each.recv(2) == b"hi" for each in many))
            print(json.dumps(results))
            """,
        )
        check(all(got), str(got))
        nothing_left()


@case
def what_is_sent_to_a_name_is_capped(box):
    with World(box):
        report = box.path("home", "report.json")
        got = found(
            box,
            box.policy(x={"domains": {"allow": ["pypi.test:1-65535", "www.pypi.test:1-65535"], "maxSent": 100_000}}),
            """
            def send(name, size):
                with socket.create_connection((name, 9), 8) as client:
                    back = 0
                    try:
                        client.sendall(os.urandom(size))
                        while back < size:
                            got = len(client.recv(65536))
                            if got == 0: break
                            back += got
                        return "whole" if back == size else "closed"
                    except OSError as error: return named(error)
            print(json.dumps([send("pypi.test", 60_000), send("pypi.test", 39_000), send("pypi.test", 2_000), send("pypi.test", 1000), send("www.pypi.test", 100_000), send("www.pypi.test", 1), get("pypi.test", 8080)[0]]))
            """,
            report=report,
        )
        equal(got[:2], ["whole", "whole"], "what the limit allows")
        check(got[2] in ("ECONNRESET", "EPIPE"), f"more than the limit: {got}")
        equal(got[4], "whole", "another name, up to the limit")
        check(got[5] in ("ECONNRESET", "EPIPE", "closed"), f"one byte more: {got}")
        with open(report, encoding="utf-8") as file:
            whole = json.load(file)
        used = {one["name"]: one["sentBytes"] for one in whole["names"]}
        check(all(sent <= 100_000 for sent in used.values()), str(used))
        contains(json.dumps(whole["denials"]), "maxSent", "the report")


@case(callers=("rootless",))
def tcp_rules_without_root(box):
    egress = {
        "allow": [{"to": [{"cidr": "151.101.0.0/24", "except": [OTHER4 + "/32"]}], "ports": [{"protocol": "tcp", "port": 80}]}, {"to": [{"cidr": SERVER6}], "ports": [{"protocol": "tcp"}]}],
        "deny": [{"to": [{"cidr": "151.101.0.12"}]}],
    }
    with World(box):
        report = box.path("home", "report.json")
        got = found(
            box,
            box.policy(network={"egress": egress}),
            f"""
            def datagram(to):
                try:
                    client = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); client.sendto(b"x", (to, 80)); return "sent"
                except OSError as error: return named(error)
            def served():
                with socket.create_server(("127.0.0.1", 3000)) as server, socket.create_connection(("127.0.0.1", 3000), 3) as client:
                    return server.accept()[0].send(b"x")
            print(json.dumps({{"allowed": get("{SERVER4}"), "v6": get("{SERVER6}", 8080), "mapped": get("::ffff:{SERVER4}"), "port": get("{SERVER4}", 8080), "excepted": get("{OTHER4}"),
                "denied": get("151.101.0.12"), "host": get("{HOST4}"), "elsewhere": get("10.9.9.9"), "elsewhere v6": get("2a04:4e42::11", 80), "udp": [datagram("{SERVER4}"), 0],
                "own": [served(), 0], "listener": get("127.0.0.1", 1010), "name": get("pypi.test")}}))
            """,
            report=report,
        )
        for allowed, port in (("allowed", 80), ("v6", 8080), ("mapped", 80)):
            check(got[allowed][0].startswith(f"port {port}"), f"{allowed}: {got[allowed]}")
        for refused in ("port", "excepted", "denied", "host", "elsewhere", "elsewhere v6"):
            equal(got[refused][0], "ECONNREFUSED", refused)
            check(got[refused][1] < 100, f"{refused} took {got[refused][1]} ms")
        equal(got["udp"][0], "EPERM", "UDP")
        equal(got["own"][0], 1, "the sandbox's own loopback")
        check(got["name"][0] in ("AGAIN", "NONAME"), str(got["name"]))
        with open(report, encoding="utf-8") as file:
            denied = {one["what"]: one["rule"] for one in json.load(file)["denials"] if one["source"] == "nftables"}
        check(denied[f"send to tcp {OTHER4}:80"].endswith("#/network/egress/default"), str(denied))
        check(denied["send to tcp 151.101.0.12:80"].endswith("#/network/egress/deny/0"), str(denied))
        check(denied[f"send to tcp {HOST4}:80"].endswith("#/network/ingress/hostLoopback"), str(denied))


DATAGRAM = """
def datagram(to, port=443, patience=3):
    client = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM); client.settimeout(patience)
    try:
        client.connect((to, port)); client.send(b"x"); return client.recv(10).decode()
    except OSError as error: return named(error)
"""


@case
def everything_is_allowed_and_the_host_is_not(box):
    if not box.root:
        with_tun(box)
    with World(box) as world:
        report = box.path("home", "report.json")
        policy = box.policy(network={"egress": {"default": "allow", "deny": [{"to": [{"cidr": OTHER4}]}]}})
        got = found(
            box,
            policy,
            DATAGRAM
            + f"""
print(json.dumps({{"name": get("pypi.test"), "v6 name": get("six.test"), "address": get("{SERVER4}"), "v6": get("{SERVER6}"), "udp": [datagram("{SERVER4}"), 0], "private": get("{PRIVATE4}"),
    "denied": get("{OTHER4}"), "denied udp": [datagram("{OTHER4}"), 0], "host": get("{HOST4}"), "host udp": [datagram("{HOST4}"), 0], "missing": get("nothing.test"), "truncated": get("truncated.test"), "pool": get("198.19.77.7", patience=3), "own": get("127.0.0.1", 80)}}))
""",
            report=report,
        )
        for reached in ("name", "v6 name", "address", "v6", "private", "truncated"):
            check(got[reached][0].startswith("port 80"), f"{reached}: {got[reached]}")
        equal(got["udp"][0], "!", "UDP")
        equal(got["missing"][0], "NONAME", "a name that doesn't exist")
        for refused in ("denied", "host", "own"):
            equal(got[refused][0], "ECONNREFUSED", refused)
            check(got[refused][1] < 100, f"{refused} took {got[refused][1]} ms")
        equal(got["denied udp"][0], "EPERM", "UDP that is denied")
        # pasta gives the sandbox the host's address: there it is its own.
        equal(got["host udp"][0], "EPERM" if box.root else "ECONNREFUSED", "UDP to the host")
        check(got["pool"][0] in ("ECONNRESET", "empty"), str(got["pool"]))
        contains(" ".join(world.queries()), "pypi.test", "what was asked outside")
        with open(report, encoding="utf-8") as file:
            rules = " ".join(one.get("rule", "") for one in json.load(file)["denials"])
        contains(rules, "#/network/egress/deny/0", "the report")
        nothing_left()


@case(callers=("rootless",))
def a_link_of_its_own_without_root(box):
    with_tun(box)
    with World(box):
        egress = {"allow": [{"to": [{"cidr": SERVER4}], "ports": [{"protocol": "udp", "port": 443}]}, {"to": [{"cidr": SERVER6}]}]}
        policy = box.policy(network={"egress": egress}, x=names(["pypi.test"]))
        got = found(
            box,
            policy,
            DATAGRAM
            + f"""
print(json.dumps({{"udp": datagram("{SERVER4}"), "other port": datagram("{SERVER4}", 53), "tcp": get("{SERVER4}")[0], "v6": get("{SERVER6}", 8080)[0], "elsewhere": datagram("{OTHER4}"), "name": get("pypi.test")[0], "other name": get("six.test")[0]}}))
""",
        )
        equal(got["udp"], "!", "UDP that a rule allows")
        for refused in ("other port", "elsewhere"):
            equal(got[refused], "EPERM", refused)
        equal(got["tcp"], "ECONNREFUSED", "TCP that no rule allows")
        check(got["v6"].startswith("port 8080") and got["name"].startswith("port 80"), str(got))
        equal(got["other name"], "NONAME", "a name that no rule allows")
        # Whoever is killed, pasta doesn't stay.
        for victim in ("mxc", "mxc-link", "pasta"):
            started = box.start("run", "--policy", box.policy_file(policy), "--", "sh", "-c", "echo up; exec sleep 60")
            equal(started.stdout.readline(), b"up\n", "the program")
            running = {name: pid for pid, name in processes_below(os.getpid()).items() if name.startswith(("pas", "mxc-link"))}
            pasta = next((pid for name, pid in running.items() if name.startswith("pas")), None)  # it runs as passt
            check(pasta is not None and "mxc-link" in running, str(running))
            os.kill({"mxc": started.pid, "mxc-link": running["mxc-link"], "pasta": pasta}[victim], 9)
            if victim != "mxc":
                time.sleep(0.1)
                check(started.poll() is None, f"the sandbox ended with {victim}")
                started.terminate()
            started.communicate()
            ours = ("pas", "mxc-link", "mxc-gateway")
            check(eventually(lambda: not any(name.startswith(ours) for name in processes_below(os.getpid()).values()), 3), f"left after {victim}: {processes_below(os.getpid())}")


@case(callers=("rootless",))
def a_pasta_that_is_too_old_or_fails_is_named(box):
    with_tun(box)
    box.mount("-t", "tmpfs", "bin", box.folder("fake"))
    fake = box.file("fake/pasta", "#!/bin/sh\necho \"pasta: unrecognized option '--config-net'\" >&2\nexit 1\n", mode=0o755)
    box.mount("--bind", fake, os.path.realpath("/usr/bin/pasta"))
    with World(box):
        ended = box.run(box.policy(network={"egress": {"default": "allow"}}), "true").expect(125)
        contains(ended.err, "unrecognized option '--config-net'", "the refusal")
        contains(ended.err, "passt", "the refusal")


@case(callers=("rootless",))
def what_needs_root_is_refused_by_name(box):
    if os.path.exists("/dev/net"):
        box.mount("-t", "tmpfs", "none", "/dev/net")
    for egress in ({"default": "allow"}, {"allow": [{"to": [{"cidr": SERVER4}]}]}, {"allow": [{"to": [{"cidr": SERVER4}], "ports": [{"protocol": "udp", "port": 53}]}]}):
        ended = box.run(box.policy(network={"egress": egress}), "true").expect(125)
        contains(ended.err, "/network/egress", "the refusal")
        contains(ended.err, "without root only TCP", "the refusal")


def proxy(address):
    """A proxy on the host that says what it was asked."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = f"proxy for {self.path}\n".encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    class Server(http.server.ThreadingHTTPServer):
        address_family = socket.AF_INET6 if ":" in address else socket.AF_INET

    server = Server((address, 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return server


@case
def the_hosts_proxy_is_the_only_way_out(box):
    for url_host, address in (("127.0.0.1", "127.0.0.1"), ("localhost", "127.0.0.1"), ("[::1]", "::1")):
        sh("ip", "link", "set", "lo", "up")
        server = proxy(address)
        other = proxy(address)
        url = f"http://{url_host}:{server.server_port}"
        ended = box.mxc(
            "run",
            "--policy",
            box.policy_file(box.policy(runtimeConfig={"networkProxy": url})),
            "--",
            "python3",
            "-c",
            TRY
            + f"""
print(urllib.request.urlopen("http://anything.test/x", timeout=5).read().decode().strip())
print(get("{address}", {other.server_port})[0], get("151.101.0.10")[0])
print(*(os.environ[name] for name in ("HTTP_PROXY", "https_proxy", "ALL_PROXY", "no_proxy")))
""",
            env={"HTTP_PROXY": "http://user:secret@inherited", "NO_PROXY": "*"},
        ).expect(0)
        lines = ended.text.splitlines()
        equal(lines[0], "proxy for http://anything.test/x", "what the proxy was asked")
        equal(lines[1], "ECONNREFUSED ENETUNREACH", "another port of the host's, and the world")
        equal(lines[2], f"{url} {url} {url} localhost,127.0.0.1,::1", "the variables")
        server.shutdown()
        other.shutdown()


@case
def the_host_reaches_a_server_inside(box):
    sh("ip", "link", "set", "lo", "up")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for bound in ("127.0.0.1", "::1", "0.0.0.0", "::"):
        policy = box.policy(network={"ingress": {"hostLoopback": "allow"}}, x={"ports": [{"containerPort": 3000, "hostPort": port}]})
        family = "AF_INET6" if ":" in bound else "AF_INET"
        code = f"""
import socket, sys
server = socket.socket(socket.{family}); server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
server.bind(("{bound}", 3000)); server.listen(5); print("up", flush=True)
for _ in range(41):
    peer, _ = server.accept(); peer.sendall(peer.recv(100)); peer.close()
"""
        started = box.start("run", "--policy", box.policy_file(policy), "--", "python3", "-c", code)
        equal(started.stdout.readline(), b"up\n", "the server")
        for address in ["127.0.0.1", "::1"] + ["127.0.0.1"] * 39:
            with socket.create_connection((address, port), 5) as client:
                client.sendall(b"hello")
                equal(client.recv(100), b"hello", f"what {bound} answered")
        equal(started.wait(10), 0, "the program's end")
        started.stdout.close()
        started.stderr.close()
    # Nobody listens inside, and the port of somebody else.
    with socket.create_server(("127.0.0.1", port)):
        ended = box.run(policy, "true").expect(125)
        contains(ended.err, f"127.0.0.1:{port}", "the refusal")
        contains(ended.err, "/x-linux/ports/0", "the refusal")
    started = box.start("run", "--policy", box.policy_file(policy), "--", "sh", "-c", "echo up; exec sleep 10")
    equal(started.stdout.readline(), b"up\n", "the program")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        try:
            equal(client.recv(1), b"", "nobody's answer")
        except ConnectionResetError:
            pass
    started.terminate()
    started.communicate()
    check(eventually(lambda: not connects(port), 3), "the port outlives its sandbox")


def connects(port):
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
        return True
    except OSError:
        return False


@case
def a_server_of_the_hosts_inside(box):
    sh("ip", "link", "set", "lo", "up")
    server = proxy("127.0.0.1")
    allowed = {"ingress": {"hostLoopback": "allow"}}
    policy = box.policy(network=allowed, x={"ports": [{"containerPort": 5432, "hostPort": server.server_port, "direction": "out"}]})
    equal(found(box, policy, f'print(json.dumps([get("127.0.0.1", 5432)[0], get("::1", 5432)[0], get("127.0.0.1", {server.server_port})[0]]))'), ["proxy for /", "proxy for /", "ECONNREFUSED"], "what is reached")
    for network, field in (({}, "hostLoopback"), ({"ingress": {"default": "allow"}}, "hostLoopback")):
        ended = box.run(box.policy(network=network, x=policy["x-linux"]), "true").expect(125)
        contains(ended.err, field, "the refusal")
    ended = box.run(box.policy(network={"ingress": {"hostLoopback": "allow"}}, x={"ports": [{"containerPort": 1, "hostAddress": "0.0.0.0"}]}), "true").expect(125)
    contains(ended.err, "network.ingress.default", "the refusal")
    server.shutdown()


@case
def everything_goes_when_anything_is_killed(box):
    sh("ip", "link", "set", "lo", "up")
    policy = box.policy(x=names(["pypi.test"]))
    with World(box):
        for victim in ("mxc", "mxc-gateway"):
            started = box.start("run", "--policy", box.policy_file(policy), "--", "sh", "-c", "echo up; exec sleep 60")
            equal(started.stdout.readline(), b"up\n", "the program")
            os.kill(started.pid if victim == "mxc" else gateway_of(started), 9)
            if victim == "mxc-gateway":
                time.sleep(0.2)
                check(started.poll() is None, "the sandbox ended with its gateway")
                started.terminate()
            started.communicate()
            check(eventually(lambda: "mxc-gateway" not in processes_below(os.getpid()).values(), 3), "the gateway outlives its sandbox")
            box.run(policy, "true").expect(0)  # takes away what a killed run left


def gateway_of(started):
    children = sh("ps", "-o", "pid=,comm=", "--ppid", str(started.pid)).stdout.split("\n")
    gateways = [int(line.split()[0]) for line in children if "mxc-gateway" in line]
    equal(len(gateways), 1, f"gateways among {children}")
    return gateways[0]


@case
def the_gateway_has_no_rights(box):
    sh("ip", "link", "set", "lo", "up")
    policy = box.policy(x=names(["pypi.test"], ports=[{"containerPort": 3000, "hostPort": 3999}]), network={"ingress": {"hostLoopback": "allow"}})
    secret = os.open("/etc/hostname", os.O_RDONLY)
    started = box.start("run", "--policy", box.policy_file(policy), "--", "sh", "-c", "echo up; exec sleep 60", pass_fds=[secret])
    equal(started.stdout.readline(), b"up\n", "the program")
    gateway = gateway_of(started)
    with open(f"/proc/{gateway}/status", encoding="utf-8") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    equal(status["Uid"].split(), ["65534"] * 4, "ids")
    equal(status["Groups"].split(), [], "groups")
    for name in ("CapInh", "CapPrm", "CapEff", "CapAmb"):
        equal(int(status[name], 16), 0, name)
    equal((status["NoNewPrivs"], status["Seccomp"]), ("1", "2"), "no_new_privs and seccomp")
    if box.root:
        # What it uses is the sandbox's.
        with open(f"/proc/{gateway}/cgroup", encoding="utf-8") as file:
            groups = [line.strip() for line in file if f"/mxc-{started.pid}-" in line]
        check(groups, f"the gateway is in none of the sandbox's groups: {groups}")
    for fd in os.listdir(f"/proc/{gateway}/fd"):
        target = os.readlink(f"/proc/{gateway}/fd/{fd}")
        check(target.startswith(("socket:", "anon_inode:[eventpoll]")) or (int(fd) < 3 and target == "/dev/null"), f"descriptor {fd} is {target}")
    os.close(secret)
    started.terminate()
    started.communicate()


@case
def a_flood_and_a_full_table_of_descriptors(box):
    # The gateway's limit of open files, so that it runs out of them before it runs out of connections.
    with World(box):
        ended = box.mxc(
            "run",
            "--policy",
            box.policy_file(box.policy(x=names(["pypi.test:1-65535"]))),
            "--",
            "python3",
            "-c",
            TRY
            + """
held = []
for _ in range(600):
    try: held.append(socket.create_connection(("pypi.test", 9), 5))
    except OSError: break
alive = 0
for each in held:
    try:
        each.settimeout(3); each.sendall(b"x" * 5000)
        got = b""
        while len(got) < 5000: got += each.recv(5000) or exit("cut")
        alive += 1
    except OSError: pass
for each in held: each.close()
time.sleep(0.3)
print(alive, get("pypi.test")[0])
""",
            before=["prlimit", "--nofile=400:400"],
        ).expect(0)
        alive, answer = ended.text.split(" ", 1)
        check(40 <= int(alive) <= 200, f"{alive} connections lived")
        contains(answer, "port 80", "what is answered after the flood")
        nothing_left()


@case
def real_clients_need_no_setting(box):
    with World(box) as world:
        policy = box.policy(x=names(["pypi.test"]), ro=[world.certificate])
        for tool, command in {
            "curl": f"curl -sS --cacert {world.certificate} https://pypi.test/",
            "wget": f"wget -q -O - --ca-certificate={world.certificate} https://pypi.test/",
            "git": "git ls-remote http://pypi.test/nothing.git; test $? = 128",
        }.items():
            if not sh("sh", "-c", f"command -v {tool}", check_it=False).stdout:
                continue
            ended = box.run(policy, "sh", "-c", command)
            check(ended.code == 0, f"{tool}: {ended.err}")
            if tool != "git":
                contains(ended.text, "port 443 host pypi.test", tool)
            begin = time.monotonic()
            refused = box.run(box.policy(x=names(["other.test"]), ro=[world.certificate]), "sh", "-c", command.replace("; test $? = 128", ""))
            check(refused.code != 0, f"{tool} reached what nothing allows")
            check(time.monotonic() - begin < 3, f"{tool} took {time.monotonic() - begin:.1f} s to be refused")
        nothing_left()


def wheel(folder):
    """A package index of one package, as files."""
    name = "mxchello-1.0-py3-none-any.whl"
    os.makedirs(os.path.join(folder, "simple/mxchello"))
    with zipfile.ZipFile(os.path.join(folder, "simple/mxchello", name), "w") as archive:
        archive.writestr("mxchello.py", "print('hello from a package')\n")
        archive.writestr("mxchello-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: mxchello\nVersion: 1.0\n")
        archive.writestr("mxchello-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr("mxchello-1.0.dist-info/RECORD", "mxchello.py,,\nmxchello-1.0.dist-info/METADATA,,\nmxchello-1.0.dist-info/WHEEL,,\nmxchello-1.0.dist-info/RECORD,,\n")
    with open(os.path.join(folder, "simple/mxchello/index.html"), "w", encoding="utf-8") as index:
        index.write(f'<!DOCTYPE html><a href="{name}">{name}</a>')


@case
def pip_installs_by_name_under_its_profile(box):
    if not os.path.exists("/usr/bin/pip3"):
        raise Skip("python3-pip is not installed")
    index = box.folder("index")
    wheel(index)
    with World(box) as world:
        server = subprocess.Popen(["nsenter", "-t", str(world.holder.pid), "-n", "python3", "-m", "http.server", "-d", index, "-b", SERVER4, "8081"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        world.servers.append(server)
        server.stdout = open(os.devnull, encoding="utf-8")
        install = "/usr/bin/pip3 install --no-cache-dir --retries 0 --target here --index-url http://pypi.test:8081/simple --trusted-host pypi.test mxchello && PYTHONPATH=here python3 -m mxchello"
        check(eventually(lambda: sh("nsenter", "-t", str(world.holder.pid), "-n", "curl", "-s", f"http://{SERVER4}:8081/", check_it=False).returncode == 0, 5), "the index")
        x = names(["pypi.test:8081"], profile="pip-install")
        box.file("home/.ssh/id_rsa", "secret")
        contains(box.run(box.policy(x=x), "sh", "-c", install).expect(0).text, "hello from a package", "what was installed")
        begin = time.monotonic()
        refused = box.run(box.policy(x={"profile": "pip-install"}), "sh", "-c", install.replace(" here", " there"))
        check(refused.code != 0, "a name that nothing allows was reached")
        check(time.monotonic() - begin < 10, "the refusal took long")
        nothing_left()


@case
def a_model_is_served_under_its_profile(box):
    sh("ip", "link", "set", "lo", "up")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    policy = box.policy(network={"ingress": {"hostLoopback": "allow"}}, x={"profile": "ml-infer", "ports": [{"containerPort": 8000, "hostPort": port}]}, ro=[box.file("work/model.txt", "weights")])
    started = box.start("run", "--policy", box.policy_file(policy), "--", "python3", "-u", "-c", f"""
import http.server, socket
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        try: socket.create_connection(("151.101.0.10", 80), 3); out = b"out"
        except OSError: out = b"no way out"
        body = open({box.path("work/model.txt")!r}, "rb").read() + b", " + out
        self.send_response(200); self.send_header("Content-Length", str(len(body))); self.end_headers(); self.wfile.write(body)
server = http.server.HTTPServer(("0.0.0.0", 8000), Handler); print("up"); server.handle_request()
""")
    equal(started.stdout.readline(), b"up\n", "the server")
    with socket.create_connection(("127.0.0.1", port), 5) as client:
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        answer = b""
        while chunk := client.recv(4096):
            answer += chunk
    contains(answer.decode(), "weights, no way out", "the answer")
    started.communicate(timeout=10)


@case
def an_agent_works_under_its_profile(box):
    with World(box):
        sh("git", "init", "-q", box.work)
        for path, text in ((".git/hooks/pre-commit", "#!/bin/sh\nexit 0\n"), (".vscode/settings.json", "{}"), (".mcp.json", "{}"), ("main.py", "print(1)\n")):
            box.file("work/" + path, text)
        for folder, _, files in os.walk(box.work):
            for name in [folder, *(os.path.join(folder, file) for file in files)]:
                box.own(name)
        script = """
set -u
echo 'print(2)' > main.py && git add main.py && git -c user.name=a -c user.email=a@b commit -qm change && echo committed
for file in .git/hooks/pre-commit .git/config .mcp.json .vscode/settings.json; do (echo evil >> $file) 2>/dev/null && echo "changed $file"; done
cat ~/.ssh/id_rsa 2>/dev/null
curl -s http://pypi.test/ | head -c 7
curl -s http://evil.test/ || echo refused
"""
        box.file("home/.ssh/id_rsa", "secret")
        got = box.run(box.policy(x=names(["pypi.test"], profile="coding-agent")), "sh", "-c", script).text
        contains(got, "committed", "what the agent did")
        contains(got, "port 80", "what it reached")
        contains(got, "refused", "what it did not reach")
        lacks(got, "changed", "what it changed")
        lacks(got, "secret", "what it read")
        nothing_left()


if __name__ == "__main__":
    if os.getuid() == 0 and "MXC_TEST_NETNS" not in os.environ:
        os.environ["MXC_TEST_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", *sys.argv])
    main()
