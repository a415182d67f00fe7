#!/usr/bin/env python3
"""What podman's options ask of the runtime: mounts, limits, capabilities, seccomp, users, namespaces, devices."""
import json
import os
import re
import sys

sys.dont_write_bytecode = True
from engine import Skip, case, check, contains, equal, lacks, main  # noqa: E402
from machine import SUBIDS, UID  # noqa: E402
from podman import IMAGE, Podman  # noqa: E402

ALL_CAPABILITIES = "grep CapEff /proc/self/status | cut -f2"


@case
def volumes(engine):
    folder = engine.folder("v")
    engine.file("v/f", "from the host")
    equal(engine.sh("cat /m/f; echo new > /m/g", "--volume", f"{folder}:/m"), "from the host")
    with open(f"{folder}/g", encoding="utf-8") as file:
        equal(file.read(), "new\n", "written through the volume")
    equal(os.stat(f"{folder}/g").st_uid, engine.uid, "owner on the host")
    for options in (["--volume", f"{folder}:/m:ro"], ["--mount", f"type=bind,source={folder},destination=/m,ro=true"]):
        ended = engine.run(*options, "-", "sh", "-c", "cat /m/f; echo x > /m/h")
        check(ended.code != 0, "writing to a read-only volume succeeds")
        equal(ended.text, "from the host")
        contains(ended.err, "Read-only file system")
    check(not os.path.exists(f"{folder}/h"), "written through the read-only volume")
    out = engine.sh("cat /srv/deep/er/f", "--volume", f"{folder}/f:/srv/deep/er/f")
    equal(out, "from the host", "one file, in folders that the image lacks")


@case
def denied_path_by_annotation(engine):
    if os.path.basename(engine.place.runtime) != "mxc-runtime":
        raise Skip("annotations of mxc-runtime")
    folder = engine.folder("v")
    engine.file("v/secret", "secret")
    # podman reads these options as lines of CSV.
    quoted = ['"' + text.replace('"', '""') + '"' for text in ('dev.mxc.denied=[{"path": "/m/secret"}]', 'dev.mxc.landlock={"enabled": true}')]
    annotations = ("--annotation", quoted[0], "--annotation", quoted[1])
    ended = engine.run("--volume", f"{folder}:/m", *annotations, "-", "sh", "-c", "ls /m; cat /m/secret")
    equal((ended.code, ended.text), (1, "secret\n"), "the listing, and nothing of the file")
    contains(ended.err, "Permission denied")
    ended = engine.run("--volume", f"{folder}:/m", *annotations[:2], "-", "true")
    contains(ended.err, "dev.mxc.denied", "what podman says of denied paths that nothing would hold")


@case
def volumes_below_volumes(engine):
    outer, inner = engine.folder("outer"), engine.folder("inner")
    os.mkdir(f"{outer}/sub")
    os.chown(f"{outer}/sub", engine.uid, engine.uid)
    engine.file("inner/f", "inner")
    script = "cat /m/sub/f; test ! -e /m/other/f; echo x > /m/sub/g; echo x > /m/g"
    ended = engine.run("--volume", f"{outer}:/m:ro", "--volume", f"{inner}:/m/sub", "-", "sh", "-c", script)
    check(ended.code != 0, "the outer volume is read-only")
    check(os.path.exists(f"{inner}/g"), "the inner volume can be written")
    equal(os.listdir(f"{outer}/sub"), [], "the folder under the inner volume")


@case
def named_volume_takes_the_images_files(engine):
    equal(engine.sh("cat /srv/from-image; echo mine > /srv/mine", "--volume", "vol:/srv"), "from the image\n")
    equal(engine.sh("ls /m", "--volume", "vol:/m"), "from-image\nmine\n", "what a second container sees")
    engine.podman("volume", "rm", "vol").expect()


@case
def tmpfs(engine):
    script = "df -k /t | tail -n 1; grep ' /t ' /proc/self/mounts; stat -c %a /t; ls /srv"
    out = engine.sh(script, "--tmpfs", "/t:size=1m,noexec,mode=711", "--tmpfs", "/srv")
    contains(out, " 1024 ", "size")
    contains(out, "noexec", "options")
    contains(out, "from-image", "files of the image, copied up")
    contains(out, "\n711\n", "mode")
    out = engine.sh("ls /srv | wc -l", "--mount", "type=tmpfs,destination=/srv,notmpcopyup")
    equal(out, "0\n", "files without copying up")


@case
def read_only(engine):
    script = "touch /x; touch /etc/x; touch /tmp/x /run/x /dev/shm/x /var/tmp/x && echo written"
    ended = engine.run("--read-only", "-", "sh", "-c", script).expect()
    contains(ended.err, "'/x': Read-only file system")
    contains(ended.err, "'/etc/x': Read-only file system")
    equal(ended.text, "written\n", "the tmpfs that podman adds")
    ended = engine.run("--read-only", "--read-only-tmpfs=false", "-", "sh", "-c", "touch /tmp/x")
    contains(ended.err, "Read-only file system")


def _cgroup_file(engine, name, controller, file):
    """A file of the container's cgroup on the host."""
    pid = engine.inspect(name, "{{.State.Pid}}")
    with open(f"/proc/{pid}/cgroup", encoding="utf-8") as lines:
        for line in lines:
            _, controllers, path = line.rstrip("\n").split(":", 2)
            if controller in controllers.split(","):
                with open(f"/sys/fs/cgroup/{controller}{path}/{file}", encoding="utf-8") as found:
                    return found.read().strip()
    raise Skip(f"cgroup v1 has no {controller} here")


LIMITS = (
    ("memory", "memory.limit_in_bytes", str(64 << 20)),
    ("memory", "memory.soft_limit_in_bytes", str(32 << 20)),
    ("memory", "memory.swappiness", "10"),
    ("pids", "pids.max", "50"),
    ("cpu", "cpu.cfs_quota_us", "50000"),
    ("cpu", "cpu.cfs_period_us", "100000"),
    ("cpu", "cpu.shares", "300"),
    ("cpuset", "cpuset.cpus", "0"),
)


@case(callers=("root",))
def limits(engine):
    options = "--memory 64m --memory-reservation 32m --memory-swappiness 10 --pids-limit 50"
    options += " --cpus 0.5 --cpu-shares 300 --cpuset-cpus 0"
    with engine.background("c", *options.split()):
        for controller, file, wanted in LIMITS:
            equal(_cgroup_file(engine, "c", controller, file), wanted, file)
        engine.podman("update", "--memory", "80m", "--cpus", "0.25", "c").expect()
        equal(_cgroup_file(engine, "c", "memory", "memory.limit_in_bytes"), str(80 << 20), "memory after update")
        equal(_cgroup_file(engine, "c", "cpu", "cpu.cfs_quota_us"), "25000", "CPU after update")


@case(callers=("root",))
def limits_hold(engine):
    # dash forks for each background job; the message is its own.
    ended = engine.run("--pids-limit", "5", "-", "sh", "-c", "for i in 1 2 3 4 5 6 7 8; do sleep 1 & done; wait")
    contains(ended.err, "Cannot fork")
    # 137: killed by the kernel for want of memory.
    equal(engine.run("--memory", "16m", "-", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1").code, 137, "exit status")
    equal(engine.run("--memory", "128m", "-", "dd", "if=/dev/zero", "of=/dev/null", "bs=64M", "count=1").code, 0, "with memory enough")


@case(callers=("rootless",))
def limits_that_cannot_be_had(engine):
    ended = engine.run("--memory", "64m", "--pids-limit", "5", "-", "echo", "ran")
    if "cgroups V1" in ended.err:
        equal(ended.expect().text, "ran\n", "podman drops the limits, and says so")
    else:
        raise Skip("not on cgroup v1")


@case
def capabilities(engine):
    def effective(*options):
        return int(engine.sh(ALL_CAPABILITIES, *options), 16)

    equal(effective("--cap-drop", "all"), 0)
    equal(effective("--cap-drop", "all", "--cap-add", "chown,net_raw"), 1 << 0 | 1 << 13)
    equal(effective() & 1 << 21, 0, "CAP_SYS_ADMIN by default")
    equal(effective("--user", "1000"), 0, "of an ordinary user")
    out = engine.sh("grep Cap /proc/self/status", "--user", "1000", "--cap-drop", "all", "--cap-add", "net_bind_service")
    wanted = [(name, "400") for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")]
    equal(re.findall(r"(\w+):\t0*(\w+)", out), wanted, "one capability of an ordinary user")
    check(effective("--privileged") & 1 << 21, "CAP_SYS_ADMIN of --privileged")


@case
def no_new_privileges(engine):
    script = "grep NoNewPrivs /proc/self/status | cut -f2"
    equal(engine.sh(script), "0\n", "by default")
    equal(engine.sh(script, "--security-opt", "no-new-privileges"), "1\n")


@case
def seccomp(engine):
    script = "grep Seccomp: /proc/self/status | cut -f2"
    equal(engine.sh(script), "2\n", "by default")
    equal(engine.sh(script, "--security-opt", "seccomp=unconfined"), "0\n", "unconfined")
    profile = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": ["SCMP_ARCH_X86_64"], "syscalls": [
        {"names": ["mkdir", "mkdirat", "no_such_call"], "action": "SCMP_ACT_ERRNO", "errnoRet": 95},
        {"names": ["kill"], "action": "SCMP_ACT_ERRNO", "args": [{"index": 1, "value": 10, "op": "SCMP_CMP_EQ"}]},
    ]}  # fmt: skip
    path = engine.file("profile.json", json.dumps(profile))
    ended = engine.run("--security-opt", f"seccomp={path}", "-", "sh", "-c", "mkdir /tmp/x; kill -USR1 $$; kill -0 $$ && echo ok").expect()
    contains(ended.err, "Operation not supported", "errno of mkdir")
    contains(ended.err, "Operation not permitted", "errno of kill with USR1")
    equal(ended.text, "ok\n", "kill with another signal")


@case
def users(engine):
    script = "id -u; id -g; id -G; echo $HOME"
    equal(engine.sh(script, "--user", "1000:2000").split("\n")[:3], ["1000", "2000", "2000"])
    equal(engine.sh(script, "--user", "user"), "1000\n1000\n1000 2000\n/home/user\n")
    contains(engine.sh("id -G", "--user", "user", "--group-add", "2345"), "2345")
    equal(engine.sh("touch /home/user/x && echo ok", "--user", "user"), "ok\n", "a user's own folder")
    equal(engine.sh("umask", "--umask", "0077"), "0077\n", "umask")


@case(callers=("root",))
def user_namespace_of_root(engine):
    maps = ["--uidmap", "0:100000:5000", "--gidmap", "0:200000:5000"]
    folder = engine.folder("v")
    os.chmod(folder, 0o777)
    script = "cat /proc/self/uid_map /proc/self/gid_map; touch /m/f; id -u; touch /root/x && echo ok"
    out = engine.sh(script, *maps, "--volume", f"{folder}:/m")
    equal(out.split(), "0 100000 5000 0 200000 5000 0 ok".split(), "maps")
    found = os.stat(f"{folder}/f")
    equal((found.st_uid, found.st_gid), (100000, 200000), "owner on the host")
    with engine.background("c", *maps):
        equal(engine.podman("exec", "c", "cat", "/proc/self/uid_map").expect().text.split(), ["0", "100000", "5000"], "in exec")
        equal(engine.podman("exec", "--user", "1000", "c", "touch", "/home/user/x").code, 0, "an ordinary user by exec")


@case(callers=("rootless",))
def user_namespace_rootless(engine):
    equal(engine.sh("cat /proc/self/uid_map").split(), ["0", str(UID), "1", "1", str(SUBIDS), "65536"])
    folder = engine.folder("v")
    equal(engine.sh("id -u; touch /m/f", "--userns", "keep-id", "--volume", f"{folder}:/m"), f"{UID}\n")
    equal(os.stat(f"{folder}/f").st_uid, UID, "owner on the host")
    equal(engine.sh("id -u; touch /m/g", "--userns", "keep-id:uid=1000,gid=1000", "--volume", f"{folder}:/m"), "1000\n")
    equal(os.stat(f"{folder}/g").st_uid, UID, "owner on the host")
    engine.sh("chown 1000:1000 /m/f", "--volume", f"{folder}:/m")
    equal(os.stat(f"{folder}/f").st_uid, SUBIDS + 999, "a subordinate id on the host")
    with engine.background("c", "--userns", "keep-id"):
        equal(engine.podman("exec", "c", "id", "-u").expect().text, f"{UID}\n", "exec")


@case
def namespaces_of_the_caller(engine):
    mine = {name: os.readlink(f"/proc/self/ns/{name}") for name in ("pid", "ipc", "uts", "net", "cgroup")}
    # podman rootless binds the host's /dev/mqueue for --ipc host, and fails where there is none.
    names = [("pid", "pid"), ("uts", "uts")] + ([("ipc", "ipc")] if engine.root or os.path.exists("/dev/mqueue") else [])
    for option, name in names:
        equal(engine.sh(f"readlink /proc/self/ns/{name}", f"--{option}", "host").strip(), mine[name], f"--{option} host")
        check(engine.sh(f"readlink /proc/self/ns/{name}").strip() != mine[name], f"{name} namespace by default")
    ended = engine.podman("run", "--rm", "--network", "host", IMAGE, "readlink", "/proc/self/ns/net").expect()
    equal(ended.text.strip(), mine["net"], "--network host")
    check(engine.sh("readlink /proc/self/ns/cgroup", "--cgroupns", "private").strip() != mine["cgroup"], "private cgroup namespace")
    equal(engine.sh("readlink /proc/self/ns/cgroup", "--cgroupns", "host").strip(), mine["cgroup"], "host's cgroup namespace")
    equal(engine.sh("hostname", "--hostname", "other"), "other\n", "--hostname")
    lacks(engine.sh("cat /proc/net/dev"), "eth0", "interfaces without network")


@case
def namespaces_of_another_container(engine):
    with engine.background("c", "--hostname", "of-c", "--ipc", "shareable"):
        pid = engine.inspect("c", "{{.State.Pid}}")
        options = [option for name in ("network", "pid", "ipc", "uts") for option in (f"--{name}", "container:c")]
        script = "for n in net pid ipc uts; do readlink /proc/self/ns/$n; done; cat /proc/1/cmdline; hostname"
        ended = engine.podman("run", "--rm", *options, IMAGE, "sh", "-c", script).expect()
        wanted = [os.readlink(f"/proc/{pid}/ns/{name}") for name in ("net", "pid", "ipc", "uts")]
        equal(ended.text.split("\n"), [*wanted, "sleep\x001000\0of-c", ""])


@case(callers=("root",))
def devices(engine):
    # A device that no runtime allows by default.
    device = next((path for path in ("/dev/fuse", "/dev/loop-control", "/dev/net/tun") if os.path.exists(path)), None)
    if not device:
        raise Skip("none of the devices that the case needs is on this machine")

    def opens(how, *options):
        ended = engine.run(*options, "-", "sh", "-c", f"true {how}")
        refusals = {"not permitted": "denied", "nonexistent": "absent", "No such": "absent"}
        return next((word for text, word in refusals.items() if text in ended.err), ended.code)

    equal(opens("</dev/zero"), 0)
    equal(opens(f"<{device}"), "absent")
    equal(opens("</dev/its", "--device", f"{device}:/dev/its:r"), 0)
    equal(opens("<>/dev/its", "--device", f"{device}:/dev/its:r"), "denied", "writing to a device given for reading")
    number = os.stat(device).st_rdev
    script = (
        "mknod /tmp/z c 1 5 && true </tmp/z && echo zero;"
        f"mknod /tmp/d c {os.major(number)} {os.minor(number)} && echo made; true </tmp/d && echo open"
    )
    equal(engine.run("-", "sh", "-c", script).text, "zero\nmade\n", "nodes made inside: that of /dev/zero can be opened, another can't")


@case(callers=("rootless",))
def devices_of_rootless(engine):
    equal(engine.sh("head -c 4 /dev/zz | wc -c", "--device", "/dev/zero:/dev/zz"), "4\n")
    check(engine.run("-", "mknod", "/tmp/z", "c", "1", "5").code != 0, "making a device node succeeds")


@case
def privileged(engine):
    out = engine.sh("mount -t tmpfs none /srv && echo mounted; touch /proc/sys/kernel/ns_last_pid && echo open", "--privileged")
    contains(out, "mounted")
    contains(out, "open")
    script = "mount -t tmpfs none /srv && echo mounted; echo x > /proc/sys/kernel/domainname; head -c 1 /proc/kcore | wc -c"
    ended = engine.run("-", "sh", "-c", script)
    contains(ended.err, "Read-only file system", "/proc/sys without --privileged")
    equal(ended.text, "0\n", "without --privileged nothing is mounted and /proc/kcore is empty")


@case
def masks(engine):
    equal(engine.sh("ls /srv | wc -l; wc -c < /etc/passwd", "--security-opt", "mask=/srv:/etc/passwd"), "0\n0\n")
    lacks(engine.sh("cat /proc/self/mounts", "--security-opt", "unmask=ALL"), " /proc/sys ", "mounts with all unmasked")
    contains(engine.sh("cat /proc/self/mounts"), " /proc/sys ", "mounts by default")


@case
def kernel_settings_and_limits(engine):
    equal(engine.sh("ulimit -n; ulimit -Hn", "--ulimit", "nofile=99:100", "--ulimit", "nproc=500:500"), "99\n100\n")
    equal(engine.sh("cat /proc/self/oom_score_adj", "--oom-score-adj", "321"), "321\n")
    contains(engine.sh("df -k /dev/shm", "--shm-size", "2m"), " 2048 ")
    equal(engine.sh("cat /proc/sys/net/ipv4/ip_default_ttl", "--sysctl", "net.ipv4.ip_default_ttl=77"), "77\n")
    equal(engine.sh("cat /proc/sys/kernel/shm_rmid_forced", "--sysctl", "kernel.shm_rmid_forced=1"), "1\n")


@case
def systemd_mode(engine):
    out = engine.sh("cat /proc/self/mounts; echo $container", "--systemd", "always")
    for path in ("/run", "/tmp", "/var/log/journal"):
        contains(out, f" {path} tmpfs ")
    contains(out, "podman")


@case
def cgroups_disabled(engine):
    if engine.place.name == "runc":
        raise Skip("runc has no --cgroup-manager")
    with open("/proc/self/cgroup", encoding="utf-8") as file:
        mine = file.read()
    equal(engine.sh("cat /proc/self/cgroup", "--cgroups", "disabled", "--cgroupns", "host"), mine, "cgroups")


@case(callers=("rootless",))
def groups_kept(engine):
    if engine.place.name == "runc":
        raise Skip("runc does not know run.oci.keep_original_groups")
    script = "grep Groups /proc/self/status"
    # A group that the user namespace has no number for is shown as 65534.
    lacks(engine.sh(script, extra_groups=[77777]), "65534", "groups by default")
    contains(engine.sh(script, "--group-add", "keep-groups", extra_groups=[77777]), "65534", "groups kept")


if __name__ == "__main__":
    main(Podman)
