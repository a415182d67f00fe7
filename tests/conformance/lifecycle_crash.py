#!/usr/bin/env python3
"""runtime.md, under kill -9 of the runtime at random moments, and many commands at once: `delete --force` leaves nothing.

MXC_CRASH_CONTAINERS: how many containers, 60 by default; 1000 is what the project promises. MXC_CRASH_SEED repeats a run.
"""

import contextlib
import copy
import os
import random
import signal
import sys
import time

sys.dont_write_bytecode = True
import box as boxes  # noqa: E402
import host  # noqa: E402
from harness import check, clause, equal, main  # noqa: E402

CONTAINERS = int(os.environ.get("MXC_CRASH_CONTAINERS", "60"))
SEED = os.environ.get("MXC_CRASH_SEED", str(time.time_ns()))


# Commands in which a hook that never ends may be met, and which hook.
ENDLESS = {"create": "createRuntime", "run": "createContainer", "start": "poststart"}


def duration(box, words):
    """How long a command takes when it is let alone, in seconds."""
    begin = time.monotonic()
    box.call(*words).expect(0)
    return time.monotonic() - begin


def commands(box, container):
    """{name: (commands that come before, command)} of a container's life."""
    create = ("create", "--bundle", box.bundle, container)
    start, delete = ("start", container), ("delete", "--force", container)
    execute = ("exec", "--detach", container, "sleep", "1000")
    return {
        "create": ((), create),
        "start": ((create,), start),
        "run": ((), ("run", "--detach", "--bundle", box.bundle, container)),
        "exec": ((create, start), execute),
        "kill": ((create, start), ("kill", container, "KILL")),
        "delete": ((create, start), delete),
    }


def kinds(box, name):
    """{kind: configuration} of containers that differ in which processes the runtime has, and in what they make."""
    found = {kind: copy.deepcopy(box.config) for kind in ("plain", "hooks", "watched", "user namespace")}
    if name in ENDLESS:
        found["endless hook"] = copy.deepcopy(box.config)
        found["endless hook"]["hooks"] = {ENDLESS[name]: [{"path": "/bin/sleep", "args": ["sleep", "1000"]}]}
    slow = {"path": "/bin/sleep", "args": ["sleep", "0.003"]}
    found["hooks"]["hooks"] = {kind: [slow] for kind in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop")}
    found["watched"]["annotations"] = {
        "dev.mxc.denied": '[{"path":"/root"}]', "dev.mxc.protect": '[{"path":"/tmp/later"}]', "dev.mxc.landlock": '{"enabled":true}',
    }  # fmt: skip
    mapped = found["user namespace"]["linux"]
    mapped["namespaces"].append({"type": "user"})
    mapped.update({ids: [{"containerID": 0, "hostID": 200000, "size": 65536}] for ids in ("uidMappings", "gidMappings")})
    return found


def victims(started, chance):
    """Whom kill -9 meets: the runtime, any process below it or of the container, or several of them."""
    below = sorted(host.descendants(os.getpid()))
    if not below or chance.random() < 0.5:
        return [started.pid]
    return chance.sample(below, chance.randint(1, min(2, len(below))))


def end(started, seconds):
    """Whether the runtime ends by itself; containers' processes are collected as an engine would."""

    def ended():
        boxes.collect_others({started.pid})
        return started.poll() is not None

    return host.eventually(ended, seconds)


def killed_at_random(box, name, longest, chance):
    """Runs the commands before, kills within the command; what is left after `delete --force`, in words."""
    before, words = commands(box, box.id)[name]
    for earlier in before:
        box.call(*earlier).expect(0)
    started, _, _ = box.begin(*words)
    time.sleep(chance.uniform(0, longest))
    met = victims(started, chance)
    for pid in met:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    if name in ENDLESS:
        started.kill()  # it may wait for a hook that never ends
    if not end(started, 20):
        started.kill()
        started.wait()
        return [f"the runtime itself, 20 s after {len(met)} of its processes were killed"]
    box.call("delete", "--force", box.id).expect(0)
    host.eventually(lambda: not box.leftovers(), 3)
    return box.leftovers()


def crash_case(name, share):
    def leaves_nothing_after_delete(box):
        chance = random.Random(f"{SEED}-{name}")
        box.process["args"] = ["sleep", "1000"]
        box.remember(box.id)
        configurations, longest = kinds(box, name), {}
        for kind, config in configurations.items():
            if kind == "endless hook":
                longest[kind] = max(longest.values())
                continue
            box.save(config)
            before, words = commands(box, box.id)[name]
            for earlier in before:
                box.call(*earlier).expect(0)
            longest[kind] = 1.2 * duration(box, words)
            box.call("delete", "--force", box.id)
        for number in range(max(1, int(CONTAINERS * share))):
            kind = chance.choice(list(configurations))
            box.save(configurations[kind])
            left = killed_at_random(box, name, longest[kind], chance)
            what = f"after kill -9 number {number + 1}, {kind} (MXC_CRASH_SEED={SEED})"
            check(not left, f"left {what}: {'; '.join(left)}")
            check(not box.exists(), f"the container exists {what}")

    return leaves_nothing_after_delete


# Most of what can be left behind is made by create.
for each, part in (("create", 0.4), ("start", 0.15), ("run", 0.15), ("exec", 0.1), ("kill", 0.05), ("delete", 0.15)):
    clause(f"runtime.crash.{each}")(crash_case(each, part))


@clause("runtime.crash")
def the_id_can_be_used_after_a_killed_create(box):
    """Also without `delete --force` between: either the container is there, or nothing is."""
    chance = random.Random(f"{SEED}-again")
    box.process["args"] = ["sleep", "1000"]
    box.save()
    box.remember(box.id)
    create = commands(box, box.id)["create"][1]
    longest = duration(box, create)
    box.call("delete", "--force", box.id)
    for _ in range(max(5, CONTAINERS // 10)):
        started, _, _ = box.begin(*create)
        time.sleep(chance.uniform(0, longest))
        started.send_signal(signal.SIGKILL)
        started.wait()
        again = box.call(*create)
        if again.code != 0:
            # Half made, it has to go by delete --force.
            box.call("delete", "--force", box.id).expect(0)
            box.call(*create).expect(0)
        equal(box.status(), "created", f"status (MXC_CRASH_SEED={SEED})")
        box.delete("--force")


@clause("runtime.create")
def of_many_creates_of_one_id_at_once_one_wins(box):
    box.process["args"] = ["sleep", "1000"]
    box.save()
    box.remember(box.id)
    for _ in range(5):
        racers = [box.begin("create", "--bundle", box.bundle, box.id)[0] for _ in range(6)]
        codes = [racer.wait(30) for racer in racers]
        equal(codes.count(0), 1, f"winners (exit statuses {codes})")
        equal(box.status(), "created", "status of the winner's container")
        box.start()
        box.delete("--force")
        check(host.eventually(lambda: not box.leftovers()), f"left: {box.leftovers()}")


@clause("runtime.create")
def many_containers_start_at_once(box):
    count = 64
    box.process["args"] = ["sleep", "1000"]
    box.save()
    names = [f"{box.tag}-{number}" for number in range(count)]
    for name in names:
        box.remember(name)
    started = [box.begin("run", "--detach", "--bundle", box.bundle, name) for name in names]
    codes = [process.wait(50) for process, _, _ in started]
    errors = [host.read(err)[-200:] for _, _, err in started]
    equal(codes, [0] * count, f"exit statuses ({'; '.join(filter(None, errors))[:600]})")
    found = {entry["id"]: entry["status"] for entry in box.call("list", "--format", "json").expect(0).json}
    equal(found, {name: "running" for name in names}, "containers")
    equal(len({entry["pid"] for entry in box.call("list", "--format", "json").expect(0).json}), count, "different pids")


if __name__ == "__main__":
    main()
