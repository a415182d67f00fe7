"""What mxc-runtime's containers cost beside a floor, crun and runc: run, create+start+delete, exec, memory, many at once."""

import json
import os
import re
import shutil
import signal
import subprocess
import time

import starts
import timing

CONFIG = {
    "ociVersion": "1.0.2",
    "process": {"args": ["/true"], "cwd": "/", "user": {"uid": 0, "gid": 0}, "noNewPrivileges": True, "env": ["PATH=/"],
                "capabilities": {s: ["CAP_KILL", "CAP_NET_BIND_SERVICE"] for s in ("bounding", "effective", "permitted")}},
    "root": {"path": "rootfs", "readonly": True},
    "hostname": "mxc",
    "mounts": [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", "strictatime", "mode=755", "size=65536k"]},
        {"destination": "/dev/pts", "type": "devpts", "source": "devpts",
         "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
        {"destination": "/dev/shm", "type": "tmpfs", "source": "shm", "options": ["nosuid", "noexec", "nodev", "mode=1777", "size=65536k"]},
        {"destination": "/dev/mqueue", "type": "mqueue", "source": "mqueue", "options": ["nosuid", "noexec", "nodev"]},
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nosuid", "noexec", "nodev", "ro"]},
    ],
    "linux": {
        "namespaces": [{"type": kind} for kind in ("pid", "network", "ipc", "uts", "mount")],
        "maskedPaths": ["/proc/acpi", "/proc/asound", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/scsi",
                        "/proc/sched_debug", "/proc/timer_list", "/proc/timer_stats", "/sys/firmware"],
        "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
    },
}


class Bundle:
    def __init__(self, folder, programs):
        self.folder = folder
        self.root = os.path.join(folder, "rootfs")
        for name in ("proc", "dev", "sys"):
            os.makedirs(os.path.join(self.root, name))
        shutil.copy(os.path.join(programs, "true"), os.path.join(self.root, "true"))
        shutil.copy(os.path.join(programs, "pause"), os.path.join(self.root, "pause"))
        self.write(CONFIG)

    def write(self, config):
        with open(os.path.join(self.folder, "config.json"), "w", encoding="utf-8") as file:
            json.dump(config, file)

    def script(self, name, text):
        path = os.path.join(self.folder, name + ".sh")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\n" + text)
        return ["/bin/sh", path]


def runtimes(arguments, folder):
    """name → the words that start each of its commands."""
    found = {"mxc": arguments.runtime, "crun": shutil.which("crun"), "runc": shutil.which("runc")}
    return {name: f"{path} --root {folder}/{name}" for name, path in found.items() if path}


def usable(commands):
    """Those that run here, and why the others don't."""
    left_out = {name: why for name, why in ((name, starts.works(argv)) for name, argv in commands.items()) if why}
    for own in ("floor", "mxc"):
        if own in left_out:
            raise RuntimeError(f"{own}: {left_out[own]}")
    return {name: argv for name, argv in commands.items() if name not in left_out}, left_out


def compare(commands, rounds):
    commands, left_out = usable(commands)
    rows = {name: timing.summary(taken) for name, taken in timing.interleaved(commands, rounds, starts.ENVIRONMENT).items()}
    base = rows.get("floor", rows["mxc"])
    for row in rows.values():
        row["ratio"] = round(row["median_ms"] / base["median_ms"], 4)
        row["min_ratio"] = round(row["min_ms"] / base["min_ms"], 4)
    return {"programs": rows, "left_out": left_out}


def run_figures(arguments, bundle, words, rounds, groups):
    floor = os.path.join(arguments.programs, "container_floor")
    commands = {"floor": bundle.script("floor", f"exec {floor} {bundle.root} {'bench-floor-$$' if groups else '-'} /true\n")}
    for name, start in words.items():
        option = "" if groups else "--cgroup-manager disabled"
        if name == "runc" and not groups:
            continue
        commands[name] = bundle.script("run-" + name, f"exec {start} {option} run --bundle {bundle.folder} b$$\n")
    return compare(commands, rounds)


def lifecycle_figures(bundle, words, rounds):
    return compare({name: bundle.script("life-" + name, f"{start} create --bundle {bundle.folder} b$$ && {start} start b$$ && "
                                        f"exec {start} delete --force b$$\n") for name, start in words.items()}, rounds)


def exec_figures(bundle, words, rounds):
    config = json.loads(json.dumps(CONFIG))
    config["process"]["args"] = ["/pause"]
    bundle.write(config)
    running = []
    try:
        commands = {}
        for name, start in words.items():
            if subprocess.run([*start.split(), "run", "--detach", "--bundle", bundle.folder, "x"], env=starts.ENVIRONMENT,
                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False).returncode == 0:
                running.append(start)
                commands[name] = bundle.script("exec-" + name, f"exec {start} exec x /true\n")
        return compare(commands, rounds)
    finally:
        for start in running:
            subprocess.run([*start.split(), "delete", "--force", "x"], env=starts.ENVIRONMENT, check=False)
        bundle.write(CONFIG)


def at_once(bundle, words, count=64):
    """Containers a second, `count` started together."""
    rates = {}
    for name, start in words.items():
        begin = time.perf_counter()
        started = [subprocess.Popen([*start.split(), "run", "--bundle", bundle.folder, f"m{number}"], env=starts.ENVIRONMENT,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for number in range(count)]
        if all(process.wait() == 0 for process in started):
            rates[name] = round(count / (time.perf_counter() - begin), 1)
    return rates


def peak_memory(bundle, start):
    """KiB that the runtime's process had at most (VmHWM) until its container runs."""
    config = json.loads(json.dumps(CONFIG))
    config["process"]["args"] = ["/pause"]
    bundle.write(config)
    run = subprocess.Popen([*start.split(), "run", "--bundle", bundle.folder, "peak"], env=starts.ENVIRONMENT,
                           stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        with open(f"/proc/{run.pid}/status", encoding="utf-8") as file:
            return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1))
    finally:
        subprocess.run([*start.split(), "delete", "--force", "peak"], env=starts.ENVIRONMENT, check=False)
        run.wait(timeout=20)
        bundle.write(CONFIG)


def created_memory(bundle, start):
    """KiB that only the first process of a created container has, while it waits for `start`."""
    command = [*start.split()]
    pid_file = os.path.join(bundle.folder, "pid")
    subprocess.run([*command, "create", "--bundle", bundle.folder, "--pid-file", pid_file, "held"], env=starts.ENVIRONMENT, check=True,
                   stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        with open(pid_file, encoding="utf-8") as file, open(f"/proc/{file.read()}/smaps_rollup", encoding="utf-8") as smaps:
            return int(re.search(r"Private_Dirty:\s+(\d+)", smaps.read()).group(1))
    finally:
        subprocess.run([*command, "delete", "--force", "held"], env=starts.ENVIRONMENT, check=False)


def measure_here(arguments, folder, rounds):
    bundle = Bundle(os.path.join(folder, "bundle"), arguments.programs)
    words = runtimes(arguments, folder)
    return {
        "run without cgroups": run_figures(arguments, bundle, words, rounds, False),
        "run with cgroups": run_figures(arguments, bundle, words, rounds, True),
        "create, start, delete": lifecycle_figures(bundle, words, rounds),
        "exec": exec_figures(bundle, words, rounds),
        "at once": at_once(bundle, words),
        "memory": {"peak of run": peak_memory(bundle, words["mxc"]), "waiting for start": created_memory(bundle, words["mxc"])},
    }


def measure(arguments, work):
    """Root's containers; as an ordinary user there is nothing to compare with that mounts the same."""
    folder = os.path.join(work, "containers")
    os.mkdir(folder, 0o755)

    def inside():
        starts._private_mounts(folder)
        starts.without_unified()
        return measure_here(arguments, folder, max(20, arguments.rounds // 4))

    return starts.in_child(inside)


def judge(budgets, result):
    def ratio(part, peer):
        rows = result[part]["programs"]
        return rows["mxc"]["median_ms"] / rows[peer]["median_ms"] if peer in rows else None

    for name, part, peer, limit in (("container run, no cgroups: mxc to the floor", "run without cgroups", "floor", 1.5),
                                    ("container run, cgroups: mxc to the floor", "run with cgroups", "floor", 2.0),
                                    ("container run, cgroups: mxc to crun", "run with cgroups", "crun", 0.6),
                                    ("create, start, delete: mxc to crun", "create, start, delete", "crun", 0.7),
                                    ("exec: mxc to crun", "exec", "crun", 0.6)):
        value = ratio(part, peer)
        if value is not None:
            budgets.at_most(name, value, limit)
    if "crun" in result["at once"]:
        budgets.at_least("64 containers at once: mxc's rate to crun's", result["at once"]["mxc"] / result["at once"]["crun"], 1.5)
    budgets.at_most("peak memory of the runtime", result["memory"]["peak of run"] / 1024, 3, "MiB")
