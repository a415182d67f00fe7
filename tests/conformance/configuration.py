#!/usr/bin/env python3
"""config.md: versions, unknown properties, annotations, what is no valid document; sysctl; and resources of a caller without groups."""

import json
import os
import sys

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import Skip, check, clause, contains, equal, main  # noqa: E402


@clause("config.specification_version")
def any_of_major_version_1_is_taken(box):
    for version in ("1.0.0", "1.0.2-dev", "1.1.0", "1.2.1", "1.3.0"):
        box.config["ociVersion"] = version
        box.run("true")


@clause("config.specification_version")
def missing_or_no_version_is_an_error(box):
    for wrong in ("", "one", "1", None, 1):
        box.config["ociVersion"] = wrong
        box.refused("ociVersion")
    del box.config["ociVersion"]
    box.refused("ociVersion")


@clause("config.specification_version")
def another_major_version_is_an_error(box):
    box.config["ociVersion"] = "2.0.0"
    box.refused("ociVersion")


@clause("config.extensibility", callers=("root", "rootless"))
def unknown_properties_are_ignored(box):
    unknown = {"unknownObject": {"a": [1, None, {"b": "c"}]}, "unknownText": "x"}
    for place in (box.config, box.process, box.process["user"], box.linux, box.config["root"], box.config["mounts"][0], box.linux["namespaces"][0]):
        place.update(unknown)
    # Of other platforms too.
    box.config["windows"] = {"layerFolders": ["C:\\x"]}
    equal(box.run("echo", "ran").out, "ran\n", "output")


@clause("config.annotations", callers=("root", "rootless"))
def unknown_keys_are_ignored(box):
    box.config["annotations"] = {"com.example.unknown": "x", "org.opencontainers.image.stopSignal": "SIGKILL", "io.kubernetes.cri.container-type": "sandbox"}
    box.run("true")


@clause("config.annotations")
def values_that_are_no_text_are_an_error(box):
    box.config["annotations"] = {"com.example.number": 1}
    box.refused("annotations")


@clause("config.annotations")
def unknown_keys_of_our_own_are_an_error(box):
    """What is asked of us under dev.mxc. and isn't known would be a protection that is missing without a word."""
    box.config["annotations"] = {"dev.mxc.no-such-thing": "x"}
    box.refused("dev.mxc.no-such-thing")


@clause("config.annotations")
def keep_original_groups_keeps_the_callers(box):
    """run.oci.keep_original_groups: podman's `--group-add keep-groups`."""
    box.config["annotations"] = {"run.oci.keep_original_groups": "1"}
    contains(box.run("probe", "groups", extra_groups=[4, 24]).out, "24\n", "groups")


@clause("config.valid_values")
def values_of_the_wrong_type_are_errors(box):
    for field, wrong in (("process", []), ("mounts", {}), ("hostname", 1), ("root", "rootfs"), ("linux", [])):
        before = box.config[field]
        box.config[field] = wrong
        box.refused(field)
        box.config[field] = before


@clause("glossary.json")
def names_given_twice_are_an_error(box):
    """JSON objects MUST NOT hold them: which of two `args` is meant nobody knows."""
    box.save()
    text = host.read(f"{box.bundle}/config.json")
    box.file("bundle/config.json", text.replace('"hostname":', '"hostname": "other", "hostname":', 1))
    box.call("create", "--bundle", box.bundle, box.id).fails()


@clause("glossary.json")
def text_that_is_not_utf_8_is_an_error(box):
    box.config["hostname"] = "REPLACED"
    box.save()
    with open(f"{box.bundle}/config.json", "rb") as file:
        text = file.read()
    with open(f"{box.bundle}/config.json", "wb") as file:
        file.write(text.replace(b"REPLACED", b"\xff\xfe"))
    box.call("create", "--bundle", box.bundle, box.id).fails()


@clause("glossary.json")
def the_order_of_entries_does_not_matter(box):
    box.process["args"] = ["echo", "ran"]
    box.save(json.loads(json.dumps(box.config), object_pairs_hook=lambda pairs: dict(reversed(pairs))))
    box.remember(box.id)
    equal(box.call("run", "--bundle", box.bundle, box.id).expect(0).out, "ran\n", "output")


# -- sysctl ----------------------------------------------------------------------------------------------------------------


@clause("config_linux.sysctl")
def of_a_namespace_of_the_containers_is_set_there_only(box):
    wanted = {"net.ipv4.ip_forward": "1", "net.ipv4.ip_unprivileged_port_start": "80", "kernel.msgmax": "9000", "kernel.shmmni": "2048", "fs.mqueue.msg_max": "20"}
    paths = {name: "/proc/sys/" + name.replace(".", "/") for name in wanted}
    before = {name: host.read(path).strip() for name, path in paths.items() if os.path.exists(path)}
    box.linux["sysctl"] = wanted
    got = box.run("cat", *paths.values()).out.split()
    equal(dict(zip(wanted, got)), wanted, "values inside")
    equal({name: host.read(paths[name]).strip() for name in before}, before, "values of the host")


@clause("config_linux.sysctl")
def of_the_whole_host_is_an_error(box):
    for name in ("vm.swappiness", "kernel.core_pattern", "kernel.panic", "fs.file-max", "kernel.nosuch"):
        path = "/proc/sys/" + name.replace(".", "/")
        before = host.read(path) if os.path.exists(path) else ""
        box.linux["sysctl"] = {name: "1"}
        box.refused("linux.sysctl")
        equal(host.read(path) if os.path.exists(path) else "", before, f"{name} of the host")


@clause("config_linux.sysctl")
def of_a_namespace_that_is_the_hosts_is_an_error(box):
    for kind, name in (("network", "net.ipv4.ip_forward"), ("ipc", "kernel.msgmax")):
        box.no_namespace(kind)
        box.linux["sysctl"] = {name: "1"}
        box.refused("linux.sysctl")
        box.namespace(kind)


@clause("config_linux.sysctl")
def written_as_a_path_or_leading_out_is_no_way_around(box):
    before = host.read("/proc/sys/kernel/core_pattern")
    for name in ("kernel/core_pattern", "net.../.../kernel/core_pattern", "net/../kernel/core_pattern"):
        box.linux["sysctl"] = {name: "x"}
        box.refused("linux.sysctl")
    equal(host.read("/proc/sys/kernel/core_pattern"), before, "core_pattern of the host")


# -- rootless ----------------------------------------------------------------------------------------------------------------


@clause("config_linux.control_groups", callers=("rootless",))
def limits_that_the_caller_may_not_set_are_an_error(box):
    """Never a limit that is silently not there."""
    if host.is_unified():
        raise Skip("whether the group is delegated depends on the host")
    box.resources["memory"] = {"limit": 64 << 20}
    box.linux["cgroupsPath"] = f"/{box.tag}-rootless"
    box.refused("linux.resources", start=True)


@clause("config_linux.control_groups", callers=("rootless",))
def no_limits_need_no_group(box):
    box.linux.pop("resources", None)
    box.run("true")
    box.resources["devices"] = [{"allow": False, "access": "rwm"}]
    # podman writes them always; the device nodes of a user namespace can't be made anyway.
    box.run("true")


@clause("runtime.scope", callers=("rootless",))
def the_whole_life_of_a_rootless_container(box):
    box.create("probe", "wait", "TERM")
    equal(box.status(), "created", "status")
    pid = box.pid()
    box.start()
    equal(box.exec("echo", "hi").out, "hi\n", "output of exec")
    box.kill("KILL")
    box.wait_gone(pid)
    equal(box.status(), "stopped", "status")
    box.delete()


if __name__ == "__main__":
    main()
