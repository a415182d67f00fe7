#!/usr/bin/env python3
"""podman run, exec, logs, stop, kill, pause and the rest of a container's life, over the runtime."""
import os
import signal
import sys
import time

sys.dont_write_bytecode = True
from engine import Skip, Terminal, case, check, contains, equal, eventually, main  # noqa: E402
from podman import IMAGE, Podman  # noqa: E402


@case
def run_prints_and_leaves_nothing(engine):
    ended = engine.run("-", "echo", "hi").expect()
    equal(ended.text, "hi\n", "output")
    equal(ended.err, "", "what podman says of it")
    equal(engine.podman("ps", "--all", "--quiet").text, "", "containers afterwards")


@case
def runtime_by_its_path(engine):
    equal(engine.podman("--runtime", engine.place.runtime, "run", "--rm", "--network", "none", IMAGE, "echo", "hi").expect().text, "hi\n")


@case
def exit_statuses(engine):
    for command, wanted, said in (
        (["true"], 0, ""),
        (["sh", "-c", "exit 7"], 7, ""),
        (["sh", "-c", "sh -c 'kill -KILL $$'"], 137, ""),
        (["/etc"], 126, "permission denied"),
        (["/etc/passwd"], 126, "permission denied"),
        (["/no/such/program"], 127, "not found"),
        (["no-such-program"], 127, "not found"),
    ):  # fmt: skip
        ended = engine.run("-", *command)
        equal(ended.code, wanted, f"exit status of {command} (stderr {ended.err[-300:]!r})")
        contains(ended.err.lower(), said, f"stderr of {command}")
    equal(engine.run("--no-such-option", "-", "true").code, 125, "exit status of podman's own error")


@case
def streams(engine):
    ended = engine.run("-", "sh", "-c", "echo out; echo err >&2").expect()
    equal((ended.text, ended.raw_err), ("out\n", b"err\n"), "stdout and stderr")
    data = os.urandom(1 << 20)
    equal(engine.run("--interactive", "-", "cat", input=data).expect().out == data, True, "1 MiB through cat comes back whole")
    equal(engine.run("-", "cat").expect().text, "", "stdin without --interactive")


@case
def terminal_of_run(engine):
    terminal = Terminal(engine, *engine.podman_command("run", "--rm", "-it", "--network", "none", IMAGE, "sh"), rows=31, columns=97)
    terminal.send(b"tty; stty size; echo done\n")
    terminal.expect(rb"/dev/pts/0\r\n")
    terminal.expect(rb"31 97\r\n")
    terminal.resize(40, 120)
    terminal.process.send_signal(signal.SIGWINCH)
    check(eventually(lambda: _size(terminal) == b"40 120", 20), "the size of the terminal follows the caller's")
    terminal.send(b"sleep 100; echo $?\n")
    time.sleep(0.3)
    terminal.send(b"\x03")
    terminal.send(b"echo after-$((40+2))\n")
    terminal.expect(rb"after-42\r\n")
    terminal.send(b"exit 5\n")
    equal(terminal.end(), 5, "exit status")


def _size(terminal):
    terminal.send(b"echo size $(stty size) end\n")
    return terminal.expect(rb"size (\d+ \d+) end").group(1)


@case
def detached_container_and_its_log(engine):
    with engine.background("c", command=["sh", "-c", "echo one; sleep 0.3; echo two >&2; exit 3"]):
        equal(engine.podman("wait", "c").expect().text, "3\n", "wait")
        ended = engine.podman("logs", "c").expect()
        equal((ended.text, ended.raw_err), ("one\n", b"two\n"), "logs")
        equal(engine.inspect("c", "{{.State.Status}} {{.State.ExitCode}} {{.State.Running}} {{.State.Pid}}"), "exited 3 false 0")
        ended = engine.podman("start", "--attach", "c")
        equal((ended.code, ended.text), (3, "one\n"), "started a second time")


@case
def state_while_running(engine):
    with engine.background("c"):
        status, running, pid = engine.inspect("c", "{{.State.Status}} {{.State.Running}} {{.State.Pid}}").split()
        equal((status, running), ("running", "true"))
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            equal(file.read(), b"sleep\x001000\0", "the program is the process that podman knows")
        with open(f"/proc/{pid}/status", encoding="utf-8") as file:
            contains(file.read(), "\t1\n", "it is pid 1 of its namespace")
        equal(len(engine.runtime_list()), 1, "containers in the runtime's list")
        os.kill(int(pid), signal.SIGKILL)
        equal(engine.podman("wait", "c").expect().text, "137\n", "killed from outside")


@case
def created_but_not_started(engine):
    engine.podman("create", "--name", "c", "--network", "none", IMAGE, "sh", "-c", "echo started").expect()
    engine.podman("init", "c").expect()
    equal(engine.inspect("c", "{{.State.Status}}"), "initialized")
    equal(engine.podman("logs", "c").expect().out, b"", "output before start")
    equal(engine.podman("start", "--attach", "c").expect().text, "started\n", "output of start")
    engine.podman("create", "--name", "d", "--network", "none", IMAGE, "true").expect()
    engine.podman("init", "d").expect()
    engine.podman("rm", "d").expect()


@case
def exec_runs_inside(engine):
    with engine.background("c", "--hostname", "the-host", "--env", "OF=run", "--workdir", "/srv"):

        def run(*words, **options):
            return engine.podman("exec", *words, **options)

        equal(run("c", "hostname").expect().text, "the-host\n")
        equal(run("c", "sh", "-c", "echo $OF; pwd; cat /proc/1/comm").expect().text, "run\n/srv\nsleep\n", "environment, folder, namespace")
        options = ("--user", "1000:2000", "--workdir", "/tmp", "--env", "OF=exec")
        equal(run(*options, "c", "sh", "-c", "id -u; id -g; pwd; echo $OF").expect().text, "1000\n2000\n/tmp\nexec\n")
        equal(run("--user", "user", "c", "id", "-nG").expect().text, "user extra\n", "groups of a user by name")
        equal(run("--interactive", "c", "cat", input=b"through").expect().text, "through")
        ended = run("c", "sh", "-c", "echo out; echo err >&2; exit 9")
        equal((ended.code, ended.text, ended.raw_err), (9, "out\n", b"err\n"))
        for command, wanted in ((["/no/such"], 127), (["no-such"], 127), (["/etc/passwd"], 126), (["sh", "-c", "kill -9 $$"], 137)):
            equal(run("c", *command).code, wanted, f"exit status of exec {command}")
        equal(run("--workdir", "/no/such", "c", "true").code != 0, True, "exec in a folder that isn't there fails")
        equal(run("c", "sh", "-c", "echo $$").expect().text != "1\n", True, "exec is not pid 1")
    equal(engine.podman("exec", "c", "true").code, 125, "exec in a container that is gone")


@case
def exec_confines_as_run_does(engine):
    what = (
        "grep -E '^(Cap...|NoNewPrivs|Seccomp|Seccomp_filters|Uid|Gid|Groups):' /proc/self/status;"
        "cat /proc/self/cgroup; ls -l /proc/self/ns | sed 's/.*-> //'"
    )
    options = ["--cap-drop", "all", "--cap-add", "chown", "--security-opt", "no-new-privileges"]
    with engine.background("c", *options, command=["sh", "-c", f"{what}; sleep 1000"]):
        check(eventually(lambda: "uts:" in engine.podman("logs", "c").text, 20), "no output")
        of_run, of_exec = (engine.podman(*words).expect().text.split("\n") for words in (["logs", "c"], ["exec", "c", "sh", "-c", what]))
        equal(of_exec, of_run, "status, cgroups and namespaces of exec")


@case
def exec_on_a_terminal(engine):
    with engine.background("c"):
        terminal = Terminal(engine, *engine.podman_command("exec", "-it", "c", "sh"), rows=33, columns=99)
        terminal.send(b"tty; stty size\n")
        terminal.expect(rb"/dev/pts/\d+\r\n")
        check(eventually(lambda: _size(terminal) == b"33 99", 20), "the size of the terminal is the caller's")
        terminal.send(b"exit 4\n")
        equal(terminal.end(), 4, "exit status")


@case
def exec_detached_top_and_inspect(engine):
    with engine.background("c"):
        engine.podman("exec", "--detach", "c", "sleep", "2000").expect()
        check(eventually(lambda: "sleep 2000" in engine.podman("top", "c", "args").expect().text, 20), "top does not show the exec")
        contains(engine.podman("top", "c", "pid", "args").expect().text, "sleep 1000")
        equal(engine.inspect("c", "{{len .ExecIDs}}"), "1", "exec sessions")


@case
def stop_kill_and_signals(engine):
    trap = "trap 'echo usr1' USR1; trap 'echo term; exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with engine.background("c", command=["sh", "-c", trap]):
        check(eventually(lambda: "ready" in engine.podman("logs", "c").text, 20), "not ready")
        engine.podman("kill", "--signal", "USR1", "c").expect()
        check(eventually(lambda: "usr1" in engine.podman("logs", "c").text, 20), "USR1 did not arrive")
        engine.podman("stop", "--time", "10", "c").expect()
        equal(engine.inspect("c", "{{.State.ExitCode}}"), "5", "exit status of the stopped container")
        engine.podman("start", "c").expect()
        check(eventually(lambda: engine.podman("logs", "c").text.count("ready") == 2, 20), "not ready again")
        engine.podman("restart", "--time", "5", "c").expect()
        equal(engine.inspect("c", "{{.State.Running}}"), "true", "running after restart")
        engine.podman("kill", "c").expect()
        equal(engine.podman("wait", "c").expect().text, "137\n", "killed")
        check(engine.podman("kill", "c").code != 0, "killing a stopped container succeeds")
        engine.podman("stop", "c").expect()
    with engine.background("stubborn", command=["sh", "-c", "trap '' TERM; while :; do sleep 0.05; done"]):
        engine.podman("stop", "--time", "1", "stubborn").expect()
        equal(engine.inspect("stubborn", "{{.State.ExitCode}}"), "137")


@case
def signals_to_podman_reach_the_container(engine):
    script = "trap 'echo term; exit 6' TERM; echo ready; while :; do sleep 0.05; done"
    started = engine.start(*engine.podman_command("run", "--rm", "--name", "c", "--network", "none", IMAGE, "sh", "-c", script))
    equal(started.stdout.readline(), b"ready\n")
    # podman passes the program's output on before it passes signals on, which it does once it has written down that the container runs;
    # a signal between the two ends podman itself, over any runtime.
    check(eventually(lambda: engine.inspect("c", "{{.State.Running}}") == "true", 20), "podman does not see it running")
    started.send_signal(signal.SIGTERM)
    out, _ = started.communicate(timeout=20)
    equal((out, started.returncode), (b"term\n", 6))


@case(callers=("root",))
def paused_container_stands_still(engine):
    script = "i=0; while :; do i=$((i+1)); echo $i > /tmp/count; sleep 0.02; done"
    with engine.background("c", "--volume", f"{engine.folder('t')}:/tmp", command=["sh", "-c", script]):

        def count():
            with open(os.path.join(engine.work, "t", "count"), encoding="utf-8") as file:
                return file.read()

        check(eventually(lambda: os.path.exists(os.path.join(engine.work, "t", "count")), 20), "it does not count")
        engine.podman("pause", "c").expect()
        equal(engine.inspect("c", "{{.State.Status}}"), "paused")
        before = count()
        time.sleep(0.3)
        equal(count(), before, "count while paused")
        check(engine.podman("exec", "c", "true").code != 0, "exec in a paused container succeeds")
        engine.podman("unpause", "c").expect()
        check(eventually(lambda: count() != before, 20), "it does not go on")
        engine.podman("pause", "c").expect()
        engine.podman("rm", "--force", "--time", "0", "c").expect(0, "removing a paused container")
        engine.podman("run", "--detach", "--name", "c", IMAGE, "true")


@case(callers=("root",))
def stats(engine):
    with engine.background("c", "--memory", "64m", command=["sh", "-c", "while :; do :; done"]):
        time.sleep(0.5)
        template = "{{.MemLimit}} {{.MemUsage}} {{.PIDs}} {{.CPUNano}}"
        limit, usage, pids, cpu = engine.podman("stats", "--no-stream", "--format", template, "c").expect().text.replace(" / ", "/").split()
        equal((limit, pids), (str(64 << 20), "1"), "limit and pids")
        check(not usage.startswith("0B/"), f"memory used: {usage}")
        check(int(cpu) > 0, f"CPU used: {cpu} ns")


@case(callers=("root",))
def copying_and_committing_pauses(engine):
    with engine.background("c"):
        engine.file("f", "copied")
        engine.podman("cp", os.path.join(engine.work, "f"), "c:/tmp/f").expect()
        equal(engine.podman("exec", "c", "cat", "/tmp/f").expect().text, "copied")
        engine.podman("commit", "--quiet", "--pause", "c", "localhost/committed").expect()
        equal(engine.podman("run", "--rm", "--network", "none", "localhost/committed", "cat", "/tmp/f").expect().text, "copied")
        equal(engine.inspect("c", "{{.State.Status}}"), "running")
    engine.podman("rmi", "localhost/committed").expect()


@case
def healthcheck(engine):
    with engine.background("c", "--health-cmd", "test -e /tmp/healthy", "--health-interval", "disable"):
        equal(engine.podman("healthcheck", "run", "c").code, 1, "unhealthy")
        engine.podman("exec", "c", "touch", "/tmp/healthy").expect()
        equal(engine.podman("healthcheck", "run", "c").code, 0, "healthy")


@case
def init_reaps(engine):
    if not os.path.exists("/usr/libexec/podman/catatonit"):
        raise Skip("catatonit is not installed")
    equal(engine.run("--init", "-", "sh", "-c", "cat /proc/1/comm; exit 8").code, 8, "exit status through init")
    contains(engine.sh("cat /proc/1/cmdline", "--init"), "podman-init")


@case(callers=("root",))
def killed_conmon(engine):
    with engine.background("c"):
        conmon, pid = map(int, engine.inspect("c", "{{.State.ConmonPid}} {{.State.Pid}}").split())
        os.kill(conmon, signal.SIGKILL)
        equal(engine.podman("exec", "c", "echo", "alive").expect().text, "alive\n", "exec without conmon")
        os.kill(pid, signal.SIGKILL)
        check(eventually(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, 20), "the container did not come to us, the next subreaper")
        # podman waits 5 s for what conmon would have written, and then takes the container as ended.
        engine.podman("stop", "c")
        engine.podman("start", "c").expect(0, "starting it again")
        equal(engine.podman("exec", "c", "echo", "alive").expect().text, "alive\n", "exec after the new start")


@case
def preserved_descriptors(engine):
    path = engine.file("f", "read by descriptor 3")
    command = engine.podman_command("run", "--rm", "--network", "none", "--preserve-fds", "1", IMAGE, "sh", "-c", "cat <&3")
    equal(engine.command("sh", "-c", f'exec "$@" 3<{path}', "sh", *command).expect().text, "read by descriptor 3")
    equal(engine.sh("ls /proc/self/fd").split(), ["0", "1", "2", "3"], "descriptors (3 is that of ls)")


@case
def twenty_at_once(engine):
    command = engine.podman_command("run", "--rm", "--network", "none", IMAGE, "sh", "-c")
    started = [engine.start(*command, f"echo {n}; exit {n}") for n in range(20)]
    for number, process in enumerate(started):
        out, err = process.communicate(timeout=120)
        equal((process.returncode, out), (number, f"{number}\n".encode()), f"number {number} (stderr {err[-300:]!r})")


if __name__ == "__main__":
    main(Podman)
