#!/usr/bin/env python3
"""Every policy of tests/data/policies runs, or is refused by the name of the field that isn't built; so do Microsoft's examples."""
import glob
import os
import shutil
import socket
import subprocess
import sys

sys.dont_write_bytecode = True
from harness import Skip, case, check, contains, equal, eventually, main  # noqa: E402

DATA = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../data/policies")
TWIN = "/tmp/mxc-twin"

# Which output says that a twin did what it is for; or which field it is refused by.
RUNS = {
    "hello.json": "greetings from the sandbox, python 3.",
    "filesystem.json": "a note",
    "filesystem.yaml": "a note",
    "python.json": "in /tmp with",
    "network-none.json": "no way out:",
    "everything.yaml": "hello there",
    "lxc-hello.json": "a container says hello",
    "lxc-filesystem.json": "",
    "network-restricted.json": "reached the one network that is allowed",
    "network-directional.json": "both directions are ruled apart",
    "lxc-network-restricted.json": "cut off, as it should be",
}
# Of callers that are not root and may have no link: more than TCP is allowed.
NEEDS_LINK = ("lxc-network-restricted.json",)


def twin_folders(box):
    """The twins name /tmp/mxc-twin; a fresh folder is mounted there, in this test's own namespace."""
    if os.getuid() != 0:
        raise Skip("the twins' folder under /tmp is mounted by root")
    tmp = box.folder("tmp", mode=0o1777)
    for name in ("input", "work/private"):
        box.folder(f"tmp/mxc-twin/{name}")
    box.file("tmp/mxc-twin/input/note.txt", "a note\n")
    box.file("tmp/mxc-twin/work/private/key", "secret\n")
    box.mount("--bind", tmp, "/tmp")


def the_network_that_is_allowed():
    """192.0.2.10 with a server on port 443 behind this test's own network namespace, made by main()."""
    peer = subprocess.Popen(
        ["unshare", "-n", "sh", "-c", "echo up; read line; ip link set lo up; ip link set twin1 up; ip addr add 192.0.2.10/24 dev twin1; exec python3 -m http.server 443"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
    )  # fmt: skip
    equal(peer.stdout.readline(), "up\n", "the peer")
    subprocess.run(["ip", "link", "add", "twin0", "type", "veth", "peer", "name", "twin1", "netns", str(peer.pid)], check=True)
    subprocess.run(["ip", "addr", "add", "192.0.2.1/24", "dev", "twin0"], check=True)
    subprocess.run(["ip", "link", "set", "twin0", "up"], check=True)
    peer.stdin.write("go\n")
    peer.stdin.flush()

    def answers():
        with socket.socket() as client:
            return client.connect_ex(("192.0.2.10", 443)) == 0

    check(eventually(answers, 10), "the peer doesn't answer")
    return peer


@case
def every_twin_runs_or_is_refused_by_field(box):
    policies = sorted(os.path.basename(p) for p in glob.glob(DATA + "/*.json") + glob.glob(DATA + "/*.yaml"))
    equal(set(policies) - set(RUNS), set(), "policies that this test knows nothing of")
    twin_folders(box)
    peer = the_network_that_is_allowed()
    for name in policies:
        copy = box.path(name)
        shutil.copyfile(os.path.join(DATA, name), copy)
        checked = box.mxc("check", "--policy", copy)
        ended = box.mxc("run", "--policy", copy, timeout=60)
        if name in NEEDS_LINK and not box.root and ended.code == 125:
            contains(ended.err, "/network/egress", name)
            equal(ended.out, b"", f"output of the refused {name}")
            continue
        if name == "everything.yaml" and not box.root:
            # It names memory, cpus and pids, which an ordinary user without a delegated cgroup can't limit.
            if ended.code == 125:
                contains(ended.err, "resources", name)
                continue
        ended.expect(0, name)
        contains(ended.text, RUNS[name], name)
        checked.expect(0, f"check {name}")
    peer.kill()
    peer.communicate()
    subprocess.run(["ip", "link", "del", "twin0"], check=False, capture_output=True)
    with open("/tmp/mxc-twin/work/note.txt", encoding="utf-8") as file:
        equal(file.read(), "stored\n", "what the filesystem twin wrote")
    equal(os.stat("/tmp/mxc-twin/work/note.txt").st_uid, box.uid, "owner of what the twin wrote")
    check(not os.path.exists("/tmp/mxc-twin/input/x"), "the read-only input was written")


# Microsoft's examples that are meant for Linux: exit status, and what is said.
ORIGINALS = {
    "11_lxc_hello_world.json": (0, "Hello from LXC container!"),
    "12_lxc_filesystem_access.json": (125, "/mnt/output"),
    "13_lxc_network_restricted.json": (125, "/network/allowedHosts/0"),
    "30_network_0_8_directional.json": (0, "schema 0.8 directional network example"),
}


@case
def originals_of_older_contracts_run_or_are_refused_by_field(box):
    shared = os.environ.get("MXC_SHARED", "")
    examples = sorted(glob.glob(os.path.join(shared, "mxc/examples/*.json"))) if shared else []
    if not examples:
        raise Skip("no examples: MXC_SHARED/mxc/examples is not there")
    for path in examples:
        name = os.path.basename(path)
        copy = box.path("example.json")
        shutil.copyfile(path, copy)
        ended = box.mxc("run", "--policy", copy, timeout=60)
        if name in ORIGINALS:
            code, said = ORIGINALS[name]
            ended.expect(code, name)
            contains(ended.text + ended.err, said, name)
        elif ended.code == 125:
            contains(ended.err, "/", name)
            equal(ended.out, b"", f"output of the refused {name}")


if __name__ == "__main__":
    if os.getuid() == 0 and "MXC_TEST_NETNS" not in os.environ:
        os.environ["MXC_TEST_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", *sys.argv])
    main()
