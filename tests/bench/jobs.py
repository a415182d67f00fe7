"""What programs feel inside, and what translating costs."""

import json
import os
import re
import statistics
import subprocess
import time

NUMPY_JOB = """
import time, sys
import numpy
start = time.perf_counter()
random = numpy.random.default_rng(1)
a = random.standard_normal((600, 600))
b = random.standard_normal((600, 600))
for _ in range(12):
    b = a @ b
    b /= numpy.abs(b).max()
numpy.linalg.svd(b[:200, :200])
words = {}
for i in range(600000):
    words[i % 5003] = words.get(i % 5003, 0) + (i * 7) % 11
text = ",".join(str(i) for i in range(200000))
total = sum(int(x) for x in text.split(","))
with open("scratch.bin", "wb") as file:
    for _ in range(200):
        file.write(b"x" * 65536)
print(time.perf_counter() - start)
"""


def translate(programs):
    """Profile → resolve-and-translate runs a second."""
    text = subprocess.run([os.path.join(programs, "translate_bench")], capture_output=True, text=True, check=True).stdout
    figures, case = {}, ""
    for line in text.splitlines():
        head = re.match(r"profile ([\w-]+): ", line)
        if head:
            case = head.group(1)
        rate = re.match(r"resolve and translate\s+[\d.]+ us\s+([\d.]+) /s", line)
        if rate:
            figures[case] = float(rate.group(1))
    return figures


def seccomp(programs):
    done = subprocess.run([os.path.join(programs, "seccomp_getppid"), "--json"], capture_output=True, text=True, check=False)
    return json.loads(done.stdout)


def numpy(mxc, work, rounds=9):
    """Seconds that the job itself counts, inside and outside in turns."""
    folder = os.path.join(work, "numpy")
    os.mkdir(folder, 0o755)
    script = os.path.join(folder, "job.py")
    with open(script, "w", encoding="utf-8") as file:
        file.write(NUMPY_JOB)
    policy = os.path.join(folder, "policy.json")
    with open(policy, "w", encoding="utf-8") as file:
        json.dump({"version": "1.0.0", "process": {"commandLine": "true", "cwd": folder},
                   "filesystem": {"readwritePaths": [folder]}}, file)
    threads = {name: str(len(os.sched_getaffinity(0))) for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", **threads}
    outside = ["/usr/bin/python3", script]
    inside = [mxc, "run", "--policy", policy, "--"] + outside
    taken = {"inside": [], "outside": []}
    for _ in range(rounds):
        for name, argv in (("outside", outside), ("inside", inside)):
            done = subprocess.run(argv, cwd=folder, env=environment, capture_output=True, text=True, check=False)
            if done.returncode != 0:
                raise RuntimeError(f"the NumPy job {name} ended with {done.returncode}: {done.stderr.strip()[-200:]}")
            taken[name].append(float(done.stdout))
    figures = {name: {"median_s": statistics.median(t), "min_s": min(t)} for name, t in taken.items()}
    # The fastest of each: other programs on the machine can only slow a run down.
    figures["ratio"] = round(figures["outside"]["min_s"] / figures["inside"]["min_s"], 4)
    figures["ratio_of_medians"] = round(figures["outside"]["median_s"] / figures["inside"]["median_s"], 4)
    return figures


def _private_dirty(pid):
    with open(f"/proc/{pid}/smaps_rollup", encoding="utf-8") as file:
        return int(re.search(r"Private_Dirty:\s+(\d+)", file.read()).group(1))


def _children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="utf-8") as file:
        return [int(child) for child in file.read().split()]


def memory(mxc, work):
    """KiB that only this process has, of each of mxc's processes while a program runs."""
    folder = os.path.join(work, "memory")
    os.mkdir(folder, 0o755)
    policy = os.path.join(folder, "policy.json")
    with open(policy, "w", encoding="utf-8") as file:
        json.dump({"version": "1.0.0", "process": {"commandLine": "true", "cwd": folder},
                   "filesystem": {"readwritePaths": [folder]}}, file)
    run = subprocess.Popen([mxc, "run", "--policy", policy, "--", "/usr/bin/sleep", "60"], stdin=subprocess.DEVNULL)
    try:
        time.sleep(0.5)
        sizes = {"supervisor": _private_dirty(run.pid)}
        for child in _children(run.pid):
            with open(f"/proc/{child}/comm", encoding="utf-8") as file:
                name = file.read().strip()
            try:
                sizes["pid 1" if name == "mxc-init" else name] = _private_dirty(child)
            except PermissionError:
                sizes[name] = -1
        return sizes
    finally:
        run.terminate()
        run.wait(timeout=10)
