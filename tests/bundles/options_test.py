#!/usr/bin/env python3
"""What the options of a bundle's mounts do: attributes, propagation, idmaps, and what crun added."""

import os
import subprocess
import sys

sys.path.insert(0, os.path.dirname(os.path.realpath(__file__)))
from bundle import FIRST_ID, bind, case, check, equal, host_mounts, main, mount, proc, replace, tmpfs  # noqa: E402


# ---- options of binds ------------------------------------------------------------------------------------------------


def tree_of_mounts(bundle):
    """A tmpfs with another one in it."""
    top = bundle.source("tree")
    os.mkdir(top)
    mount("-t", "tmpfs", "-o", "mode=777", "tree", top)
    os.mkdir(os.path.join(top, "sub"))
    mount("-t", "tmpfs", "-o", "mode=777", "sub", os.path.join(top, "sub"))
    return top


ATTRIBUTES = (
    (("ro",), {"ro"}), (("nosuid",), {"nosuid"}), (("nodev",), {"nodev"}), (("noexec",), {"noexec"}),
    (("nodiratime",), {"nodiratime"}), (("nosymfollow",), {"nosymfollow"}),
    (("ro", "nosuid", "nodev", "noexec"), {"ro", "nosuid", "nodev", "noexec"}),
    (("ro", "rw"), {"rw"}), (("nosuid", "suid"), set()), (("nodev", "dev"), set()), (("noexec", "exec"), set()),
)
OFF = {"ro", "nosuid", "nodev", "noexec", "nodiratime", "nosymfollow", "noatime"}


@case
def attributes_of_binds(bundle):
    """Without an r they are the mount's own; with one they hold for what is mounted below, too."""
    top = tree_of_mounts(bundle)
    plain = list(bundle.spec["mounts"])
    for words, wanted in ATTRIBUTES:
        if "nodiratime" in words and bundle.caller in ("rootless", "nested"):
            continue  # as all of the access-time options, locked in a user namespace (mount_namespaces(7))
        bundle.spec["mounts"] = [*plain, bind(top, "/own", "rbind", *words), bind(top, "/all", "rbind", *("r" + word for word in words))]
        lines = {line.split()[4]: set(line.split()[5].split(",")) for line in bundle.ask("cat /proc/self/mountinfo").splitlines()}
        for path, expected in (("/own", wanted), ("/own/sub", set()), ("/all", wanted), ("/all/sub", wanted)):
            equal(lines[path] & OFF, expected & OFF, f"{words} on {path}")


@case(callers=("root", "userns"))
def access_times(bundle):
    for word, wanted in (("noatime", "noatime"), ("relatime", "relatime"), ("strictatime", None), ("norelatime", None),
                         ("nostrictatime", "relatime"), ("atime", "relatime")):
        bundle.spec["mounts"] = [proc(), bind(bundle.base, "/mnt", "bind", "noatime", word)]
        modes = bundle.mounted("/mnt")["options"] & {"noatime", "relatime"}
        equal(modes, {wanted} - {None}, word)


@case
def bind_without_what_is_below(bundle):
    top = tree_of_mounts(bundle)
    bundle.add(bind(top, "/all", "rbind"))
    equal(bundle.ask("grep -c tree /proc/self/mountinfo; ls /all; grep -c ' /all/sub ' /proc/self/mountinfo"), "1\nsub\n1", "rbind")
    bundle.spec["mounts"].pop()
    bundle.add(bind(top, "/one", "bind"))
    ended = bundle.run("ls /one; grep -c ' /one/sub ' /proc/self/mountinfo; true")
    if bundle.caller in ("root", "userns"):
        equal(ended.expect().out, "sub\n0\n", "bind")
    else:
        # What is mounted below was put there by another user namespace, and may hide something.
        ended.refused("/one", "EINVAL", "use rbind")


@case
def options_nobody_knows(bundle):
    for word in ("ro_", "sync", "size=4k", "rfoo", "uid=1"):
        bundle.spec["mounts"] = [proc(), bind(bundle.base, "/mnt", "rbind", word)]
        bundle.run().refused("/mounts/1/options", f'"{word}"')
    bundle.spec["mounts"] = [proc(), tmpfs("/mnt", "foo=bar")]
    bundle.run().refused("mount tmpfs on /mnt", "foo=bar", "EINVAL")


@case
def sources(bundle):
    """Relative to the bundle; a missing one is an error, and nothing is made for it."""
    bundle.file(os.path.join(bundle.path, "beside"), "content")
    bundle.add(bind("beside", "/etc/beside"))
    equal(bundle.ask("cat /etc/beside"), "content", "a relative source")
    bundle.add(bind(bundle.source("none"), "/etc/none"))
    bundle.run().refused("/mounts/7/source", bundle.source("none"))
    check(not os.path.exists(bundle.source("none")), "a source was made")


@case(callers=("rootless", "nested"))
def locked_flags(bundle):
    """What restricts the host's mount stays, whatever isn't mentioned; taking it away is an error."""
    os.mkdir(bundle.source("tree"))
    mount("-t", "tmpfs", "-o", "nosuid,nodev,noexec,noatime,mode=777", "tree", bundle.source("tree"))
    bundle.add(bind(bundle.source("tree"), "/mnt", "rbind", "ro"))
    options = bundle.mounted("/mnt")["options"]
    check({"ro", "nosuid", "nodev", "noexec", "noatime"} <= options, f"got {options}")
    for word in ("suid", "dev", "exec", "relatime"):
        replace(bundle, "/mnt", options=["rbind", word])
        bundle.run().refused("/mnt", "EPERM", "locks what restricts")


@case(callers=("root",))
def remount(bundle):
    bundle.add(bind(bundle.base, "/mnt", "bind"), {"destination": "/mnt", "options": ["remount", "ro", "nosuid"]})
    check({"ro", "nosuid"} <= bundle.mounted("/mnt")["options"], "the options of the remount")
    replace(bundle, "/mnt", options=["remount", "size=4k"])
    bundle.run().refused("size")


# ---- crun's additions ------------------------------------------------------------------------------------------------


@case
def symbolic_links_as_sources(bundle):
    bundle.file(bundle.source("file"), "content")
    bundle.link("/etc/target", bundle.source("link"))
    bundle.file(bundle.root("etc/target"), "inside")
    bundle.add(bind(bundle.source("link"), "/etc/copied", "copy-symlink"), bind(bundle.source("file"), "/etc/plain", "copy-symlink"))
    equal(bundle.ask("readlink /etc/copied; cat /etc/copied /etc/plain"), "/etc/target\ninsidecontent", "copy-symlink")
    equal(bundle.ask("readlink /etc/copied"), "/etc/target", "the same link again")
    os.unlink(bundle.root("etc/copied"))
    bundle.link("/other", bundle.root("etc/copied"))
    bundle.run().refused("/etc/copied", "EEXIST")


@case
def links_that_are_not_followed(bundle):
    bundle.file(bundle.source("file"), "content")
    bundle.link("/etc/target", bundle.source("link"))
    bundle.file(bundle.root("etc/target"), "inside")
    bundle.link("target", bundle.root("etc/link"))
    bundle.file(bundle.root("etc/place"))
    bundle.add(bind(bundle.source("file"), "/etc/link", "bind", "dest-nofollow"), bind(bundle.source("link"), "/etc/place", "src-nofollow"))
    equal(bundle.ask("cat /etc/link /etc/target; readlink /etc/place"), "contentinside/etc/target", "output")


@case
def tmpcopyup(bundle):
    """A tmpfs that starts with what the image has there: modes, owners, links, attributes; nothing behind a link."""
    bundle.folder("bundle/rootfs/data/sub", 0o750)
    os.chmod(bundle.root("data"), 0o1755)
    bundle.file(bundle.root("data/file"), "content", 0o4711)
    bundle.file(bundle.root("data/big"), "x" * 3_000_000)
    bundle.file(bundle.root("data/sub/deep"), "deep")
    os.link(bundle.root("data/sub/deep"), bundle.root("data/hard"))
    bundle.link("/etc/shadow", bundle.root("data/link"))
    bundle.link(bundle.base, bundle.root("data/out"))
    bundle.file(bundle.source("secret"), "secret")
    os.mkfifo(bundle.root("data/fifo"), 0o600)
    bundle.own(bundle.root("data/fifo"))
    os.setxattr(bundle.root("data/file"), "user.key", b"value")
    os.utime(bundle.root("data/file"), (1, 1_000_000_000))
    bundle.add(tmpfs("/data", "tmpcopyup", "size=8m"))
    out = bundle.ask("""
      stat -c '%n %a %u:%g %h' /data /data/sub /data/file /data/hard /data/sub/deep; stat -c %Y /data/file
      readlink /data/link; readlink /data/out; test -p /data/fifo && echo fifo
      cat /data/file /data/hard; wc -c < /data/big; ls /data/out 2>/dev/null | wc -l
      touch /data/new && echo more > /data/file && rm /data/hard
    """)
    equal(out.split("\n"), ["/data 1755 0:0 3", "/data/sub 750 0:0 2", "/data/file 4711 0:0 1", "/data/hard 644 0:0 2",
                            "/data/sub/deep 644 0:0 2", "1000000000", "/etc/shadow", bundle.base, "fifo", "contentdeep3000000", "0"], "output")
    with open(bundle.root("data/file"), encoding="utf-8") as file:
        equal(file.read(), "content", "the image's file")
    check(os.path.exists(bundle.root("data/hard")) and not os.path.exists(bundle.root("data/new")), "the image was changed")
    bundle.add(bind("/usr/bin/python3", "/bin/none"))
    replace(bundle, "/data", options=["tmpcopyup", "size=4k"])
    bundle.run().refused("/data", "ENOSPC")


@case
def tmpcopyup_is_for_tmpfs(bundle):
    bundle.add(bind(bundle.base, "/mnt", "rbind", "tmpcopyup"))
    bundle.run().refused("/mounts/6/options", "tmpcopyup")


# ---- propagation -----------------------------------------------------------------------------------------------------


def shared_folder(bundle):
    path = bundle.source("shared")
    os.mkdir(path)
    mount("-t", "tmpfs", "-o", "mode=777", "shared", path)
    mount("--make-shared", path)
    os.mkdir(os.path.join(path, "point"))
    os.chmod(os.path.join(path, "point"), 0o777)
    return path


PROPAGATION = (([], "private", set()), (["private"], "private", set()), (["rslave"], "private", {"master"}),
               (["slave"], "rslave", {"master"}), (["rshared"], "private", {"master", "shared"}),
               (["shared"], "rslave", {"master", "shared"}), (["unbindable"], "private", {"unbindable"}))


@case
def propagation_of_mounts(bundle):
    path = shared_folder(bundle)
    for words, of_root, wanted in PROPAGATION:
        bundle.spec["linux"]["rootfsPropagation"] = of_root
        bundle.spec["mounts"] = [proc(), bind(path, "/mnt", "rbind", *words)]
        tags = {tag.split(":")[0] for tag in bundle.mounted("/mnt")["tags"]}
        equal(tags, wanted, f"propagation of {words} in a root that is {of_root}")


def mounts_inside(bundle, path, options, of_root):
    """Whether the host sees what a container mounts below a bind with these options."""
    bundle.spec["linux"]["rootfsPropagation"] = of_root
    bundle.spec["mounts"] = [proc(), bind(path, "/mnt", *options)]
    process = bundle.start("mount -t tmpfs inner /mnt/point && touch /mnt/point/made && echo done && sleep 60")
    try:
        line = process.stdout.readline()
        equal(line, b"done\n", "the container's output")
        return os.path.exists(os.path.join(path, "point", "made"))
    finally:
        process.kill()
        process.communicate()


@case(callers=("root",))
def the_host_gets_no_mounts_back(bundle):
    """Unless both the mount and the root are asked to share."""
    path = shared_folder(bundle)
    for options, of_root, seen in ((["rbind"], "private", False), (["rbind", "rslave"], "rslave", False), (["rbind", "rshared"], "private", False),
                                   (["rbind", "rshared"], "rslave", False), (["rbind", "rshared"], "shared", True)):
        equal(mounts_inside(bundle, path, options, of_root), seen, f"a mount of {options} with {of_root}, seen by the host")
        subprocess.run(["umount", "-l", os.path.join(path, "point")], check=False, stderr=subprocess.DEVNULL)


@case(callers=("root",))
def a_slave_gets_the_hosts_mounts(bundle):
    path = shared_folder(bundle)
    for options, seen in ((["rbind", "rslave"], "seen"), (["rbind"], "")):
        bundle.spec["mounts"] = [proc(), bind(path, "/mnt", *options)]
        process = bundle.start("echo ready; while ! test -e /mnt/go; do sleep 0.02; done; test -e /mnt/point/made && echo seen; true")
        equal(process.stdout.readline(), b"ready\n", "the container's output")
        mount("-t", "tmpfs", "inner", os.path.join(path, "point"))
        open(os.path.join(path, "point", "made"), "w", encoding="utf-8").close()
        open(os.path.join(path, "go"), "w", encoding="utf-8").close()
        equal(process.communicate(timeout=30)[0].decode().strip(), seen, f"with {options}")
        subprocess.run(["umount", os.path.join(path, "point")], check=True)
        os.unlink(os.path.join(path, "go"))


@case
def propagation_of_the_root(bundle):
    """A shared root is a peer group of its own: nothing that is set up in it shows on the host."""
    mount("--bind", bundle.rootfs, bundle.rootfs)
    mount("--make-shared", bundle.rootfs)
    before = host_mounts()
    for word, wanted in (("private", set()), ("rprivate", set()), ("slave", {"master"}), ("rslave", {"master"}), ("shared", {"shared"}),
                         ("rshared", {"shared"}), ("unbindable", {"unbindable"}), ("", set())):
        bundle.spec["linux"]["rootfsPropagation"] = word
        equal({tag.split(":")[0] for tag in bundle.mounted("/")["tags"]}, wanted, f"the root's propagation, {word}")
        equal(host_mounts(), before, f"the host's mounts after a root that is {word}")


@case
def a_shared_host(bundle):
    """Where everything on the host is shared, as systemd has it, nothing comes back by default."""
    mount("--bind", bundle.top, bundle.top)
    mount("--make-shared", bundle.top)
    before = host_mounts()
    bundle.add(bind(bundle.base, "/mnt/base"))
    bundle.ask("cat /proc/self/mountinfo >/dev/null")
    equal(host_mounts(), before, "the host's mounts")
    if bundle.caller == "root":
        tags = bundle.mounted("/mnt/base", without="propagation")["tags"]
        check(tags and tags[0].startswith("shared:"), f"without the counter-measure the bind is {tags}")


# ---- idmapped mounts -------------------------------------------------------------------------------------------------


@case(callers=("root", "userns"))
def idmapped_mounts(bundle):
    bundle.file(bundle.source("file"), "content")
    os.chown(bundle.source("file"), 5, 6)
    shift = FIRST_ID if bundle.caller == "userns" else 0
    maps = {"uidMappings": [{"containerID": 5, "hostID": shift + 77, "size": 1}], "gidMappings": [{"containerID": 6, "hostID": shift + 88, "size": 1}]}
    for options in (["bind", "idmap"], ["rbind", "ridmap"], ["bind"]):
        bundle.spec["mounts"] = [proc(), bind(bundle.base, "/mnt", *options, **maps)]
        equal(bundle.ask("stat -c %u:%g /mnt/file"), "77:88", f"the owner with {options}")
    bundle.spec["mounts"] = [proc(), bind(bundle.base, "/mnt", "bind", "idmap")]
    if bundle.caller == "userns":
        equal(bundle.ask("stat -c %u:%g /mnt/file"), "5:6", "the owner by the container's own maps")
    else:
        bundle.run().refused("/mounts/1/options", "idmap")
    bundle.spec["mounts"] = [proc(), {"destination": "/mnt", "type": "tmpfs", "options": ["idmap"], **maps}]
    bundle.run().refused("/mounts/1/options", "only bind mounts")


@case(callers=("root",))
def what_can_not_be_idmapped(bundle):
    maps = {"uidMappings": [{"containerID": 0, "hostID": 5, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 1}]}
    bundle.add(bind("/proc", "/mnt", "bind", "idmap", **maps))
    bundle.run().refused("idmap the mount on /mnt", "EINVAL")


@case(callers=("rootless",))
def idmapped_mounts_take_root(bundle):
    maps = {"uidMappings": [{"containerID": 0, "hostID": 5, "size": 1}], "gidMappings": [{"containerID": 0, "hostID": 5, "size": 1}]}
    bundle.add(bind(bundle.base, "/mnt", "bind", "idmap", **maps))
    bundle.run().refused("/mounts/6", "only root")


if __name__ == "__main__":
    main()
