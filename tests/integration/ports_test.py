#!/usr/bin/env python3
"""x-linux.ports and runtimeConfig.networkProxy: what host and sandbox reach of each other."""
import http.server
import json
import socket
import sys
import threading

sys.dont_write_bytecode = True
from harness import case, check, contains, equal, eventually  # noqa: E402
from internet import TRY, found  # noqa: E402
from outside import main_in_own_network, sh  # noqa: E402


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


if __name__ == "__main__":
    main_in_own_network()
