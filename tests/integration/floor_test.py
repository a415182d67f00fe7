#!/usr/bin/env python3
"""The managed floor cuts every run down, whatever the entry point; one that can't be trusted or read stops everything."""
import json
import os
import shutil
import sys

sys.dont_write_bytecode = True
from harness import Skip, case, check, contains, equal, lacks, main  # noqa: E402


def install(box, **floors):
    """Writes /etc/mxc/policy.d/NAME.yaml in this test's own mount namespace."""
    if os.getuid() != 0:
        raise Skip("/etc/mxc is laid over the host's by root")
    # An overlay, since the folder need not exist on the host; its upper part on a tmpfs, which can always be one.
    scratch = box.path("etc")
    os.mkdir(scratch)
    box.mount("-t", "tmpfs", "tmpfs", scratch)
    for name in ("upper", "work"):
        os.mkdir(f"{scratch}/{name}")
    box.mount("-t", "overlay", "-o", f"lowerdir=/etc,upperdir={scratch}/upper,workdir={scratch}/work", "overlay", "/etc")
    shutil.rmtree("/etc/mxc", ignore_errors=True)
    os.makedirs("/etc/mxc/policy.d", mode=0o755)
    for name, text in floors.items():
        with open(f"/etc/mxc/policy.d/{name}.yaml", "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(file.name, 0o644)


def tree_of(box):
    for name in ("a/f", "a/payroll/f", "a/shared/f", "outside/f"):
        box.file(f"work/{name}", name)
    return f"{box.work}/a"


LOOK = """
import sys
for path in sys.argv[1:]:
    for mode in ('r', 'a'):
        try: open(path, mode).close(); print(path, mode, 'ok')
        except OSError: print(path, mode, 'no')
"""


@case
def grants_are_cut_down(box):
    a = tree_of(box)
    install(box, site=f"floor: 1\nfilesystem:\n  denied: [{a}/payroll]\n  readonly: [{a}/shared]\n")
    argv = ["python3", "-c", LOOK, f"{a}/f", f"{a}/payroll/f", f"{a}/shared/f"]
    wanted = [f"{a}/f r ok", f"{a}/f a ok", f"{a}/payroll/f r no", f"{a}/payroll/f a no", f"{a}/shared/f r ok", f"{a}/shared/f a no"]
    for policy in (box.policy(rw=[a]), box.policy(rw=[a, f"{a}/payroll", f"{a}/shared"]), box.policy(rw=[f"{a}/f", f"{a}/shared/f"], ro=[a])):
        path = box.policy_file(policy)
        equal(box.mxc("run", "--policy", path, "--", *argv).expect(0).text.splitlines(), wanted, f"outcome under {policy['filesystem']}")
        # The spec of it carries the floor, and check names it.
        spec = json.loads(box.mxc("spec", "--policy", path, "--", "true").expect(0).out)
        contains(json.dumps(spec), "/etc/mxc/policy.d/site.yaml", "the spec")
        contains(box.mxc("check", "--policy", path).expect(0).text, "/etc/mxc/policy.d/site.yaml", "mxc check")
    # A policy that asks for less keeps less: a floor never grants.
    equal(box.run(box.policy(ro=[f"{a}/f"]), "python3", "-c", LOOK, f"{a}/shared/f").expect(0).text.splitlines(),
          [f"{a}/shared/f r no", f"{a}/shared/f a no"], "what a floor's readonly gives")  # fmt: skip


@case
def a_denied_path_of_the_floor_has_no_other_name(box):
    a = tree_of(box)
    os.symlink(f"{a}/payroll", f"{box.work}/way")
    box.file("work/a/payroll/sub/f", "below")
    os.symlink(f"{a}/payroll/sub", f"{box.work}/below")
    os.link(f"{a}/payroll/f", f"{a}/copy")
    install(box, site=f"floor: 1\nfilesystem: {{denied: [{a}/payroll/f, {a}/payroll]}}\n")
    for policy in (box.policy(rw=[a]), box.policy(ro=[f"{box.work}/way"]), box.policy(rw=[f"{a}/copy"]), box.policy(rw=[f"{box.work}/below"])):
        ended = box.run(policy, "python3", "-c", LOOK, f"{a}/copy", f"{a}/payroll/f", f"{box.work}/way/f", f"{box.work}/below/f")
        if ended.code != 125:
            lacks(ended.expect(0).text, " ok", f"outcome under {policy['filesystem']}")


@case
def limits_time_and_environment_are_cut_down(box):
    install(box, site="floor: 1\nmaximum: {openFiles: 50, tmp: 4MiB}\ntimeout: 1s\nenvironment: {deny: [CORP_TOKEN]}\n")
    policy = box.policy(x={"resources": {"openFiles": 500, "tmp": "64MiB"}, "env": {"pass": ["CORP_TOKEN", "TZ"]}})
    ended = box.run(policy, "sh", "-c", "ulimit -n; df --output=size /tmp | tail -1; env", env={"CORP_TOKEN": "x", "TZ": "UTC"}).expect(0)
    equal(ended.text.splitlines()[0], "50", "open files")
    equal(ended.text.splitlines()[1].strip(), "4096", "KiB of /tmp")
    lacks(ended.text, "CORP_TOKEN", "the environment")
    contains(ended.text, "TZ=UTC", "the environment")
    ended = box.run(box.policy(process={"commandLine": "sleep 30", "timeout": 20000})).expect(124)
    check(ended.seconds < 6, f"took {ended.seconds:.1f} s")


@case
def what_is_forbidden_is_refused_by_the_floors_name(box):
    install(box, site="floor: 1\nprofiles: {allow: [untrusted-code]}\nseccomp: {allow: [untrusted]}\nforbid: [nesting, host-root, rootfs]\n")
    policies = [box.policy(), box.policy(x={"profile": "build"}),
                box.policy(x={"profile": "untrusted-code", "seccomp": {"profile": "default"}}),
                box.policy(x={"profile": "untrusted-code", "nesting": True}),
                box.policy(x={"profile": "untrusted-code", "identity": "host-root"}),
                box.policy(x={"profile": "untrusted-code", "rootfs": box.work})]  # fmt: skip
    for policy in policies:
        path = box.policy_file(policy)
        for command in ("run", "spec", "check"):
            ended = box.mxc(command, "--policy", path, "--", "echo", "ran")
            equal(ended.code, 125, f"exit status of {command} under {policy.get('x-linux')} ({ended.err})")
            contains(ended.err, "/etc/mxc/policy.d/site.yaml", f"the message of {command}")
            equal(ended.out, b"", f"stdout of {command}")
    equal(box.run(box.policy(x={"profile": "untrusted-code"}), "echo", "ran").expect(0).out, b"ran\n", "what is allowed")


@case
def several_floors_add_up(box):
    a = tree_of(box)
    install(box, **{"10-first": f"floor: 1\nfilesystem: {{denied: [{a}/payroll]}}\n", "20-second": f"floor: 1\nfilesystem: {{readonly: [{a}]}}\n"})
    equal(box.run(box.policy(rw=[a]), "python3", "-c", LOOK, f"{a}/f", f"{a}/payroll/f").expect(0).text.splitlines(),
          [f"{a}/f r ok", f"{a}/f a no", f"{a}/payroll/f r no", f"{a}/payroll/f a no"], "outcome")  # fmt: skip


@case
def a_bare_spec_is_not_a_way_around_the_floor(box):
    a = tree_of(box)
    spec = box.mxc("spec", "--policy", box.policy_file(box.policy(rw=[a])), "--", "cat", f"{a}/payroll/f").expect(0).out
    install(box, site=f"floor: 1\nfilesystem: {{denied: [{a}/payroll]}}\n")
    ended = box.mxc("run", "--spec", "-", input=spec).expect(125)
    equal(ended.out, b"", "stdout")
    contains(ended.err, "/etc/mxc/policy.d/site.yaml", "the message")


@case
def a_floor_that_can_not_be_trusted_or_read_stops_everything(box):
    good = "floor: 1\nfilesystem: {denied: [/srv/x]}\n"
    install(box, site=good)
    path, folder = "/etc/mxc/policy.d/site.yaml", "/etc/mxc/policy.d"
    policy = box.policy_file(box.policy())

    def refused(what, part):
        for command in ("run", "spec", "check"):
            ended = box.mxc(command, "--policy", policy, "--", "echo", "ran")
            equal(ended.code, 125, f"{what}: exit status of mxc {command} ({ended.err})")
            contains(ended.err, part, f"{what}: the message of mxc {command}")
            equal(ended.out, b"", f"{what}: stdout of mxc {command}")

    box.mxc("run", "--policy", policy, "--", "true").expect(0, "with a good floor")
    os.chown(path, 65534, 0)
    refused("another owner", path)
    os.chown(path, 0, 0)
    for mode in (0o664, 0o646, 0o666):
        os.chmod(path, mode)
        refused(oct(mode), path)
    os.chmod(path, 0o644)
    for mode in (0o775, 0o757):
        os.chmod(folder, mode)
        refused(f"folder {oct(mode)}", folder)
    os.chmod(folder, 0o755)
    os.chown(folder, 65534, 65534)
    refused("a folder of somebody else", folder)
    os.chown(folder, 0, 0)
    for text in ("", "floor: 2\n", "floor: 1\nbogus: 1\n", "floor: 1\nfilesystem: {denied: [relative]}\n", "floor: [", "floor: 1\nfloor: 1\n",
                 "filesystem: {denied: [/x]}\n", "floor: 1\nforbid: [everything]\n", "\0\1\2"):  # fmt: skip
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        refused(f"content {text!r}", path)
    os.unlink(path)
    os.symlink("/etc/passwd", path)
    refused("a link", path)
    os.unlink(path)
    os.mkfifo(path, 0o644)
    refused("a FIFO", path)
    os.unlink(path)
    os.mkdir(path)
    refused("a folder", path)
    os.rmdir(path)
    with open(path, "w", encoding="utf-8") as file:
        file.write(good)
    os.chmod(path, 0o000)
    if not box.root:
        refused("an unreadable file", path)
    os.chmod(path, 0o644)
    # The folder above may not be anybody's either: who can rename policy.d can take the floor away.
    os.chmod("/etc/mxc", 0o777)
    refused("/etc/mxc writable by all", "/etc/mxc")
    os.chmod("/etc/mxc", 0o755)
    box.mxc("run", "--policy", policy, "--", "true").expect(0, "with a good floor again")


@case
def a_floor_is_held_against_the_real_caller(box):
    """~ of a floor is the home of who calls, whatever facts he brings."""
    a = tree_of(box)
    install(box, site="floor: 1\nfilesystem:\n  denied: [~/nowhere]\n")
    facts = json.loads(box.mxc("doctor", "--facts").expect(0).out)
    facts["caller"]["home"] = "/elsewhere"
    named = box.file("facts.json", json.dumps(facts))
    policy = box.policy_file(box.policy(rw=[a]))
    ended = box.mxc("run", "--policy", policy, "--host-facts", named, "--", "true").expect(125)
    contains(ended.err, "--host-facts", "the refusal")
    contains(ended.err, "/etc/mxc/policy.d/site.yaml", "the refusal")
    box.mxc("run", "--policy", policy, "--", "true").expect(0, "without facts of another host")


if __name__ == "__main__":
    main()
