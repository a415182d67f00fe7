#!/usr/bin/env python3
"""The gateway: what it lets pass, what it may do, and what is left of it."""
import contextlib
import ctypes
import json
import os
import signal
import socket
import sys
import time

sys.dont_write_bytecode = True
from harness import case, check, contains, equal, eventually, processes_below  # noqa: E402
from internet import SERVER4, TRY, World, found, gateway_of, names, nothing_left  # noqa: E402
from outside import main_in_own_network, sh  # noqa: E402


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
def everything_goes_when_anything_is_killed(box):
    sh("ip", "link", "set", "lo", "up")
    policy = box.policy(x=names(["pypi.test"]))
    with World(box):
        for victim in ("mxc", "mxc-gateway", "mxc beside a gateway that stands still"):
            started = box.start("run", "--policy", box.policy_file(policy), "--", "sh", "-c", "echo up; exec sleep 60")
            equal(started.stdout.readline(), b"up\n", "the program")
            if victim.endswith("still"):
                os.kill(gateway_of(started), signal.SIGSTOP)
            os.kill(gateway_of(started) if victim == "mxc-gateway" else started.pid, 9)
            if victim == "mxc-gateway":
                time.sleep(0.2)
                check(started.poll() is None, "the sandbox ended with its gateway")
                started.terminate()
            started.communicate()
            check(eventually(lambda: "mxc-gateway" not in processes_below(os.getpid()).values(), 3), "the gateway outlives its sandbox")
            box.run(policy, "true").expect(0)  # takes away what a killed run left


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
def the_report_has_so_many_names_only(box):
    report = box.path("home", "report.json")
    with World(box):
        code = """
            held = [socket.create_connection((f"n{i}.pypi.test", 80), 5) for i in range(300)]
            print(json.dumps(len(held)))
        """
        # Names of the host's own file, since each is looked up.
        with open("/etc/hosts", "a", encoding="utf-8") as hosts:
            hosts.write("".join(f"{SERVER4} n{i}.pypi.test\n" for i in range(300)))
        equal(found(box, box.policy(x=names(["*.pypi.test"])), code, report=report), 300, "connections")
    with open(report, encoding="utf-8") as file:
        equal(len(json.load(file)["names"]), 256, "names in the report")


def processor_time(pid):
    """Of a process, in clock ticks."""
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return int(fields[11]) + int(fields[12])


@case
def waiting_with_too_many_connections_costs_nothing(box):
    with World(box):
        policy = box.policy_file(box.policy(x=names(["pypi.test:1-65535"])))
        code = TRY + """
held = []
for _ in range(300):
    client = socket.socket(); client.settimeout(5)
    try: client.connect(("pypi.test", 9))
    except OSError: pass
    held.append(client)
print("held", flush=True)
time.sleep(30)
"""
        started = box.start("run", "--policy", policy, "--", "python3", "-c", code, before=["prlimit", "--nofile=400:400"])
        equal(started.stdout.readline(), b"held\n", "the program")
        gateway = gateway_of(started)
        time.sleep(0.3)
        before = processor_time(gateway)
        time.sleep(2)
        spent = processor_time(gateway) - before
        check(spent < 20, f"the gateway used {spent} ticks in 2 s, in which nothing happened")
        started.terminate()
        started.communicate()


@case(callers=("root",))
def a_gateway_that_lies_holds_nobody(box):
    """Its place is taken by somebody who goes on talking, with descriptors, when he should have ended."""
    sh("ip", "link", "set", "lo", "up")
    report = box.path("home", "report.json")
    policy = box.policy_file(box.policy(x=names(["pypi.test"])))
    started = box.start("run", "--policy", policy, "--report", report, "--", "sh", "-c", "echo up; exec sleep 1")
    equal(started.stdout.readline(), b"up\n", "the program")
    gateway = gateway_of(started)
    os.kill(gateway, signal.SIGSTOP)
    pidfd = os.pidfd_open(gateway)
    libc = ctypes.CDLL(None, use_errno=True)
    stolen = []
    for fd in map(int, os.listdir(f"/proc/{gateway}/fd")):
        taken = libc.syscall(438, pidfd, fd, 0)  # pidfd_getfd
        check(taken >= 0, f"pidfd_getfd: {os.strerror(ctypes.get_errno())}")
        with socket.socket(fileno=os.dup(taken)) if os.readlink(f"/proc/self/fd/{taken}").startswith("socket:") else contextlib.nullcontext() as one:
            if one is not None and (one.family, one.type) == (socket.AF_UNIX, socket.SOCK_SEQPACKET):
                stolen.append(socket.socket(fileno=os.dup(taken)))
        os.close(taken)
    os.close(pidfd)
    equal(len(stolen), 1, "control sockets")
    null = os.open("/dev/null", os.O_RDONLY)
    begin = time.monotonic()
    most = 0
    while started.poll() is None and time.monotonic() - begin < 20:
        try:
            socket.send_fds(stolen[0], [b"x"], [null] * 16)
            most = max(most, len(os.listdir(f"/proc/{started.pid}/fd")))
        except OSError:
            pass
        time.sleep(0.05)
    ended = time.monotonic() - begin
    os.close(null)
    stolen[0].close()
    if os.path.exists(f"/proc/{gateway}"):
        os.kill(gateway, signal.SIGCONT)
    started.communicate(timeout=5)
    check(ended < 8, f"mxc ended after {ended:.1f} s, its program after 1 s")
    check(most < 200, f"mxc held {most} descriptors")
    with open(report, encoding="utf-8") as file:
        contains(json.dumps(json.load(file)["warnings"]), "ended early", "the report")


if __name__ == "__main__":
    main_in_own_network()
