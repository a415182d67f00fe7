#!/usr/bin/env python3
"""config.md, Linux mount options: each option of the specification's table, propagation, recursive options, id-mapped mounts."""

import os
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import check, clause, contains, equal, lacks, main  # noqa: E402

# What an option leaves in mountinfo: words of the mount's options or of its file system's that must (or, with !, must not) be there.
SEEN = {
    "ro": "ro", "nosuid": "nosuid", "nodev": "nodev", "noexec": "noexec", "noatime": "noatime", "nodiratime": "nodiratime",
    "relatime": "relatime", "strictatime": "!relatime", "nosymfollow": "nosymfollow",
    "sync": "sync", "dirsync": "dirsync", "lazytime": "lazytime",
}  # fmt: skip
# Opposites take away what stands before them.
UNDONE = {
    "rw": ("ro", "!ro"), "suid": ("nosuid", "!nosuid"), "dev": ("nodev", "!nodev"), "exec": ("noexec", "!noexec"),
    "atime": ("noatime", "!noatime"), "diratime": ("nodiratime", "!nodiratime"), "norelatime": ("relatime", ""),
    "nostrictatime": ("strictatime", ""), "symfollow": ("nosymfollow", "!nosymfollow"),
    "async": ("sync", "!sync"), "nolazytime": ("lazytime", "!lazytime"),
}  # fmt: skip
# Nothing of them is to be seen, but they have to be known.
QUIET = ["defaults", "loud", "silent", "noiversion", "nomand"]
RECURSIVE = ["ro", "nosuid", "nodev", "noexec", "noatime", "nodiratime", "relatime", "strictatime", "nosymfollow"]


def options_of(box, places):
    """Runs the container and gives the options of each of those mounts."""
    text = box.run("cat", "/proc/self/mountinfo").out
    found = {mount["place"]: mount["options"] + mount["data"] for mount in host.mounts(text)}
    for place in places:
        check(place in found, f"nothing is mounted at {place}")
    return found


def judge(options, wanted, what):
    if wanted.startswith("!"):
        check(wanted[1:] not in options, f"{what}: {wanted[1:]} is set: {options}")
    elif wanted:
        check(wanted in options, f"{what}: {wanted} is not set: {options}")


@clause("config.mounts.options", callers=("root", "rootless"))
def each_sets_its_flag(box):
    for option in SEEN:
        box.add_mount(f"/tmp/{option}", options=[option])
    found = options_of(box, [f"/tmp/{option}" for option in SEEN])
    for option, wanted in SEEN.items():
        judge(found[f"/tmp/{option}"], wanted, option)


@clause("config.mounts.options", callers=("root", "rootless"))
def each_opposite_clears_it(box):
    for option, (before, _) in UNDONE.items():
        box.add_mount(f"/tmp/{option}", options=[before, option])
    found = options_of(box, [f"/tmp/{option}" for option in UNDONE])
    for option, (_, wanted) in UNDONE.items():
        judge(found[f"/tmp/{option}"], wanted, option)


@clause("config.mounts.options", callers=("root", "rootless"))
def those_that_show_nothing_are_known(box):
    for option in QUIET:
        box.add_mount(f"/tmp/{option}", options=[option])
    options_of(box, [f"/tmp/{option}" for option in QUIET])


@clause("config.mounts.options", callers=("root", "rootless"))
def of_binds_set_their_flags(box):
    source = box.folder("source")
    flags = ["ro", "nosuid", "nodev", "noexec", "nosymfollow"]
    # Of a mount that comes from a namespace of more privilege, access times are locked (mount_namespaces(7)).
    flags += ["noatime", "nodiratime"] if box.uid == 0 else []
    for option in flags:
        box.bind(source, f"/tmp/{option}", "bind", option)
    found = options_of(box, [f"/tmp/{option}" for option in flags])
    for option in flags:
        judge(found[f"/tmp/{option}"], option, option)
    equal([mount for mount in host.mounts() if mount["place"] == source], [], "mounts of the host at the source")


@clause("config.mounts.options")
def remount_changes_what_is_there(box):
    box.add_mount("/tmp/x")
    box.add_mount("/tmp/x", options=["remount", "ro"])
    source = box.folder("source")
    box.bind(source, "/tmp/y", "bind")
    box.bind(source, "/tmp/y", "remount", "bind", "ro")
    text = box.run("cat", "/proc/self/mountinfo").out
    for place in ("/tmp/x", "/tmp/y"):
        found = [mount for mount in host.mounts(text) if mount["place"] == place]
        equal(len(found), 1, f"mounts at {place}")
        check("ro" in found[0]["options"] + found[0]["data"], f"{place} is writable: {found[0]}")


@clause("config.mounts.options", callers=("root", "rootless"))
def unknown_ones_go_to_the_file_system(box):
    box.add_mount("/tmp/x", options=["size=128k", "mode=711", "nosuid"])
    equal(box.shell("stat -c %a /tmp/x; grep -c size=128k /proc/self/mountinfo"), "711\n1\n", "mode and size")


@clause("config.mounts.options")
def that_the_file_system_does_not_know_are_errors(box):
    box.add_mount("/tmp/x", options=["no-such-option"])
    box.refused("/tmp/x", "no-such-option")


@clause("config.mounts.options", callers=("root", "rootless"))
def tmpcopyup_copies_what_the_image_has_there(box):
    box.folder("bundle/rootfs/data/sub")
    box.file("bundle/rootfs/data/file", "text", 0o640)
    box.file("bundle/rootfs/data/sub/inner", "inner")
    os.symlink("file", f"{box.rootfs}/data/link")
    os.lchown(f"{box.rootfs}/data/link", box.uid, box.uid)
    box.add_mount("/data", options=["tmpcopyup"])
    out = box.shell("cat /data/file /data/sub/inner /data/link; stat -c ' %a' /data/file; echo x > /data/file")
    equal(out, "textinnertext 640\n", "output")
    equal(host.read(f"{box.rootfs}/data/file"), "text", "the file of the image")


# -- propagation ---------------------------------------------------------------------------------------------------------


@clause("config.mounts.options.propagation")
def is_what_is_written(box):
    source = box.folder("source")
    box.mount("-t", "tmpfs", "--make-shared", "tmpfs", source)
    for option in ("shared", "rshared", "slave", "rslave", "private", "rprivate", "unbindable", "runbindable"):
        box.bind(source, f"/tmp/{option}", "rbind", option)
    text = box.run("cat", "/proc/self/mountinfo").out
    found = {mount["place"]: " ".join(mount["optional"]) for mount in host.mounts(text)}
    for option in ("shared", "rshared"):
        contains(found[f"/tmp/{option}"], "shared:", option)
    for option in ("slave", "rslave"):
        contains(found[f"/tmp/{option}"], "master:", option)
        lacks(found[f"/tmp/{option}"], "shared:", option)
    for option in ("private", "rprivate"):
        equal(found[f"/tmp/{option}"], "", option)
    for option in ("unbindable", "runbindable"):
        contains(found[f"/tmp/{option}"], "unbindable", option)


@clause("config.mounts.options.propagation")
def a_slave_sees_what_the_host_mounts_and_the_host_not_what_it_mounts(box):
    source = box.folder("source")
    box.mount("-t", "tmpfs", "--make-shared", "tmpfs", source)
    os.mkdir(f"{source}/host")
    os.mkdir(f"{source}/own")
    box.capabilities("CAP_SYS_ADMIN")
    # Else a slave of the source's peers is no slave: the root's own propagation cuts them off.
    box.linux["rootfsPropagation"] = "rslave"
    box.bind(source, "/tmp/x", "rbind", "rslave")
    box.launch()
    box.mount("-t", "tmpfs", "tmpfs", f"{source}/host")
    box.file("source/host/seen")
    box.exec("ls", "/tmp/x/host/seen", flags=("--cap", "CAP_SYS_ADMIN"))
    box.exec("mount", "-t", "tmpfs", "tmpfs", "/tmp/x/own", flags=("--cap", "CAP_SYS_ADMIN"))
    check(not os.path.ismount(f"{source}/own"), "the container's mount came to the host")


def propagation_of_root(box, value):
    """The optional fields of the container's root (proc(5)) for that value."""
    # In the case's own mount namespace: the host's stays what it is.
    box.mount("--make-rshared", "/")
    box.linux["rootfsPropagation"] = value
    root = host.mounts(box.run("cat", "/proc/self/mountinfo").out)[0]
    equal(root["place"], "/", "place of the first mount")
    return " ".join(root["optional"])


@clause("config_linux.rootfs_propagation")
def private_neither_gives_nor_takes(box):
    equal(propagation_of_root(box, "private"), "", "propagation")


@clause("config_linux.rootfs_propagation")
def slave_takes_what_the_host_mounts(box):
    contains(propagation_of_root(box, "slave"), "master:", "propagation")


@clause("config_linux.rootfs_propagation")
def shared_is_a_peer_group_of_its_own(box):
    contains(propagation_of_root(box, "shared"), "shared:", "propagation")


@clause("config_linux.rootfs_propagation")
def unbindable_can_not_be_bound(box):
    contains(propagation_of_root(box, "unbindable"), "unbindable", "propagation")


@clause("config_linux.rootfs_propagation")
def of_another_value_is_an_error(box):
    box.linux["rootfsPropagation"] = "bogus"
    box.refused("linux.rootfsPropagation")


@clause("config_linux.rootfs_propagation")
def not_set_keeps_the_containers_mounts_from_the_host(box):
    box.capabilities("CAP_SYS_ADMIN")
    box.mount("--make-rshared", "/")
    box.shell("mount -t tmpfs tmpfs /root && touch /root/x")
    check(not os.path.exists(f"{box.rootfs}/root/x"), "the container's mount came to the host")


# -- recursive options ---------------------------------------------------------------------------------------------------


def tree(box):
    box.folder("source/sub")
    box.mount("-t", "tmpfs", "tmpfs", box.path("source/sub"))
    return box.path("source")


@clause("config.mounts.options.recursive")
def each_sets_its_flag_on_all_mounts_below(box):
    source = tree(box)
    for option in RECURSIVE:
        box.bind(source, f"/tmp/{option}", "rbind", f"r{option}")
    found = options_of(box, [f"/tmp/{option}/sub" for option in RECURSIVE])
    for option in RECURSIVE:
        for place in (f"/tmp/{option}", f"/tmp/{option}/sub"):
            judge(found[place], SEEN[option], f"r{option} at {place}")


@clause("config.mounts.options.recursive")
def each_opposite_clears_it_on_all_mounts_below(box):
    box.folder("source/sub")
    box.mount("-t", "tmpfs", "-o", "ro,nosuid,nodev,noexec,noatime,nodiratime", "tmpfs", box.path("source/sub"))
    opposites = {"rrw": "ro", "rsuid": "nosuid", "rdev": "nodev", "rexec": "noexec", "rdiratime": "nodiratime"}
    for option in opposites:
        box.bind(box.path("source"), f"/tmp/{option}", "rbind", option)
    text = box.run("cat", "/proc/self/mountinfo").out
    # Of the mount, not of its file system, which stays read-only.
    found = {mount["place"]: mount["options"] for mount in host.mounts(text)}
    for option, cleared in opposites.items():
        check(cleared not in found[f"/tmp/{option}/sub"], f"{option}: {cleared} is set: {found[f'/tmp/{option}/sub']}")


@clause("config.mounts.options.recursive")
def access_times_go_back_to_the_kernels_default(box):
    """They are one field of three values, which mount_setattr(2) wants cleared as a whole."""
    box.folder("source/sub")
    box.mount("-t", "tmpfs", "-o", "noatime", "tmpfs", box.path("source/sub"))
    for option in ("ratime", "rnorelatime", "rnostrictatime", "rsymfollow"):
        box.bind(box.path("source"), f"/tmp/{option}", "rbind", option)
    found = options_of(box, ["/tmp/ratime/sub", "/tmp/rnorelatime/sub", "/tmp/rnostrictatime/sub"])
    check("noatime" not in found["/tmp/ratime/sub"], f"ratime: {found['/tmp/ratime/sub']}")


# -- id-mapped mounts ------------------------------------------------------------------------------------------------------

MAPS = [{"containerID": 0, "hostID": 1000, "size": 100}]


def owned(box, *options, maps=True, **fields):
    """A bind of a file of uid 3 with these options; `maps`: the ids 0 to 99 of the file are 1000 to 1099 by the mount."""
    source = box.folder("source")
    path = box.file("source/file")
    os.chown(path, 3, 3)
    if maps:
        fields.update(uidMappings=MAPS, gidMappings=MAPS)
    box.add_mount("/tmp/x", "none", source, options, **fields)


@clause("config.mounts.options.idmap")
def maps_by_the_mounts_own_mappings(box):
    owned(box, "bind", "idmap")
    equal(box.run("stat", "-c", "%u %g", "/tmp/x/file").out, "1003 1003\n", "owner")


@clause("config.mounts.options.idmap")
def mappings_alone_are_enough(box):
    """`idmap` SHOULD be there, but need not be."""
    owned(box, "bind")
    equal(box.run("stat", "-c", "%u %g", "/tmp/x/file").out, "1003 1003\n", "owner")


@clause("config.mounts.options.idmap")
def without_mappings_takes_those_of_the_container_or_is_an_error(box):
    box.map_ids(200000)
    owned(box, "bind", "idmap", maps=False)
    ended = box.try_run("stat", "-c", "%u %g", "/tmp/x/file")
    if ended.code == 0:
        equal(ended.out, "3 3\n", "owner")


@clause("config.mounts.options.idmap")
def without_mappings_and_user_namespace_is_an_error(box):
    owned(box, "bind", "idmap", maps=False)
    box.refused("mounts")


@clause("config.mounts.options.idmap")
def one_of_the_two_mappings_is_an_error(box):
    owned(box, "bind", "idmap", maps=False, uidMappings=MAPS)
    box.refused("mounts")


@clause("config.mounts.options.idmap")
def idmap_takes_one_mount_and_ridmap_all_below(box):
    source = tree(box)
    os.chown(box.file("source/sub/file"), 3, 3)
    fields = {"uidMappings": MAPS, "gidMappings": MAPS}
    box.add_mount("/tmp/one", "none", source, ["rbind", "idmap"], **fields)
    box.add_mount("/tmp/all", "none", source, ["rbind", "ridmap"], **fields)
    equal(box.run("stat", "-c", "%u", "/tmp/one/sub/file", "/tmp/all/sub/file").out, "3\n1003\n", "owners")


if __name__ == "__main__":
    main()
