#!/usr/bin/env python3
"""docker over the runtime: dockerd calls it through the same shim as containerd does."""
import os
import sys

sys.dont_write_bytecode = True
from docker import Docker  # noqa: E402
from engine import Terminal, case, check, contains, equal, eventually, main  # noqa: E402

root = case(callers=("root",))


@root
def run_and_exit_statuses(engine):
    for command, wanted in ((["echo", "hi"], 0), (["sh", "-c", "exit 7"], 7), (["/etc"], 126), (["/no/such"], 127), (["no-such"], 127)):
        ended = engine.run("-", *command)
        equal(ended.code, wanted, f"exit status of {command} (stderr {ended.err[-300:]!r})")
    ended = engine.run("--interactive", "-", "sh", "-c", "cat; echo err >&2", input=b"through").expect()
    equal((ended.text, ended.raw_err), ("through", b"err\n"))
    equal(engine.docker("info", "--format", "{{.DefaultRuntime}}").expect().text.strip(), engine.name)


@root
def terminal(engine):
    started = Terminal(engine, *engine.run_command("-it", "-", "sh"))
    started.send(b"tty; exit 5\n")
    started.expect(rb"/dev/pts/0\r\n")
    equal(started.end(), 5)


@root
def life_of_a_container(engine):
    script = "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done"
    with engine.background("one", "--memory", "64m", command=["sh", "-c", script]):
        check(eventually(lambda: "ready" in engine.docker("logs", "one").text, 20), "not ready")
        ended = engine.docker("exec", "--user", "1000", "--env", "A=b", "one", "sh", "-c", "id -u; echo $A; exit 9")
        equal((ended.code, ended.text), (9, "1000\nb\n"))
        contains(engine.docker("top", "one").expect().text, "trap")
        engine.docker("pause", "one").expect()
        equal(engine.inspect("one", "{{.State.Status}}"), "paused")
        engine.docker("unpause", "one").expect()
        engine.docker("update", "--memory", "80m", "--memory-swap", "80m", "one").expect()
        with open(f"/sys/fs/cgroup/memory/docker/{engine.inspect('one', '{{.Id}}')}/memory.limit_in_bytes", encoding="utf-8") as file:
            equal(int(file.read()), 80 << 20, "memory after update")
        contains(engine.docker("stats", "--no-stream", "--format", "{{.MemUsage}}", "one").expect().text, "/ 80MiB")
        engine.docker("stop", "one").expect()
        equal(engine.inspect("one", "{{.State.ExitCode}}"), "5")
        engine.docker("start", "one").expect()
        engine.docker("kill", "one").expect()
        check(eventually(lambda: engine.inspect("one", "{{.State.ExitCode}}") == "137", 20), "not killed")


@root
def confinement(engine):
    folder = engine.folder("v")
    engine.file("v/f", "from the host")
    script = "cat /m/f; touch /m/g; touch /x; grep -E '^(CapEff|NoNewPrivs|Seccomp):' /proc/self/status; id -u"
    options = ["--read-only", "--volume", f"{folder}:/m:ro", "--cap-drop", "ALL", "--security-opt", "no-new-privileges", "--user", "1000"]
    ended = engine.run(*options, "-", "sh", "-c", script).expect()
    equal(ended.text, "from the hostCapEff:\t0000000000000000\nNoNewPrivs:\t1\nSeccomp:\t2\n1000\n")
    equal(ended.err.count("Read-only file system"), 2, "refusals to write")
    check(not os.path.exists(f"{folder}/g"), "written through the read-only volume")


@root
def five_at_once(engine):
    started = [engine.start(*engine.run_command("-", "sh", "-c", f"echo {n}; exit {n}")) for n in range(5)]
    for number, process in enumerate(started):
        out, err = process.communicate(timeout=60)
        equal((process.returncode, out), (number, f"{number}\n".encode()), f"number {number} (stderr {err[-300:]!r})")


if __name__ == "__main__":
    main(Docker)
