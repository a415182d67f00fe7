#!/usr/bin/env python3
"""Each shipped profile does with the real toolchain what its header promises, and keeps the listed secrets shut."""
import glob
import json
import os
import re
import shutil
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(os.path.dirname(os.path.realpath(__file__)), "../integration"))
from harness import Skip, case, check, contains, equal, lacks, main, tree  # noqa: E402

POLICIES = os.path.join(os.path.dirname(os.path.realpath(__file__)), "../../policies")

TRAINING = """
import multiprocessing as mp, os, sys, time
import numpy as np
from multiprocessing import shared_memory

ROWS, COLUMNS, WORKERS = 4096, 32, 4

def load(number, name, ready):
    # A loader worker: fills its part of the batch in /dev/shm.
    memory = shared_memory.SharedMemory(name=name)
    batch = np.ndarray((ROWS, COLUMNS + 1), dtype=np.float64, buffer=memory.buf)
    random = np.random.default_rng(number)
    part = slice(number * ROWS // WORKERS, (number + 1) * ROWS // WORKERS)
    x = random.normal(size=(ROWS // WORKERS, COLUMNS))
    batch[part, :COLUMNS] = x
    batch[part, COLUMNS] = x @ np.arange(COLUMNS) + 0.01 * random.normal(size=len(x))
    ready.put(number)
    memory.close()

if __name__ == '__main__':
    memory = shared_memory.SharedMemory(create=True, size=ROWS * (COLUMNS + 1) * 8)
    assert os.path.exists('/dev/shm/' + memory.name.lstrip('/'))
    context = mp.get_context(sys.argv[1])
    ready = context.Queue()
    workers = [context.Process(target=load, args=(n, memory.name, ready)) for n in range(WORKERS)]
    for worker in workers: worker.start()
    for _ in workers: ready.get(timeout=60)
    for worker in workers: worker.join()
    assert all(worker.exitcode == 0 for worker in workers)
    batch = np.ndarray((ROWS, COLUMNS + 1), dtype=np.float64, buffer=memory.buf)
    x, y, weights = batch[:, :COLUMNS].copy(), batch[:, COLUMNS].copy(), np.zeros(COLUMNS)
    for step in range(300):
        weights -= 0.1 * x.T @ (x @ weights - y) / ROWS
    loss = float(np.mean((x @ weights - y) ** 2))
    np.save('weights.npy', weights)
    with context.Pool(3) as pool: assert pool.map(abs, range(-20, 0)) == list(range(20, 0, -1))
    memory.close(); memory.unlink()
    print('loss', round(loss, 4), os.environ.get('OMP_NUM_THREADS'), len(os.sched_getaffinity(0)))
"""


def numpy_here():
    # What runs inside is the system's Python, whichever runs this.
    if not glob.glob("/usr/lib/python3*/dist-packages/numpy"):
        raise Skip("python3-numpy is not installed")


def own_home(box):
    """Makes box.home the account's home, which ~ means whatever HOME says, in this test's own mount namespace."""
    if os.getuid() != 0:
        raise Skip("the account's home is set by root, in a mount namespace")
    with open("/etc/passwd", encoding="utf-8") as file:
        lines = [line.split(":") for line in file.read().splitlines()]
    for fields in lines:
        if fields[2] == str(box.uid):
            fields[5] = box.home
    copy = box.file("passwd", "".join(":".join(fields) + "\n" for fields in lines))
    os.chown(copy, 0, 0)
    box.mount("--bind", copy, "/etc/passwd")


def profile(box, name, **fields):
    x = {"profile": name, **fields.pop("x", {})}
    return box.policy(x=x, **fields)


@case
def ml_train_trains_with_loader_workers_over_shared_memory(box):
    numpy_here()
    box.file("work/train.py", TRAINING)
    for method in ("fork", "spawn", "forkserver"):
        ended = box.run(profile(box, "ml-train"), "/usr/bin/python3", "train.py", method, timeout=120).expect(0, method)
        contains(ended.text, "loss 0.0", f"result by {method}")
        equal(os.stat(f"{box.work}/weights.npy").st_uid, box.uid, "owner of the weights")
        os.unlink(f"{box.work}/weights.npy")
    equal(sorted(os.listdir(box.work)), ["train.py"], "the working folder")


@case
def ml_train_trains_with_torch(box):
    if not glob.glob("/usr/lib/python3/dist-packages/torch"):
        raise Skip("python3-torch is not installed")
    code = """
import torch
from torch.utils.data import DataLoader, TensorDataset
torch.manual_seed(0)
x = torch.randn(2048, 16); y = x @ torch.arange(16.0)[:, None]
model = torch.nn.Linear(16, 1)
optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
for epoch in range(10):
    for a, b in DataLoader(TensorDataset(x, y), batch_size=64, num_workers=4, shuffle=True):
        optimizer.zero_grad(); loss = torch.nn.functional.mse_loss(model(a), b); loss.backward(); optimizer.step()
torch.save(model.state_dict(), 'model.pt')
print('loss', float(loss) < 0.01, torch.get_num_threads())
"""
    box.file("work/train.py", code)
    ended = box.run(profile(box, "ml-train"), "/usr/bin/python3", "train.py", timeout=300).expect(0)
    contains(ended.text, "loss True", "result")


@case
def ml_train_is_offline_and_sees_models_read_only(box):
    own_home(box)
    box.file("home/.cache/huggingface/hub/model/weights", "w")
    box.file("home/.cache/huggingface/token", "hf_secret")
    code = """
import os, socket
home = %r
print(open(home + '/.cache/huggingface/hub/model/weights').read())
for path in ('hub/model/weights', 'hub/new'):
    try: open(f'{home}/.cache/huggingface/{path}', 'a'); print('written', path)
    except OSError as error: print(error.errno)
try: print(open(home + '/.cache/huggingface/token').read())
except OSError as error: print('token', error.strerror)
for address in (('192.0.2.1', 80), ('1.1.1.1', 53)):
    try: socket.create_connection(address, 2); print('connected')
    except OSError as error: print(error.strerror)
print(os.environ['HF_HUB_OFFLINE'], os.path.isdir('/sys/devices/system/cpu'), os.path.exists('/sys/class'))
""" % box.home
    ended = box.run(profile(box, "ml-train"), "/usr/bin/python3", "-c", code).expect(0)
    lacks(ended.text, "written", "output")
    lacks(ended.text, "connected", "output")
    lacks(ended.text, "hf_secret", "output")
    contains(ended.text, "token Permission denied", "output")
    contains(ended.text, "1 True False", "output")


@case
def build_compiles_with_ninja_and_ccache(box):
    own_home(box)
    for program in ("ninja", "ccache", "g++"):
        if not shutil.which(program, path="/usr/bin:/bin"):
            raise Skip(f"{program} is not installed")
    box.folder("home/.cache/ccache")
    box.file("work/hello.cc", '#include <string>\n#include <cstdio>\nstd::string Name();\nint main() { std::printf("%s\\n", Name().c_str()); }\n')
    box.file("work/name.cc", '#include <string>\nstd::string Name() { return "built inside"; }\n')
    box.file("work/build.ninja", """
rule cc
  command = ccache g++ -O1 -MD -MF $out.d -c $in -o $out
  depfile = $out.d
rule link
  command = g++ $in -o $out
build hello.o: cc hello.cc
build name.o: cc name.cc
build hello: link hello.o name.o
""")  # fmt: skip
    env = {"CCACHE_DIR": f"{box.home}/.cache/ccache"}
    policy = profile(box, "build", x={"env": {"pass": ["HOME", "CCACHE_DIR"]}})
    box.run(policy, "sh", "-c", "ninja -j2 && ./hello", env=env, timeout=180).expect(0)
    first = box.run(policy, "sh", "-c", "rm -f *.o hello && ninja >/dev/null && ./hello && ccache --show-stats", env=env, timeout=180).expect(0)
    contains(first.text, "built inside", "output")
    hits = re.search(r"Hits:\s+(\d+)", first.text)
    check(hits and int(hits[1]) >= 2, f"the compiler cache was not used: {first.text}")
    for name in ("hello", "hello.o", ".ninja_log"):
        equal(os.stat(f"{box.work}/{name}").st_uid, box.uid, f"owner of {name}")


GIT = """
set -eu
export HOME=/tmp GIT_CONFIG_NOSYSTEM=1 GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@example.invalid GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@example.invalid
"""


def repository(box):
    """A repository of the caller in work/repo, made outside."""
    if not shutil.which("git", path="/usr/bin:/bin"):
        raise Skip("git is not installed")
    box.folder("work/repo")
    made = box.run(box.policy(rw=[f"{box.work}/repo"], x={"profile": "default"}), "sh", "-c", GIT + f"""
        cd {box.work}/repo; git init -q -b main tmp; mv tmp/.git made; rmdir tmp""").expect(0)  # fmt: skip
    check(made.code == 0, "git init")
    os.rename(f"{box.work}/repo/made", f"{box.work}/repo/.git")
    box.file("work/repo/.git/hooks/post-commit", "#!/bin/sh\necho hook ran\n", mode=0o755)
    box.file("work/repo/file", "text\n")
    return f"{box.work}/repo"


@case
def git_commits_and_worktrees_with_hooks_and_config_protected(box):
    repo = repository(box)
    for name in ("default", "build"):
        policy = profile(box, name, rw=[repo])
        before = tree(f"{repo}/.git/hooks"), tree(f"{repo}/.git/config")
        with open(f"{repo}/.git/config", encoding="utf-8") as file:
            config = file.read()
        ended = box.run(policy, "sh", "-c", GIT + f"""
            cd {repo}
            echo {name} >> file; git add file; git commit -q -m 'by {name}'
            git worktree add -q wt-{name} -b side-{name}; cd wt-{name}
            echo {name} > other; git add other; git commit -q -m side; cd ..
            git merge -q side-{name} -m merged; git worktree remove wt-{name}
            git log --oneline | wc -l; git status --porcelain
            git fsck --no-progress
            """, cwd=repo, timeout=120).expect(0, f"git under {name}")  # fmt: skip
        contains(ended.err, "hook ran", "what the hook that was there says")
        for attempt in (
            "git config user.name evil",
            "git config core.hooksPath /tmp",
            "echo evil > .git/hooks/pre-commit",
            "echo evil >> .git/hooks/post-commit",
            "mv .git/hooks .git/old",
            "rm -rf .git/hooks",
            "cp .git/config /tmp/c && mv /tmp/c .git/config",
            "mv .git away",
            "echo /tmp/evil > .git/commondir",
            "git config --worktree core.fsmonitor evil || echo '[core]' > .git/config.worktree",
        ):
            box.run(policy, "sh", "-c", GIT + f"cd {repo}; {attempt}", cwd=repo)
            check(os.path.isdir(f"{repo}/.git"), f"{attempt!r} took .git away")
            equal((tree(f"{repo}/.git/hooks"), tree(f"{repo}/.git/config")), before, f"hooks and config after {attempt!r} under {name}")
            check(not os.path.exists(f"{repo}/.git/commondir"), f"{attempt!r} left a commondir")
            check(not os.path.exists(f"{repo}/.git/config.worktree"), f"{attempt!r} left a config.worktree")
        with open(f"{repo}/.git/config", encoding="utf-8") as file:
            equal(file.read(), config, "the configuration")
    # What was made and moved away lies in the state folder, by its name.
    box.discard_moved()


@case
def untrusted_code_has_small_limits(box):
    code = """
import ctypes, os, resource, sys
print('files', resource.getrlimit(resource.RLIMIT_NOFILE)[1], 'size', resource.getrlimit(resource.RLIMIT_FSIZE)[1])
for folder in ('/tmp', '/dev/shm'):
    found = os.statvfs(folder)
    print(folder, found.f_blocks * found.f_frsize >> 20, found.f_files)
libc = ctypes.CDLL(None, use_errno=True)
for name, number, arguments in (('ptrace', 101, (0, 0, 0, 0)), ('memfd_create', 319, (b'x', 0)), ('userfaultfd', 323, (0,)),
                                ('bpf', 321, (0, 0, 0)), ('perf_event_open', 298, (0, 0, 0, 0, 0)), ('keyctl', 250, (0, 0, 0)),
                                ('unshare', 272, (0x10000000,)), ('mount', 165, (0, 0, 0, 0, 0))):
    # Some of them end the process.
    child = os.fork()
    if child == 0: os._exit(libc.syscall(number, *arguments) >= 0)
    print(name, 'done' if os.waitpid(child, 0)[1] == 256 else 'refused')
"""
    ended = box.run(profile(box, "untrusted-code"), "/usr/bin/python3", "-c", code).expect(0)
    lines = ended.text.splitlines()
    equal(lines[0], f"files 256 size {64 << 20}", "limits")
    equal(lines[1:3], ["/tmp 256 16384", "/dev/shm 64 16384"], "memory file systems")
    for line in lines[3:11]:
        lacks(line, "done", "a call that the profile gives up")


@case
def untrusted_code_ends_after_its_time(box):
    spec = json.loads(box.mxc("spec", "--policy", box.policy_file(profile(box, "untrusted-code")), "--", "true").expect(0).out)
    equal(spec["annotations"].get("dev.mxc.timeout-ms", spec["annotations"].get("dev.mxc.timeout")), "30000", "the time-out in the spec")


def listed_secrets():
    with open(os.path.join(POLICIES, "secrets.yaml"), encoding="utf-8") as file:
        return re.findall(r"^    - ~/(.+)$", file.read(), re.M)


@case
def listed_secrets_stay_shut_though_the_home_is_granted(box):
    own_home(box)
    secrets = listed_secrets()
    check(len(secrets) > 50, f"only {len(secrets)} secrets are listed")
    for name in secrets:
        if not any(other.startswith(name + "/") or name.startswith(other + "/") for other in secrets if other != name):
            # Half of them as folders, as most are; a file of that name is as good.
            if len(name) % 2:
                box.file(f"home/{name}/inside", f"secret of {name}")
            else:
                box.file(f"home/{name}", f"secret of {name}")
    for name in secrets:
        path = box.path("home", name)
        if not os.path.lexists(path) and not os.path.isfile(os.path.dirname(path)):
            box.file(f"home/{name}", f"secret of {name}")
    box.file("home/project/notes", "not secret")
    code = """
import os, sys
home, names = sys.argv[1], sys.argv[2:]
print(open(home + '/project/notes').read())
for folder, folders, files in os.walk(home):
    for name in files:
        try: text = open(os.path.join(folder, name)).read()
        except OSError: continue
        if 'secret of' in text: print('LEAK', text)
for name in names:
    for path in (f'{home}/{name}', f'{home}/{name}/inside'):
        try: print('LEAK', path, open(path).read())
        except OSError: pass
    try: print('LEAK', name, os.listdir(f'{home}/{name}'))
    except OSError: pass
"""
    before = tree(box.home)
    for name in ("default", "build", "ml-train", "untrusted-code"):
        for policy in (profile(box, name, ro=[box.home]), profile(box, name, rw=[box.home])):
            ended = box.run(policy, "/usr/bin/python3", "-c", code, box.home, *secrets, timeout=60).expect(0, f"under {name}")
            contains(ended.text, "not secret", f"output under {name}")
            lacks(ended.text, "LEAK", f"output under {name}")
    equal(set(tree(box.home)), set(before), "the home afterwards")
    # Naming exactly one opens that one.
    ended = box.run(profile(box, "default", ro=[box.home, f"{box.home}/.netrc"]), "cat", f"{box.home}/.netrc")
    if os.path.isfile(f"{box.home}/.netrc"):
        contains(ended.expect(0).text, "secret of .netrc", "the one that was named")


@case
def startup_files_can_be_read_and_not_changed(box):
    own_home(box)
    names = [".bashrc", ".profile", ".config/fish/config.fish", ".gitconfig", ".local/bin/tool", ".vimrc", ".claude/settings.json"]
    for name in names:
        box.file(f"home/{name}", f"start-up {name}", mode=0o755)
    missing = [".zshrc", ".bash_profile", ".config/autostart/evil.desktop", ".config/systemd/user/evil.service", "bin/ls"]
    before = tree(box.home)
    code = """
import os, sys
home, count = sys.argv[1], int(sys.argv[2])
for name in sys.argv[3:3 + count]:
    path = f'{home}/{name}'
    assert 'start-up' in open(path).read()
    for attempt in (lambda: open(path, 'w'), lambda: os.unlink(path), lambda: os.rename(path, path + '.x'), lambda: os.chmod(path, 0)):
        try: attempt(); print('CHANGED', name)
        except OSError: pass
for name in sys.argv[3 + count:]:
    try:
        os.makedirs(os.path.dirname(f'{home}/{name}'), exist_ok=True)
        open(f'{home}/{name}', 'w').write('evil')
    except OSError: pass
"""
    for name in ("default", "build", "ml-train", "untrusted-code"):
        ended = box.run(profile(box, name, rw=[box.home]), "/usr/bin/python3", "-c", code, box.home, str(len(names)), *names, *missing)
        ended.expect(0, f"under {name}")
        lacks(ended.text, "CHANGED", f"output under {name}")
        now = tree(box.home)
        evil = [path for path, what in now.items() if what[5] == b"evil"]
        equal(evil, [], f"start-up files made under {name}")
        for path, what in before.items():
            equal(now.get(path, (None,) * 6)[5], what[5], f"{path} after a run under {name}")
    box.discard_moved()


@case
def thread_counts_match_the_processors(box):
    if not box.root:
        raise Skip("an ordinary user without a delegated cgroup can't have a cpu limit")
    names = {"default": ["OMP_NUM_THREADS", "MAX_JOBS"], "build": ["MAX_JOBS", "CMAKE_BUILD_PARALLEL_LEVEL", "CARGO_BUILD_JOBS"],
             "ml-train": ["OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"]}  # fmt: skip
    for name, variables in names.items():
        for cpus in (1, 2):
            ended = box.run(profile(box, name, x={"resources": {"cpus": cpus}}), "env").expect(0, name)
            for variable in variables:
                contains(ended.text, f"{variable}={cpus}\n", f"environment under {name}")
    contains(box.run(profile(box, "untrusted-code"), "env").expect(0).text, "OMP_NUM_THREADS=1\n", "environment under untrusted-code")


@case
def a_profile_that_opens_the_working_folder_refuses_the_whole_home(box):
    own_home(box)
    for name in ("build", "ml-train"):
        for folder in (box.home, "/"):
            ended = box.run(profile(box, name), "true", cwd=folder)
            equal(ended.code, 125, f"exit status of {name} in {folder} ({ended.err})")
            contains(ended.err, "hint:", "the message")


@case
def every_profile_is_listed_and_runs_hello(box):
    listed = box.mxc("profiles").expect(0).text
    for path in glob.glob(POLICIES + "/*.yaml"):
        with open(path, encoding="utf-8") as file:
            found = re.search(r"^profile: (\S+)$", file.read(), re.M)
        if found:
            contains(listed, found[1], "mxc profiles")
            equal(box.run(profile(box, found[1]), "echo", "hello").expect(0, found[1]).out, b"hello\n", found[1])
            equal(box.mxc("run", "--profile", found[1], "--", "echo", "hi").expect(0, found[1]).out, b"hi\n", found[1])


if __name__ == "__main__":
    main()
