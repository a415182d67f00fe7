"""mxcd against the direct way: a run through it, a program in a warm session, the speed of a stream, what idle sessions hold, and
how fairly many writers share.

daemon.py MXC MXCD [ROUNDS [SESSIONS]] prints the figures as JSON.
"""

import json
import os
import selectors
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from timing import interleaved

BLOCK = 512 << 20


class Mxcd:
    def __init__(self, mxc, mxcd, folder, sessions):
        self.mxc = mxc
        self.environment = {**os.environ, "MXC_SOCKET": os.path.join(folder, "mxcd.sock")}
        self.process = subprocess.Popen([mxcd, "--folder", folder, "--most-sessions", str(sessions + 10)], stderr=subprocess.PIPE)
        self.process.stderr.readline()

    def ask(self, *arguments):
        return subprocess.run([self.mxc, *arguments], env=self.environment, check=True, capture_output=True, text=True).stdout.strip()

    def session(self):
        name = self.ask("provision")
        self.ask("start", name)
        return name

    def close(self):
        for one in json.loads(self.ask("list", "--json")):
            self.ask("deprovision", one["session"])
        self.process.terminate()
        self.process.wait()


def private_dirty(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_Dirty"))


def drain(argv, environment=None, through_socket=False):
    """Seconds until all of argv's output is read."""
    ours, theirs = socket.socketpair() if through_socket else (None, None)
    begin = time.perf_counter()
    if through_socket:
        writer = subprocess.Popen(argv, stdout=theirs)
        theirs.close()
        reader = subprocess.Popen(["cat"], stdin=ours, stdout=subprocess.DEVNULL)
        ours.close()
    else:
        writer = subprocess.Popen(argv, stdout=subprocess.PIPE, env=environment)
        reader = subprocess.Popen(["cat"], stdin=writer.stdout, stdout=subprocess.DEVNULL)
        writer.stdout.close()
    reader.wait()
    writer.wait()
    return time.perf_counter() - begin


def share(mxcd, name, writers=20, seconds=2):
    """Jain's index of what so many programs of one session got out at the same time."""
    running = [subprocess.Popen([mxcd.mxc, "exec", name, "--", "sh", "-c", "exec yes"], stdout=subprocess.PIPE, env=mxcd.environment) for _ in range(writers)]
    counts = [0] * writers
    chosen = selectors.DefaultSelector()
    for number, one in enumerate(running):
        os.set_blocking(one.stdout.fileno(), False)
        chosen.register(one.stdout, selectors.EVENT_READ, number)
    time.sleep(0.5)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for key, _ in chosen.select(0.1):
            counts[key.data] += len(key.fileobj.read(1 << 16) or b"")
    for one in running:
        one.kill()
        one.stdout.close()
        one.wait()
    return sum(counts) ** 2 / (writers * sum(count * count for count in counts))


def measure(mxc, mxcd_path, rounds=40, sessions=30):
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        mxcd = Mxcd(mxc, mxcd_path, folder, sessions)
        try:
            return figures(mxcd, folder, rounds, sessions)
        finally:
            mxcd.close()


def figures(mxcd, folder, rounds, sessions):
    mxc, name = mxcd.mxc, mxcd.session()
    times = interleaved(
        {
            "direct": [mxc, "run", "--", "/bin/true"],
            "daemon": [mxc, "run", "--daemon", "--", "/bin/true"],
            "exec": [mxc, "exec", name, "--", "/bin/true"],
            "true": ["/bin/true"],
            "list": [mxc, "list"],
        },
        rounds, mxcd.environment,
    )
    median = {kind: statistics.median(values) for kind, values in times.items()}
    speeds = {"wire": [], "socket": []}
    for _ in range(5):
        speeds["wire"].append(drain([mxc, "exec", name, "--", "head", "-c", str(BLOCK), "/dev/zero"], mxcd.environment))
        speeds["socket"].append(drain(["head", "-c", str(BLOCK), "/dev/zero"], through_socket=True))
    fair = share(mxcd, name)
    before = private_dirty(mxcd.process.pid)
    supervisors = [json.loads(mxcd.ask("inspect", mxcd.session()))["supervisor"] for _ in range(sessions)]
    after = private_dirty(mxcd.process.pid)
    return {
        "run_to_direct": round(median["daemon"] / median["direct"], 3),
        "exec_to_floor": round(median["exec"] / (median["true"] + median["list"]), 3),
        "stream_to_socket": round(statistics.median(speeds["socket"]) / statistics.median(speeds["wire"]), 3),
        "jain_index": round(fair, 4),
        "mxcd_mib_with_1000": round((after + (1000 - sessions) * (after - before) / sessions) / 1024, 2),
        "supervisor_kib": statistics.median(private_dirty(pid) for pid in supervisors),
        "medians_ms": {kind: round(value, 3) for kind, value in median.items()},
    }


if __name__ == "__main__":
    print(json.dumps(measure(*sys.argv[1:3], *(int(number) for number in sys.argv[3:])), indent=2))
