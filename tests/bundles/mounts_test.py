#!/usr/bin/env python3
"""The root, the mounts and the devices of plain bundles, as runtime-spec's config.md and config-linux.md say."""

import os
import re
import stat
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bundle import bind, case, check, contains, equal, host_mounts, main, proc, replace, tmpfs, without  # noqa: E402


# ---- the whole -------------------------------------------------------------------------------------------------------


@case
def typical_config(bundle):
    """What podman and docker write down: the file systems, devices and masks are there."""
    before = host_mounts()
    out = bundle.ask("""
      for path in /proc /dev /dev/pts /dev/shm /dev/mqueue /sys; do grep -q " $path " /proc/self/mountinfo || echo missing $path; done
      for node in null zero full random urandom tty; do test -c /dev/$node || echo no $node; done
      echo x > /dev/null; head -c 4 /dev/zero | wc -c
      ls -l /dev/fd /dev/stdin /dev/stdout /dev/stderr /dev/ptmx | awk '{print $9 $10 $11}'
      cat /proc/keys | wc -c; ls /sys/firmware | wc -l
      echo 1 > /proc/sys/vm/swappiness && echo writable
      cat /proc/self/comm
    """)
    equal(out.split("\n"), ["4", "/dev/fd->/proc/self/fd", "/dev/ptmx->pts/ptmx", "/dev/stderr->/proc/self/fd/2",
                            "/dev/stdin->/proc/self/fd/0", "/dev/stdout->/proc/self/fd/1", "0", "0", "cat"], "output")
    equal(host_mounts(), before, "the host's mounts")


@case
def plan(bundle):
    """The golden files; MXC_REWRITE_PLANS=1 writes them anew."""
    path = os.path.join(os.path.dirname(os.path.realpath(__file__)), f"{bundle.caller}.plan")
    bundle.add(bind(bundle.base, "/mnt", "rbind", "ro", "rslave"), tmpfs("/run", "ro", "mode=755"))
    bundle.spec["root"]["readonly"] = True
    got = re.sub(r"(?m)^ *\d+  ", "  ", bundle.plan()).replace(bundle.top, "TOP")
    # Only where the host has a /proc/kcore.
    got = "".join(line for line in got.splitlines(keepends=True) if "/dev/core" not in line)
    if "MXC_REWRITE_PLANS" in os.environ:
        with open(path, "w", encoding="utf-8") as file:
            file.write(got)
    with open(path, encoding="utf-8") as file:
        equal(got.splitlines(), file.read().splitlines(), "the plan")


@case
def no_pivot(bundle):
    out = bundle.run("ls /; cat /proc/self/mountinfo | awk '{print $5}' | sort | uniq -d; stat -c %h /proc/1/root/etc >/dev/null; echo end",
                     "--no-pivot").expect().out
    equal(out.split(), ["bin", "dev", "etc", "proc", "sys", "tmp", "end"], "what the container sees")


@case
def root_readonly(bundle):
    """root.readonly holds for the root itself, after mount points were made in it; binds stay as they are."""
    bundle.spec["root"]["readonly"] = True
    bundle.add(bind(bundle.base, "/made/here", "bind"))
    out = bundle.ask("touch /file 2>&1; touch /made/here/file && echo written; touch /dev/file && echo written")
    equal(out.split("\n"), ["touch: /file: Read-only file system", "written", "written"], "output")
    bundle.spec["root"]["readonly"] = False
    equal(bundle.ask("touch /file && echo written"), "written", "without readonly")


@case
def root_keeps_its_flags(bundle):
    """nosuid and nodev are for the specification to ask for: a bundle's root has neither, unless the host's mount does."""
    options = bundle.mounted("/")["options"]
    check(not options & {"nosuid", "nodev", "noexec", "ro"}, f"the root has {options}")


@case(callers=("root",))
def no_mount_namespace(bundle):
    bundle.spec["linux"]["namespaces"] = [{"type": "pid"}, {"type": "uts"}]
    bundle.run().refused("/linux/namespaces", "mount namespace")


# ---- mount points ----------------------------------------------------------------------------------------------------


@case
def missing_mount_points_are_made(bundle):
    bundle.file(bundle.source("file"), "content")
    bundle.add(bind(bundle.base, "/new/deep/folder"), bind(bundle.source("file"), "/other/new/file"))
    equal(bundle.ask("umask 077; cat /other/new/file; ls /new/deep/folder"), "contentfile", "output")
    for path, kind, mode in (("new", stat.S_ISDIR, 0o755), ("new/deep/folder", stat.S_ISDIR, 0o755), ("other/new/file", stat.S_ISREG, 0o644)):
        found = os.lstat(bundle.root(path))
        check(kind(found.st_mode), f"{path} is of another kind")
        equal(stat.S_IMODE(found.st_mode), mode, f"mode of {path}")
    equal(os.path.getsize(bundle.root("other/new/file")), 0, "size of the mount point")


@case
def destinations_through_links(bundle):
    """/var/run of many images is a link; what is mounted below it goes to where it leads, inside."""
    bundle.folder("bundle/rootfs/var")
    bundle.link("/run", bundle.root("var/run"))
    bundle.link("../run", bundle.root("var/relative"))
    bundle.link("../run/lock", bundle.root("var/lock"))
    bundle.file(bundle.source("file"), "content")
    bundle.add(tmpfs("/run", "mode=755"), bind(bundle.source("file"), "/var/run/one"), bind(bundle.source("file"), "/var/relative/two"),
               tmpfs("/var/lock/deep", "mode=755"))
    out = bundle.ask("cat /run/one /run/two; test -d /run/lock/deep && grep -c ' /run/lock/deep ' /proc/self/mountinfo")
    equal(out, "contentcontent1", "output")
    equal(sorted(os.listdir(bundle.root("run"))), [], "the image's own /run")


@case
def kinds_have_to_fit(bundle):
    bundle.file(bundle.root("etc/file"))
    bundle.file(bundle.source("file"))
    for entry in (bind(bundle.base, "/etc/file"), bind(bundle.source("file"), "/tmp"), tmpfs("/etc/file")):
        bundle.spec["mounts"] = [entry]
        bundle.run().refused(f" on {entry['destination']}", "a folder goes on a folder")


@case
def links_in_a_circle(bundle):
    bundle.link("two", bundle.root("one"))
    bundle.link("one", bundle.root("two"))
    bundle.add(tmpfs("/one/x"))
    bundle.run().refused("/one/x", "ELOOP", "circle")


@case
def read_only_places(bundle):
    bundle.add(bind(bundle.base, "/mnt", "rbind", "ro"), tmpfs("/mnt/inside"))
    bundle.run().refused("/mnt/inside", "EROFS", "the mount point is missing")


# ---- file systems ----------------------------------------------------------------------------------------------------


@case
def tmpfs_options(bundle):
    os.chmod(bundle.folder("bundle/rootfs/sticky"), 0o1777)
    bundle.add(tmpfs("/sticky"), tmpfs("/sized", "size=64k", "mode=0700", "nr_inodes=10"), tmpfs("/ro", "ro", "mode=755"),
               bind(bundle.base, "/ro/below"))
    out = bundle.ask("stat -c %a /sticky /sized; touch /ro/x 2>&1; touch /ro/below/x && echo written; grep ' /sized ' /proc/self/mountinfo")
    lines = out.split("\n")
    equal(lines[:4], ["1777", "700", "touch: /ro/x: Read-only file system", "written"], "output")
    contains(lines[4], "size=64k", "the mount")
    contains(lines[4], "nr_inodes=10", "the mount")


@case(callers=("root",))
def superblock_flags(bundle):
    """sync, dirsync and the like are the file system's; iversion goes by mount(2)."""
    bundle.add(tmpfs("/a", "sync", "dirsync", "lazytime"), tmpfs("/b", "iversion", "noexec"), tmpfs("/c", "async", "silent", "nomand"))
    check({"sync", "dirsync"} <= bundle.mounted("/a")["super"], "sync and dirsync")
    check("lazytime" in bundle.mounted("/a")["super"] | bundle.mounted("/a")["options"], "lazytime")
    check("noexec" in bundle.mounted("/b")["options"], "options of a mount made by mount(2)")
    equal(bundle.mounted("/c")["type"], "tmpfs", "type")


@case(callers=("root",))
def overlay(bundle):
    """Any type the kernel has; a value that fsconfig(2) has no room for goes by mount(2)."""
    layers = [bundle.folder(f"base/layer-with-a-rather-long-name-{number:030}") for number in range(8)]
    upper, work = bundle.folder("base/upper"), bundle.folder("base/work")
    bundle.file(os.path.join(layers[5], "file"), "from a layer")
    options = [f"lowerdir={':'.join(layers)}", f"upperdir={upper}", f"workdir={work}"]
    check(len(options[0]) > 600, "the value is short")
    bundle.add({"destination": "/merged", "type": "overlay", "source": "overlay", "options": [*options, "nosuid"]})
    equal(bundle.ask("cat /merged/file; echo new > /merged/file; cat /merged/file"), "from a layernew", "content")
    check("nosuid" in bundle.mounted("/merged")["options"], "nosuid")
    with open(os.path.join(upper, "file"), encoding="utf-8") as file:
        equal(file.read(), "new\n", "the upper layer")


@case
def unknown_type(bundle):
    bundle.add({"destination": "/mnt", "type": "nosuchfs", "source": "none"})
    bundle.run().refused("nosuchfs on /mnt", "ENODEV")


@case(callers=("userns", "rootless", "nested"))
def sysfs_without_a_network(bundle):
    """The host's network and a user namespace: the kernel makes no sysfs, so the host's is shown, all of it read-only."""
    bundle.spec["linux"]["namespaces"] = [entry for entry in bundle.spec["linux"]["namespaces"] if entry["type"] != "network"]
    found = bundle.mounted("/sys")
    equal(found["type"], "sysfs", "type")
    check({"ro", "nosuid", "nodev", "noexec"} <= found["options"], f"options {found['options']}")
    out = bundle.ask("grep ' /sys/' /proc/self/mountinfo | awk '{print $6}' | grep -vc '^ro,nosuid,nodev,noexec'; ls /sys/class/net | grep -c lo")
    equal(out, "0\n1", "what is mounted below /sys")
    if bundle.caller != "userns":
        return
    # Joined by its path, and the host's: only the attempt tells.
    other = bundle.file(bundle.source("network"))
    subprocess.run(["unshare", f"--net={other}", "true"], check=True)
    bundle.spec["linux"]["namespaces"].append({"type": "network", "path": other})
    check({"ro", "nosuid", "nodev", "noexec"} <= bundle.mounted("/sys")["options"], "options of the bound /sys")


@case
def cgroups(bundle):
    """v1: a read-only folder of groups, with links where controllers share one; v2: the group itself."""
    memory, both = bundle.folder("base/memory"), bundle.folder("base/cpu,cpuacct")
    bundle.file(os.path.join(memory, "tasks"), "1")
    bundle.add({"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": ["nosuid", "noexec", "nodev", "relatime", "ro"]})
    if bundle.caller in ("rootless", "nested"):
        replace(bundle, "/sys/fs/cgroup", options=["nosuid", "noexec", "nodev", "ro"])
    out = bundle.run("ls -l /sys/fs/cgroup | awk '{print $1 $9 $10 $11}'; cat /sys/fs/cgroup/memory/tasks; touch /sys/fs/cgroup/x /sys/fs/cgroup/memory/x",
                     "--cgroup", f"memory={memory}", "--cgroup", f"cpu,cpuacct={both}", "--cgroup", "cpu=cpu,cpuacct").expect(1)
    equal(out.out.split("\n")[1:], ["lrwxrwxrwxcpu->cpu,cpuacct", "drwxr-xr-xcpu,cpuacct", "drwxr-xr-xmemory", "1"], "the folder")
    equal(out.err.count("Read-only file system"), 2, "refused writes")
    replace(bundle, "/sys/fs/cgroup", type="cgroup2")
    equal(bundle.run("ls /sys/fs/cgroup", "--cgroup", f"={memory}").expect().out, "tasks\n", "v2")
    bundle.run("true").refused("/mounts/6/type", "no cgroups")


@case
def mount_label(bundle):
    check(not os.path.exists("/sys/fs/selinux/enforce"), "this case is for a host without SELinux")
    bundle.spec["linux"]["mountLabel"] = "system_u:object_r:container_file_t:s0"
    bundle.run().refused("/linux/mountLabel", "no SELinux")
    bundle.spec["linux"]["mountLabel"] = ""
    bundle.run().expect()


# ---- devices ---------------------------------------------------------------------------------------------------------


@case
def listed_devices(bundle):
    bundle.spec["linux"]["devices"] = [
        {"path": "/dev/net/tun0", "type": "c", "major": 1, "minor": 5, "fileMode": 0o640, "uid": 7, "gid": 8},
        {"path": "/dev/pipe", "type": "p", "major": 0, "minor": 0, "fileMode": 0o622},
        {"path": "/dev/null", "type": "c", "major": 1, "minor": 3, "fileMode": 0o600},
        {"path": "/srv/unbuffered", "type": "u", "major": 1, "minor": 7},
    ]
    if bundle.caller in ("root",):
        bundle.spec["linux"]["devices"].append({"path": "/dev/disk", "type": "b", "major": 7, "minor": 200, "fileMode": 0o660})
        out = bundle.ask("stat -c '%n %F %t:%T %a %u:%g' /dev/net/tun0 /dev/pipe /dev/null /srv/unbuffered /dev/disk")
        equal(out.split("\n"), ["/dev/net/tun0 character special file 1:5 640 7:8", "/dev/pipe fifo 0:0 622 0:0",
                                "/dev/null character special file 1:3 600 0:0", "/srv/unbuffered character special file 1:7 666 0:0",
                                "/dev/disk block special file 7:c8 660 0:0"], "the devices")
        return
    # In a user namespace nobody can make a node: the host's are bound, under other names when it has them.
    del bundle.spec["linux"]["devices"][1]["fileMode"]
    ended = bundle.run("stat -c '%n %F %t:%T' /dev/net/tun0 /dev/pipe /dev/null /srv/unbuffered")
    if os.path.exists("/dev/char/1:5"):
        equal(ended.expect().out.split("\n")[0], "/dev/net/tun0 character special file 1:5", "a device with another name")
    else:
        ended.refused("/linux/devices/0", "1:5")
    del bundle.spec["linux"]["devices"][0], bundle.spec["linux"]["devices"][-1]
    equal(bundle.ask("stat -c '%n %F %t:%T' /dev/pipe /dev/null; echo x > /dev/null").split("\n"),
          ["/dev/pipe fifo 0:0", "/dev/null character special file 1:3"], "the devices")


@case(callers=("root",))
def devices_of_the_image(bundle):
    """A node that is the same is kept; anything else in its place is an error, a link above all."""
    without(bundle, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    os.mknod(bundle.root("dev/null"), stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(bundle.root("dev/ptmx"), stat.S_IFCHR | 0o666, os.makedev(5, 2))
    equal(bundle.ask("echo x > /dev/null; readlink /dev/ptmx; readlink /dev/fd"), "pts/ptmx\n/proc/self/fd", "output")
    os.unlink(bundle.root("dev/null"))
    for make in (lambda path: bundle.file(path), lambda path: bundle.link("zero", path), lambda path: bundle.link("/etc/passwd", path),
                 lambda path: os.mknod(path, stat.S_IFCHR | 0o666, os.makedev(1, 5))):
        make(bundle.root("dev/null"))
        bundle.run().refused("/dev/null", "EEXIST", "something else in the device's place")
        os.unlink(bundle.root("dev/null"))


@case(callers=("userns", "rootless"))
def links_in_place_of_bound_devices(bundle):
    """The bound device covers the link; what it leads to is left alone."""
    without(bundle, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    bundle.link("/etc/target", bundle.root("dev/null"))
    bundle.file(bundle.root("etc/target"), "inside")
    equal(bundle.ask("stat -c %F /dev/null; cat /etc/target"), "character special file\ninside", "output")


@case
def dev_of_the_host(bundle):
    """A /dev that is bound from the host gets nothing of ours."""
    without(bundle, "/dev", "/dev/pts", "/dev/shm", "/dev/mqueue")
    bundle.folder("base/dev")
    bundle.file(bundle.source("dev/mine"))
    bundle.add(bind(bundle.source("dev"), "/dev"))
    bundle.spec["linux"]["maskedPaths"] = []
    equal(bundle.ask("ls /dev"), "mine", "the container's /dev")
    equal(os.listdir(bundle.source("dev")), ["mine"], "the host's folder")


# ---- masks and read-only paths ---------------------------------------------------------------------------------------


@case
def masked_and_readonly_paths(bundle):
    bundle.folder("bundle/rootfs/secret/deep")
    bundle.file(bundle.root("secret/deep/file"), "secret")
    bundle.file(bundle.root("etc/token"), "secret")
    bundle.link("/etc/token", bundle.root("etc/alias"))
    bundle.folder("bundle/rootfs/fixed")
    bundle.file(bundle.root("fixed/file"), "text")
    bundle.spec["linux"]["maskedPaths"] = ["/secret", "/etc/alias", "/none", "/etc/token/none", "/proc/scsi", "/proc/acpi", "/sys/firmware"]
    bundle.spec["linux"]["readonlyPaths"] = ["/fixed", "/etc/none", "/proc/sys"]
    out = bundle.ask("""
      ls -A /secret | wc -l; cat /etc/token | wc -c; cat /fixed/file
      touch /secret/x 2>&1; echo x 2>&1 > /fixed/file; touch /fixed/new 2>&1
      mkdir /secret/y 2>/dev/null || echo refused; true""")
    equal(out.split("\n")[:2], ["0", "0"], "what is masked")
    contains(out, "text", "output")
    contains(out, "touch: /secret/x: Read-only file system", "output")
    contains(out, "touch: /fixed/new: Read-only file system", "output")
    with open(bundle.root("fixed/file"), encoding="utf-8") as file:
        equal(file.read(), "text", "the read-only file")
    contains(bundle.ask("cat /etc/token; ls /secret", without="masks"), "secret", "without masks")


@case
def masks_are_the_null_device(bundle):
    """CVE-2025-31133: what the image or a mount has as /dev/null is looked at before it covers anything."""
    bundle.file(bundle.source("file"), "not null")
    bundle.add(bind(bundle.source("file"), "/dev/null"))
    bundle.run().refused("/proc/keys", "ENODEV", "not the null device")
    equal(bundle.ask("cat /proc/keys", without="null-check"), "not null", "without the check")


# ---- annotations of ours ---------------------------------------------------------------------------------------------


@case
def denied_paths(bundle):
    """dev.mxc.denied names paths of the container, through the image's links."""
    bundle.folder("bundle/rootfs/srv")
    bundle.file(bundle.root("srv/secret"), "secret", 0o666)
    bundle.file(bundle.source("secret"), "secret", 0o666)
    bundle.file(bundle.source("open"), "open", 0o666)
    bundle.link("/srv", bundle.root("alias"))
    bundle.add(bind(bundle.base, "/mnt", "rbind"))
    rules = '[{"path":"/alias/secret","rule":"r"},{"path":"/mnt/secret","rule":"r"}]'
    # Who may mount takes covers off.
    bundle.spec["process"]["capabilities"] = {"bounding": [], "effective": [], "permitted": []}
    bundle.spec["annotations"] = {"dev.mxc.denied": rules, "dev.mxc.landlock": '{"enabled":true}'}
    script = "cat /srv/secret /mnt/secret; cat /mnt/open; echo"
    ended = bundle.run(script)
    equal(ended.expect().out, "open\n", "what can be read")
    equal(ended.err.count("Permission denied"), 2, "refusals")
    contains(bundle.run(script, without="covers").expect().out, "secretsecretopen", "without covers")
    bundle.spec["annotations"] = {"dev.mxc.denied": '[{"path":"/proc/cpuinfo","rule":"r"}]'}
    bundle.run().refused("deny /proc/cpuinfo", "file system made for the container")


@case
def landlock(bundle):
    """dev.mxc.landlock: what is mounted can be used as mounted, and nothing more can be mounted."""
    script = "echo x > /tmp/file && echo x > /dev/null && cat /tmp/file; echo x > /etc/new 2>/dev/null && echo written; mount -t tmpfs x /mnt 2>/dev/null || echo refused"
    bundle.folder("bundle/rootfs/mnt")
    bundle.add(bind(bundle.base, "/srv", "bind", "ro"))
    bundle.spec["annotations"] = {"dev.mxc.landlock": '{"enabled":true}'}
    equal(bundle.ask(script), "x\nwritten\nrefused", "with Landlock")
    equal(bundle.ask(script, without="landlock"), "x\nwritten", "without")


if __name__ == "__main__":
    main()
