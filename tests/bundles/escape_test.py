#!/usr/bin/env python3
"""Images and volumes that try to lead the runtime out of the root file system, and mounts that would blind it.

Each counter-measure is shown to be one: with it left out (MXC_WITHOUT, weaken.h) the same bundle gets through.
"""

import ctypes
import os
import sys
import threading

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bundle import bind, case, check, contains, equal, main, proc, tmpfs, tree  # noqa: E402

RENAME_EXCHANGE = 2
AT_FDCWD = -100
ROUNDS = 150


def outside(bundle):
    """A folder of the host that everybody may write in, and that nothing should be made in."""
    return bundle.folder("outside", 0o777)


def untouched(path, what):
    equal(sorted(tree(path)), [], f"what was made outside by {what}")


# ---- links that lead out: CVE-2019-16884, CVE-2021-30465, CVE-2024-45310 -----------------------------------------------


@case
def links_out_of_the_root(bundle):
    """Absolute, relative, dangling and nested links: mount points are made where they lead inside."""
    away = outside(bundle)
    bundle.file(bundle.source("file"), "content")
    bundle.link(away, bundle.root("absolute"))
    bundle.link("../" * 30 + away[1:], bundle.root("relative"))
    bundle.link(os.path.join(away, "none"), bundle.root("dangling"))
    bundle.link("absolute/../absolute", bundle.root("nested"))
    for name in ("absolute", "relative", "dangling", "nested"):
        bundle.spec["mounts"] = [proc(), bind(bundle.base, f"/{name}/made/folder"), bind(bundle.source("file"), f"/{name}/made/file")]
        equal(bundle.ask(f"cat /{name}/made/file; ls /{name}/made/folder"), "contentfile", f"what is mounted through {name}")
        untouched(away, name)
    check(os.path.isdir(bundle.root(away[1:], "made/folder")), "the mount point is not inside")
    if bundle.caller == "root":
        bundle.spec["mounts"] = [proc(), bind(bundle.base, "/absolute/made/folder")]
        bundle.run(without="in-root")
        equal(sorted(tree(away)), ["made", "made/folder"], "what is made outside without the counter-measure")


@case(callers=("root", "rootless"))
def devices_behind_a_link(bundle):
    """The image's /dev is a link to a folder of the host."""
    away = outside(bundle)
    os.rmdir(bundle.root("dev"))
    bundle.link(away, bundle.root("dev"))
    bundle.spec["mounts"] = [proc()]
    bundle.run("test -c /dev/null && test -L /dev/ptmx").expect()
    untouched(away, "devices")
    if bundle.caller == "root":
        bundle.run(without="in-root")
        check("null" in os.listdir(away), "without the counter-measure nothing was made outside")


@case
def copies_behind_a_link(bundle):
    """tmpcopyup of a folder that is a link to one of the host's copies what is there inside."""
    away = outside(bundle)
    bundle.file(os.path.join(away, "secret"), "secret")
    bundle.link(away, bundle.root("data"))
    bundle.folder("bundle/rootfs" + away)
    bundle.file(bundle.root(away[1:], "inside"), "inside")
    bundle.add(tmpfs("/data", "tmpcopyup", "mode=755"))
    equal(bundle.ask("ls /data"), "inside", "the copy")


def exchange(one, two):
    if ctypes.CDLL(None, use_errno=True).renameat2(AT_FDCWD, one.encode(), AT_FDCWD, two.encode(), RENAME_EXCHANGE) != 0:
        raise OSError(ctypes.get_errno(), "renameat2")


class Swapping:
    """Exchanges two names of a volume, as fast as it can, as another container may."""

    def __init__(self, one, two):
        self.names = (one, two)
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._swap)

    def _swap(self):
        while not self.ended.is_set():
            exchange(*self.names)

    def __enter__(self):
        self.thread.start()

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def swapped_runs(bundle, away, rounds, **options):
    """Runs the bundle while a folder of its root and a link out change places. How many runs went through."""
    through = 0
    with Swapping(bundle.root("volume/folder"), bundle.root("volume/link")):
        for _ in range(rounds):
            ended = bundle.run("true", **options)
            check(ended.code in (0, 125), f"exit status {ended.code}: {ended.err}")
            through += ended.code == 0
            if os.listdir(away):
                break
    return through


@case(callers=("root", "userns", "rootless"))
def a_component_that_is_swapped(bundle):
    """CVE-2021-30465: another container swaps a folder on the way to a mount point for a link to the host."""
    away = outside(bundle)
    bundle.folder("bundle/rootfs/volume/folder", 0o777)
    bundle.link(away, bundle.root("volume/link"))
    bundle.spec["mounts"] = [proc(), bind(bundle.base, "/volume/folder/one/two"), tmpfs("/volume/folder/three/four", "mode=755")]
    through = swapped_runs(bundle, away, ROUNDS)
    untouched(away, "a swapped component")
    check(through > ROUNDS // 10, f"only {through} of {ROUNDS} runs got through: nothing was tested")
    if bundle.caller == "root":
        swapped_runs(bundle, away, 20 * ROUNDS, without="in-root")
        check(os.listdir(away), "without the counter-measure the race was never won")


# ---- mounts on and inside /proc and /sys: CVE-2019-19921, CVE-2023-27561, CVE-2025-52881 -------------------------------


@case
def links_for_proc_and_sys(bundle):
    """An image whose /proc or /sys is a link would have the file system where masks don't look."""
    for name in ("proc", "sys"):
        os.rmdir(bundle.root(name))
        bundle.folder("bundle/rootfs/tmp/elsewhere")
        bundle.link("/tmp/elsewhere", bundle.root(name))
        bundle.run().refused(f"mount {name}{'fs' if name == 'sys' else ''} on /{name}", "ELOOP", "symbolic link")
        bundle.run(without="no-links").expect()
        os.unlink(bundle.root(name))
        bundle.folder(f"bundle/rootfs/{name}")
    bundle.run().expect()


@case
def mounts_inside_proc(bundle):
    plain = list(bundle.spec["mounts"])
    for path in ("/proc/sys", "/proc/self", "/proc/1/attr/exec", "/proc/../proc/sys/kernel", "//proc//sys"):
        bundle.spec["mounts"] = [*plain, tmpfs(path)]
        bundle.run().refused("/mounts/6/destination", "inside /proc")
    bundle.spec["mounts"] = [*plain, tmpfs("/proc")]
    bundle.run().refused("/mounts/6/destination", "only a proc file system")
    bundle.spec["mounts"] = [*plain, bind(bundle.base, "/proc")]
    bundle.run().refused("/mounts/6/destination", "only a proc file system")


@case
def links_into_proc(bundle):
    """What the specification's words hide, the mount point itself shows."""
    bundle.link("/proc/sys/kernel", bundle.root("innocent"))
    bundle.add(tmpfs("/innocent"))
    bundle.run().refused("mount tmpfs on /innocent", "EXDEV", "leads to a proc file system")
    contains(bundle.ask("cat /proc/self/mountinfo", without="proc-guard"), " /proc/sys/kernel ", "without the counter-measure, mountinfo")


@case
def what_may_be_mounted_in_proc(bundle):
    """lxcfs's files, and the host's proc itself."""
    bundle.file(bundle.source("file"), "ours")
    bundle.add(*(bind(bundle.source("file"), f"/proc/{name}") for name in ("cpuinfo", "meminfo", "uptime", "loadavg")))
    equal(bundle.ask("cat /proc/cpuinfo /proc/meminfo /proc/uptime /proc/loadavg"), "ours" * 4, "output")
    bundle.spec["mounts"] = [bind("/proc", "/proc")]
    with open("/proc/self/comm", encoding="utf-8") as file:
        equal(bundle.ask(f"cat /proc/{os.getpid()}/comm"), file.read().strip(), "the name of this process, a host's")


if __name__ == "__main__":
    main()
