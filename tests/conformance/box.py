"""A bundle, a caller and a runtime for one case: what a case does is mostly said with Box."""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile

import config as configs
import host
import peers

# Below it the bundles are made. Its file system has to take idmapped mounts, which not every overlay does.
FOLDER = os.environ.get("MXC_TEST_FOLDER", "/var/tmp")
ORDINARY_UID = 1000
BUSYBOX = "/bin/busybox"


@contextlib.contextmanager
def programs(runtime, probe):
    """Copies of both where every user reaches them, and of busybox, for rootfs to link to."""
    if not os.path.exists(BUSYBOX):
        raise SystemExit(f"{BUSYBOX} is missing: install busybox-static")
    folder = tempfile.mkdtemp(prefix="mxc-conformance-programs-", dir=FOLDER)
    try:
        os.chmod(folder, 0o755)
        for source, name in ((runtime, os.path.basename(runtime)), (probe, "probe"), (BUSYBOX, "busybox")):
            shutil.copyfile(source, os.path.join(folder, name))
            os.chmod(os.path.join(folder, name), 0o755)
        yield os.path.join(folder, os.path.basename(runtime)), os.path.join(folder, "probe")
    finally:
        shutil.rmtree(folder)


def applets():
    """Names that busybox answers to; its own left out."""
    listed = subprocess.run([BUSYBOX, "--list"], check=True, capture_output=True, text=True).stdout.split()
    return [name for name in listed if name != "busybox"]


def collect_others(own):
    """Collects children that have ended, until it meets one of `own`, whom somebody waits for."""
    with contextlib.suppress(ChildProcessError):
        while True:
            found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if found is None or found.si_pid in own:
                return
            os.waitpid(found.si_pid, 0)


class Ended:
    """How one call of the runtime ended. What it wrote is read when asked for: a container goes on writing there."""

    def __init__(self, words, code, out, err):
        self.words, self.code, self._out, self._err = words, code, out, err

    @property
    def out(self):
        return host.read(self._out)

    @property
    def err(self):
        return " ".join(host.read(self._err).split())

    @property
    def json(self):
        return json.loads(self.out)

    def expect(self, code=0):
        """Fails unless that was the exit status."""
        if self.code != code:
            said = f"stdout {self.out[-600:]!r}, stderr {self.err[-900:]!r}"
            raise AssertionError(f"`{' '.join(self.words)}` exited with {self.code}, wanted {code} ({said})")
        return self

    def fails(self):
        """Fails if the call succeeded."""
        if self.code == 0:
            raise AssertionError(f"`{' '.join(self.words)}` succeeded (stdout {self.out[-300:]!r}, stderr {self.err[-300:]!r})")
        return self


class Box:
    """`config` is written out by create() and run(). Everything lies below `base` and goes with the box."""

    def __init__(self, runtime, probe, caller="root"):
        self.runtime = runtime
        # Texts that name a field are asked of our runtime only.
        self.peer = peers.is_peer(runtime)
        self.uid = 0 if caller == "root" else ORDINARY_UID
        self.base = tempfile.mkdtemp(prefix="mxc-conformance-", dir=FOLDER)
        os.chmod(self.base, 0o755)
        self.tag = f"conf{os.getpid()}"
        self.id = f"{self.tag}-a"
        self.config = configs.default(self.uid)
        self.bundle = self.make_bundle("bundle", os.path.dirname(probe))
        self.rootfs = os.path.join(self.bundle, "rootfs")
        self.state_root = self.folder("state", 0o700)
        self.ids = []
        # A caller's job, as of conmon or a shim: containers' processes become its children. Of a pid namespace the first process
        # stays until the others have been collected.
        self.collects = True
        self._calls = 0
        self._started = set()
        self._mounts_before = {mount["place"] for mount in host.mounts()}
        self._own_mounts = set()

    # -- files ---------------------------------------------------------------------------------------------------------

    def path(self, *parts):
        return os.path.join(self.base, *parts)

    def folder(self, name, mode=0o755):
        path = self.path(name)
        os.makedirs(path, exist_ok=True)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    def file(self, name, text="", mode=0o644):
        path = host.write(self.path(name), text)
        os.chmod(path, mode)
        os.chown(path, self.uid, self.uid)
        return path

    def script(self, name, text):
        """A program of the host's shell, for hooks."""
        return self.file(name, "#!/bin/sh\n" + text, 0o755)

    def make_bundle(self, name, programs_folder=None):
        """A bundle with a rootfs of busybox and the probe."""
        programs_folder = programs_folder or os.path.dirname(self.runtime)
        bundle = self.folder(name)
        for part in ("", "/bin", "/dev", "/etc", "/proc", "/root", "/sys", "/tmp"):
            self.folder(f"{name}/rootfs{part}", 0o1777 if part == "/tmp" else 0o755)
        for program in ("busybox", "probe"):
            os.link(os.path.join(programs_folder, program), f"{bundle}/rootfs/bin/{program}")
        for applet in applets():
            os.symlink("busybox", f"{bundle}/rootfs/bin/{applet}")
        return bundle

    def mount(self, *arguments):
        """mount(8) in the case's own mount namespace; what hangs there isn't the runtime's."""
        subprocess.run(["mount", *arguments], check=True)
        self._own_mounts.add(arguments[-1])
        return arguments[-1]

    # -- the configuration ---------------------------------------------------------------------------------------------

    @property
    def process(self):
        return self.config["process"]

    @property
    def linux(self):
        return self.config["linux"]

    @property
    def resources(self):
        return self.linux.setdefault("resources", {})

    def add_mount(self, destination, kind="tmpfs", source=None, options=(), **fields):
        self.config["mounts"].append({"destination": destination, "type": kind, "source": source or kind, "options": list(options), **fields})

    def bind(self, source, destination, *options):
        self.add_mount(destination, "none", source, options or ("bind",))

    def namespace(self, kind, path=None):
        """Puts a namespace entry in, in place of one of that kind."""
        self.no_namespace(kind)
        self.linux["namespaces"].append({"type": kind, "path": path} if path else {"type": kind})

    def no_namespace(self, kind):
        self.linux["namespaces"] = [entry for entry in self.linux["namespaces"] if entry["type"] != kind]

    def capabilities(self, *names, kinds=("bounding", "effective", "permitted")):
        self.process["capabilities"] = {kind: list(names) for kind in kinds}

    def map_ids(self, first=200000, size=65536):
        """A user namespace whose ids lie in that range of the host; the rootfs is given to its root."""
        self.namespace("user")
        for kind in ("uidMappings", "gidMappings"):
            self.linux[kind] = [{"containerID": 0, "hostID": first, "size": size}]
        for folder, folders, files in os.walk(self.rootfs):
            for name in ["", *folders, *files]:
                path = os.path.join(folder, name)
                # The programs are links that other boxes have too.
                if os.lstat(path).st_nlink == 1 or os.path.isdir(path):
                    os.lchown(path, first, first)

    def save(self, config=None, name="config.json"):
        return self.file(f"bundle/{name}", json.dumps(self.config if config is None else config))

    # -- the runtime ---------------------------------------------------------------------------------------------------

    def options(self, **options):
        """Of subprocess, for the caller."""
        if self.uid != 0:
            options.update(user=self.uid, group=self.uid, extra_groups=[])
        options.setdefault("cwd", self.base)
        options.setdefault("stdin", subprocess.DEVNULL)
        environment = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": self.base}
        if self.uid != 0:
            environment["XDG_RUNTIME_DIR"] = self.state_root
        options["env"] = {**environment, **options.get("env", {})}
        return options

    def begin(self, *words, before=(), files=(), **options):
        """Popen of the runtime, and the files of its output. `before` are global options; `files` are open from descriptor 3 on."""
        self._calls += 1
        out, err = self.file(f"out.{self._calls}"), self.file(f"err.{self._calls}")
        command = [self.runtime, "--root", self.state_root, *before, *words]
        if files:
            opened = " ".join(f"{number}<'{path}'" for number, path in enumerate(files, 3))
            # The shell's number is the runtime's after exec, and LISTEN_PID has to be that (sd_listen_fds(3)).
            command = ["sh", "-c", f'exec {opened}; [ -z "$LISTEN_FDS" ] || export LISTEN_PID=$$; exec "$@"', "sh", *command]
        with open(out, "ab") as out_file, open(err, "ab") as err_file:
            started = subprocess.Popen(command, stdout=out_file, stderr=err_file, **self.options(**options))
        self._started.add(started.pid)
        return started, out, err

    def call(self, *words, seconds=30, input=None, **options):
        """Runs the runtime to its end."""
        if input is not None:
            options["stdin"] = subprocess.PIPE
        started, out, err = self.begin(*words, **options)
        if input is not None:
            started.stdin.write(input.encode())
            started.stdin.close()

        def ended():
            if self.collects:
                collect_others(self._started)
            return started.poll() is not None

        if not host.eventually(ended, seconds):
            started.kill()
            started.wait()
            raise AssertionError(f"`{' '.join(words)}` did not end in {seconds} s; stderr {host.read(err)[-600:]!r}")
        return Ended(words, started.returncode, out, err)

    def remember(self, container):
        if container not in self.ids:
            self.ids.append(container)

    def create(self, *argv, flags=(), container=None, bundle=None, **options):
        """`create`, which must succeed; argv, if given, is the program."""
        return self.try_create(*argv, flags=flags, container=container, bundle=bundle, **options).expect(0)

    def try_create(self, *argv, flags=(), container=None, bundle=None, **options):
        if argv:
            self.process["args"] = list(argv)
        self.save()
        container = container or self.id
        self.remember(container)
        return self.call("create", "--bundle", bundle or self.bundle, *flags, container, **options)

    def launch(self, *argv, flags=(), **options):
        """create and start of a program that goes on (`probe wait` by default); its pid."""
        created = self.create(*(argv or ("probe", "wait")), flags=flags, **options)
        self.start()
        if not argv:
            assert host.eventually(lambda: "ready" in created.out), f"the program isn't ready: {created.out!r} {created.err!r}"
        return self.pid()

    def run(self, *argv, code=0, flags=(), **options):
        """`run`, whose exit status must be that one."""
        return self.try_run(*argv, flags=flags, **options).expect(code)

    def try_run(self, *argv, flags=(), container=None, **options):
        if argv:
            self.process["args"] = list(argv)
        self.save()
        self.remember(container or self.id)
        return self.call("run", "--bundle", self.bundle, *flags, container or self.id, **options)

    def shell(self, text, **options):
        """What a shell inside says to these lines."""
        return self.run("sh", "-c", text, **options).out

    def exec(self, *argv, flags=(), code=0, **options):
        return self.call("exec", *flags, self.id, *argv, **options).expect(code)

    def start(self, container=None, code=0):
        return self.call("start", container or self.id).expect(code)

    def state(self, container=None):
        return self.call("state", container or self.id).expect(0).json

    def status(self, container=None):
        return self.state(container)["status"]

    def pid(self, container=None):
        return self.state(container)["pid"]

    def kill(self, *words, container=None, code=0):
        return self.call("kill", container or self.id, *words).expect(code)

    def delete(self, *flags, container=None, code=0):
        return self.call("delete", *flags, container or self.id).expect(code)

    def exists(self, container=None):
        return self.call("state", container or self.id).code == 0

    def refused(self, *naming, start=False):
        """The configuration must be an error of `create` (or, with start, of `create` or `start`) and leave no container.

        Our own runtime's message must hold the words of `naming`: fields of the configuration, as a rule.
        """
        ended = self.try_create()
        if start and ended.code == 0:
            ended = self.call("start", self.id)
            if ended.code == 0:
                raise AssertionError(f"create and start succeeded; stderr {ended.err[-300:]!r}")
            return ended
        ended.fails()
        if self.exists():
            raise AssertionError("the container exists though create failed")
        for word in () if self.peer else naming:
            if word not in ended.err:
                raise AssertionError(f"the message doesn't name {word!r}: {ended.err[-600:]!r}")
        return ended

    def reap(self, pid=-1):
        """Collects a child that ended, if one has."""
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)

    def wait_gone(self, pid, seconds=10):
        """Waits until that process is gone, zombie included."""

        def gone():
            self.reap(pid)
            return not host.process_state(pid)

        if not host.eventually(gone, seconds):
            raise AssertionError(f"process {pid} is still there after {seconds} s: {host.process_state(pid)}")

    # -- the end -------------------------------------------------------------------------------------------------------

    def leftovers(self):
        """What the host has more than before, in words."""
        collect_others(set())
        left = [f"process {pid} ({host.read(f'/proc/{pid}/comm').strip()})" for pid in host.descendants(os.getpid())]
        left += [f"cgroup {path}" for path in host.groups_named(self.tag)]
        allowed = self._mounts_before | self._own_mounts
        left += [f"mount {mount['place']}" for mount in host.mounts() if mount["place"] not in allowed]
        left += [f"state {name}" for name in os.listdir(self.state_root) if name in self.ids]
        return left

    def end(self):
        """Deletes what the case created and fails if anything is left on the host then."""
        for container in self.ids:
            self.call("delete", "--force", container)
        if not host.eventually(lambda: not self.leftovers(), 3):
            raise AssertionError("left on the host after `delete --force`: " + "; ".join(self.leftovers()))

    def destroy(self):
        """Takes away whatever there is, by force."""
        for container in self.ids:
            with contextlib.suppress(AssertionError):
                self.call("delete", "--force", container)
        for pid in host.descendants(os.getpid()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        host.eventually(lambda: not host.descendants(os.getpid()), 2)
        for path in sorted(host.groups_named(self.tag), reverse=True):
            with contextlib.suppress(OSError):
                os.rmdir(path)
        # The mount namespace goes with this process; what is mounted below base must not be emptied.
        for mount in reversed(host.mounts()):
            if mount["place"].startswith(self.base + "/"):
                subprocess.run(["umount", "-l", mount["place"]], check=False, capture_output=True)
        shutil.rmtree(self.base, ignore_errors=True)
