#!/usr/bin/env python3
"""A mixed policy holds: read-only, read-write, denied, nested, aliased; what is written is the caller's; nothing is left behind."""
import os
import subprocess
import sys
import time

sys.dont_write_bytecode = True
from harness import Skip, case, check, contains, equal, lacks, main, tree  # noqa: E402

# Tries operations inside and prints one line each: `OPERATION PATH: ok` or its errno's name.
PROBE = r"""
import errno, os, sys
def attempt(operation, path):
    if operation == 'read':
        with open(path, 'rb') as f: f.read()
    elif operation == 'list': os.listdir(path)
    elif operation == 'write':
        with open(path, 'r+b') as f: f.write(b'W')
    elif operation == 'create':
        with open(path, 'x') as f: f.write('made inside')
    elif operation == 'mkdir': os.mkdir(path)
    elif operation == 'unlink': os.unlink(path)
    elif operation == 'rmdir': os.rmdir(path)
    elif operation == 'rename': os.rename(path, path + '.moved')
    elif operation == 'chmod': os.chmod(path, 0o777)
    elif operation == 'stat': os.stat(path)
    elif operation == 'truncate': os.truncate(path, 0)
    elif operation == 'link': os.link(path, os.environ.get('LINK', '/tmp/link'))
    elif operation == 'utime': os.utime(path)
    elif operation == 'chdir': os.chdir(path); os.chdir('/')
    elif operation == 'symlink': os.symlink('x', path)
for question in sys.argv[1:]:
    operation, _, path = question.partition(' ')
    try:
        attempt(operation, path)
        print(question + ': ok')
    except OSError as error:
        print(question + ': ' + errno.errorcode[error.errno])
"""


def probe(box, policy, questions, **options):
    """{question: outcome}; questions are {"OPERATION PATH": wanted or a tuple of wanted}."""
    ended = box.python(policy, PROBE, *questions, **options).expect(0, "the probe")
    got = dict(line.rsplit(": ", 1) for line in ended.text.splitlines())
    wrong = []
    for question, wanted in questions.items():
        if got.get(question) not in ((wanted,) if isinstance(wanted, str) else wanted):
            wrong.append(f"{question}: {got.get(question)} instead of {wanted}")
    check(not wrong, "; ".join(wrong) + f" (mxc said: {ended.err})")
    return ended


def mixed_tree(box):
    """ro/{f,rw/{f,ro/f,deny/f}}, rw/{f,ro/{f,rw/f},deny/{f,rw/f},secret}: each f says its own path."""
    for name in ("ro/f", "ro/rw/f", "ro/rw/ro/f", "ro/rw/deny/f", "rw/f", "rw/ro/f", "rw/ro/rw/f", "rw/deny/f", "rw/deny/rw/f",
                 "rw/shut/f",
                 "rw/secret", "rw/gone", "outside/f"):  # fmt: skip
        box.file(f"work/{name}", f"original {name}\n")
    paths = {name: os.path.join(box.work, name) for name in
             ("ro", "ro/rw", "ro/rw/ro", "ro/rw/deny", "rw", "rw/ro", "rw/ro/rw", "rw/deny", "rw/deny/rw", "rw/shut", "rw/secret")}  # fmt: skip
    return box.policy(
        ro=[paths["ro"], paths["ro/rw/ro"], paths["rw/ro"]],
        rw=[paths["rw"], paths["ro/rw"], paths["rw/ro/rw"], paths["rw/deny/rw"]],
        deny=[paths["ro/rw/deny"], paths["rw/deny"], paths["rw/shut"], paths["rw/secret"]],
    )


@case
def mixed_policy_means_what_it_says(box):
    policy = mixed_tree(box)
    w = box.work
    closed = ("EACCES", "EPERM")
    before = tree(box.work)
    probe(box, policy, {
        f"read {w}/ro/f": "ok",
        f"list {w}/ro": "ok",
        f"write {w}/ro/f": ("EROFS", "EACCES"),
        f"create {w}/ro/new": ("EROFS", "EACCES"),
        f"unlink {w}/ro/f": ("EROFS", "EACCES"),
        f"chmod {w}/ro/f": "EROFS",
        f"utime {w}/ro/f": "EROFS",
        f"truncate {w}/ro/f": ("EROFS", "EACCES"),
        # read-write inside read-only
        f"read {w}/ro/rw/f": "ok",
        f"write {w}/ro/rw/f": "ok",
        f"create {w}/ro/rw/new": "ok",
        # and read-only in that again
        f"read {w}/ro/rw/ro/f": "ok",
        f"write {w}/ro/rw/ro/f": ("EROFS", "EACCES"),
        f"create {w}/ro/rw/ro/new": ("EROFS", "EACCES"),
        f"list {w}/ro/rw/deny": closed,
        f"read {w}/ro/rw/deny/f": closed,
        # read-write
        f"write {w}/rw/f": "ok",
        f"create {w}/rw/new": "ok",
        f"mkdir {w}/rw/folder": "ok",
        f"unlink {w}/rw/gone": "ok",
        # read-only inside read-write, and read-write in that
        f"read {w}/rw/ro/f": "ok",
        f"write {w}/rw/ro/f": ("EROFS", "EACCES"),
        f"unlink {w}/rw/ro/f": ("EROFS", "EACCES"),
        f"rename {w}/rw/ro": ("EBUSY", "EACCES"),
        f"write {w}/rw/ro/rw/f": "ok",
        f"create {w}/rw/ro/rw/new": "ok",
        # denied inside read-write: visible, shut
        f"stat {w}/rw/shut": "ok",
        f"list {w}/rw/shut": closed,
        f"chdir {w}/rw/shut": closed,
        f"read {w}/rw/shut/f": closed,
        f"stat {w}/rw/shut/f": closed,
        f"create {w}/rw/shut/new": closed,
        f"rename {w}/rw/shut": ("EBUSY", "EACCES"),
        f"rmdir {w}/rw/shut": ("EBUSY", "EACCES"),
        # one that holds a grant can be walked through and shows nothing else
        f"list {w}/rw/deny": closed,
        f"read {w}/rw/deny/f": ("ENOENT", "EACCES"),
        f"create {w}/rw/deny/new": ("EROFS", "EACCES"),
        f"rename {w}/rw/deny": ("EBUSY", "EACCES"),
        f"rmdir {w}/rw/deny": ("EBUSY", "EACCES"),
        f"chmod {w}/rw/deny": ("EROFS", "EPERM"),
        f"stat {w}/rw/secret": "ok",
        f"read {w}/rw/secret": closed,
        f"write {w}/rw/secret": closed,
        f"truncate {w}/rw/secret": "EACCES",
        f"unlink {w}/rw/secret": ("EBUSY", "EACCES"),
        f"rename {w}/rw/secret": ("EBUSY", "EACCES"),
        f"chmod {w}/rw/secret": ("EPERM", "EOVERFLOW"),
        # never granted
        f"read {w}/outside/f": ("ENOENT", "EACCES"),
        f"list {w}": ("ok", "EACCES"),
        "read /etc/shadow": ("ENOENT", "EACCES"),
    })  # fmt: skip
    after = tree(box.work)
    made = {f"{w}/ro/rw/new", f"{w}/rw/new", f"{w}/rw/folder", f"{w}/rw/ro/rw/new"}
    equal(set(after) - set(before), made, "what is new on the host")
    equal(set(before) - set(after), {f"{w}/rw/gone"}, "what is gone on the host")
    for path in made:
        equal(after[path][1:3], (box.uid, box.uid), f"owner of {path}")
    changed = {path for path in before if path in after and before[path][0] != after[path][0]}
    equal(changed, set(), "objects with another mode than before")
    written = {path for path in before if path in after and before[path][5] != after[path][5]}
    equal(written, {f"{w}/ro/rw/f", f"{w}/rw/f", f"{w}/rw/ro/rw/f"}, "files with other contents than before")


@case
def read_write_below_a_denied_folder_is_reachable_by_name(box):
    policy = mixed_tree(box)
    w = box.work
    probe(box, policy, {
        f"list {w}/rw/deny": ("EACCES", "EPERM"),
        f"read {w}/rw/deny/f": ("ENOENT", "EACCES", "EPERM"),
        f"read {w}/rw/deny/rw/f": "ok",
        f"create {w}/rw/deny/rw/new": "ok",
    })  # fmt: skip
    equal(os.stat(f"{w}/rw/deny/rw/new").st_uid, box.uid, "owner of the new file")


@case
def single_files_can_be_granted(box):
    ro, rw = box.file("work/a/ro.txt", "ro"), box.file("work/a/rw.txt", "rw")
    box.file("work/a/other.txt", "other")
    probe(box, box.policy(ro=[ro], rw=[rw]), {
        f"read {ro}": "ok",
        f"write {ro}": ("EROFS", "EACCES"),
        f"read {rw}": "ok",
        f"write {rw}": "ok",
        f"read {box.work}/a/other.txt": "ENOENT",
        f"create {box.work}/a/new.txt": ("EROFS", "EACCES"),
    })  # fmt: skip
    equal(sorted(os.listdir(f"{box.work}/a")), ["other.txt", "ro.txt", "rw.txt"], "the folder on the host")


@case
def symlinked_grants_open_their_target_only(box):
    box.file("work/real/f", "through the link")
    box.file("work/beside", "not granted")
    os.symlink(f"{box.work}/real", f"{box.work}/link")
    probe(box, box.policy(ro=[f"{box.work}/link"]), {
        f"read {box.work}/link/f": "ok",
        f"write {box.work}/link/f": ("EROFS", "EACCES"),
        f"read {box.work}/beside": "ENOENT",
    })  # fmt: skip
    # A link inside a granted folder leads nowhere that isn't granted.
    box.folder("work/rw")
    os.symlink(f"{box.work}/beside", f"{box.work}/rw/out")
    os.symlink("/etc/shadow", f"{box.work}/rw/shadow")
    probe(box, box.policy(rw=[f"{box.work}/rw"]), {
        f"read {box.work}/rw/out": ("ENOENT", "EACCES"),
        f"read {box.work}/rw/shadow": ("ENOENT", "EACCES"),
    })  # fmt: skip


@case
def denied_link_denies_what_it_leads_to(box):
    box.file("work/rw/real/key", "secret")
    os.symlink("real", f"{box.work}/rw/link")
    probe(box, box.policy(rw=[f"{box.work}/rw"], deny=[f"{box.work}/rw/link"]), {
        f"list {box.work}/rw/link": ("EACCES", "EPERM"),
        f"read {box.work}/rw/link/key": ("EACCES", "EPERM"),
        f"read {box.work}/rw/real/key": ("EACCES", "EPERM"),
    })  # fmt: skip


@case
def one_object_by_two_names_gets_the_strictest_rule(box):
    box.file("work/real/f", "x")
    os.symlink("real", f"{box.work}/alias")
    real, alias = f"{box.work}/real", f"{box.work}/alias"
    for policy in (box.policy(ro=[alias], rw=[real]), box.policy(ro=[real], rw=[alias])):
        probe(box, policy, {
            f"read {real}/f": "ok",
            f"write {real}/f": ("EROFS", "EACCES"),
            f"read {alias}/f": "ok",
            f"write {alias}/f": ("EROFS", "EACCES"),
        })  # fmt: skip
    probe(box, box.policy(rw=[real], deny=[alias]), {f"read {real}/f": ("EACCES", "EPERM")})


@case
def grants_that_lead_into_a_denied_folder_are_refused(box):
    box.file("work/shut/sub/f", "secret")
    os.symlink("shut/sub", f"{box.work}/way")
    ended = box.run(box.policy(ro=[f"{box.work}/way"], deny=[f"{box.work}/shut"]), "true").expect(125)
    contains(ended.err, f"{box.work}/shut", "the refusal")
    contains(ended.err, f"{box.work}/way", "the refusal")
    # Granted by its own name as well, it is an exception that the policy makes.
    probe(box, box.policy(ro=[f"{box.work}/way", f"{box.work}/shut/sub"], deny=[f"{box.work}/shut"]), {
        f"read {box.work}/shut/sub/f": "ok",
        f"read {box.work}/way/f": "ok",
        f"list {box.work}/shut": ("EACCES", "EPERM"),
    })  # fmt: skip


@case
def bind_mount_aliases_get_the_strictest_rule(box):
    if os.getuid() != 0:
        raise Skip("bind mounts are made by root")
    box.file("work/real/f", "x")
    box.file("work/real/key", "secret")
    alias = box.folder("work/alias")
    box.mount("--bind", f"{box.work}/real", alias)
    probe(box, box.policy(ro=[f"{box.work}/real"], rw=[alias]), {
        f"write {box.work}/real/f": ("EROFS", "EACCES"),
        f"write {alias}/f": ("EROFS", "EACCES"),
        f"read {alias}/f": "ok",
    })  # fmt: skip
    # A denied name inside, seen through the other mount of the same tree.
    probe(box, box.policy(rw=[f"{box.work}/real", alias], deny=[f"{box.work}/real/key"]), {
        f"read {box.work}/real/key": ("EACCES", "EPERM"),
        f"read {alias}/key": ("EACCES", "EPERM"),
        f"write {alias}/f": "ok",
    })  # fmt: skip


@case
def bind_mount_of_a_denied_folder_elsewhere_below_a_grant_is_shut(box):
    if os.getuid() != 0:
        raise Skip("bind mounts are made by root")
    box.file("work/rw/secrets/key", "secret")
    alias = box.folder("work/rw/alias")
    box.mount("--bind", f"{box.work}/rw/secrets", alias)
    ended = box.python(box.policy(rw=[f"{box.work}/rw"], deny=[f"{box.work}/rw/secrets"]), PROBE, f"read {alias}/key", f"list {alias}")
    if ended.code == 125:
        contains(ended.err, alias, "the refusal")
        return
    ended.expect(0)
    lacks(ended.text, ": ok", "what the other mount of the denied folder gave")


@case
def other_links_of_a_denied_file_are_shut_or_the_run_is_refused(box):
    key = box.file("work/rw/key", "secret")
    os.link(key, f"{box.work}/rw/second")
    probe(box, box.policy(rw=[f"{box.work}/rw"], deny=[key]), {
        f"read {key}": ("EACCES", "EPERM"),
        f"read {box.work}/rw/second": ("EACCES", "EPERM"),
        f"write {box.work}/rw/second": ("EACCES", "EPERM"),
    })  # fmt: skip
    # One link lies where no grant leads: it can't be reached, and whether that is known decides on running at all.
    other = box.file("work/rw/other", "secret")
    box.folder("work/elsewhere")
    os.link(other, f"{box.work}/elsewhere/third")
    ended = box.python(box.policy(rw=[f"{box.work}/rw"], deny=[other]), PROBE, f"read {other}")
    if ended.code == 125:
        contains(ended.err, other, "the refusal")
        contains(ended.err, "link", "the refusal")
    else:
        lacks(ended.expect(0).text, ": ok", "reading the denied file")


@case
def hard_link_can_not_be_made_out_of_a_denied_file(box):
    key = box.file("work/rw/key", "secret")
    probe(box, box.policy(rw=[f"{box.work}/rw"], deny=[key]), {f"link {key}": ("EXDEV", "EACCES", "EPERM")},
          env={"LINK": f"{box.work}/rw/mine"})  # fmt: skip
    check(not os.path.exists(f"{box.work}/rw/mine"), "a link to the denied file was made")


@case
def merged_usr_names_mean_one_file(box):
    if not os.path.islink("/bin"):
        raise Skip("/bin is no link here")
    # true is small and everywhere; the probe itself is python3.
    probe(box, box.policy(deny=["/bin/true"]), {
        "read /bin/true": ("EACCES", "EPERM"),
        "read /usr/bin/true": ("EACCES", "EPERM"),
        "read /usr/bin/false": "ok",
    })  # fmt: skip
    ended = box.run(box.policy(deny=["/bin/true"]), "/usr/bin/true")
    equal(ended.code, 126, "exit status of a denied program")


@case
def submounts_below_a_read_only_grant_are_read_only(box):
    if os.getuid() != 0:
        raise Skip("mounts are made by root")
    sub = box.folder("work/ro/sub")
    box.mount("-t", "tmpfs", "-o", "mode=0777", "tmpfs", sub)
    deeper = os.path.join(sub, "deeper")
    os.mkdir(deeper)
    box.mount("-t", "tmpfs", "-o", "mode=0777", "tmpfs", deeper)
    for path in (sub, deeper):
        with open(path + "/f", "w", encoding="utf-8") as file:
            file.write("x")
        os.chmod(path + "/f", 0o666)
    probe(box, box.policy(ro=[f"{box.work}/ro"]), {
        f"read {sub}/f": "ok",
        f"write {sub}/f": ("EROFS", "EACCES"),
        f"create {sub}/new": ("EROFS", "EACCES"),
        f"read {deeper}/f": "ok",
        f"write {deeper}/f": ("EROFS", "EACCES"),
    })  # fmt: skip


@case
def devices_and_set_id_programs_on_grants_have_no_power(box):
    if os.getuid() != 0:
        raise Skip("device nodes are made by root")
    box.folder("work/rw")
    os.mknod(f"{box.work}/rw/zero", 0o666 | 0o020000, os.makedev(1, 5))
    os.chmod(f"{box.work}/rw/zero", 0o666)
    probe(box, box.policy(rw=[f"{box.work}/rw"]), {f"read {box.work}/rw/zero": ("EACCES", "EPERM")})


@case
def missing_grants_are_errors_that_name_the_path(box):
    missing = f"{box.work}/not there"
    for policy in (box.policy(ro=[missing]), box.policy(rw=[missing])):
        ended = box.run(policy, "true").expect(125)
        contains(ended.err, missing, "the message")
        contains(ended.err, "hint:", "the message")
        check(not os.path.lexists(missing), "the missing path was made")
    dangling = f"{box.work}/dangling"
    os.symlink("nowhere", dangling)
    contains(box.run(box.policy(ro=[dangling]), "true").expect(125).err, dangling, "the message")
    # A path that may be missing is left out.
    box.run(box.policy(x={"ifPresent": {"readonlyPaths": [missing], "readwritePaths": [missing]}}), "true").expect(0)


@case
def denied_names_made_inside_are_moved_away(box):
    box.folder("work/rw")
    key, folder = f"{box.work}/rw/key", f"{box.work}/rw/folder"
    policy = box.policy(rw=[f"{box.work}/rw"], deny=[key, folder])
    before = tree(box.work)
    ended = box.run(policy, "sh", "-c", f"echo planted > {key}; mkdir {folder}; echo x > {folder}/x; sleep 0.2; echo end")
    ended.expect(0)
    equal(sorted(os.listdir(f"{box.work}/rw")), [], "the folder afterwards")
    equal(set(tree(box.work)), set(before), "the tree afterwards")
    box.take_moved("key", "folder")


@case
def protected_names_can_be_read_but_not_changed_or_made(box):
    w = f"{box.work}/rw"
    box.file("work/rw/.git/config", "[core]\n")
    box.file("work/rw/.git/hooks/pre-commit", "#!/bin/sh\n", mode=0o755)
    box.file("work/rw/.git/HEAD", "ref: refs/heads/main\n")
    before = tree(w)
    probe(box, box.policy(rw=[w], x={"protect": [f"{w}/Makefile"]}), {
        f"read {w}/.git/config": "ok",
        f"write {w}/.git/config": ("EROFS", "EACCES"),
        f"unlink {w}/.git/config": ("EBUSY", "EROFS", "EACCES"),
        f"rename {w}/.git/config": ("EBUSY", "EROFS", "EACCES"),
        f"list {w}/.git/hooks": "ok",
        f"create {w}/.git/hooks/post-commit": ("EROFS", "EACCES"),
        f"write {w}/.git/hooks/pre-commit": ("EROFS", "EACCES"),
        f"rename {w}/.git/hooks": ("EBUSY", "EROFS", "EACCES"),
        f"write {w}/.git/HEAD": "ok",
        f"create {w}/.envrc": ("ok", "EACCES"),  # taken away again
        f"create {w}/Makefile": ("ok", "EACCES"),
    })  # fmt: skip
    equal(set(tree(w)), set(before), "the tree afterwards")
    box.take_moved(".envrc", "Makefile")


@case
def renaming_the_folder_around_a_denied_name_opens_nothing(box):
    w = f"{box.work}/rw"
    key = box.file("work/rw/a/b/key", "secret")
    ended = box.python(box.policy(rw=[w], deny=[key]), f"""
        import os
        for old, new in (("{w}/a", "{w}/z"), ("{w}/a/b", "{w}/y")):
            try: os.rename(old, new)
            except OSError as error: print("rename", error)
        for folder, _, files in os.walk("{w}"):
            for name in files:
                try: print("read", open(os.path.join(folder, name)).read())
                except OSError as error: print(name, error)
        """).expect(0)  # fmt: skip
    lacks(ended.text, "read secret", "what was read")


def interfere(box, policy, inside, outside):
    """Starts Python code inside; when it prints `ready`, calls outside(), writes a line to its stdin, and waits."""
    started = box.start("run", "--policy", box.policy_file(policy), "--", "python3", "-u", "-c", inside, stdin=subprocess.PIPE)
    line = started.stdout.readline()
    if line != b"ready\n":
        out, err = started.communicate()
        raise AssertionError(f"no ready: {line!r} {out!r} {err!r}")
    outside()
    out, err = started.communicate(b"go\n", timeout=30)
    return started.returncode, out.decode(), " ".join(err.decode().split())


LOOK = """
import sys, time
print('ready')
sys.stdin.readline()
time.sleep(0.1)
for path in sys.argv[1:]:
    try: print(path.rsplit('/', 1)[1], 'opened:', open(path).read())
    except OSError as error: print(path.rsplit('/', 1)[1], error.strerror)
"""


@case
def names_that_are_replaced_outside_stay_shut(box):
    w = f"{box.work}/rw"
    key = box.file("work/rw/key", "old secret")
    late = f"{w}/late"

    def replace():
        box.file("work/rw/new", "new secret")
        os.rename(f"{w}/new", key)
        box.file("work/rw/late", "late secret")
        box.file("work/rw/plain", "made outside")

    code = LOOK.replace("sys.argv[1:]", repr([key, late, f"{w}/plain"]))
    status, out, err = interfere(box, box.policy(rw=[w], deny=[key, late]), code, replace)
    equal(status, 0, f"exit status ({err})")
    lacks(out, "secret", "what was read inside")
    contains(out, "key Permission denied", "what the replaced name gave")
    contains(out, "late Permission denied", "what the new name gave")
    contains(out, "plain opened: made outside", "a file made outside")
    with open(key, encoding="utf-8") as file:
        equal(file.read(), "new secret", "the replaced file on the host")
    if os.path.exists(late):
        with open(late, encoding="utf-8") as file:
            equal(file.read(), "late secret", "the late file on the host")
    else:
        # Without fanotify nobody knows who made it, so it was taken away when the run ended.
        check(not box.root, "as root the maker is known, and what was made outside stays")
        box.take_moved("late")


@case
def on_exposed_kill_ends_the_run(box):
    w = f"{box.work}/rw"
    key = box.file("work/rw/key", "old secret")

    def replace():
        box.file("work/rw/new", "new secret")
        os.rename(f"{w}/new", key)
        time.sleep(0.5)

    code = LOOK.replace("time.sleep(0.1)", "time.sleep(20)").replace("sys.argv[1:]", repr([key]))
    begin = time.monotonic()
    status, out, err = interfere(box, box.policy(rw=[w], deny=[key], x={"on_exposed": "kill"}), code, replace)
    check(time.monotonic() - begin < 10, "the run went on")
    check(status in (125, 137), f"exit status {status} ({err})")
    lacks(out, "secret", "what was read inside")


@case
def on_missing_refuse_and_seal(box):
    w = box.folder("work/rw")
    missing = f"{w}/key"
    ended = box.run(box.policy(rw=[w], deny=[missing], x={"on_missing": "refuse"}), "true").expect(125)
    contains(ended.err, missing, "the refusal")
    box.file("work/rw/plain", "x")
    box.folder("work/rw/folder")
    before = tree(w)
    questions = [f"create {missing}", f"create {w}/other", f"write {w}/plain", f"create {w}/folder/inside"]
    ended = box.python(box.policy(rw=[w], deny=[missing], x={"on_missing": "seal"}), PROBE, *questions).expect(0)
    got = dict(line.rsplit(": ", 1) for line in ended.text.splitlines())
    check(got[f"create {missing}"] in ("EACCES", "EROFS"), f"making the denied name in a sealed folder: {got}")
    equal(got[f"write {w}/plain"], "ok", "writing a file that is there")
    check(not os.path.lexists(missing), "the denied name was made")
    equal(set(tree(w)) - set(before) - {f"{w}/folder/inside"}, set(), "what is new")


@case
def a_seal_is_refused_where_nothing_enforces_it(box):
    """nesting drops Landlock's file part, which a seal rests on."""
    w = box.folder("work/rw")
    policy = box.policy(rw=[w], deny=[f"{w}/key"], x={"on_missing": "seal", "nesting": True, "seccomp": {"profile": "nesting"}})
    ended = box.run(policy, "sh", "-c", f"echo x > {w}/key && echo made")
    if ended.code == 125:
        return
    lacks(ended.text, "made", "making a sealed name")


@case
def files_made_outside_show_up_inside_at_once(box):
    w = box.folder("work/rw")
    code = f"""
import os, sys
print(os.path.exists('{w}/later') or 'ready')
sys.stdin.readline()
print(open('{w}/later').read(), sorted(os.listdir('{w}')))
"""
    status, out, err = interfere(box, box.policy(rw=[w]), code, lambda: box.file("work/rw/later", "hello"))
    equal(status, 0, f"exit status ({err})")
    contains(out, "hello ['later']", "what was seen")


@case
def nothing_inside_names_the_host(box):
    ended = box.python(box.policy(), """
        print(open('/proc/self/mountinfo').read())
        import os
        print(os.listdir('/'))
        """).expect(0)  # fmt: skip
    lacks(ended.text, box.base, "mounts and listing inside")


@case
def paths_with_odd_names_work(box):
    names = ["with space", 'quote"s', "new\nline", "ütf-8", "back\\slash", "percent%20", "-dash", "#hash", "tab\t"]
    for name in names:
        box.file(f"work/odd/{name}/f", name)
    policy = box.policy(ro=[f"{box.work}/odd/{name}" for name in names])
    ended = box.python(policy, f"""
        import os
        for name in {names!r}:
            path = "{box.work}/odd/" + name + "/f"
            assert open(path).read() == name
            try: open(path, "w")
            except OSError: continue
            raise SystemExit("written")
        """)  # fmt: skip
    ended.expect(0)


@case
def the_working_folder_and_its_mounts_survive_many_runs(box):
    w = box.folder("work/rw")
    box.file("work/rw/key", "secret")
    before = tree(box.work)
    policy = box.policy_file(box.policy(rw=[w], deny=[f"{w}/key", f"{w}/missing"]))
    for _ in range(20):
        box.mxc("run", "--policy", policy, "--", "true").expect(0)
    equal(tree(box.work), before, "the tree after 20 runs")


if __name__ == "__main__":
    main()
