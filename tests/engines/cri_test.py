#!/usr/bin/env python3
"""The runtime as the handler `mxc` of a Kubernetes RuntimeClass: containerd's CRI plugin, asked as a kubelet would.

What Kubernetes itself adds (the kubelet, RuntimeClass objects, images from a registry) is not here.
"""
import os
import sys

sys.dont_write_bytecode = True
from containerd import HANDLER, IMAGE, Containerd  # noqa: E402
from engine import case, check, contains, equal, eventually, main, skip_all  # noqa: E402

try:
    import cri
    import grpc
except ImportError:
    skip_all("python3-grpcio is not installed")

root = case(callers=("root",))


class Pod:
    """A sandbox with handler `mxc` within a block: .client, .id, .container(command, …) → the id of a running container."""

    def __init__(self, engine, name="pod", network=cri.POD):
        self.client, self.network, self.containers = cri.Client(engine.socket), network, []
        hostname = name if network == cri.POD else ""
        self.config = {1: {1: name, 2: "uid-" + name, 3: "ns", 4: 1}, 2: hostname, 3: engine.work,
                       8: {1: "/k8s.io", 2: {1: {1: network}}}}  # fmt: skip

    def __enter__(self):
        self.id = self.client.run_sandbox(self.config, HANDLER)
        return self

    def __exit__(self, *_):
        self.client.end(self.id, *self.containers)

    def container(self, *command, name="c", resources=None, security=None, fields=()):
        linux = {1: {5: 500, **(resources or {})}, 2: {3: {1: self.network}, **(security or {})}}
        config = {1: {1: name, 2: 1}, 2: {1: IMAGE}, 3: list(command), 11: name + ".log", 15: linux}
        config.update(fields)
        made = self.client.create(self.id, config, self.config)
        self.containers.append(made)
        self.client.call("StartContainer", {1: made})
        return made

    def ended(self, container):
        check(eventually(lambda: self.client.status(container)[0] == cri.EXITED, 20), "the container does not end")
        return self.client.status(container)[1]


def log_of(engine, name):
    """What a container printed, as the kubelet's log has it: TIME STREAM F TEXT."""
    with open(os.path.join(engine.work, name + ".log"), encoding="utf-8") as file:
        return [line.rstrip("\n").split(" ", 3)[1:] for line in file]


@root
def pod_with_two_containers(engine):
    with Pod(engine) as pod:
        first = pod.container("sleep", "1000", name="first")
        equal(pod.client.status(first), (cri.RUNNING, 0))
        equal(len(engine.runtime_list()), 2, "containers of the runtime: the sandbox and the first")
        second = pod.container("sh", "-c", "echo out; echo err >&2; exit 3", name="second")
        equal(pod.ended(second), 3, "exit status")
        equal(sorted(log_of(engine, "second")), [["stderr", "F", "err"], ["stdout", "F", "out"]], "log")
        script = "for n in ipc uts net; do readlink /proc/self/ns/$n; done; hostname; id -u"
        code, out, err = pod.client.exec(first, "sh", "-c", script)
        equal((code, err), (0, ""))
        third = pod.container("sh", "-c", script, name="third")
        pod.ended(third)
        equal([line[2] for line in log_of(engine, "third")], out.split("\n")[:-1], "namespaces of two containers of a pod")
        equal(pod.client.exec(first, "sh", "-c", "exit 9")[0], 9, "exit status of exec")
        try:
            pod.client.exec(first, "/no/such")
        except grpc.RpcError as error:
            contains(error.details().lower(), "no such file or directory")
        else:
            check(False, "exec of a missing program succeeds")


@root
def network_of_a_pod(engine):
    with Pod(engine) as pod:
        made = pod.container("sleep", "1000")
        contains(pod.client.exec(made, "cat", "/proc/net/dev")[1], "eth0:")
        mine = os.readlink("/proc/self/ns/net")
        check(pod.client.exec(made, "readlink", "/proc/self/ns/net")[1].strip() != mine, "it is on the host's network")
    with Pod(engine, "on-the-host", network=cri.NODE) as pod:
        made = pod.container("sleep", "1000")
        equal(pod.client.exec(made, "readlink", "/proc/self/ns/net")[1].strip(), mine)


@root
def what_a_container_may_have(engine):
    os.makedirs(engine.work + "/v", exist_ok=True)
    with open(engine.work + "/v/f", "w", encoding="utf-8") as file:
        file.write("of the host")
    with Pod(engine) as pod:
        resources = {1: 100000, 2: 50000, 3: 300, 4: 64 << 20}
        # User 1000, a read-only root, no new privileges, the default seccomp profile.
        security = {5: {1: 1000}, 7: 1, 11: 1, 15: {1: 0}}
        script = ("id -u; cat /m/f; touch /m/g || touch /x || true; grep -E '^(NoNewPrivs|Seccomp|CapEff):' /proc/self/status;"
                  "cat /proc/self/oom_score_adj; echo $A")  # fmt: skip
        fields = {6: {1: "A", 2: "b"}, 7: {1: "/m", 2: engine.work + "/v", 3: 1}}
        made = pod.container("sh", "-c", script, resources=resources, security=security, fields=fields)
        equal(pod.ended(made), 0)
        out = {}
        for stream, _, text in log_of(engine, "c"):
            out.setdefault(stream, []).append(text)
        contains("\n".join(out["stderr"]), "'/m/g': Read-only file system")
        contains("\n".join(out["stderr"]), "'/x': Read-only file system")
        equal(out["stdout"], ["1000", "of the hostCapEff:\t0000000000000000", "NoNewPrivs:\t1", "Seccomp:\t2", "500", "b"])


@root
def limits_and_their_update(engine):
    with Pod(engine) as pod:
        made = pod.container("sleep", "1000", resources={4: 64 << 20})

        def limit():
            with open(f"/sys/fs/cgroup/memory/k8s.io/{made}/memory.limit_in_bytes", encoding="utf-8") as file:
                return int(file.read())

        equal(limit(), 64 << 20)
        pod.client.call("UpdateContainerResources", {1: made, 2: {4: 80 << 20}})
        equal(limit(), 80 << 20, "after the update")
        stats = cri.decode(pod.client.call("ContainerStats", {1: made})[1][0])
        check(3 in stats, "memory is missing from the statistics")


@root
def stop_gives_time(engine):
    with Pod(engine) as pod:
        made = pod.container("sh", "-c", "trap 'exit 5' TERM; echo ready; while :; do sleep 0.05; done")
        check(eventually(lambda: log_of(engine, "c"), 20), "not ready")
        pod.client.call("StopContainer", {1: made, 2: 10})
        equal(pod.client.status(made), (cri.EXITED, 5))


@root
def unknown_handler_is_refused(engine):
    try:
        cri.Client(engine.socket).run_sandbox(Pod(engine).config, "no-such-handler")
    except grpc.RpcError as error:
        contains(error.details(), "no-such-handler")
    else:
        check(False, "a sandbox with an unknown handler is made")


if __name__ == "__main__":
    main(Containerd)
