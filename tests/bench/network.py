"""The network of root's sandboxes: what rules add to a start, and what the way through them leaves of a plain link's speed.

network.py MXC [ROUNDS] prints the figures as JSON. It has to be started in a network namespace of its own, which is the
host then; measure() does so.
"""

import json
import os
import subprocess
import sys
import time

PEER, HOST, PLAIN = "203.0.113.2", "203.0.113.1", "198.51.100.2"
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

    times = {"none.json": [], "rules.json": []}
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
    speeds = {"sandbox": [], "plain": []}
    for _ in range(3):
        speeds["sandbox"].append(speed(sandbox, PEER))
        speeds["plain"].append(speed(["nsenter", "-t", str(plain.pid), "-n"], PEER))
    refused = subprocess.run([*sandbox, "python3", "-c", REFUSED, PEER], capture_output=True, text=True, check=True).stdout
    for process in (sink, world, plain):
        process.kill()
        process.wait()
    best = {who: max(seen) for who, seen in speeds.items()}
    figures = {
        "start_ratio": round(middle["rules.json"][0] / middle["none.json"][0], 3),
        "run_ratio": round(middle["rules.json"][1] / middle["none.json"][1], 3),
        "start_ms": round(middle["rules.json"][0], 2),
        "mib_per_s": {who: round(value) for who, value in best.items()},
        "speed_ratio": round(best["sandbox"] / best["plain"], 3),
        "refused_ms": round(float(refused), 4),
    }
    print(json.dumps(figures))


def measure(mxc, work, rounds):
    ended = subprocess.run(
        ["unshare", "-n", sys.executable, "-B", os.path.realpath(__file__), mxc, str(rounds)],
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
