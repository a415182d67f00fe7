"""The network of root's sandboxes: what rules and names add to a start, and what the ways through them leave of a plain link's speed.

network.py MXC [ROUNDS] prints the figures as JSON. It has to be started in network and mount namespaces of its own,
which are the host then; measure() does so.
"""

import json
import os
import subprocess
import sys
import time

PEER, HOST, PLAIN = "151.101.0.2", "151.101.0.1", "198.51.100.2"
NAME = "peer.test"
SINK = """
import socket
server = socket.create_server(("", 5001))
print("ready", flush=True)
while True:
    client = server.accept()[0]
    while client.recv(1 << 20):
        pass
    client.close()
"""
SEND = """
import socket, sys, time
client = socket.create_connection((sys.argv[1], 5001))
block, sent, begin = bytes(1 << 20), 0, time.perf_counter()
while time.perf_counter() - begin < 1.5:
    client.sendall(block)
    sent += 1
print(sent / (time.perf_counter() - begin))
"""
REFUSED = """
import errno, socket, sys, time
times = []
for _ in range(200):
    client = socket.socket()
    begin = time.perf_counter()
    assert client.connect_ex((sys.argv[1], 9)) == errno.ECONNREFUSED
    times.append(time.perf_counter() - begin)
    client.close()
print(sorted(times)[100] * 1000)
"""


HOLD = """
import resource, selectors, socket
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
server = socket.create_server(("", 5002), backlog=4096)
print("ready", flush=True)
held = []
while True:
    held.append(server.accept()[0])
    held[-1].sendall(b"!")
"""
# Opens connections and keeps them until its input ends.
OPEN = """
import resource, socket, sys
held = []
try:
    for _ in range(int(sys.argv[2])):
        held.append(socket.create_connection((sys.argv[1], 5002)))
    for each in held:
        each.sendall(b"x")
except OSError as error:
    print(error, file=sys.stderr)
print(len(held), flush=True)
sys.stdin.read()
"""
FIRST = """
import socket, sys, time
socket.getaddrinfo("localhost", 80)  # what Python and the C library load at the first look-up
begin = time.perf_counter()
assert socket.create_connection((sys.argv[1], 5002)).recv(1) == b"!"
print((time.perf_counter() - begin) * 1000)
"""


# A name server: the peer's address to whatever is asked.
NAMES = """
import socket, struct, sys
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))
print("ready", flush=True)
while True:
    query, source = server.recvfrom(512)
    question = query[12:]
    end = question.index(b"\\0") + 5
    kind = struct.unpack(">H", question[end - 4:end - 2])[0]
    answers = 1 if kind == 1 else 0
    record = b"\\xc0\\x0c" + struct.pack(">HHIH", 1, 1, 60, 4) + socket.inet_aton(sys.argv[1])
    server.sendto(query[:2] + struct.pack(">HHHHH", 0x8180, 1, answers, 0, 0) + question[:end] + record * answers, source)
"""


def sh(line):
    subprocess.run(line.split(), check=True)


def apart():
    """A process in a network namespace of its own."""
    own = os.readlink("/proc/self/ns/net")
    holder = subprocess.Popen(["unshare", "-n", "sleep", "600"])
    while os.readlink(f"/proc/{holder.pid}/ns/net") == own:
        time.sleep(0.01)
    return holder


def inside(holder, line):
    sh(f"nsenter -t {holder.pid} -n {line}")


def main(mxc, rounds):
    sh("ip link set lo up")
    world, plain = apart(), apart()
    sh(f"ip link add up0 type veth peer name up1 netns {world.pid}")
    sh(f"ip link add pl0 type veth peer name pl1 netns {plain.pid}")
    for device, address in (("up0", HOST), ("pl0", "198.51.100.1")):
        sh(f"ip addr add {address}/24 dev {device}")
        sh(f"ip link set {device} up")
    for holder, device, address in ((world, "up1", PEER), (plain, "pl1", PLAIN)):
        inside(holder, f"ip addr add {address}/24 dev {device}")
        inside(holder, f"ip link set {device} up")
    inside(plain, "ip route add default via 198.51.100.1")
    sink = subprocess.Popen(["nsenter", "-t", str(world.pid), "-n", "python3", "-c", SINK], stdout=subprocess.PIPE)
    sink.stdout.readline()
    hold = subprocess.Popen(["nsenter", "-t", str(world.pid), "-n", "python3", "-c", HOLD], stdout=subprocess.PIPE)
    hold.stdout.readline()
    resolver = subprocess.Popen(["python3", "-c", NAMES, PEER], stdout=subprocess.PIPE)
    resolver.stdout.readline()
    with open("resolv.conf", "w", encoding="utf-8") as file:
        file.write("nameserver 127.0.0.1\n")
    sh("mount --bind resolv.conf /etc/resolv.conf")
    with open("names.json", "w", encoding="utf-8") as file:
        domains = {"allow": [NAME + ":5001-5002"]}
        json.dump({"version": "1.0.0", "x-linux": {"domains": domains, "resources": {"openFiles": 16384}}}, file)
    with open("none.json", "w", encoding="utf-8") as file:
        json.dump({"version": "1.0.0"}, file)
    with open("rules.json", "w", encoding="utf-8") as file:
        rule = {"to": [{"cidr": PEER}], "ports": [{"protocol": "tcp", "port": 5001}]}
        json.dump({"version": "1.0.0", "network": {"egress": {"allow": [rule]}}}, file)

    def start(policy):
        """Milliseconds until the program's first output, and until all is over."""
        begin = time.perf_counter()
        run = subprocess.Popen([mxc, "run", "--policy", policy, "--", "echo", "x"], stdout=subprocess.PIPE)
        run.stdout.read(1)
        first = time.perf_counter()
        run.stdout.read()
        if run.wait() != 0:
            raise RuntimeError(f"mxc run --policy {policy} failed")
        return (first - begin) * 1000, (time.perf_counter() - begin) * 1000

    times = {"none.json": [], "rules.json": [], "names.json": []}
    for number in range(rounds + 5):
        for policy, seen in times.items():
            measured = start(policy)
            if number >= 5:
                seen.append(measured)
    middle = {policy: [sorted(one[i] for one in seen)[rounds // 2] for i in (0, 1)] for policy, seen in times.items()}

    def speed(before, address):
        text = subprocess.run([*before, "python3", "-c", SEND, address], capture_output=True, text=True, check=True).stdout
        return float(text)

    sandbox = [mxc, "run", "--policy", "rules.json", "--"]
    sh("sysctl -qw net.ipv4.ip_forward=1")
    rules = "table ip plain { chain p { type nat hook postrouting priority 100; ip saddr 198.51.100.0/24 masquerade; }; }"
    subprocess.run(["nft", rules], check=True)
    named = [mxc, "run", "--policy", "names.json", "--"]
    speeds = {"sandbox": [], "names": [], "plain": []}
    for _ in range(3):
        speeds["sandbox"].append(speed(sandbox, PEER))
        speeds["names"].append(speed(named, NAME))
        speeds["plain"].append(speed(["nsenter", "-t", str(plain.pid), "-n"], PEER))
    refused = subprocess.run([*sandbox, "python3", "-c", REFUSED, PEER], capture_output=True, text=True, check=True).stdout

    def first_connect(before, to):
        measured = []
        for _ in range(11):
            measured.append(float(subprocess.run([*before, "python3", "-c", FIRST, to], capture_output=True, text=True, check=True).stdout))
        return sorted(measured)[5]

    first = first_connect(named, NAME) - first_connect([], NAME)  # asks the same name server
    connections, gateway_kib = many(named)
    for process in (sink, hold, resolver, world, plain):
        process.kill()
        process.wait()
    best = {who: max(seen) for who, seen in speeds.items()}
    figures = {
        "start_ratio": round(middle["rules.json"][0] / middle["none.json"][0], 3),
        "run_ratio": round(middle["rules.json"][1] / middle["none.json"][1], 3),
        "names_start_ratio": round(middle["names.json"][0] / middle["none.json"][0], 3),
        "names_speed_ratio": round(best["names"] / best["plain"], 3),
        "first_connect_ms": round(first, 3),
        "connections": connections,
        "gateway_mib": round(gateway_kib / 1024, 1),
        "start_ms": round(middle["rules.json"][0], 2),
        "mib_per_s": {who: round(value) for who, value in best.items()},
        "speed_ratio": round(best["sandbox"] / best["plain"], 3),
        "refused_ms": round(float(refused), 4),
    }
    print(json.dumps(figures))


def many(named, wanted=5000):
    """How many connections a sandbox holds to a name, and the gateway's memory meanwhile in KiB."""
    run = subprocess.Popen([*named, "python3", "-c", OPEN, NAME, str(wanted)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    opened = int(run.stdout.readline())
    memory = 0
    for child in subprocess.run(["ps", "-o", "pid=,comm=", "--ppid", str(run.pid)], capture_output=True, text=True, check=True).stdout.splitlines():
        pid, name = child.split()
        if name == "mxc-gateway":
            with open(f"/proc/{pid}/status", encoding="utf-8") as file:
                memory = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))
    run.communicate()
    return opened, memory


def measure(mxc, work, rounds):
    ended = subprocess.run(
        ["unshare", "-mn", "--propagation", "private", sys.executable, "-B", os.path.realpath(__file__), mxc, str(rounds)],
        cwd=work,
        capture_output=True,
        text=True,
        check=False,
    )
    if ended.returncode != 0:
        raise RuntimeError("network: " + ended.stderr.strip()[-500:])
    return json.loads(ended.stdout)


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 50)
