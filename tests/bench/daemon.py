"""mxcd against the direct way: a run through it, a program in a warm session, the speed of a stream, what idle sessions hold, and
how fairly many writers share.

daemon.py MXC MXCD [ROUNDS [SESSIONS]] prints the figures as JSON.
"""

import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time

from timing import interleaved

BLOCK = 64 << 20


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
    import selectors
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


def main():
    mxc, mxcd_path = sys.argv[1:3]
    rounds = int(sys.argv[3]) if len(sys.argv) > 3 else 40
    sessions = int(sys.argv[4]) if len(sys.argv) > 4 else 30
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        mxcd = Mxcd(mxc, mxcd_path, folder, sessions)
        try:
            name = mxcd.session()
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
            big = os.path.join(folder, "big")
            with open(big, "wb") as file:
                file.write(os.urandom(1 << 20) * (BLOCK >> 20))
            speeds = {"wire": [], "socket": []}
            for _ in range(5):
                speeds["wire"].append(drain([mxc, "exec", name, "--", "head", "-c", str(BLOCK), "/dev/zero"], mxcd.environment))
                speeds["socket"].append(drain(["head", "-c", str(BLOCK), "/dev/zero"], through_socket=True))
            fair = share(mxcd, name)
            before = private_dirty(mxcd.process.pid)
            names = [mxcd.session() for _ in range(sessions)]
            supervisors = [json.loads(mxcd.ask("inspect", one))["supervisor"] for one in names]
            figures = {
                "run_to_direct": round(median["daemon"] / median["direct"], 3),
                "exec_to_floor": round(median["exec"] / (median["true"] + median["list"]), 3),
                "stream_to_socket": round(statistics.median(speeds["socket"]) / statistics.median(speeds["wire"]), 3),
                "jain_index": round(fair, 4),
                "mxcd_kib": private_dirty(mxcd.process.pid),
                "mxcd_kib_a_session": round((private_dirty(mxcd.process.pid) - before) / sessions, 2),
                "supervisor_kib": statistics.median(private_dirty(pid) for pid in supervisors),
                "medians_ms": {kind: round(value, 3) for kind, value in median.items()},
            }
        finally:
            mxcd.close()
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
