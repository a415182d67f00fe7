#!/usr/bin/env python3
"""config.md, hooks, and the lifecycle of runtime.md: when each kind is called, where, with what, and what its failure does."""

import json
import os
import sys
import time

sys.dont_write_bytecode = True
import host  # noqa: E402
import schemas  # noqa: E402
from harness import check, clause, contains, equal, main  # noqa: E402

KINDS = ["prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"]
# What state says at each, by the specification's table of hooks.
STATUS = {"prestart": "creating", "createRuntime": "creating", "createContainer": "creating", "startContainer": "created",
          "poststart": "running", "poststop": "stopped"}  # fmt: skip


def logging(box, kinds=KINDS, more="", name="log"):
    """Gives the container a hook of each kind that writes its kind, namespaces and stdin below `log`; that folder.

    The folder is bound into the container at the same path, so that the hooks inside write there as well.
    """
    folder = box.folder(name)
    box.script(f"{name}/hook", f"""
kind=$1
echo $kind >> {folder}/order
readlink /proc/self/ns/mnt > {folder}/$kind.mnt
readlink /proc/self/ns/net > {folder}/$kind.net
cat > {folder}/$kind.state
{more}
""")  # fmt: skip
    box.file(f"{name}/order")
    box.bind(folder, folder, "bind", "rw")
    box.config["hooks"] = {kind: [{"path": f"{folder}/hook", "args": ["hook", kind]}] for kind in kinds}
    # /bin/sh and readlink exist on both sides; what a hook of the container's runs is the image's.
    for kind in kinds:
        box.config["hooks"][kind][0]["env"] = ["PATH=/usr/bin:/bin"]
    return folder


def order(folder):
    return host.read(f"{folder}/order").split()


def whole_life(box):
    """create, start, kill, delete, with looks at the order of hooks between; {operation: kinds called}."""
    folder = logging(box)
    box.create("probe", "wait")
    seen = {"create": order(folder)}
    pid = box.pid()
    box.start()
    seen["start"] = order(folder)[len(seen["create"]) :]
    box.kill("KILL")
    box.wait_gone(pid)
    before = len(order(folder))
    box.delete()
    seen["delete"] = order(folder)[before:]
    return folder, seen


@clause("config.hooks")
def each_kind_is_called_in_its_operation_and_in_order(box):
    _, seen = whole_life(box)
    equal(seen, {"create": KINDS[:3], "start": KINDS[3:5], "delete": KINDS[5:]}, "hooks called")


@clause("config.hooks")
def of_one_kind_are_called_in_the_listed_order(box):
    folder = logging(box, ["createRuntime", "createContainer", "startContainer"])
    for kind, hooks in box.config["hooks"].items():
        first = hooks[0]
        box.config["hooks"][kind] = [{**first, "args": ["hook", f"{kind}-{number}"]} for number in range(3)]
    box.launch()
    wanted = [f"{kind}-{number}" for kind in ("createRuntime", "createContainer", "startContainer") for number in range(3)]
    equal(order(folder), wanted, "order")


@clause("config.hooks")
def run_in_the_runtimes_namespaces_or_the_containers(box):
    folder = logging(box)
    pid = box.launch()
    own, inner = os.readlink("/proc/self/ns/mnt"), host.namespace(pid, "mnt")
    box.delete("--force")
    for kind in ("prestart", "createRuntime", "poststart", "poststop"):
        equal(host.read(f"{folder}/{kind}.mnt").strip(), own, f"mount namespace of a {kind} hook")
    for kind in ("createContainer", "startContainer"):
        equal(host.read(f"{folder}/{kind}.mnt").strip(), inner, f"mount namespace of a {kind} hook")
    own = os.readlink("/proc/self/ns/net")
    for kind in ("createContainer", "startContainer"):
        check(host.read(f"{folder}/{kind}.net").strip() != own, f"a {kind} hook ran in the runtime's network namespace")


@clause("config.hooks")
def outside_start_in_the_bundles_folder(box):
    """Not in the specification; runc and crun start them there."""
    kinds = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
    box.config["hooks"] = {kind: [{"path": "/bin/sh", "args": ["sh", "-c", f"pwd > {box.path(kind)}"]}] for kind in kinds}
    box.run("true")
    for kind in kinds:
        check(host.read(box.path(kind)).startswith(box.bundle), f"{kind} started in {host.read(box.path(kind))!r}")


@clause("config.hooks")
def paths_resolve_where_the_hook_belongs(box):
    """Of startContainer in the container, of the others on the host: also of createContainer, which runs before pivot_root."""
    box.folder("log")
    box.bind(box.path("log"), "/log", "bind", "rw")
    box.script("bundle/rootfs/etc/inside", "echo inside >> /log/said\n")
    box.script("outside", f"echo outside >> {box.path('log')}/said\n")
    box.config["hooks"] = {"createContainer": [{"path": box.path("outside")}], "startContainer": [{"path": "/etc/inside"}]}
    box.launch()
    equal(host.read(box.path("log/said")).split(), ["outside", "inside"], "what the hooks wrote")


@clause("config.hooks")
def get_the_state_on_stdin(box):
    box.config["annotations"] = {"com.example.key": "value"}
    folder, _ = whole_life(box)
    pids = set()
    for kind in KINDS:
        state = json.loads(host.read(f"{folder}/{kind}.state"))
        equal((state["id"], os.path.realpath(state["bundle"])), (box.id, os.path.realpath(box.bundle)), f"id and bundle for {kind}")
        equal(state.get("annotations", {}).get("com.example.key"), "value", f"annotation for {kind}")
        equal(schemas.errors("state-schema.json", state), [], f"errors in the state for {kind}")
        if kind != "poststop":
            pids.add(state["pid"])
    check(pids and 0 not in pids, f"pids: {pids}")


@clause("config.hooks")
def get_the_status_of_their_moment(box):
    folder, _ = whole_life(box)
    got = {kind: json.loads(host.read(f"{folder}/{kind}.state"))["status"] for kind in KINDS}
    equal(got, STATUS, "status")


@clause("config.hooks")
def a_create_runtime_hook_reaches_the_containers_namespaces(box):
    """By the pid of its state: so network plugins set interfaces up."""
    folder = box.folder("log")
    box.script("hook", f"""
pid=$(sed 's/.*"pid": *\\([0-9]*\\).*/\\1/' | tr -d '\\n')
readlink /proc/$pid/ns/net > {folder}/net
nsenter -t $pid -n ip link set lo up && echo up >> {folder}/net
""")  # fmt: skip
    box.script("oneline", f"tr -d '\\n' | {box.path('hook')}\n")
    box.config["hooks"] = {"createRuntime": [{"path": box.path("oneline"), "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"]}]}
    pid = box.launch()
    equal(host.read(f"{folder}/net").split(), [host.namespace(pid, "net"), "up"], "what the hook saw")


@clause("config.hooks")
def args_and_env_are_just_those_given(box):
    folder = box.folder("log")
    box.script("hook", f'{{ echo "$0"; echo "$#"; echo "$1"; tr "\\0" "\\n" < /proc/$$/environ; }} > {folder}/said\n')
    box.config["hooks"] = {"createRuntime": [{"path": box.path("hook"), "args": ["hook", "a b"], "env": ["X=1", "Y=a b"]}]}
    box.create("true", env={"OF_THE_CALLER": "1"})
    said = host.read(f"{folder}/said").splitlines()
    equal(said[1:3], ["1", "a b"], "arguments")
    equal(said[3:], ["X=1", "Y=a b"], "environment")


@clause("config.hooks")
def without_a_stdin_reader_is_no_error(box):
    """A hook need not read its state; that it is not read must not end the runtime by SIGPIPE."""
    box.config["annotations"] = {"com.example.large": "x" * 200000}
    box.config["hooks"] = {kind: [{"path": "/bin/true"}] for kind in KINDS}
    box.launch()
    box.kill("KILL")
    check(host.eventually(lambda: box.status() == "stopped"), "it isn't stopped")
    box.delete()


# -- failures ----------------------------------------------------------------------------------------------------------------


def failing(box, kind):
    """A hook of that kind that fails, another after it that says that it ran, and a poststop hook that says so too."""
    folder = box.folder("log")
    box.bind(folder, folder, "bind", "rw")
    box.file("log/order")
    box.script("log/fail", f"echo failed >> {folder}/order; exit 3\n")
    box.script("log/next", f"echo next >> {folder}/order\n")
    box.script("log/stopped", f"echo poststop >> {folder}/order\n")
    box.config["hooks"] = {kind: [{"path": f"{folder}/fail"}, {"path": f"{folder}/next"}]}
    box.config["hooks"].setdefault("poststop", []).append({"path": f"{folder}/stopped"})
    return folder


@clause("runtime.lifecycle.hooks")
def one_that_fails_during_create_is_an_error_and_ends_the_container(box):
    for kind in KINDS[:3]:
        folder = failing(box, kind)
        ended = box.try_create("true").fails()
        check(not box.exists(), f"the container exists after a failed {kind} hook")
        check("next" not in order(folder), f"the hook after a failed {kind} hook was called")
        if not box.peer:
            contains(ended.err, f"hooks.{kind}", "the message")
        check(host.eventually(lambda: not box.leftovers()), f"left after a failed {kind} hook: {box.leftovers()}")
        box.config["mounts"].pop()


@clause("runtime.lifecycle.hooks")
def after_a_failed_one_the_poststop_hooks_are_called(box):
    folder = failing(box, "createRuntime")
    box.try_create("true").fails()
    equal(order(folder), ["failed", "poststop"], "hooks called")


@clause("runtime.lifecycle.hooks")
def start_container_that_fails_is_an_error_and_the_program_does_not_run(box):
    folder = failing(box, "startContainer")
    created = box.create("echo", "ran")
    box.call("start", box.id).fails()
    equal(created.out, "", "output of the program")
    check("next" not in order(folder), "the hook after it was called")
    check(host.eventually(lambda: not box.exists() or box.status() == "stopped"), "the container isn't stopped")


@clause("runtime.lifecycle.hooks")
def poststart_that_fails_is_an_error_and_stops_the_container(box):
    """Since version 1.2 of the specification; before, it was a warning."""
    failing(box, "poststart")
    box.create("sleep", "100")
    pid = box.pid()
    box.call("start", box.id).fails()
    check(host.eventually(lambda: not host.alive(pid)), "the program goes on")
    check(not box.exists() or box.status() == "stopped", "the container isn't stopped")


@clause("runtime.lifecycle.hooks")
def poststop_that_fails_is_a_warning_and_the_rest_goes_on(box):
    folder = failing(box, "poststop")
    box.create("true")
    log = box.path("warnings")
    box.kill("KILL")
    check(host.eventually(lambda: box.status() == "stopped"), "it isn't stopped")
    ended = box.call("delete", box.id, before=("--log", log)).expect(0)
    equal(order(folder), ["failed", "next", "poststop"], "hooks called")
    check(not box.exists(), "the container exists")
    said = ended.err + (host.read(log) if os.path.exists(log) else "")
    check(said.strip(), "nothing was logged")


@clause("config.hooks")
def one_that_takes_longer_than_its_timeout_is_ended_and_has_failed(box):
    folder = box.folder("log")
    box.script("hook", f"echo $$ > {folder}/pid; exec sleep 100\n")
    box.config["hooks"] = {"createRuntime": [{"path": box.path("hook"), "timeout": 1}]}
    begin = time.monotonic()
    box.try_create("true").fails()
    check(time.monotonic() - begin < 10, "it took longer than the time-out")
    pid = int(host.read(f"{folder}/pid"))
    check(host.eventually(lambda: not host.alive(pid)), "the hook goes on")


@clause("config.hooks")
def one_that_is_done_before_its_timeout_has_not_failed(box):
    box.script("hook", "sleep 0.2\n")
    box.config["hooks"] = {"createRuntime": [{"path": box.path("hook"), "timeout": 20, "env": ["PATH=/usr/bin:/bin"]}]}
    box.create("true")


@clause("config.hooks")
def wrong_values_are_errors(box):
    for wrong in ({"path": "bin/true"}, {"path": ""}, {}, {"path": "/bin/true", "timeout": 0}, {"path": "/bin/true", "timeout": -1}):
        box.config["hooks"] = {"createRuntime": [wrong]}
        box.refused("hooks.createRuntime")


@clause("config.hooks")
def one_that_does_not_exist_is_an_error(box):
    box.config["hooks"] = {"createRuntime": [{"path": "/no/such/hook"}]}
    box.refused("hooks.createRuntime")


@clause("config.hooks")
def poststop_is_called_after_the_container_is_deleted(box):
    """Its groups and its state are gone by then."""
    folder = box.folder("log")
    box.linux["cgroupsPath"] = f"/{box.tag}-hook"
    box.script("hook", f"find /sys/fs/cgroup -maxdepth 3 -name '{box.tag}-hook' > {folder}/groups; ls {box.state_root}/{box.id} > {folder}/state 2>&1\n")
    box.config["hooks"] = {"poststop": [{"path": box.path("hook"), "env": ["PATH=/usr/bin:/bin"]}]}
    box.launch()
    box.delete("--force")
    equal(host.read(f"{folder}/groups"), "", "groups when the hook ran")


if __name__ == "__main__":
    main()
