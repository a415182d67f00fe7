#!/usr/bin/env python3
"""Limits hold, are reported when they end a run, and are refused where the caller can't have them; 50 sandboxes at once."""
import ctypes
import errno
import json
import os
import sys
import time

sys.dont_write_bytecode = True
from harness import Skip, case, cgroups, check, contains, equal, lacks, main  # noqa: E402


def limited(box, resources, *argv, **options):
    """Runs under named limits; an ordinary user without a delegated cgroup is refused, by name."""
    ended = box.run(box.policy(x={"resources": resources}), *argv, **options)
    if not box.root and ended.code == 125 and "cgroup" in ended.err:
        for name in resources:
            if name in ("memory", "pids", "cpus"):
                contains(ended.err, name, "the refusal")
        raise Skip("this user has no delegated cgroup, and the limit was refused by name")
    return ended


@case
def processes(box):
    code = """
import os, time
children = 0
try:
    for _ in range(200):
        if os.fork() == 0:
            time.sleep(20)
            os._exit(0)
        children += 1
except OSError as error:
    print(children, error.strerror)
"""
    ended = limited(box, {"pids": 20}, "python3", "-c", code).expect(0)
    count, reason = ended.text.split(" ", 1)
    check(10 <= int(count) < 20, f"{count} children under a limit of 20")
    contains(reason, "temporarily unavailable", "the reason")


@case
def memory(box):
    ended = limited(box, {"memory": "64MiB", "swap": 0}, "python3", "-c", "x = bytearray(200 << 20); print(len(x))")
    ended.expect(137)
    equal(ended.out, b"", "stdout")
    limited(box, {"memory": "256MiB"}, "python3", "-c", "x = bytearray(100 << 20); print(len(x))").expect(0)


@case
def out_of_memory_is_reported(box):
    report = box.path("runtime", "report.json")
    policy = box.policy_file(box.policy(x={"resources": {"memory": "64MiB", "swap": 0}}))
    ended = box.mxc("run", "--policy", policy, "--report", report, "--", "python3", "-c", "x = bytearray(200 << 20)")
    if not box.root and ended.code == 125:
        raise Skip("this user has no delegated cgroup, and the limit was refused by name")
    ended.expect(137)
    with open(report, encoding="utf-8") as file:
        told = json.load(file)
    equal(told["ended"]["outOfMemory"], True, "ended.outOfMemory of the report")
    equal(told["ended"]["exitCode"], 137, "ended.exitCode of the report")
    memory_limit = next(limit for limit in told["limits"] if limit["name"] == "memory")
    equal(memory_limit["limit"], 64 << 20, "the limit in the report")
    check(memory_limit["hits"] > 0, "the report knows of no hit")


@case
def memory_counts_files_in_tmp(box):
    ended = limited(box, {"memory": "64MiB", "swap": 0, "tmp": "1GiB"}, "sh", "-c", "head -c 200M /dev/zero > /tmp/x && echo whole")
    lacks(ended.text, "whole", "stdout")


@case
def sizes_of_memory_file_systems(box):
    # Own sizes: exact. dd says how much it could write.
    code = """
import os
for folder in ('/tmp', '/dev/shm'):
    written = 0
    try:
        with open(folder + '/fill', 'wb', buffering=0) as file:
            while written < 64 << 20:
                written += file.write(b'x' * 65536)
    except OSError as error:
        print(folder, written >> 20, error.strerror)
    os.unlink(folder + '/fill')
made = 0
try:
    for made in range(100000):
        os.close(os.open(f'/tmp/{made}', os.O_CREAT | os.O_WRONLY))
except OSError as error:
    print('inodes', made, error.strerror)
"""
    x = {"resources": {"tmp": "8MiB", "shm": "4MiB", "tmpfsInodes": 200}}
    ended = box.run(box.policy(x=x), "python3", "-c", code).expect(0)
    lines = ended.text.splitlines()
    equal(lines[:2], ["/tmp 8 No space left on device", "/dev/shm 4 No space left on device"], "how full they get")
    contains(lines[2], "No space left", "the third line")
    check(150 <= int(lines[2].split()[1]) <= 200, lines[2])


@case
def no_other_place_can_be_filled(box):
    """Nothing writable besides the sized file systems."""
    code = """
import os
for folder, folders, files in os.walk('/', topdown=True):
    if folder.startswith(('/proc', '/usr', '/sys')):
        folders[:] = []
        continue
    try:
        path = os.path.join(folder, '.fill')
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY))
        os.unlink(path)
        print(folder)
    except OSError:
        pass
"""
    ended = box.run(box.policy(), "python3", "-c", code).expect(0)
    extra = set(ended.text.split()) - {"/tmp", "/dev/shm", "/run", "/dev/mqueue"}  # the last holds RLIMIT_MSGQUEUE at most
    equal(extra, set(), "writable folders")
    sizes = box.run(box.policy(), "sh", "-c", "df --output=target,size -t tmpfs").expect(0).text
    for line in sizes.splitlines()[1:]:
        target, size = line.split()
        check(0 < int(size) <= 2 << 20, f"{target} holds {size} KiB")


@case
def open_files(box):
    code = "import resource\nprint(resource.getrlimit(resource.RLIMIT_NOFILE))\nfiles = []\ntry:\n    while True: files.append(open('/dev/null'))\nexcept OSError as e: print(len(files) < 64, e.strerror)"
    ended = box.run(box.policy(x={"resources": {"openFiles": 64}}), "python3", "-c", code).expect(0)
    equal(ended.text, "(64, 64)\nTrue Too many open files\n", "stdout")


@case
def file_size_core_and_stack(box):
    resources = {"fileSize": "1MiB", "core": 0, "stack": "1MiB", "memlock": "64KiB"}
    code = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
for name in ('FSIZE', 'CORE', 'STACK', 'MEMLOCK'):
    print(name, resource.getrlimit(getattr(resource, 'RLIMIT_' + name)))
try:
    open('/tmp/x', 'wb').write(b'x' * (2 << 20))
except OSError as error:
    print(error.strerror)
"""
    ended = box.run(box.policy(x={"resources": resources}), "python3", "-c", code).expect(0)
    equal(ended.text.splitlines(), ["FSIZE (1048576, 1048576)", "CORE (0, 0)", "STACK (1048576, 1048576)", "MEMLOCK (65536, 65536)",
                                    "File too large"], "stdout")  # fmt: skip


@case
def limits_can_not_be_raised_inside(box):
    code = """
import resource
for name in ('NOFILE', 'CORE', 'FSIZE'):
    soft, hard = resource.getrlimit(getattr(resource, 'RLIMIT_' + name))
    if hard == resource.RLIM_INFINITY: continue
    try:
        resource.setrlimit(getattr(resource, 'RLIMIT_' + name), (hard + 1, hard + 1))
        print('raised', name)
    except (ValueError, OSError): pass
"""
    ended = box.run(box.policy(x={"resources": {"openFiles": 64, "fileSize": "1MiB"}}), "python3", "-c", code).expect(0)
    equal(ended.text, "", "stdout")


@case
def processors(box):
    code = "import time\nbegin, cpu = time.monotonic(), time.process_time()\nwhile time.monotonic() - begin < 1.5: pass\nprint((time.process_time() - cpu) / 1.5)"
    ended = limited(box, {"cpus": 0.2}, "python3", "-c", code).expect(0)
    check(float(ended.text) < 0.4, f"used {ended.text.strip()} processors under a limit of 0.2")


@case
def thread_variables_match_the_processors(box):
    ended = limited(box, {"cpus": 2}, "sh", "-c", "echo $OMP_NUM_THREADS $OPENBLAS_NUM_THREADS $MAX_JOBS").expect(0)
    equal(ended.text, "2 2 2\n", "thread-count variables")
    equal(limited(box, {"cpus": 1.5}, "sh", "-c", "echo $OMP_NUM_THREADS").expect(0).text.strip() in ("1", "2"), True, "of 1.5 processors")


@case
def every_sandbox_has_limits(box):
    """Without a word in the policy."""
    code = """
import resource
print(resource.getrlimit(resource.RLIMIT_CORE)[1], resource.getrlimit(resource.RLIMIT_NOFILE)[1] <= 65536)
"""
    equal(box.run(box.policy(), "python3", "-c", code).expect(0).text, "0 True\n", "stdout")
    if box.root:
        started = box.start("run", "--policy", box.policy_file(box.policy()), "--", "sh", "-c", "echo ready; sleep 20")
        equal(started.stdout.readline(), b"ready\n", "first line")
        groups = cgroups({started.pid})
        started.kill()
        started.communicate()
        check(groups, "no cgroup")
        box.run(box.policy(), "true").expect(0)


@case
def a_fork_bomb_ends_with_the_time_out(box):
    policy = box.policy(process={"commandLine": "unused", "timeout": 1500}, x={"profile": "untrusted-code"})
    bomb = "import os\nwhile True:\n    try: os.fork()\n    except OSError: pass"
    ended = box.run(policy, "python3", "-c", bomb)
    equal(ended.code, 124, f"exit status ({ended.err[:300]})")
    check(ended.seconds < 8, f"took {ended.seconds:.1f} s")


@case
def fifty_sandboxes_at_once(box):
    box.file("work/rw/key", "secret")
    policy = box.policy_file(box.policy(rw=[f"{box.work}/rw"], deny=[f"{box.work}/rw/key"]))
    begin = time.monotonic()
    started = [box.start("run", "--policy", policy, "--", "sh", "-c", f"echo {n} > {box.work}/rw/{n}; sleep 1; cat {box.work}/rw/key; exit {n}")
               for n in range(50)]  # fmt: skip
    for number, process in enumerate(started):
        _, err = process.communicate(timeout=60)
        equal(process.returncode, number, f"exit status ({err!r})")
        contains(err, b"Permission denied", "stderr")
    print(f"  50 sandboxes of 1 s in {time.monotonic() - begin:.1f} s", flush=True)
    for number in range(50):
        equal(os.stat(f"{box.work}/rw/{number}").st_uid, box.uid, "owner")


@case(callers=("root",))
def guards_do_not_use_up_what_root_may_watch(box):
    """The kernel gives a user 128 groups of inotify (fs.inotify.max_user_instances); each sandbox's guard takes one."""
    box.file("work/rw/key", "secret")
    libc = ctypes.CDLL(None, use_errno=True)
    groups = []
    try:
        while (group := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
            groups.append(group)
        equal(ctypes.get_errno(), errno.EMFILE, "why root gets no more groups")
        ended = box.run(box.policy(rw=[f"{box.work}/rw"], deny=[f"{box.work}/rw/key"]), "cat", f"{box.work}/rw/key")
    finally:
        for group in groups:
            os.close(group)
    ended.expect(1)
    contains(ended.err, "Permission denied", "stderr")


if __name__ == "__main__":
    main()
