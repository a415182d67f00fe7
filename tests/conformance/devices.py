#!/usr/bin/env python3
"""config-linux.md: default devices, devices of the configuration, and who may use which by the control group."""

import os
import stat
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import check, clause, contains, equal, main  # noqa: E402

DEFAULT = {"null": (1, 3), "zero": (1, 5), "full": (1, 7), "random": (1, 8), "urandom": (1, 9), "tty": (5, 0)}


def listed(box, *paths):
    """{path: (type and mode as ls -l shows them, major, minor, uid, gid)} inside."""
    out = box.run("stat", "-c", "%n %A %t %T %u %g", *paths).out
    found = {}
    for line in out.splitlines():
        path, mode, major, minor, uid, gid = line.split()
        found[path] = (mode, int(major, 16), int(minor, 16), int(uid), int(gid))
    return found


# -- default devices -----------------------------------------------------------------------------------------------------


@clause("config_linux.default_devices", callers=("root", "rootless"))
def are_there_with_their_numbers(box):
    found = listed(box, *(f"/dev/{name}" for name in DEFAULT))
    equal({path: entry[1:3] for path, entry in found.items()}, {f"/dev/{name}": numbers for name, numbers in DEFAULT.items()}, "numbers")
    equal({entry[0] for entry in found.values()}, {"crw-rw-rw-"}, "types and modes")


@clause("config_linux.default_devices", callers=("root", "rootless"))
def can_be_used(box):
    """Whatever the allowed list says: the list of this configuration denies everything."""
    if box.uid == 0:
        equal(box.linux["resources"]["devices"], [{"allow": False, "access": "rwm"}], "allowed devices")
    out = box.shell("echo x > /dev/null && head -c 2 /dev/zero | wc -c; head -c 3 /dev/urandom | wc -c; echo x 2>&1 > /dev/full; true")
    contains(out, "2\n3\n", "output")


@clause("config_linux.default_devices", callers=("root", "rootless"))
def ptmx_is_that_of_the_containers_devpts(box):
    out = box.shell("readlink /dev/ptmx || stat -c '%t %T' /dev/ptmx; cat /proc/self/mountinfo")
    first = out.splitlines()[0]
    if first not in ("pts/ptmx", "/dev/pts/ptmx"):
        equal(first, "5 2", "device of /dev/ptmx")
        contains(out, "/ptmx /dev/ptmx ", "mounts")


@clause("config_linux.default_devices")
def are_there_for_a_dev_of_the_image_too(box):
    """Without a mount at /dev they are made in the rootfs."""
    box.config["mounts"] = [mount for mount in box.config["mounts"] if not mount["destination"].startswith("/dev")]
    found = listed(box, *(f"/dev/{name}" for name in DEFAULT))
    equal({path: entry[1:3] for path, entry in found.items()}, {f"/dev/{name}": numbers for name, numbers in DEFAULT.items()}, "numbers")


# -- devices of the configuration ------------------------------------------------------------------------------------------


@clause("config_linux.devices")
def are_made_as_listed(box):
    box.linux["devices"] = [
        {"path": "/dev/fuse", "type": "c", "major": 10, "minor": 229, "fileMode": 0o660, "uid": 11, "gid": 22},
        {"path": "/dev/block", "type": "b", "major": 7, "minor": 0, "fileMode": 0o600, "uid": 0, "gid": 0},
        {"path": "/dev/other", "type": "u", "major": 10, "minor": 200, "fileMode": 0o644, "uid": 0, "gid": 0},
        {"path": "/dev/deep/fifo", "type": "p", "fileMode": 0o622, "uid": 1, "gid": 2},
        {"path": "/etc/elsewhere", "type": "c", "major": 1, "minor": 3, "fileMode": 0o666, "uid": 0, "gid": 0},
    ]
    found = listed(box, *(device["path"] for device in box.linux["devices"]))
    for device in box.linux["devices"]:
        letter = {"u": "c"}.get(device["type"], device["type"])
        wanted = (stat.filemode(device["fileMode"]).replace("?", letter, 1), device.get("major", 0), device.get("minor", 0),
                  device["uid"], device["gid"])  # fmt: skip
        equal(found[device["path"]], wanted, device["path"])


@clause("config_linux.devices")
def modes_do_not_depend_on_the_callers_umask(box):
    box.linux["devices"] = [{"path": "/dev/x", "type": "c", "major": 10, "minor": 229, "fileMode": 0o666, "uid": 0, "gid": 0}]
    box.process["args"] = ["stat", "-c", "%a", "/dev/x", "/dev/null"]
    equal(box.try_run(preexec_fn=lambda: os.umask(0o077)).expect(0).out, "666\n666\n", "modes")


@clause("config_linux.devices", callers=("rootless",))
def are_bound_from_the_host_where_none_can_be_made(box):
    """`/dev/zero` of the host, under another name."""
    box.linux["devices"] = [{"path": "/dev/zero", "type": "c", "major": 1, "minor": 5}]
    equal(listed(box, "/dev/zero")["/dev/zero"][1:3], (1, 5), "numbers")


@clause("config_linux.devices")
def another_file_in_the_place_is_an_error(box):
    box.file("bundle/rootfs/etc/taken", "text")
    box.linux["devices"] = [{"path": "/etc/taken", "type": "c", "major": 1, "minor": 3}]
    box.refused("linux.devices")
    equal(host.read(f"{box.rootfs}/etc/taken"), "text", "the file in the place")


@clause("config_linux.devices")
def the_same_device_in_the_place_is_taken(box):
    os.mknod(f"{box.rootfs}/etc/there", 0o666 | stat.S_IFCHR, os.makedev(1, 3))
    box.linux["devices"] = [{"path": "/etc/there", "type": "c", "major": 1, "minor": 3}]
    equal(listed(box, "/etc/there")["/etc/there"][1:3], (1, 3), "numbers")


@clause("config_linux.devices")
def an_unknown_type_is_an_error(box):
    box.linux["devices"] = [{"path": "/dev/x", "type": "x", "major": 1, "minor": 3}]
    box.refused("linux.devices")


@clause("config_linux.devices")
def numbers_that_are_missing_are_an_error(box):
    """They are required of all but FIFOs; 0:0 is the device of an overlay's whiteouts and none to ask for by forgetting."""
    box.linux["devices"] = [{"path": "/dev/x", "type": "c"}]
    box.refused("linux.devices")


@clause("config_linux.devices")
def a_path_that_leads_out_stays_inside(box):
    box.folder("bundle/rootfs/etc")
    os.symlink("/", f"{box.rootfs}/etc/out")
    box.linux["devices"] = [{"path": "/etc/out/mxc-conformance-device", "type": "p", "fileMode": 0o600}]
    ended = box.try_run("stat", "-c", "%F", "/mxc-conformance-device")
    check(not os.path.exists("/mxc-conformance-device"), "it was made on the host")
    if ended.code == 0:
        contains(ended.out, "fifo", "type")


# -- the allowed list ------------------------------------------------------------------------------------------------------

# /dev/kmsg and /dev/net/tun's numbers: nothing that the defaults let in.
KMSG = {"path": "/dev/kmsg", "type": "c", "major": 1, "minor": 11, "fileMode": 0o666, "uid": 0, "gid": 0}


def reads_kmsg(box):
    """What a read of the device says inside."""
    return box.shell("head -c 1 /dev/kmsg > /tmp/got 2>&1 && echo read || cat /tmp/got")


@clause("config_linux.allowed_device_list")
def what_is_denied_can_not_be_opened(box):
    box.linux["devices"] = [KMSG]
    box.capabilities("CAP_SYSLOG", "CAP_MKNOD")
    contains(reads_kmsg(box), "Operation not permitted", "reading")
    # Whether the node may be made or not (runc and crun let all be made): it can't be opened.
    contains(box.shell("mknod /tmp/x c 1 11 2>&1; cat /tmp/x 2>&1; true"), "Operation not permitted", "reading one made inside")


@clause("config_linux.allowed_device_list")
def what_is_allowed_can_be_used_just_so(box):
    box.linux["devices"] = [KMSG]
    box.capabilities("CAP_SYSLOG", "CAP_MKNOD")
    box.resources["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "r"}]
    equal(reads_kmsg(box), "read\n", "reading")
    contains(box.shell("(echo x > /dev/kmsg) 2>&1; true"), "Operation not permitted", "writing")


@clause("config_linux.allowed_device_list")
def entries_are_applied_in_their_order(box):
    box.linux["devices"] = [KMSG]
    box.capabilities("CAP_SYSLOG")
    allow = {"allow": True, "type": "c", "major": 1, "minor": 11, "access": "rwm"}
    deny_all = {"allow": False, "access": "rwm"}
    box.resources["devices"] = [allow, deny_all]
    contains(reads_kmsg(box), "Operation not permitted", "reading after allow, deny all")
    box.resources["devices"] = [deny_all, allow]
    equal(reads_kmsg(box), "read\n", "reading after deny all, allow")
    box.resources["devices"] = [deny_all, allow, {"allow": False, "type": "c", "major": 1, "minor": 11, "access": "r"}]
    contains(reads_kmsg(box), "Operation not permitted", "reading after deny all, allow, deny")


@clause("config_linux.allowed_device_list")
def a_number_left_out_means_all(box):
    box.linux["devices"] = [KMSG]
    box.capabilities("CAP_SYSLOG")
    box.resources["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "type": "c", "major": 1, "access": "r"}]
    equal(reads_kmsg(box), "read\n", "reading")


@clause("config_linux.allowed_device_list")
def a_type_left_out_means_all_devices(box):
    box.linux["devices"] = [KMSG]
    box.capabilities("CAP_SYSLOG")
    box.resources["devices"] = [{"allow": False, "access": "rwm"}, {"allow": True, "access": "rwm"}]
    equal(reads_kmsg(box), "read\n", "reading")


@clause("config_linux.allowed_device_list")
def wrong_types_and_accesses_are_errors(box):
    for wrong in ({"allow": True, "type": "x", "access": "r"}, {"allow": True, "type": "c", "major": 1, "minor": 3, "access": "q"}):
        box.resources["devices"] = [wrong]
        box.refused("linux.resources.devices")


@clause("config_linux.allowed_device_list")
def exec_is_bound_by_it_too(box):
    box.linux["devices"] = [KMSG]
    box.capabilities("CAP_SYSLOG")
    box.launch()
    ended = box.call("exec", box.id, "head", "-c", "1", "/dev/kmsg").fails()
    contains(ended.err, "Operation not permitted", "reading")


if __name__ == "__main__":
    main()
