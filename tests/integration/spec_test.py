#!/usr/bin/env python3
"""`mxc spec --policy P | mxc run --spec -` behaves as `mxc run --policy P`; broken and hostile specs are errors."""
import copy
import json
import os
import sys

sys.dont_write_bytecode = True
from harness import case, check, contains, equal, lacks, main  # noqa: E402

LOOK = """
import os, sys
w = sys.argv[1]
for path in ('ro/f', 'rw/f', 'rw/deny/f', 'rw/secret', 'outside'):
    try: print(path, open(f'{w}/{path}').read().strip())
    except OSError as error: print(path, error.strerror)
for path in ('ro/new', 'rw/new', 'rw/deny/new'):
    try: open(f'{w}/{path}', 'w').close(); print(path, 'made')
    except OSError as error: print(path, error.strerror)
if os.path.exists(f'{w}/rw/new'): os.unlink(f'{w}/rw/new')
print(os.getuid(), os.getgid(), os.getcwd(), sorted(os.environ.items()))
print([line for line in open('/proc/self/status') if line.startswith(('Cap', 'NoNewPrivs', 'Seccomp:'))])
print(sorted(line.split()[4] for line in open('/proc/self/mountinfo')))
print(os.uname().nodename, open('/proc/self/limits').read())
sys.exit(17)
"""


def mixed(box):
    for name in ("ro/f", "rw/f", "rw/deny/f", "rw/secret", "outside"):
        box.file(f"work/{name}", name)
    w = box.work
    return box.policy(ro=[f"{w}/ro"], rw=[f"{w}/rw"], deny=[f"{w}/rw/deny", f"{w}/rw/secret"],
                      process={"commandLine": "unused", "cwd": f"{w}/rw", "env": ["A=1", "PATH=/usr/bin:/bin"]},
                      x={"hostname": "other", "resources": {"openFiles": 100}})  # fmt: skip


def spec_of(box, policy, *argv):
    return box.mxc("spec", "--policy", box.policy_file(policy), "--", *(argv or ["true"])).expect(0, "mxc spec").out


@case
def a_piped_spec_behaves_as_its_policy(box):
    policy = mixed(box)
    argv = ["python3", "-c", LOOK, box.work]
    direct = box.run(policy, *argv).expect(17)
    spec = spec_of(box, policy, *argv)
    piped = box.mxc("run", "--spec", "-", input=spec).expect(17)
    equal(piped.text, direct.text, "output by --spec")
    equal(piped.raw_err, direct.raw_err, "stderr by --spec")
    contains(direct.text, "rw/deny/f Permission denied", "output")
    # From a file, stdin is the program's.
    path = box.file("work/spec.json", spec_of(box, policy, "cat"))
    equal(box.mxc("run", "--spec", path, input=b"to the program").expect(0).out, b"to the program", "output")
    # And another command may take the place of the spec's.
    equal(box.mxc("run", "--spec", path, "--", "echo", "other").expect(0).out, b"other\n", "output")


@case
def the_same_policy_gives_the_same_spec(box):
    policy = mixed(box)
    path = box.policy_file(policy)
    first = box.mxc("spec", "--policy", path, "--", "true").expect(0).out
    equal(box.mxc("spec", "--policy", path, "--", "true").expect(0).out, first, "the second spec")


@case
def time_outs_and_signals_by_spec(box):
    spec = spec_of(box, box.policy(process={"commandLine": "sleep 30", "timeout": 300}), "sleep", "30")
    box.mxc("run", "--spec", "-", input=spec).expect(124)


def without(spec, *path):
    changed = copy.deepcopy(spec)
    node = changed
    for part in path[:-1]:
        node = node[part]
    del node[path[-1]]
    return changed


def having(spec, value, *path):
    changed = copy.deepcopy(spec)
    node = changed
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return changed


@case
def broken_specs_are_errors(box):
    box.folder("work/rw")
    spec = json.loads(spec_of(box, box.policy(rw=[f"{box.work}/rw"]), "sh", "-c", f"echo ran > {box.work}/rw/ran"))
    mount = spec["mounts"][0]
    broken = {
        "empty": b"",
        "no JSON": b"{",
        "a list": b"[]",
        "binary": os.urandom(4096),
        "NUL": json.dumps(spec).encode() + b"\0",
        "twice": json.dumps(spec).encode()[:-1] + b', "ociVersion": "1.2.0"}',
        "deep": b'{"process":' + b"[" * 100000,
        "large": b'{"hostname":"' + b"x" * (20 << 20) + b'"}',
        "no process": without(spec, "process"),
        "no args": having(spec, [], "process", "args"),
        "args of numbers": having(spec, [1], "process", "args"),
        "NUL in args": having(spec, ["a\0b"], "process", "args"),
        "relative cwd": having(spec, "tmp", "process", "cwd"),
        "unknown annotation of ours": having(spec, "x", "annotations", "dev.mxc.no-such-thing"),
        "annotation that is no JSON": having(spec, "[", "annotations", "dev.mxc.denied"),
        "unknown mount option": having(spec, [{**mount, "options": ["bogus"]}], "mounts"),
        "unknown file system": having(spec, [*spec["mounts"], {"destination": "/x", "type": "ext4", "source": "/dev/vda"}], "mounts"),
        "mount at a relative place": having(spec, [{**mount, "destination": "../x"}], "mounts"),
        "mount out of the root": having(spec, [{**mount, "destination": "/../../x"}], "mounts"),
        "mount of what isn't there": having(spec, [*spec["mounts"], {**mount, "type": "bind", "source": "/no/such", "destination": "/tmp/x",
                                                                    "options": ["rbind"]}], "mounts"),
        "unknown capability": having(spec, {"bounding": ["CAP_BOGUS"]}, "process", "capabilities"),
        "unknown limit": having(spec, [{"type": "RLIMIT_BOGUS", "soft": 1, "hard": 1}], "process", "rlimits"),
    }  # fmt: skip
    for what, text in broken.items():
        if not isinstance(text, bytes):
            text = json.dumps(text).encode()
        ended = box.mxc("run", "--spec", "-", input=text)
        equal(ended.code, 125, f"exit status of a spec: {what} ({ended.err[:300]})")
        check(ended.err.startswith("mxc: error: "), f"{what}: {ended.err[:300]!r}")
        equal(ended.out, b"", f"stdout at {what}")
        check(len(ended.raw_err) < 4000, f"{what}: a message of {len(ended.raw_err)} bytes")
        check(not os.path.exists(f"{box.work}/rw/ran"), f"{what}: it ran")


@case
def a_spec_gets_no_more_than_its_caller_has(box):
    """Specs that ask for host's powers are refused or come without them."""
    box.folder("work/rw")
    spec = json.loads(spec_of(box, box.policy(rw=[f"{box.work}/rw"]), "python3", "-c", "pass"))

    def run(changed, code):
        changed = having(changed, ["python3", "-c", code], "process", "args")
        return box.mxc("run", "--spec", "-", input=json.dumps(changed).encode())

    # Any id inside is the caller's on disk.
    ended = run(having(spec, {"uid": 4000000, "gid": 4000000}, "process", "user"), f"open('{box.work}/rw/mine', 'w').close()")
    if ended.code == 0:
        equal(os.stat(f"{box.work}/rw/mine").st_uid, box.uid, "owner of a file written as id 4000000")
    if not box.root:
        maps = [{"containerID": 0, "hostID": 0, "size": 1}]
        ended = run(having(having(spec, maps, "linux", "uidMappings"), maps, "linux", "gidMappings"), "print('ran')")
        lacks(ended.text, "ran", "stdout with host 0 mapped")
        # What the caller can't read stays unreadable.
        mount = {"destination": "/tmp/shadow", "type": "bind", "source": "/etc/shadow", "options": ["bind"]}
        ended = run(having(spec, [*spec["mounts"], mount], "mounts"), "print(open('/tmp/shadow').read())")
        lacks(ended.text, "root:", "stdout with the host's shadow file mounted")
    # Hooks run on the host, outside of everything.
    for hook in ("prestart", "createRuntime", "createContainer", "startContainer", "poststart", "poststop"):
        marker = f"{box.work}/hooked"
        hooks = {hook: [{"path": "/bin/sh", "args": ["sh", "-c", f"echo x > {marker}"]}]}
        ended = run({**spec, "hooks": hooks}, "print('ran')")
        check(not os.path.exists(marker), f"the {hook} hook ran ({ended.err})")
        equal(ended.code, 125, f"exit status with a {hook} hook")
        contains(ended.err, "hooks", "the message")


@case
def hostile_grants_of_a_spec_do_not_open_what_policies_can_not(box):
    """AF_VSOCK stays shut when a spec brings no seccomp list, or one of its own."""
    code = "import socket\ntry:\n    socket.socket(40, 1)\n    print('open')\nexcept OSError as error:\n    print('shut', error.errno)"
    spec = json.loads(spec_of(box, box.policy(), "python3", "-c", code))
    for changed in (spec, without(spec, "linux", "seccomp"), having(spec, {"defaultAction": "SCMP_ACT_ALLOW"}, "linux", "seccomp")):
        ended = box.mxc("run", "--spec", "-", input=json.dumps(changed).encode())
        if ended.code == 125:
            continue
        equal(ended.text.split()[0], "shut", "AF_VSOCK")


if __name__ == "__main__":
    main()
