#!/usr/bin/env python3
"""Tries the doors of doors.py from inside plain OCI bundles, as root and as an ordinary user, with the real mxc-runtime.

Two bundles: config.json as podman makes it by default, and one as tight as a policy's sandbox is; both with denied and protected paths
and Landlock by annotation. As for sandboxes, a door passes when it is shut and open as soon as what holds it is left out. Doors that
are no bundle's, or that podman's defaults leave open, are named below with the reason, as in docs/escape-doors.md.

    bundle_test.py MXC-RUNTIME MXC-RUNTIME_WEAKENED TRY_DOOR MXC [PATTERN]
"""

import dataclasses
import multiprocessing
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bundle  # noqa: E402
from doors import DOORS  # noqa: E402
from escape_test import Outside, try_door  # noqa: E402
from sandbox import ROOTLESS_ID  # noqa: E402

# No doors of a bundle.
NOT_A_BUNDLES = {
    r"pid1 .*": "the first process is the bundle's own program; tests/container/own_program_test.py tries the runtime's",
    r".*mxc's (program|cache of filters|state)|(re)?plant (a missing start-up file|(a|the) cache of filters)": "what a bundle mounts writable is its maker's choice",
    r"WSL: .*|session bus below a granted folder": "what a bundle mounts is its maker's choice",
    r"securebits": "the specification has no field for them",
}
# What podman's defaults leave open; shut in the tight bundle.
PODMANS_CHOICE = {
    r"call (ptrace|pidfd_getfd|setns|keyctl|unshare-user.*|modify_ldt|adjtimex|tioc.*)|TIOCSTI|clone3?\(.*|netlink: (netfilter|uevents)"
    r"|set-uid file left behind: .*": "podman's list of calls lets it through",
    r"call chroot|capabilities": "podman grants capabilities",
    r"no_new_privs|set-uid program": "podman doesn't set no_new_privs",
    r"root of the host among the ids": "podman makes no user namespace for root",
    r"cgroup path of the host": "podman makes no cgroup namespace on cgroup v1",
    r"read /proc/interrupts": "podman doesn't mask it",
    r"core dumps": "podman sets no such limit",
}
# Shut by what can't be left out.
OTHERWISE = {
    r"run a program from /dev/shm|(bytes|inodes) of /tmp": "the mount's own options",
    r"working folder by a leaked descriptor": "a working folder is made and entered below the root only, without links of /proc",
    r"call pivot_root": "a root can't be put in its own place",
}


def said(table, door):
    """What a table says of a door; '' if nothing."""
    return next((why for pattern, why in table.items() if re.fullmatch(pattern, door.name)), "")


def doors_of(caller):
    """The doors to try, as they stand for that bundle."""
    for door in DOORS:
        if caller.name not in door.callers or said(NOT_A_BUNDLES, door) or (not caller.tight and said(PODMANS_CHOICE, door)):
            continue
        why = said(OTHERWISE, door)
        yield dataclasses.replace(door, holds=None, holds_rootless=None, why=why) if why else door


def try_all(arguments):
    """Results of one caller: [(word, text)]."""
    name, uid, tight, programs, pattern = arguments
    caller = bundle.BundleCaller(name, uid, programs, tight)
    outside = Outside(caller)
    found = []
    try:
        for door in doors_of(caller):
            if re.search(pattern, door.name):
                word, sentence = try_door(caller, outside, door)
                found.append((word, f"{'tight' if tight else 'podman'}, {name}: {door.name}: {sentence}"))
    finally:
        outside.close()
        caller.remove()
    return found


def unused_patterns():
    """Patterns that stand for no door any more."""
    names = [door.name for door in DOORS]
    return [pattern for table in (NOT_A_BUNDLES, PODMANS_CHOICE, OTHERWISE) for pattern in table if not any(re.fullmatch(pattern, name) for name in names)]


def main():
    if os.getuid() != 0:
        print("SKIP: bundles: they need root, to start some as root and some as another user")
        return 0
    if not os.path.exists(bundle.SECCOMP):
        print(f"SKIP: bundles: {bundle.SECCOMP} is missing (golang-github-containers-common)")
        return 0
    *programs, mxc = [os.path.abspath(program) for program in sys.argv[1:5]]
    pattern = sys.argv[5] if len(sys.argv) > 5 else ""
    tight = bundle.policys_process(mxc)
    callers = [(name, uid, kind, programs, pattern) for name, uid in (("root", 0), ("rootless", ROOTLESS_ID)) for kind in (None, tight)]
    with multiprocessing.Pool(len(callers)) as pool:
        results = [result for found in pool.map(try_all, callers) for result in found]
    with open(programs[0], "rb") as shipped:
        results.append(("FAIL" if b"MXC_WITHOUT" in shipped.read() else "PASS", "the shipped mxc-runtime knows no MXC_WITHOUT"))
    results += [("FAIL", f"no door is called {unused}") for unused in unused_patterns()]
    for word, text in results:
        print(f"{word}: {text}")
    counts = [sum(word == wanted for word, _ in results) for wanted in ("PASS", "FAIL", "SKIP")]
    print("{} passed, {} failed, {} skipped".format(*counts))
    return 1 if counts[1] or not counts[0] else 0


if __name__ == "__main__":
    sys.exit(main())
