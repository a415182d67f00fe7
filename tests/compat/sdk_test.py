#!/usr/bin/env python3
"""Microsoft's SDKs 1.0 and 0.9 from npm, unmodified, over our library and executor; and their executor beside ours.

MXC_SDKS: the folder with sdk-1.0, sdk-0.9 and node; without it every case is left out. MXC_SOAK_RUNS: how many runs the soak
makes, 200 by default."""
import json
import os
import shutil
import subprocess
import sys

sys.dont_write_bytecode = True
HERE = os.path.dirname(os.path.realpath(__file__))
sys.path.insert(0, os.path.join(HERE, "../integration"))
sys.path.insert(0, HERE)
from harness import Skip, case, check, equal, main, program  # noqa: E402
from sdk import SDKS, bin_folder, node, sdks  # noqa: E402

def drive(script, name):
    def run(box):
        node(box, script, name)

    run.__name__ = f"{script[:-4]}_{name}"
    case(run)


for one in ("support", "one_shot", "refusals", "streams", "terminal", "time_out", "kill", "large_outputs", "fifty_at_once", "asynchronous", "lifecycle_without_mxcd"):
    drive("sdk_1_0.mjs", one)
for one in ("support", "executor", "kill", "terminal", "in_process", "fifty_at_once"):
    drive("sdk_0_9.mjs", one)


@case
def sdk_1_0_files(box):
    sdks()
    box.file("work/secret", "s")
    box.folder("work/ro")
    node(box, "sdk_1_0.mjs", "files", box.work)
    check(os.path.exists(box.path("work", "new")), "what was written is not there")


@case
def sdk_1_0_soak(box):
    print("soak:", node(box, "sdk_1_0.mjs", "soak", os.environ.get("MXC_SOAK_RUNS", "200"), options=["--expose-gc"]).split("\n")[0])


# What both executors do alike: command line, exit status, standard output. `same`: what is compared.
def twin_requests(box):
    work = box.work
    files = {"readwritePaths": [work], "readonlyPaths": [f"{work}/ro"], "deniedPaths": [f"{work}/secret"]}

    def request(command, **fields):
        process = {"commandLine": command, **fields.pop("process", {})}
        return {"version": "1.0.0", "process": process, **fields}

    return {
        "exit 0": request("true"),
        "exit 7": request("exit 7"),
        "killed": request("kill -9 $$"),
        "not found": request("no-such-program"),
        "not executable": request("/etc/passwd"),
        "output": request("echo out; echo err >&2"),
        "time-out": request("echo begun; sleep 60", process={"timeout": 400}),
        "identity": request("id -u; id -g"),
        "init": request("cat /proc/1/comm"),
        "cwd": request("pwd", process={"cwd": "/usr"}),
        "missing cwd": request("pwd", process={"cwd": "/no/such"}),
        "missing path": request("true", filesystem={"readonlyPaths": ["/no/such"]}),
        "environment": request("echo $A $B", process={"env": ["A=1", "A=2", "B=x=y"]}),
        "no environment": request("echo $TERM", process={"env": []}),
        "default environment": request("echo $TERM $PATH $A", process={"env": ["A=1"], "inheritDefaultEnv": True}),
        "read": request(f"cat {work}/ro/file", filesystem=files),
        "write": request(f"echo a >{work}/rw && cat {work}/rw", filesystem=files),
        "read-only": request(f"echo a >{work}/ro/new; test -e {work}/ro/new || echo no", filesystem=files),
        "denied": request(f"cat {work}/secret; echo $?", filesystem=files),
        "no network": request("cat /sys/class/net/*/operstate 2>/dev/null; cat /proc/net/dev | grep -c :"),
        "temporary": request("echo a >/tmp/x && cat /tmp/x; ls /tmp"),
        "not seen": request("ls /home /root /opt 2>/dev/null; echo none"),
        "user section": request("true", ui={"disable": True, "clipboard": "none", "injection": False}),
        "comment": request("true", _comment=None, telemetry={"enabled": False}),
        "unknown field": request("true", nonsense=1),
        "wrong type": request("true", process={"timeout": "5"}),
        "unknown version": {**request("true"), "version": "1.0.1"},
        "no version": {"process": {"commandLine": "true"}},
        "no process": {"version": "1.0.0"},
        "phase": {"version": "1.0.0", "phase": "start", "sandboxId": "wslc:1"},
        "wslc": request("true", containment="wslc"),
        "processcontainer": request("true", containment="processcontainer"),
        "host bits": request("true", network={"egress": {"allow": [{"to": [{"cidr": "10.0.0.1/8"}]}]}}),
    }


@case
def both_executors_do_alike(box):
    theirs = os.path.join(sdks(), "sdk-1.0/bin/x64/lxc-exec")
    if shutil.which("bwrap") is None:
        raise Skip("Microsoft's executor needs bubblewrap")
    box.folder("work/ro")
    box.file("work/ro/file", "contents\n")
    box.file("work/secret", "secret\n")
    wrong = []
    for name, request in twin_requests(box).items():
        path = box.policy_file(request)
        ours = box.mxc("--config", path)
        options = {} if box.root or os.getuid() != 0 else {"user": box.uid, "group": box.uid, "extra_groups": []}
        their = subprocess.run(
            [theirs, "--config", path], capture_output=True, stdin=subprocess.DEVNULL, cwd=box.work, env=box.environment(), timeout=60, check=False, **options
        )
        if (ours.code, ours.out) != (their.returncode, their.stdout):
            wrong.append(f"{name}: ours {ours.code} {ours.out!r} {ours.err[-200:]!r}, theirs {their.returncode} {their.stdout!r} {their.stderr[-200:]!r}")
        if '{"error"' in their.stderr.decode():
            ours_last, their_last = (json.loads(text.decode().rstrip("\n").split("\n")[-1][text.decode().rstrip("\n").split("\n")[-1].index('{"error"') :]) for text in (ours.raw_err, their.stderr))
            equal(ours_last["error"]["code"], their_last["error"]["code"], f"the envelope of {name}")
    check(not wrong, "; ".join(wrong))


if __name__ == "__main__":
    main()
