"""Time from starting a sandbox to having waited for it, for mxc and for its peers."""

import ctypes
import json
import os
import shutil
import signal
import stat
import subprocess
import time

import peers
import timing

CLONE_NEWNS = 0x00020000
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/", "LANG": "C.UTF-8"}


class Place:
    """A work tree with a policy that grants, denies and reads, and a static program in it."""

    def __init__(self, folder, programs):
        self.folder = folder
        self.project = os.path.join(folder, "project")
        os.makedirs(os.path.join(self.project, "secret"))
        os.makedirs(os.path.join(folder, "data"))
        self.true = os.path.join(self.project, "true")
        shutil.copy(os.path.join(programs, "true"), self.true)
        self.policy = self.write("policy.json", {
            "version": "1.0.0",
            "process": {"commandLine": "true", "cwd": self.project},
            "filesystem": {"readwritePaths": [self.project], "readonlyPaths": [os.path.join(folder, "data")],
                           "deniedPaths": [os.path.join(self.project, "secret")]},
        })

    def write(self, name, content):
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(content if isinstance(content, str) else json.dumps(content))
        return path


def output(argv):
    done = subprocess.run(argv, env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{' '.join(argv[:3])} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def works(argv):
    done = subprocess.run(argv, env=ENVIRONMENT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]


def oci_wrapper(place, option, program, state, bundle):
    """A container's name must be new each time, and cgroup2 beside v1 makes crun refuse; see without_unified."""
    return place.write(f"{program}.sh", f'#!/bin/sh\nexec {shutil.which(program)} --root {state} {option} run '
                                        f'-b {bundle} bench-$$\n')


def commands(place, arguments, privileged):
    """name → argv for all that run here, and name → why for those that don't."""
    own = ["run", "--policy", place.policy, "--", place.true]
    plan = output([arguments.mxc, "plan", "--policy", place.policy, "--", place.true])
    steps = peers.parse_plan(plan)
    script = place.write("floor.script", peers.floor_script(steps))
    candidates = {"floor": [os.path.join(arguments.programs, "floor"), script, place.true],
                  "mxc": [arguments.mxc] + own}
    if arguments.against:
        candidates["mxc-old"] = [arguments.against] + own
    left_out = {}
    if shutil.which("bwrap"):
        candidates["bwrap"] = [shutil.which("bwrap")] + peers.bwrap_arguments(steps, place.project, privileged) + [place.true]
    else:
        left_out["bwrap"] = "not installed (bubblewrap)"
    spec = output([arguments.mxc, "spec", "--policy", place.policy, "--", place.true])
    bundle = os.path.join(place.folder, "bundle")
    os.makedirs(bundle)
    peers.write_bundle(bundle, spec, privileged)
    for program, option in (("crun", "" if privileged else "--cgroup-manager=disabled"), ("runc", "")):
        if not shutil.which(program):
            left_out[program] = "not installed"
            continue
        state = os.path.join(place.folder, program)
        os.makedirs(state)
        candidates[program] = ["/bin/sh", oci_wrapper(place, option, program, state, bundle)]
    for name in list(candidates):
        why = works(candidates[name])
        if why and name in ("floor", "mxc"):
            raise RuntimeError(f"{name}: {why}")
        if why:
            left_out[name] = why
            del candidates[name]
    return candidates, left_out


def rate(times):
    rows = {name: timing.summary(taken) for name, taken in times.items()}
    for row in rows.values():
        row["ratio"] = round(row["median_ms"] / rows["floor"]["median_ms"], 4)
        row["min_ratio"] = round(row["min_ms"] / rows["floor"]["min_ms"], 4)
    return rows


def measure_here(arguments, folder):
    place = Place(folder, arguments.programs)
    candidates, left_out = commands(place, arguments, os.getuid() == 0)
    times = timing.interleaved(candidates, arguments.rounds, ENVIRONMENT)
    return {"programs": rate(times), "left_out": left_out}


def without_unified():
    """In a mount namespace of our own: crun and runc refuse a cgroup2 mount beside v1 controllers."""
    subprocess.run(["umount", "/sys/fs/cgroup/unified"], capture_output=True, check=False)


def in_child(function):
    """Runs function in a child process; its JSON answer, or {"error": …}."""
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            answer = function()
        except Exception as error:  # noqa: BLE001: whatever it is, the parent prints it
            answer = {"error": str(error)}
        with os.fdopen(write_end, "w") as pipe:
            json.dump(answer, pipe)
        os._exit(0)
    os.close(write_end)
    with os.fdopen(read_end) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return json.loads(text) if text else {"error": "the measuring process ended early"}


def as_user(arguments, folder):
    _private_mounts(folder)
    without_unified()
    os.setgroups([])
    os.setresgid(arguments.user, arguments.user, arguments.user)
    os.setresuid(arguments.user, arguments.user, arguments.user)
    ENVIRONMENT["XDG_RUNTIME_DIR"] = folder
    return measure_here(arguments, folder)


def as_root(arguments, folder):
    _private_mounts(folder)
    without_unified()
    return measure_here(arguments, folder)


def _private_mounts(folder):
    """A mount namespace of our own with a /dev/null of our own: crun makes a container's user the owner of its streams."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNS) != 0:
        raise OSError(ctypes.get_errno(), "unshare the mount namespace")
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    null = os.path.join(folder, "null")
    os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    os.chmod(null, 0o666)
    subprocess.run(["mount", "--bind", null, "/dev/null"], check=True)


def measure(arguments, work):
    """(who, result) for root, if we are, and for an ordinary user."""
    if os.getuid() != 0:
        yield "user", measure_here(arguments, os.path.join(work, "user"))
        return
    root = os.path.join(work, "root")
    os.mkdir(root, 0o755)
    yield "root", in_child(lambda: as_root(arguments, root))
    user = os.path.join(work, "user")
    os.mkdir(user, 0o700)
    os.chown(user, arguments.user, arguments.user)
    yield "user", in_child(lambda: as_user(arguments, user))


def asleep(arguments, places, log):
    """A sleeping sandbox in each place."""
    sleepers = [subprocess.Popen([arguments.mxc, "run", "--policy", place.policy, "--", "/usr/bin/sleep", "600"], env=ENVIRONMENT,
                                 stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log) for place in places]  # fmt: skip
    time.sleep(3)
    ended = sum(1 for sleeper in sleepers if sleeper.poll() is not None)
    if ended:
        wake(sleepers)
        log.seek(0)
        raise RuntimeError(f"{ended} of {len(places)} sandboxes did not start: {log.readline().strip()}")
    return sleepers


def wake(sleepers):
    for sleeper in sleepers:
        sleeper.send_signal(signal.SIGTERM)
    for sleeper in sleepers:
        try:
            sleeper.wait(timeout=20)
        except subprocess.TimeoutExpired:
            sleeper.kill()
    time.sleep(1)


def beside_many(arguments, work, count=200, rounds=100):
    """Start time beside `count` running sandboxes to that without, before and after: each in a work tree of its own, and
    all in the tree that the measured one has too, where the guard of each is asked about each open."""
    folder = os.path.join(work, "many")
    os.mkdir(folder, 0o755)
    place = Place(os.path.join(folder, "measured"), arguments.programs)
    command = {"mxc": [arguments.mxc, "run", "--policy", place.policy, "--", place.true]}
    own = [Place(os.path.join(folder, str(number)), arguments.programs) for number in range(count)]
    alone, beside = [], {}
    with open(os.path.join(folder, "stderr"), "w+", encoding="utf-8") as log:
        for name, places in (("own", own), ("same", [place] * count)):
            alone += timing.interleaved(command, rounds, ENVIRONMENT)["mxc"]
            sleepers = asleep(arguments, places, log)
            try:
                beside[name] = timing.interleaved(command, rounds, ENVIRONMENT)["mxc"]
            finally:
                wake(sleepers)
        alone += timing.interleaved(command, rounds, ENVIRONMENT)["mxc"]
    rows = {"alone": timing.summary(alone)}
    for name, times in beside.items():
        rows[name] = timing.summary(times)
        rows["ratio_" + name] = round(rows[name]["median_ms"] / rows["alone"]["median_ms"], 4)
    return rows
