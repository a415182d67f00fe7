#!/usr/bin/env python3
"""After kill -9 of any of our processes at any moment, processes and mounts are gone within a second, the rest by the next start."""
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
from harness import case, cgroups, check, contains, equal, eventually, main, mounts, processes_below, tree  # noqa: E402

MOMENTS = int(os.environ.get("MXC_KILL_MOMENTS", "100"))


def policy_of(box):
    """Denied, missing and protected names, grants, and limits where the caller can have them."""
    box.file("work/rw/key", "secret")
    box.file("work/rw/sub/deep", "x")
    box.file("work/ro/f", "x")
    w = box.work
    x = {"resources": {"memory": "256MiB", "pids": 64}} if box.root else {}
    return box.policy_file(box.policy(ro=[f"{w}/ro"], rw=[f"{w}/rw"], deny=[f"{w}/rw/key", f"{w}/rw/missing", f"{w}/rw/sub/deep"], x=x))


def victims(supervisor):
    """The pids of ours: mxc itself, the guard of denied names, the container's first process; not the program's."""
    return [supervisor, *(pid for pid, name in sorted(processes_below(supervisor).items()) if name in ("mxc", "mxc-init"))]


def next_start_sweeps(box, policy):
    box.mxc("run", "--policy", policy, "--", "true").expect(0)
    check(eventually(lambda: not cgroups(box.pids), 1.0), f"cgroups left after the next start: {cgroups(box.pids)}")
    left = [name for name in box.state() if box._is_ours(name)]
    equal(left, [], "state left after the next start")


def gone(box, before):
    return not processes_below(os.getpid()) and not (mounts() - before)


def kill_one(box, policy, delay, whom, generator):
    started = box.start("run", "--policy", policy, "--", "sh", "-c", "sleep 30 & setsid sleep 31 & sleep 32")
    before_wait = time.monotonic()
    while time.monotonic() - before_wait < delay:
        time.sleep(0.0002)
    chosen = started.pid if whom == "mxc" else generator.choice(victims(started.pid))
    try:
        os.kill(chosen, signal.SIGKILL)
    except ProcessLookupError:
        pass
    return started, chosen


@case
def killed_at_random_moments(box):
    policy = policy_of(box)
    before_tree, before_mounts = tree(box.work), mounts()
    seed = random.randrange(1 << 32)
    generator = random.Random(seed)
    slowest = 0.0
    for moment in range(MOMENTS):
        # Half of them while the sandbox is made, where most can go wrong.
        delay = generator.uniform(0, 0.015) if moment % 2 else generator.uniform(0, 0.12)
        whom = "mxc" if moment % 3 else "any"
        started, chosen = kill_one(box, policy, delay, whom, generator)
        begin = time.monotonic()
        what = f"moment {moment} of seed {seed}: {'mxc' if chosen == started.pid else 'a child'} killed after {delay * 1000:.2f} ms"
        check(eventually(lambda: gone(box, before_mounts), 1.0),
              f"{what}: a second later there are {processes_below(os.getpid())} and {mounts() - before_mounts}")  # fmt: skip
        slowest = max(slowest, time.monotonic() - begin)
        started.communicate(timeout=5)
        check(started.returncode != 0, f"{what}: exit status 0")
    equal(tree(box.work), before_tree, f"the tree afterwards (seed {seed})")
    print(f"  slowest end of {MOMENTS}: {slowest * 1000:.0f} ms (seed {seed})", flush=True)
    next_start_sweeps(box, policy)


@case
def every_process_of_ours_in_turn(box):
    """While the program runs: killing any one process ends the run and everything in it."""
    policy = policy_of(box)
    before = mounts()
    index, total = 0, 1
    while index < total:
        started = box.start("run", "--policy", policy, "--", "sh", "-c", "echo ready; sleep 30")
        equal(started.stdout.readline(), b"ready\n", "first line")
        found = victims(started.pid)
        total = len(found)
        name = processes_below(os.getpid()).get(found[index], "?")
        os.kill(found[index], signal.SIGKILL)
        check(eventually(lambda: gone(box, before), 1.0), f"{name} killed: a second later there are {processes_below(os.getpid())}")
        _, err = started.communicate(timeout=5)
        check(started.returncode != 0, f"{name} killed: exit status 0")
        if started.returncode == 125:
            contains(err, b"mxc: error:", f"stderr after {name} was killed")
        index += 1
    check(total >= 3, f"only {total} processes seen")
    next_start_sweeps(box, policy)


@case
def a_stopped_supervisor_does_not_free_the_program(box):
    """SIGSTOP, then SIGKILL: the container dies with its supervisor, not after a time-out of its own."""
    started = box.start("run", "--policy", policy_of(box), "--", "sh", "-c", "echo ready; sleep 30")
    equal(started.stdout.readline(), b"ready\n", "first line")
    before = mounts()
    os.kill(started.pid, signal.SIGSTOP)
    time.sleep(0.1)
    os.kill(started.pid, signal.SIGKILL)
    check(eventually(lambda: gone(box, before), 1.0), f"a second later there are {processes_below(os.getpid())}")
    started.communicate(timeout=5)
    next_start_sweeps(box, policy_of(box))


if __name__ == "__main__":
    main()
