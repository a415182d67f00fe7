"""The table of doors: what is tried, and which counter-measures have to be left out before it stands open.

`holds` lists the counter-measures (names of linux_runtime/sandbox/weaken*) that together keep a door shut: with all of them
left out it must be open. The test then finds out which of them hold it alone. `holds` None: nothing to leave out, since the
door is shut by what a sandbox is built of (an empty root) or by the kernel; then `why` says so.
"""

from dataclasses import dataclass, field

BOTH = ("root", "rootless")


@dataclass
class Door:
    name: str
    arguments: list
    holds: str = None
    why: str = ""
    callers: tuple = BOTH
    holds_rootless: str = None  # where it differs
    setup: str = ""             # a method of escape_test.Setups, given to mxc as extra options
    check: str = ""             # a method of escape_test.Checks: the outcome is judged on the host
    policy: dict = field(default_factory=dict)
    resources: dict = None
    readonly: tuple = ()
    writable: tuple = ()
    in_kernel: bool = True      # False: not every kernel has what lies behind; left out where it hasn't
    refused: bool = False       # mxc starts nothing at all: that is shut, too

    def holds_for(self, caller):
        return self.holds_rootless if caller == "rootless" and self.holds_rootless is not None else self.holds


ROOT = ("root",)
FILTER = "seccomp"
EMPTY_ROOT = "the root is an empty tmpfs that holds only what the policy and the base system name"
NO_X32 = "this kernel has no x32 calls"


def calls(names, holds, **options):
    return [Door(f"call {name}", ["call", name], holds, **options) for name in names.split()]


def paths_for_writing(paths, holds, **options):
    return [Door(f"write {path}", ["open-for-writing", path], holds, **options) for path in paths.split()]


DOORS = [
    # ---- the first process, forked from the host's mxc ----
    Door("pid1 exe (CVE-2019-5736)", ["pid1-exe"], "dumpable,landlock"),
    Door("pid1 mem", ["pid1-mem"], "dumpable,landlock"),
    Door("pid1 environ", ["pid1-environ"], "dumpable"),
    Door("pid1 command line", ["pid1-cmdline", "policy.json"], "argv"),
    Door("pid1 root", ["pid1-folder", "root"], "dumpable"),
    Door("pid1 cwd", ["pid1-folder", "cwd"], "dumpable"),
    Door("pid1 fd", ["pid1-folder", "fd"], "dumpable"),
    Door("pid1 ptrace", ["pid1-ptrace"], "seccomp,dumpable"),
    Door("pid1 process_vm_readv", ["pid1-read-memory"], "seccomp,dumpable"),
    Door("processes of the host in sight", ["host-processes"], "pid", callers=ROOT),
    Door("signal to a process of the host", ["signal-host", "{host_pid}"], "pid,landlock,ids,capabilities", callers=ROOT),
    Door("cgroup path of the host", ["cgroup-path"], "cgroupns", callers=ROOT),
    # ---- the kernel's settings, never written here ----
    *paths_for_writing("/proc/sys/kernel/core_pattern /proc/sys/kernel/panic /proc/sys/vm/overcommit_memory",
                       "proc-readonly,landlock,ids", callers=ROOT),
    Door("core_pattern as a user", ["open-for-writing", "/proc/sys/kernel/core_pattern"],
         why="belongs to root of the host", callers=("rootless",)),
    *paths_for_writing("/proc/sysrq-trigger /proc/sys/fs/binfmt_misc/register /sys/kernel/uevent_helper /dev/mem /dev/kmsg "
                       "/dev/vda /dev/console", None, why=EMPTY_ROOT + ", or this kernel has no such file"),
    Door("read /proc/timer_list", ["read", "/proc/timer_list"], "masks,ids", callers=ROOT),
    Door("read /proc/interrupts", ["read", "/proc/interrupts"], "masks"),
    Door("read /proc/kcore", ["read", "/proc/kcore"], why="masked, and needs CAP_SYS_RAWIO of the host"),
    Door("release_agent", ["release-agent"], "seccomp,landlock,capabilities,userns,cgroupns", callers=ROOT),
    Door("second proc", ["new-proc"], "seccomp,landlock,capabilities,masks,proc-readonly"),
    Door("sysfs", ["new-sysfs"], "seccomp,landlock,capabilities,userns", callers=ROOT),
    # ---- system calls ----
    *calls("ptrace kcmp pidfd_getfd setns userfaultfd keyctl add_key request_key unshare-user "
           "unshare-user-high personality personality-high modify_ldt adjtimex "
           "tioclinux-number tiocsetd-number tiocsti-number tiocsti-high mbind-move fanotify_init", FILTER),
    *calls("io_uring_setup io_uring_enter", "seccomp,guard"),
    *calls("chroot pivot_root mount umount2 open_tree move_mount fsopen fspick mount_setattr", "seccomp,capabilities,landlock"),
    *calls("unshare-mount unshare-cgroup unshare-time sethostname", "seccomp,capabilities"),
    *calls("bpf open_by_handle_at reboot swapon quotactl acct syslog settimeofday clock_settime",
           "seccomp,capabilities,userns", callers=ROOT),
    *calls("init_module finit_module delete_module kexec_load iopl ioperm", "seccomp,capabilities,userns", callers=ROOT,
           in_kernel=False),
    Door("perf_event_open", ["perf"], FILTER),
    Door("clone(CLONE_NEWUSER)", ["clone-user"], FILTER),
    Door("clone3(CLONE_NEWUSER)", ["clone3-user"], FILTER),
    Door("i386 calls", ["i386"], "guard,seccomp"),
    Door("x32 calls", ["x32"], why=NO_X32),
    Door("TIOCSTI", ["tiocsti"], FILTER, setup="terminal_on_stdin"),
    Door("controlling terminal of the caller", ["controlling-terminal"], why="a session of its own", setup="own_terminal"),
    # ---- sockets ----
    Door("AF_VSOCK", ["socket", "40", "1", "0"], "guard,seccomp"),
    Door("AF_VSOCK, high bits", ["socket", "0x100000028", "1", "0"], "guard,seccomp"),
    Door("AF_VSOCK, datagrams", ["socket", "40", "2", "0"], "guard,seccomp"),
    Door("AF_VSOCK pair", ["socketpair", "40"], "guard,seccomp"),
    Door("AF_VSOCK by i386", ["i386-vsock"], "guard,seccomp"),
    Door("AF_PACKET", ["socket", "17", "3", "0"], "seccomp,capabilities"),
    Door("raw socket", ["socket", "2", "3", "1"], "seccomp,capabilities"),
    Door("AF_ALG", ["socket", "38", "5", "0"], FILTER, in_kernel=False),
    Door("netlink: audit", ["socket", "16", "3", "9"], FILTER),
    Door("netlink: netfilter", ["socket", "16", "3", "12"], FILTER),
    Door("netlink: uevents", ["socket", "16", "3", "15"], FILTER),
    Door("abstract socket of the host", ["connect-unix", "{abstract}"], "net,landlock"),
    Door("port of the host's loopback", ["connect-loopback", "{port}"], "net"),
    Door("unix socket outside the grants", ["connect-unix", "{socket}"], why=EMPTY_ROOT),
    # ---- files ----
    Door("read a denied file", ["read", "{work}/inner/denied.txt"], "covers"),
    Door("list a denied folder", ["list", "{work}/inner/denied"], "covers"),
    Door("read in a denied folder", ["read", "{work}/inner/denied/secret.txt"], "covers"),
    Door("read an ungranted file", ["read", "{base}/ungranted/secret.txt"], why=EMPTY_ROOT),
    Door("read /etc/shadow", ["read", "/etc/shadow"], why=EMPTY_ROOT),
    Door("hard link to a denied file", ["read-through-link", "{work}/inner/denied.txt"], "covers"),
    Door("rename around a denied file", ["read-moved-parent", "{work}/inner/denied.txt"], "covers"),
    Door("handle of a denied file", ["read-handle", "{work}/inner/denied.txt"],
         "covers,seccomp,capabilities,userns", callers=ROOT),
    *[Door(f"{kind} a denied file", ["change", kind, "{work}/inner/denied.txt"], "covers")
      for kind in "write truncate unlink rename rename-over exchange chmod".split()],
    *[Door(f"{kind} a read-only file", ["change", kind, "{base}/reference/file.txt"], "readonly,landlock")
      for kind in "write open-truncate truncate unlink rename rename-over link mmap".split()],
    *[Door(f"{kind} a read-only file", ["change", kind, "{base}/reference/file.txt"], "readonly")
      for kind in "chmod utimes".split()],
    *[Door(f"{kind} a read-only file in a writable folder", ["change", kind, "{work}/readonly/file.txt"], "readonly")
      for kind in "write truncate unlink rename rename-over link mmap chmod utimes".split()],
    Door("rename a read-only folder", ["change", "rename", "{work}/readonly"], why="a mount point can't be renamed"),
    *[Door(f"{kind} a protected file", ["change", kind, "{work}/protected.sh"], "protected")
      for kind in "write truncate unlink rename rename-over exchange chmod".split()],
    *[Door(f"{kind} a cover", ["uncover", kind, "{work}/inner/denied.txt"], "seccomp,capabilities,landlock,keeper")
      for kind in "umount move bind".split()],
    Door("remount as writable", ["remount", "{work}/readonly"], "seccomp,capabilities,landlock"),
    Door("chroot and ..", ["double-chroot", "{base}/ungranted/secret.txt"], why="pivot_root: the old root is gone"),
    Door("device node", ["make-device", "{work}/device"], "seccomp,landlock,capabilities,userns", callers=ROOT),
    *[Door(f"set-uid file left behind: {kind}", ["leave-setuid", kind, "{work}/setuid"], FILTER, check="setuid_left")
      for kind in "open openat openat2 mknod tmpfile chmod chmod-high fchmod fchmodat fchmodat2".split()],
    Door("set-uid program", ["become", "{work}/become"], "nosuid,no-new-privs,userns,capabilities", callers=ROOT, setup="setuid_program"),
    Door("run a program from /dev/shm", ["run-copy", "/dev/shm/program"], "noexec"),
    # ---- mxc's own files, whatever is granted ----
    Door("change mxc's program", ["change", "chmod", "{mxc}"], "covers,protected,readonly", writable=("{base}/mxc",)),
    Door("write mxc's cache of filters", ["fill", "{base}/home/.cache/mxc", "1"], "covers,protected", writable=("{base}/home",),
         setup="cache_folder"),
    Door("rename mxc's cache of filters", ["change", "rename", "{base}/home/.cache/mxc"], "covers,protected",
         writable=("{base}/home",), setup="cache_folder"),
    Door("plant a cache of filters", ["plant", "{base}/home/.cache/mxc/poison"], "covers,protected",
         writable=("{base}/home",), check="planted"),
    Door("replant the cache of filters", ["replant", "{base}/home/.cache/mxc"], "covers,protected,pins",
         writable=("{base}/home",), setup="cache_folder", check="planted"),
    Door("replant a denied file", ["replant", "{work}/inner/denied.txt"], "covers,pins", check="planted"),
    Door("replant a protected file", ["replant", "{work}/hooks/post-commit"], "protected,pins", check="planted"),
    Door("plant a protected file that is missing", ["plant", "{work}/later/hook"], "protected", check="planted"),
    Door("replant a missing start-up file", ["replant", "{base}/home/.config/autostart"], "protected,pins",
         writable=("{base}/home",), setup="config_folder", check="planted"),
    Door("write mxc's state", ["fill", "{base}/runtime/mxc", "1"], "covers,protected,readonly", writable=("{base}/runtime",), callers=("rootless",)),
    # ---- what a program starts with ----
    Door("leaked descriptor (CVE-2024-21626)", ["descriptors-leaked"], "close-range", setup="leaked_folder"),
    Door("working folder by a leaked descriptor", ["host-cwd"], "close-range", setup="leaked_folder",
         policy={"process": {"cwd": "/proc/self/fd/200"}}, refused=True),
    Door("folder as stdin", ["walk-out", "0", ".."], "streams,landlock", setup="folder_as_stdin", refused=True),
    *[Door(f"variable {name}", ["variable", name], "env")
      for name in "WSL_INTEROP DISPLAY WAYLAND_DISPLAY DBUS_SESSION_BUS_ADDRESS SSH_AUTH_SOCK GITHUB_TOKEN BASH_ENV".split()],
    Door("capabilities", ["capabilities"], "capabilities"),
    Door("securebits", ["securebits"], "capabilities"),
    Door("no_new_privs", ["no-new-privs"], "no-new-privs,seccomp,guard,landlock,capabilities"),
    Door("root of the host among the ids", ["host-root-mapped"], "ids", callers=ROOT),
    Door("System V memory of the host", ["shared-memory", "{shm_key}"], "ipc"),
    # ---- WSL's doors, and others that lie below a granted parent ----
    *[Door(f"WSL: {path}", ["read", path + "/secret.txt"], "covers", callers=ROOT, readonly=("/mnt",), setup="wsl_mounts")
      for path in ("/mnt/c", "/mnt/wsl", "/mnt/wslg")],
    Door("session bus below a granted folder", ["connect-unix", "{base}/runtime/bus"], "covers", callers=("rootless",),
         readonly=("{base}/runtime",), setup="session_bus"),
    # ---- exhaustion ----
    Door("processes", ["processes", "200"], "cgroup", resources={"pids": 64}, callers=ROOT),
    Door("memory", ["memory", "200"], "cgroup", resources={"memory": "64MiB", "swap": 0}, callers=ROOT),
    Door("bytes of /tmp", ["fill", "/tmp", "64"], "tmpfs-limits", resources={"tmp": "16MiB"}),
    Door("inodes of /tmp", ["inodes", "/tmp", "4000"], "tmpfs-limits", resources={"tmpfsInodes": 1000}),
    Door("open files", ["descriptors", "900"], "rlimits", resources={"openFiles": 256}),
    Door("core dumps", ["core-dump"], "rlimits"),
]
