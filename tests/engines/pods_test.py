#!/usr/bin/env python3
"""Pods: containers that share the namespaces of an infra container, which podman names by /proc/PID/ns."""
import os
import sys

sys.dont_write_bytecode = True
from engine import case, check, contains, equal, eventually, main  # noqa: E402
from podman import IMAGE, Podman  # noqa: E402


def pod(engine, name, *options):
    """A pod whose infra container sleeps; its own pause image would have to be built first."""
    infra = ["--infra-image", IMAGE, "--infra-command", "/bin/sleep 5000"]
    engine.podman("pod", "create", "--name", name, "--network", "none", *infra, *options).expect()


NAMESPACES = "for n in net ipc uts pid mnt; do readlink /proc/self/ns/$n; done"


@case
def members_share_namespaces(engine):
    pod(engine, "p", "--share", "net,ipc,uts,pid", "--hostname", "the-pod")
    engine.podman("run", "--detach", "--pod", "p", "--name", "a", IMAGE, "sleep", "1000").expect()
    of_a = engine.podman("exec", "a", "sh", "-c", NAMESPACES).expect().text.split()
    of_b = engine.podman("run", "--rm", "--pod", "p", IMAGE, "sh", "-c", NAMESPACES).expect().text.split()
    equal(of_b[:4], of_a[:4], "network, ipc, uts and pid namespace")
    check(of_b[4] != of_a[4], "the mount namespace is shared too")
    script = "hostname; cat /proc/1/cmdline; ls /proc | grep -c '^[0-9]'"
    out = engine.podman("run", "--rm", "--pod", "p", IMAGE, "sh", "-c", script).expect().text
    contains(out, "the-pod\n/bin/sleep\x005000\0")
    # infra, a, and here the shell, ls and grep.
    equal(out.split("\0")[-1], "5\n", "processes that a member sees")
    engine.podman("pod", "stop", "--time", "0", "p").expect()
    check(eventually(lambda: engine.inspect("a", "{{.State.Status}}") == "exited", 20), "a still runs")
    engine.podman("pod", "start", "p").expect()
    equal(engine.inspect("a", "{{.State.Status}}"), "running", "after start of the pod")
    engine.podman("pod", "rm", "--force", "--time", "0", "p").expect()


@case
def members_of_a_pod_without_shared_pids(engine):
    pod(engine, "p", "--share", "net,ipc,uts")
    equal(engine.podman("run", "--rm", "--pod", "p", IMAGE, "sh", "-c", "echo $$").expect().text, "1\n", "pid of the program")
    engine.podman("pod", "rm", "--force", "--time", "0", "p").expect()


@case(callers=("root",))
def pod_with_a_user_namespace(engine):
    pod(engine, "p", "--uidmap", "0:100000:5000", "--gidmap", "0:100000:5000")
    engine.podman("run", "--detach", "--pod", "p", "--name", "a", IMAGE, "sleep", "1000").expect()
    equal(engine.podman("exec", "a", "cat", "/proc/self/uid_map").expect().text.split(), ["0", "100000", "5000"])
    script = ["readlink", "/proc/self/ns/user"]
    of_a = engine.podman("exec", "a", *script).expect().text
    of_b = engine.podman("run", "--rm", "--pod", "p", IMAGE, *script).expect().text
    equal(of_b, of_a, "user namespace of another member")
    engine.podman("pod", "rm", "--force", "--time", "0", "p").expect()


@case(callers=("root",))
def pod_is_paused_limited_and_killed(engine):
    pod(engine, "p", "--memory", "100m")
    engine.podman("run", "--detach", "--pod", "p", "--name", "a", IMAGE, "sleep", "1000").expect()
    pid = engine.inspect("a", "{{.State.Pid}}")
    engine.podman("pod", "pause", "p").expect()
    equal(engine.inspect("a", "{{.State.Status}}"), "paused")
    engine.podman("pod", "unpause", "p").expect()
    equal(engine.inspect("a", "{{.State.Status}}"), "running")
    contains(engine.podman("pod", "stats", "--no-stream", "p").expect().text, "a ")
    engine.podman("pod", "kill", "p").expect()
    check(eventually(lambda: not os.path.exists(f"/proc/{pid}"), 20), "a lives on")
    engine.podman("pod", "rm", "--force", "--time", "0", "p").expect()


if __name__ == "__main__":
    main(Podman)
