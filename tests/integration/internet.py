"""An internet for tests: public addresses, servers of several protocols, and a name server that lies where it is asked to."""
import json
import os
import textwrap

from harness import equal
from outside import Outside, sh

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


class World(Outside):
    def __init__(self, box):
        self.log = box.file("queries.log")
        self.certificate = box.path("certificate.pem")
        if not os.path.exists(self.certificate):
            self._make_certificate()
        super().__init__(
            [
                f"ip addr add {HOST4}/24 dev up0",
                f"ip -6 addr add {HOST6}/64 dev up0 nodad",
                f"ip route add {PRIVATE4}/32 dev up0",
                "ip route add default via 151.101.0.254",
                "ip -6 route add default via 2a04:4e42::254",
            ],
            [
                *(f"ip addr add {address}/24 dev up1" for address in (SERVER4, OTHER4, NAMES4)),
                f"ip addr add {PRIVATE4}/32 dev up1",
                f"ip -6 addr add {SERVER6}/64 dev up1 nodad",
            ],
        )
        # The host's resolver, for those who read it there.
        resolv = box.file("resolv.conf", f"nameserver {NAMES4}\n")
        hosts = box.file("hosts", f"127.0.0.1 localhost\n{SERVER4} written.test\n127.0.0.1 blocked.test\n")
        box.mount("--bind", resolv, "/etc/resolv.conf")
        box.mount("--bind", hosts, "/etc/hosts")
        self.serve([*self.enter, "python3", "-c", NAME_SERVER, json.dumps(ZONE), NAMES4, self.log])
        self.serve([*self.enter, "python3", "-c", SERVERS, ",".join((SERVER4, OTHER4, PRIVATE4, SERVER6)), self.certificate])
        self.serve(["python3", "-c", SERVERS, f"127.0.0.1,{HOST4}", self.certificate])

    def _make_certificate(self):
        names = "subjectAltName=DNS:pypi.test,DNS:*.pypi.test,DNS:other.test"
        key = self.certificate + ".key"
        sh("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", self.certificate, "-days", "30", "-subj", "/CN=pypi.test", "-addext", names)
        with open(self.certificate, "a", encoding="utf-8") as whole, open(key, encoding="utf-8") as more:
            whole.write(more.read())
        os.chmod(self.certificate, 0o644)

    def queries(self):
        with open(self.log, encoding="utf-8") as log:
            asked = [line.split()[0] for line in log]
        # The servers of the tests look for the names of their clients.
        return [name for name in asked if not name.endswith(".arpa")]


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
def first(host, port):
    try:
        with socket.create_connection((host, port), 8) as client: return client.recv(100).decode().strip() or "closed"
    except OSError as error: return named(error)
def datagram(to, port=443, patience=3):
    client = socket.socket(socket.AF_INET6 if ":" in to else socket.AF_INET, socket.SOCK_DGRAM); client.settimeout(patience)
    try:
        client.connect(socket.getaddrinfo(to, port, type=socket.SOCK_DGRAM)[0][4]); client.send(b"x"); return client.recv(10).decode()
    except OSError as error: return named(error)
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


def gateway_of(started):
    children = sh("ps", "-o", "pid=,comm=", "--ppid", str(started.pid)).stdout.split("\n")
    gateways = [int(line.split()[0]) for line in children if "mxc-gateway" in line]
    equal(len(gateways), 1, f"gateways among {children}")
    return gateways[0]
