#!/usr/bin/env python3
"""containerd and its runc shim over the runtime, driven by `ctr run --runc-binary`."""
import os
import re
import signal
import sys
import time

sys.dont_write_bytecode = True
from containerd import Containerd  # noqa: E402
from engine import Terminal, case, check, contains, equal, eventually, main, processes_below  # noqa: E402

root = case(callers=("root",))


@root
def run_and_exit_statuses(engine):
    for command, wanted, said in (
        (["echo", "hi"], 0, ""),
        (["sh", "-c", "exit 7"], 7, ""),
        (["/no/such/program"], 1, "no such file or directory"),
        (["/etc"], 1, "permi"),  # "permission denied", or crun's "operation not permitted"
    ):
        ended = engine.run("--rm", "-", "c", *command)
        equal(ended.code, wanted, f"exit status of {command} (stderr {ended.err[-300:]!r})")
        contains(ended.err.lower(), said, f"stderr of {command}")
    ended = engine.run("--rm", "--env", "A=b", "-", "c", "sh", "-c", "echo $A $OF; echo err >&2; head -c 2", input=b"in").expect()
    equal((ended.text, ended.raw_err), ("b image\nin", b"err\n"))


@root
def terminal(engine):
    started = Terminal(engine, *engine.run_command("--rm", "--tty", "-", "c", "sh"), rows=29, columns=91)
    started.send(b"tty; echo $((40+2))\n")
    started.expect(rb"/dev/pts/0\r+\n")
    started.expect(rb"42\r+\n")
    check(eventually(lambda: _size(started) == b"29 91", 20), "the size of the terminal is the caller's")
    started.send(b"exit 5\n")
    equal(started.end(), 5, "exit status")


def _size(started):
    started.send(b"echo size $(stty size) end\n")
    return started.expect(rb"size (\d+ \d+) end").group(1)


@root
def task_exec_ps_and_kill(engine):
    with engine.background("c"):
        equal(engine.status("c"), "RUNNING")
        ended = engine.ctr("task", "exec", "--exec-id", "e", "c", "sh", "-c", "echo out; cat /proc/1/comm; exit 9")
        equal((ended.code, ended.text), (9, "out\nsleep\n"))
        contains(engine.ctr("task", "exec", "--exec-id", "e", "c", "/no/such").err.lower(), "no such file or directory")
        on_tty = Terminal(engine, *engine.ctr_command("task", "exec", "--tty", "--exec-id", "t", "c", "sh"))
        on_tty.send(b"tty; exit 4\n")
        on_tty.expect(rb"/dev/pts/\d+\r+\n")
        equal(on_tty.end(), 4)
        engine.ctr("task", "exec", "--detach", "--exec-id", "bg", "c", "sleep", "2000").expect()
        pids = [int(line.split()[0]) for line in engine.ctr("task", "ps", "c").expect().text.splitlines()[1:]]
        equal(len(pids), 2, "processes")
        check(engine.pid("c") in pids, f"{engine.pid('c')} is not among {pids}")
        engine.ctr("task", "kill", "--signal", "KILL", "--exec-id", "bg", "c").expect()
        check(eventually(lambda: len(engine.ctr("task", "ps", "c").expect().text.splitlines()) == 2, 20), "the exec lives on")
        engine.ctr("task", "kill", "--signal", "KILL", "c").expect()
        check(eventually(lambda: engine.status("c") == "STOPPED", 20), "not stopped")
        contains(engine.ctr("task", "kill", "--signal", "KILL", "c").err, "process already finished: not found", "killed a second time")
        engine.ctr("task", "delete", "c")
        contains(engine.ctr("task", "kill", "c").err, "not found", "killed after delete")


@root
def kill_all(engine):
    with engine.background("c", command=["sh", "-c", "sleep 1000 & sleep 1000"]):
        check(eventually(lambda: len(engine.ctr("task", "ps", "c").expect().text.splitlines()) == 4, 20), "no three processes")
        engine.ctr("task", "kill", "--all", "--signal", "KILL", "c").expect()
        check(eventually(lambda: engine.status("c") == "STOPPED", 20), "not stopped")


@root
def pause_and_resume(engine):
    with engine.background("c", command=["sh", "-c", "i=0; while :; do i=$((i+1)); echo $i > /tmp/n; sleep 0.02; done"]):

        def count():
            return engine.ctr("task", "exec", "--exec-id", "e", "c", "cat", "/tmp/n").text

        check(eventually(count, 20), "it does not count")
        engine.ctr("task", "pause", "c").expect()
        equal(engine.status("c"), "PAUSED")
        with open(f"/proc/{engine.pid('c')}/stat", encoding="utf-8") as file:
            before = file.read().split()[13:15]
        time.sleep(0.3)
        with open(f"/proc/{engine.pid('c')}/stat", encoding="utf-8") as file:
            equal(file.read().split()[13:15], before, "CPU time while paused")
        contains(engine.ctr("task", "exec", "--exec-id", "e", "c", "true").err, "paused")
        engine.ctr("task", "resume", "c").expect()
        equal(engine.status("c"), "RUNNING")
        first = count()
        check(eventually(lambda: count() != first, 20), "it does not go on")


@root
def limits_and_metrics(engine):
    with engine.background("c", "--memory-limit", str(64 << 20), "--cpus", "0.5"):
        out = engine.ctr("task", "metrics", "c").expect().text
        equal(re.search(r"memory\.limit_in_bytes +(\d+)", out).group(1), str(64 << 20), "memory limit in the metrics")
        equal(re.search(r"pids\.current +(\d+)", out).group(1), "1", "pids in the metrics")
        with open(f"/proc/{engine.pid('c')}/cgroup", encoding="utf-8") as file:
            path = next(line.rstrip("\n").split(":", 2)[2] for line in file if ":cpu:" in line or ":cpu,cpuacct:" in line)
        with open(f"/sys/fs/cgroup/cpu{path}/cpu.cfs_quota_us", encoding="utf-8") as file:
            equal(file.read().strip(), "50000", "CPU quota")
    ended = engine.run("--rm", "--memory-limit", str(16 << 20), "-", "c", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1")
    equal(ended.code, 137, "exit status for want of memory")


@root
def mounts_and_confinement(engine):
    os.makedirs(engine.work + "/v", exist_ok=True)
    with open(engine.work + "/v/f", "w", encoding="utf-8") as file:
        file.write("from the host")
    mount = f"type=bind,src={engine.work}/v,dst=/m,options=rbind:ro"
    ended = engine.run("--rm", "--mount", mount, "-", "c", "sh", "-c", "cat /m/f; echo x > /m/g")
    equal((ended.code != 0, ended.text), (True, "from the host"))
    contains(ended.err, "Read-only file system")
    contains(engine.run("--rm", "--read-only", "-", "c", "touch", "/x").err, "Read-only file system")
    out = engine.run("--rm", "--seccomp", "-", "c", "sh", "-c", "grep -E '^(Seccomp|NoNewPrivs):' /proc/self/status").expect().text
    equal(out, "NoNewPrivs:\t1\nSeccomp:\t2\n")
    net = os.readlink("/proc/self/ns/net")
    equal(engine.run("--rm", "--net-host", "-", "c", "readlink", "/proc/self/ns/net").expect().text.strip(), net, "--net-host")


@root
def containerd_killed_and_started_again(engine):
    with engine.background("c"):
        pid = engine.pid("c")
        engine.kill_daemon()
        check(os.path.exists(f"/proc/{pid}"), "the container ended with containerd")
        engine.start_daemon()
        equal((engine.status("c"), engine.pid("c")), ("RUNNING", pid))
        equal(engine.ctr("task", "exec", "--exec-id", "e", "c", "echo", "alive").expect().text, "alive\n")


@root
def shim_killed(engine):
    with engine.background("c"):
        pid = engine.pid("c")
        shim = next(one for one, name in processes_below(os.getpid()).items() if name.startswith("containerd-shim"))
        os.kill(shim, signal.SIGKILL)
        check(eventually(lambda: not os.path.exists(f"/proc/{pid}") or _state(pid) == "Z", 20), "containerd did not remove the container")


def _state(pid):
    with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
        return file.read().rsplit(")", 1)[1].split()[0]


@root
def ten_at_once(engine):
    started = [engine.start(*engine.run_command("--rm", "-", f"c{n}", "sh", "-c", f"echo {n}; exit {n}")) for n in range(10)]
    for number, process in enumerate(started):
        out, err = process.communicate(timeout=120)
        equal((process.returncode, out), (number, f"{number}\n".encode()), f"number {number} (stderr {err[-300:]!r})")


if __name__ == "__main__":
    main(Containerd)
