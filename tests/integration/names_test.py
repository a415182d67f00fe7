#!/usr/bin/env python3
"""x-linux.domains: which names programs reach that know nothing of it, and where these may lead."""
import json
import os
import socket
import subprocess
import sys
import time
import zipfile

sys.dont_write_bytecode = True
from harness import Skip, case, check, contains, equal, eventually, lacks  # noqa: E402
from internet import OTHER4, PRIVATE4, SERVER4, World, found, names, nothing_left  # noqa: E402
from outside import main_in_own_network, sh  # noqa: E402


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


@case(callers=("root",))
def a_denied_port_stays_denied_where_everything_is_allowed(box):
    with World(box):
        policy = box.policy(network={"egress": {"default": "allow"}}, x=names((), ["pypi.test:443", "www.pypi.test"]))
        got = found(box, policy, 'print(json.dumps([get("pypi.test", 80)[0], get("pypi.test", 443)[0], get("www.pypi.test", 80)[0], get("both.test", 443)[0]]))')
        check(got[0].startswith("port 80") and got[3].startswith("port 443"), str(got))
        equal(got[1:3], ["ECONNRESET", "NONAME"], "the denied port, and the name that is denied on all")
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
                        client.sendall(b"x" * size)  # no first byte of TLS
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
        server = subprocess.Popen(["nsenter", "-t", str(world.holder.pid), "-n", "python3", "-m", "http.server", "-d", index, "-b", SERVER4, "8081"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        world.servers.append(server)
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
    main_in_own_network()
