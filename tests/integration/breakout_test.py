#!/usr/bin/env python3
"""Ways out that were found by trying to get out: links that a run plants for the next one, parts of denied folders mounted
elsewhere, and mount namespaces that leave covers behind."""
import os
import shutil
import sys
import time

sys.dont_write_bytecode = True
from harness import Skip, case, check, contains, equal, eventually, lacks, main  # noqa: E402

NESTING = {"nesting": True}


def refused(box, policy, *parts):
    ended = box.run(policy, "true").expect(125)
    for part in parts:
        contains(ended.err, part, "the refusal")


@case
def what_mount_namespaces_inside_could_move_away_is_refused(box):
    """A cover is a mount; in a namespace without it, the name below it can be renamed to where another mount shows it."""
    key = box.file("work/rw/key", "secret")
    box.file("work/rw/ro/f", "x")
    box.folder("work/rw/deny/in")
    w = f"{box.work}/rw"
    refused(box, box.policy(rw=[w], deny=[key], x=NESTING), "x-linux.nesting", key, w)
    refused(box, box.policy(rw=[w], deny=[f"{w}/missing"], x=NESTING), "x-linux.nesting", f"{w}/missing")
    refused(box, box.policy(rw=[w], ro=[f"{w}/ro"], x=NESTING), "x-linux.nesting", f"{w}/ro")
    refused(box, box.policy(rw=[w, f"{w}/deny/in"], deny=[f"{w}/deny"], x=NESTING), "x-linux.nesting", f"{w}/deny")
    refused(box, box.policy(rw=[w], x={**NESTING, "protect": [f"{w}/start"]}), "x-linux.nesting", f"{w}/start")


@case
def nesting_with_nothing_held_below_writable_folders_runs(box):
    box.file("work/ro/key", "secret")
    box.folder("work/rw")
    policy = box.policy(ro=[f"{box.work}/ro"], rw=[f"{box.work}/rw"], deny=[f"{box.work}/ro/key"], x=NESTING)
    # As root the program is an ordinary user inside; either way it can make namespaces, and the cover holds in them.
    ended = box.run(policy, "unshare", "-Um", "sh", "-c", f"echo nested; cat {box.work}/ro/key")
    contains(ended.text, "nested", "the nested shell's output")
    lacks(ended.text, "secret", "the nested shell's output")
    contains(ended.err, "denied", "the nested shell's messages")


@case
def links_that_a_run_could_plant_open_nothing(box):
    """A missing if-present grant below a writable one: one run makes the link, the next would have mounted its target."""
    w = box.folder("work/rw")
    box.file("work/private/f", "secret")
    box.file("work/rw/real/f", "granted")
    later = {"ifPresent": {"readonlyPaths": [f"{w}/later"]}}
    policy = box.policy(rw=[w], x=later)
    box.run(policy, "ln", "-s", f"{box.work}/private", f"{w}/later").expect(0)
    refused(box, policy, f"{w}/later", f"{box.work}/private", "link")
    refused(box, box.policy(rw=[w], ro=[f"{w}/later"]), f"{w}/later", f"{box.work}/private", "link")
    # To what is granted anyway it may lead.
    os.unlink(f"{w}/later")
    os.symlink("real", f"{w}/later")
    equal(box.run(policy, "cat", f"{w}/later/f").expect(0).text, "granted", "the file behind the link")


@case
def links_to_the_kernels_folders_and_to_sockets_are_no_grants(box):
    link = f"{box.work}/link"
    for target in ("/", "/proc", "/proc/sys", "/sys", "/dev"):
        os.symlink(target, link)
        refused(box, box.policy(ro=[link]), link, f"link to {target}")
        refused(box, box.policy(rw=[link]), link, f"link to {target}")
        os.unlink(link)
    if not os.path.isdir("/run/dbus"):
        return
    os.symlink("/run", link)
    ended = box.run(box.policy(ro=[link]), "ls", f"{link}/dbus")
    check(ended.code != 0, "the message bus's folder can be listed through a link to /run")
    contains(ended.err, "denied", "what ls says")


@case
def parts_of_a_denied_folder_mounted_elsewhere_are_shut(box):
    if os.getuid() != 0:
        raise Skip("bind mounts are made by root")
    box.file("work/shut/keys/id", "secret")
    box.file("work/ro/sub/f", "original")
    box.mount("--bind", f"{box.work}/shut/keys", box.folder("work/rw/keys"))
    box.mount("--bind", f"{box.work}/ro/sub", box.folder("work/rw/sub"))
    policy = box.policy(rw=[f"{box.work}/rw"], ro=[f"{box.work}/ro"], deny=[f"{box.work}/shut"])
    ended = box.run(policy, "sh", "-c", f"cat {box.work}/rw/keys/id; cat {box.work}/rw/sub/f; echo changed > {box.work}/rw/sub/f")
    equal(ended.text, "original", "what could be read")
    with open(f"{box.work}/ro/sub/f", encoding="ascii") as file:
        equal(file.read(), "original", "the read-only file")


@case
def missing_names_are_watched_at_other_mounts_of_their_folder(box):
    if os.getuid() != 0:
        raise Skip("bind mounts are made by root")
    real = box.folder("work/real")
    alias = box.mount("--bind", real, box.folder("work/rw/alias"))
    box.run(box.policy(rw=[f"{box.work}/rw"], deny=[f"{real}/key"]), "sh", "-c", f"echo planted > {alias}/key; sleep 0.2").expect(0)
    box.take_moved("key")
    check(not os.path.lexists(f"{real}/key"), "the denied name stayed")


@case(callers=("root",))
def a_program_that_can_not_be_read_gets_no_exposed_file_either(box):
    """Whoever may execute and not read a program of a stranger has memory that the keeper can't look into."""
    w = box.folder("work/rw")
    secret = box.file("work/rw/key", "secret")
    program = os.path.realpath("/usr/bin/python3")
    for name, owner, mode in (("plain", 0, 0o755), ("stranger", 1234, 0o711)):
        shutil.copy(program, f"{w}/{name}")
        os.chown(f"{w}/{name}", owner, owner)
        os.chmod(f"{w}/{name}", mode)
    code = f"""
import os
os.close(os.open('{w}/ready', os.O_CREAT))
while not os.access('{w}/done', os.F_OK):
    for _ in range(100):
        try: print(open('{secret}').read())
        except OSError: pass
"""
    seen = {}
    for name in ("plain", "stranger"):
        for left in ("ready", "done"):
            if os.path.exists(f"{w}/{left}"):
                os.unlink(f"{w}/{left}")
        run = box.start("run", "--policy", box.policy_file(box.policy(rw=[w], deny=[secret])), "--", f"{w}/{name}", "-c", code)
        check(eventually(lambda: os.path.exists(f"{w}/ready"), 10), "the program didn't start")
        for _ in range(100):
            box.file("work/rw/new", "secret")
            os.rename(f"{w}/new", secret)
            time.sleep(0.01)
        box.file("work/rw/done")
        out, err = run.communicate(timeout=60)
        equal(run.returncode, 0, f"exit status ({err})")
        seen[name] = out
    if b"secret" in seen["plain"]:
        raise Skip("this kernel has no permission events of fanotify")
    equal(seen["stranger"], b"", "what the program read")


@case(callers=("rootless",))
def a_name_that_can_not_be_watched_any_more_ends_the_run(box):
    """inotify's limits count per user: code inside can use up the watches that the keeper needs."""
    w = box.folder("work/rw")
    code = f"""
import ctypes, os, time
libc = ctypes.CDLL(None)
inotify = libc.inotify_init1(0)
for k in range(1000):
    os.mkdir(f'/tmp/{{k}}')
    if libc.inotify_add_watch(inotify, f'/tmp/{{k}}'.encode(), 2) < 0: break
print('used up', flush=True)
os.makedirs('{w}/a/b')
time.sleep(5)
print('alive')
"""
    # A limit of a user namespace around mxc, so that nobody else's watches are taken.
    limited = ["unshare", "-Ur", "sh", "-c", 'echo 60 > /proc/sys/user/max_inotify_watches && exec "$@"', "sh"]
    policy = box.policy_file(box.policy(rw=[w], deny=[f"{w}/a/b/key"]))
    ended = box.mxc("run", "--policy", policy, "--", "python3", "-c", code, before=limited)
    contains(ended.text, "used up", "the program's output")
    lacks(ended.text, "alive", "the program's output")
    check(ended.code != 0, "the run ended as if nothing had happened")


@case
def renaming_leaves_no_device_node_behind(box):
    box.file("work/rw/f", "x")
    ended = box.python(box.policy(rw=[f"{box.work}/rw"]), f"""
        import ctypes, errno
        libc = ctypes.CDLL(None, use_errno=True)
        at, whiteout, no_replace = -100, 4, 1
        for flags in (whiteout, whiteout | 0x100000000, no_replace):
            done = libc.syscall(316, at, b"{box.work}/rw/f", at, b"{box.work}/rw/g", ctypes.c_ulong(flags))
            print(done, errno.errorcode.get(ctypes.get_errno()) if done else "")
        """)  # fmt: skip
    equal(ended.expect(0).text.split("\n")[:3], ["-1 EPERM", "-1 EPERM", "0 "], "renames with flags")
    equal(os.listdir(f"{box.work}/rw"), ["g"], "the folder afterwards")


if __name__ == "__main__":
    main()
