#!/usr/bin/env python3
"""mxcd over time and in numbers: short runs one after the other, many sessions at once, and a death of any party at any moment.

soak_test.py MXC MXCD RELAY is a short version; MXC_SOAK=long has five minutes of 2,000 runs a minute, 1,000 idle sessions and 200
sessions under random deaths.
"""

import concurrent.futures
import json
import os
import random
import signal
import statistics
import time

from harness import case, cgroups, check, equal, eventually, main, processes_below
from mxcd import Mxcd

LONG = os.environ.get("MXC_SOAK") == "long"
# Ratios of a busy machine are its own: a rate is asked for only where nothing else was asked of it.
RUNS, SECONDS = (10_000, 300) if LONG else (200, 0)
IDLE = 1000 if LONG else 24
MORTAL = 200 if LONG else 12


def field(pid, name, file="smaps_rollup"):
    with open(f"/proc/{pid}/{file}", encoding="utf-8") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith(name))


def held(mxcd):
    """What mxcd and the process that its sessions come from have: [(KiB, descriptors)]."""
    pids = [mxcd.process.pid, *(pid for pid, name in processes_below(mxcd.process.pid).items() if name == "mxcd-nursery")]
    return [(field(pid, "Private_Dirty"), len(os.listdir(f"/proc/{pid}/fd"))) for pid in pids]


def orphans():
    """Control groups whose supervisor is gone."""
    return [group for group in cgroups() if not os.path.exists("/proc/" + os.path.basename(group).split("-")[1])]


def sessions(mxcd):
    return {one["session"]: one["state"] for one in json.loads(mxcd.mxc("list", "--json").expect().out)}


@case(callers=("root",))
def short_runs_leave_nothing(box):
    with Mxcd(box) as mxcd, concurrent.futures.ThreadPoolExecutor(4) as at_once:
        policy = box.policy_file(box.policy())

        def run(number):
            time.sleep(max(0, begin + number * SECONDS / RUNS - time.monotonic()))
            mxcd.mxc("run", "--daemon", "--policy", policy, "--", "true").expect()

        begin = time.monotonic()
        list(at_once.map(run, [0] * 50))
        check(eventually(lambda: sessions(mxcd) == {}, 5), "sandboxes that are left")
        before = held(mxcd)
        begin = time.monotonic()
        list(at_once.map(run, range(RUNS)))
        took = time.monotonic() - begin
        check(eventually(lambda: sessions(mxcd) == {}, 5), "sandboxes that are left")
        after = held(mxcd)
        print(f"{RUNS} runs in {took:.0f} s, {RUNS / took * 60:.0f} a minute; (KiB, descriptors) of mxcd and nursery {before} -> {after}")
        equal([one[1] for one in after], [one[1] for one in before], "descriptors")
        check(eventually(lambda: not orphans(), 5), f"control groups that are left: {orphans()}")
        for one, other in zip(before, after):
            check(other[0] - one[0] < 512, f"memory grew: {before} -> {after}")
        if LONG:
            check(took < SECONDS * 1.05, f"{RUNS} runs took {took:.0f} s")


@case(callers=("root",))
def idle_sessions_are_light(box):
    with Mxcd(box, "--most-sessions", str(IDLE + 10)) as mxcd, concurrent.futures.ThreadPoolExecutor(4) as at_once:
        before = held(mxcd)[0]

        def begin(_):
            name = mxcd.mxc("provision").expect().text.strip()
            mxcd.mxc("start", name).expect()
            return json.loads(mxcd.mxc("inspect", name).expect().out)["supervisor"]

        supervisors = list(at_once.map(begin, range(IDLE)))
        after = held(mxcd)[0]
        each = sorted(field(pid, "Private_Dirty") for pid in supervisors)
        print(f"{IDLE} idle sessions: mxcd {before[0]} -> {after[0]} KiB of Private_Dirty, {after[1]} descriptors; "
              f"supervisors {each[0]} to {each[-1]} KiB, median {statistics.median(each)}")
        check(after[0] < 30 << 10, f"mxcd holds {after[0]} KiB")
        check(statistics.median(each) < 300, f"a supervisor holds {statistics.median(each)} KiB")
        list(at_once.map(lambda name: mxcd.mxc("deprovision", name).expect(), sessions(mxcd)))
        equal(sessions(mxcd), {}, "sessions")


@case(callers=("root",))
def whoever_dies_at_any_moment(box):
    generator = random.Random(7)
    with Mxcd(box, "--most-sessions", str(MORTAL + 10)) as mxcd:
        for turn in range(MORTAL):
            name = mxcd.mxc("provision").expect().text.strip()
            client = None
            whom = generator.choice(("mxcd", "supervisor", "client", "nursery", "sandbox"))
            starting = mxcd.begin("start", name)
            if generator.random() < 0.5:
                starting.communicate()
                client = mxcd.begin("exec", name, "--", "sleep", "100")
            time.sleep(generator.random() * 0.05)
            below = processes_below(os.getpid())
            victims = {
                "mxcd": [mxcd.process.pid],
                "client": [client.pid] if client else [starting.pid],
                "nursery": [pid for pid, process in below.items() if process == "mxcd-nursery"],
                "supervisor": [pid for pid, process in below.items() if process == "mxc-session"],
                "sandbox": [pid for pid, process in below.items() if process == "mxc-init"],
            }[whom]
            for pid in victims[-1:]:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            if whom in ("mxcd", "nursery"):
                # Without its nursery mxcd ends by itself.
                mxcd.process.wait(10)
                mxcd.process.stderr.close()
                mxcd.start()
            for one in (starting, client):
                if one is not None and whom in ("client", "mxcd", "nursery"):
                    one.kill()
            check(eventually(lambda: "starting" not in sessions(mxcd).values(), 10), f"turn {turn}: {whom} died, and a session hangs")
            if mxcd.mxc("deprovision", name).code not in (0, 125):
                check(False, f"turn {turn}: {whom}")
            for one in (starting, client):
                if one is not None:
                    one.communicate(timeout=20)
            check(eventually(lambda name=name: name not in sessions(mxcd), 10), f"turn {turn}: {whom} died, and the session stays")
        equal(sessions(mxcd), {}, "sessions")
        # What a killed supervisor leaves goes with the next start.
        mxcd.mxc("run", "--daemon", "--", "true").expect()
        check(eventually(lambda: not orphans(), 10), f"control groups that are left: {orphans()}")


main()
