#!/usr/bin/env python3
"""config.md, root and mounts: order, places, binds, what an option does. Options one by one are in mount_options.py."""

import os
import re
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import check, clause, contains, equal, lacks, main  # noqa: E402


def inside(box):
    """What /proc/self/mountinfo says inside, by place; the last one where several lie on each other."""
    text = box.run("cat", "/proc/self/mountinfo").out
    return {mount["place"]: mount for mount in host.mounts(text)}


# -- root --------------------------------------------------------------------------------------------------------------


@clause("config.root", callers=("root", "rootless"))
def path_is_relative_to_the_bundle_or_absolute(box):
    for path in ("rootfs", "./rootfs", box.rootfs):
        box.config["root"]["path"] = path
        equal(box.run("ls", "/bin/probe").out, "/bin/probe\n", f"a file of {path}")


@clause("config.root")
def path_must_be_a_folder_that_exists(box):
    box.file("bundle/plain")
    for path in ("missing", "plain", ""):
        box.config["root"]["path"] = path
        box.refused("root.path")


@clause("config.root")
def that_is_missing_is_an_error(box):
    del box.config["root"]
    box.refused("root")


@clause("config.root", callers=("root", "rootless"))
def is_writable_unless_readonly(box):
    equal(box.shell("touch /etc/made && echo made"), "made\n", "output")
    check(os.path.exists(f"{box.rootfs}/etc/made"), "the file isn't in the rootfs")


@clause("config.root", callers=("root", "rootless"))
def readonly_can_not_be_written(box):
    box.config["root"]["readonly"] = True
    contains(box.shell("touch /etc/made /made 2>&1; mkdir /dir 2>&1; true"), "Read-only file system", "output")
    check(not os.path.exists(f"{box.rootfs}/etc/made"), "the file was made")
    # What is mounted there is not the root.
    equal(box.shell("touch /dev/shm/x && echo made"), "made\n", "output for a mount")


@clause("config.root")
def readonly_changes_nothing_outside(box):
    box.config["root"]["readonly"] = True
    box.launch()
    box.file("bundle/rootfs/etc/outside")


# -- places ------------------------------------------------------------------------------------------------------------


@clause("config.mounts", callers=("root", "rootless"))
def are_made_in_the_listed_order(box):
    source = box.folder("source")
    box.file("source/file", "bound")
    box.folder("source/sub")
    box.add_mount("/tmp/a")
    box.bind(source, "/tmp/a/b")
    box.add_mount("/tmp/a/b/sub")
    # And one over another hides it.
    box.add_mount("/tmp/twice", options=["size=64k"])
    box.add_mount("/tmp/twice", options=["size=128k"])
    wanted = ["/tmp/a", "/tmp/a/b", "/tmp/a/b/sub", "/tmp/twice", "/tmp/twice"]
    found = [mount for mount in host.mounts(box.run("cat", "/proc/self/mountinfo").out) if mount["place"] in wanted]
    equal([mount["place"] for mount in found], wanted, "mounts")
    contains(",".join(found[-1]["data"]), "size=128k", "the last mount")


@clause("config.mounts", callers=("root", "rootless"))
def a_missing_mount_point_is_made(box):
    box.file("bundle/../file", "text")
    box.add_mount("/new/deep/folder")
    box.bind(box.path("file"), "/other/deep/file")
    out = box.shell("test -d /new/deep/folder && cat /other/deep/file")
    equal(out, "text", "output")


@clause("config.mounts.destination")
def that_is_relative_is_below_the_root(box):
    box.add_mount("tmp/relative")
    check("/tmp/relative" in inside(box), "not mounted at /tmp/relative")


@clause("config.mounts.destination")
def never_leaves_the_root(box):
    """Neither by .. nor by a link that the image holds."""
    box.folder("bundle/rootfs/etc/in")
    os.symlink("/etc/in", f"{box.rootfs}/absolute")
    os.symlink("../../../../../../../etc/in", f"{box.rootfs}/climbing")
    outside = set(os.listdir("/"))
    box.add_mount("/../../mxc-dotdot")
    box.add_mount("/absolute/one")
    box.add_mount("/climbing/two")
    ended = box.try_run("cat", "/proc/self/mountinfo")
    equal(set(os.listdir("/")), outside, "entries of the host's root")
    check(not os.path.exists("/etc/in"), "made on the host")
    # To refuse is as safe as to stay inside.
    if ended.code == 0:
        places = {mount["place"] for mount in host.mounts(ended.out)}
        check({"/etc/in/one", "/etc/in/two"} <= places, f"mounts: {places}")


@clause("config.mounts.type")
def that_the_kernel_does_not_know_is_an_error(box):
    box.add_mount("/tmp/x", "no-such-filesystem")
    box.refused("mounts")


@clause("config_linux.default_filesystems", callers=("root", "rootless"))
def proc_sys_pts_and_shm_have_their_types(box):
    if box.uid:
        # sysfs can be mounted only by who owns the network namespace, as here.
        check(any(entry["type"] == "network" for entry in box.linux["namespaces"]), "no network namespace")
    found = inside(box)
    equal({place: found[place]["type"] for place in ("/proc", "/sys", "/dev/pts", "/dev/shm", "/dev/mqueue")},
          {"/proc": "proc", "/sys": "sysfs", "/dev/pts": "devpts", "/dev/shm": "tmpfs", "/dev/mqueue": "mqueue"}, "types")  # fmt: skip


@clause("config.mounts.type")
def cgroup_shows_the_containers_own_groups(box):
    box.namespace("cgroup")
    box.add_mount("/sys/fs/cgroup", "cgroup", "cgroup", ["nosuid", "noexec", "nodev", "relatime", "ro"])
    where = "/sys/fs/cgroup" if host.is_unified() else "/sys/fs/cgroup/pids"
    box.process["args"] = ["sh", "-c", f"cat {where}/cgroup.procs; mkdir {where}/x 2>&1; cat /proc/self/cgroup"]
    out = box.try_run().expect(0).out
    contains(out, "1\n", "processes of the container's group")
    contains(out, "Read-only file system", "making a group")
    for line in out.splitlines():
        if re.match(r"\d+:[^:]*pids[^:]*:" if not host.is_unified() else "0::", line):
            equal(line.rsplit(":", 1)[1], "/", "own path in the group namespace")


# -- binds -------------------------------------------------------------------------------------------------------------


def tree_with_mount(box):
    """A folder in which another file system is mounted at sub."""
    box.folder("source/sub")
    box.file("source/file", "outer")
    box.mount("-t", "tmpfs", "tmpfs", box.path("source/sub"))
    box.file("source/sub/file", "inner")
    return box.path("source")


@clause("config.mounts.bind", callers=("root", "rootless"))
def a_file_and_a_folder(box):
    box.folder("source")
    box.file("source/file", "text")
    box.bind(box.path("source"), "/tmp/folder")
    box.bind(box.path("source/file"), "/tmp/file", "bind")
    equal(box.shell("cat /tmp/folder/file /tmp/file"), "texttext", "output")


@clause("config.mounts.bind")
def source_is_relative_to_the_bundle(box):
    box.folder("bundle/data")
    box.file("bundle/data/file", "text")
    box.bind("data", "/tmp/data")
    equal(box.run("cat", "/tmp/data/file", cwd="/").out, "text", "output")


@clause("config.mounts.bind")
def takes_one_mount_and_rbind_all_below(box):
    source = tree_with_mount(box)
    box.bind(source, "/tmp/one", "bind")
    box.bind(source, "/tmp/all", "rbind")
    equal(box.shell("ls /tmp/one/sub; cat /tmp/all/sub/file"), "inner", "output")


@clause("config.mounts.bind")
def a_source_that_does_not_exist_is_an_error(box):
    box.bind(box.path("missing"), "/tmp/x")
    box.refused("mounts")
    check(not os.path.exists(box.path("missing")), "it was made")


@clause("config.mounts.bind", callers=("root", "rootless"))
def that_is_read_only_can_not_be_written(box):
    source = box.folder("source")
    box.bind(source, "/tmp/ro", "bind", "ro")
    box.bind(source, "/tmp/rw", "bind", "rw")
    out = box.shell("touch /tmp/ro/x 2>&1; touch /tmp/rw/x && echo made")
    contains(out, "Read-only file system", "output")
    contains(out, "made", "output")
    box.file("source/outside")


@clause("config.mounts.bind")
def that_is_read_only_leaves_mounts_below_writable_but_rro_does_not(box):
    source = tree_with_mount(box)
    box.bind(source, "/tmp/ro", "rbind", "ro")
    box.bind(source, "/tmp/rro", "rbind", "rro")
    out = box.shell("touch /tmp/ro/sub/x && echo made; touch /tmp/rro/x /tmp/rro/sub/x 2>&1; true")
    contains(out, "made", "output for ro")
    equal(out.count("Read-only file system"), 2, "refusals for rro")


@clause("config.mounts.bind")
def type_bind_without_the_option_is_a_bind_too(box):
    """What `type` says for a bind is a dummy, but docker and podman write `bind` there and their options beside it."""
    box.folder("source")
    box.file("source/file", "text")
    box.add_mount("/tmp/data", "bind", box.path("source"), ["rbind", "ro", "rprivate"])
    equal(box.run("cat", "/tmp/data/file").out, "text", "output")


@clause("config.mounts.bind")
def a_link_as_source_is_followed_on_the_host_only(box):
    box.folder("source")
    box.file("source/file", "text")
    os.symlink("source", box.path("link"))
    os.symlink("/no/such/place", f"{box.rootfs}/etc/dangling")
    box.bind(box.path("link"), "/tmp/data")
    equal(box.run("cat", "/tmp/data/file").out, "text", "output")


# -- masked and read-only paths ----------------------------------------------------------------------------------------


@clause("config_linux.masked_paths", callers=("root", "rootless"))
def can_not_be_read(box):
    box.file("bundle/rootfs/etc/secret", "secret")
    box.folder("bundle/rootfs/etc/folder")
    box.file("bundle/rootfs/etc/folder/inner", "secret")
    box.linux["maskedPaths"] = ["/etc/secret", "/etc/folder", "/proc/kcore", "/proc/no-such-file", "/no/such/folder"]
    out = box.shell("cat /etc/secret; ls /etc/folder; cat /etc/folder/inner 2>&1; head -c 1 /proc/kcore 2>&1; echo x > /etc/folder/new; true")
    lacks(out, "secret", "output")
    check(not os.path.exists(f"{box.rootfs}/etc/folder/new"), "written through the mask")
    equal(host.read(f"{box.rootfs}/etc/secret"), "secret", "the file outside")


@clause("config_linux.readonly_paths", callers=("root", "rootless"))
def can_be_read_but_not_written(box):
    box.file("bundle/rootfs/etc/file", "text")
    box.linux["readonlyPaths"] = ["/etc/file", "/tmp", "/proc/sys", "/no/such/path"]
    out = box.shell("cat /etc/file; echo x 2>&1 > /etc/file; touch /tmp/x 2>&1; echo 1 2>&1 > /proc/sys/kernel/hostname; true 2>&1")
    contains(out, "text", "output")
    equal(host.read(f"{box.rootfs}/etc/file"), "text", "the file")
    equal(os.listdir(f"{box.rootfs}/tmp"), [], "files in /tmp")


@clause("config_linux.masked_paths")
def masked_and_read_only_paths_that_are_relative_are_errors(box):
    for field in ("maskedPaths", "readonlyPaths"):
        before = box.linux[field]
        box.linux[field] = ["etc"]
        box.refused(f"linux.{field}")
        box.linux[field] = before


@clause("config_linux.masked_paths")
def hold_for_root_and_can_not_be_taken_off(box):
    box.file("bundle/rootfs/etc/secret", "secret")
    box.linux["maskedPaths"] = ["/etc/secret"]
    out = box.shell("umount /etc/secret 2>&1; umount -l /etc/secret 2>&1; cat /etc/secret; true")
    check(not out.endswith("secret"), f"the secret is shown: {out!r}")


if __name__ == "__main__":
    main()
