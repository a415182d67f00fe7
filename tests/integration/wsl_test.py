#!/usr/bin/env python3
"""WSL's doors are shut inside: drives, /mnt/wsl, WSLg, interop sockets and variables, /init, AF_VSOCK. For the lab's VM or WSL."""
import os
import socket
import sys
import threading

sys.dont_write_bytecode = True
from harness import Skip, case, check, contains, equal, lacks, main  # noqa: E402

DOORS = ["/mnt/c", "/mnt/wsl", "/mnt/wslg", "/run/WSL", "/init", "/dev/dxg", "/proc/sys/fs/binfmt_misc/WSLInterop"]


def wsl():
    if not os.path.exists("/run/WSL") or not os.path.exists("/mnt/c"):
        raise Skip("neither WSL nor a stand-in: no /run/WSL and /mnt/c")


LOOK = """
import os, socket, sys
for path in sys.argv[1:]:
    try: found = os.listdir(path) if os.path.isdir(path) else [open(path, 'rb').read(1)]
    except OSError as error: found = None
    # A folder that only holds what is granted below may be there, empty or shut.
    if found: print('OPEN', path, found)
print('environment', sorted(name for name in os.environ if 'WSL' in name or name in ('DISPLAY', 'WAYLAND_DISPLAY', 'PULSE_SERVER')))
for family in (40, 0x100000028):
    for kind in (1, 2, 3):
        try: socket.socket(family & 0xffffffff, kind).close(); print('OPEN AF_VSOCK', family, kind)
        except OSError as error: pass
"""


@case
def the_doors_are_shut(box):
    wsl()
    outside = [path for path in DOORS if os.path.exists(path)]
    check(len(outside) >= 4, f"only {outside} are there outside")
    env = {name: os.environ.get(name, "x") for name in ("WSL_INTEROP", "WSL_DISTRO_NAME", "WSLENV", "DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER")}
    for fields in ({}, {"x": {"profile": "build"}}, {"x": {"profile": "ml-train"}}, {"x": {"profile": "untrusted-code"}}):
        ended = box.run(box.policy(**fields), "/usr/bin/python3", "-c", LOOK, *DOORS, env=env, timeout=200)
        if box.root and ended.code == 125 and "idmapped" in ended.err:
            continue  # a grant of this profile lies where the lab's file system can't be shown to root's containers
        ended.expect(0)
        lacks(ended.text, "OPEN", f"output under {fields}")
        contains(ended.text, "environment []", f"output under {fields}")


@case
def the_gpu_is_shown_where_the_policy_says_so(box):
    wsl()
    if not os.path.exists("/dev/dxg"):
        raise Skip("no /dev/dxg")
    code = (
        "import os; os.close(os.open('/dev/dxg', os.O_RDWR)); print(os.environ['LD_LIBRARY_PATH'], os.path.exists('/usr/lib/wsl/lib/libcuda.so.1'))\n"
        "try: open('/usr/lib/wsl/lib/new', 'w'); print('OPEN')\n"
        "except OSError as error: print(error.errno)"
    )
    ended = box.run(box.policy(x={"gpu": "wsl"}), "/usr/bin/python3", "-c", code, timeout=200).expect(0)
    contains(ended.text, "/usr/lib/wsl/lib True", "output")
    lacks(ended.text, "OPEN", "output")


@case
def granted_folders_above_do_not_open_them(box):
    wsl()
    for folder in ("/mnt", "/run"):
        ended = box.run(box.policy(ro=[folder]), "/usr/bin/python3", "-c", LOOK, *DOORS, timeout=200)
        if ended.code == 125:
            contains(ended.err, folder, "the refusal")
            continue
        lacks(ended.expect(0).text, "OPEN", f"output with {folder} granted")


@case
def the_doors_can_not_be_granted(box):
    wsl()
    for path in ("/run/WSL", "/mnt/wsl", "/mnt/wslg", "/init"):
        if os.path.exists(path):
            ended = box.run(box.policy(ro=[path]), "/usr/bin/python3", "-c", LOOK, path, timeout=200)
            if ended.code != 125:
                lacks(ended.expect(0).text, "OPEN", f"output with {path} granted")


@case
def a_drive_opens_by_its_own_name(box):
    wsl()
    ended = box.run(box.policy(ro=["/mnt/c"]), "ls", "/mnt/c", timeout=200)
    if not box.root or ended.code != 125:
        equal(ended.expect(0).text.split(), sorted(os.listdir("/mnt/c")), "listing of the drive")


@case
def vsock_is_there_outside(box):
    """Else the test of it above proves nothing."""
    wsl()
    try:
        socket.socket(40, socket.SOCK_STREAM).close()
    except OSError as error:
        raise Skip(f"no AF_VSOCK on this kernel: {error.strerror}") from None


@case(callers=("rootless",))
def a_path_of_windows_is_walked_from_its_drive(box):
    # Without a drive nothing is granted in its name, whatever lies where drives are.
    policy = {"version": "1.0.0", "filesystem": {"readonlyPaths": ["Q:\\proj"]}}
    ended = box.run(policy, "true", env={"WSL_DISTRO_NAME": "Test"}, timeout=200).expect(125)
    contains(ended.err, "Q:", "stderr, without that drive")
    wsl()
    drive = "/mnt/c/Users/lab/proj"
    if not os.path.isdir(drive):
        os.makedirs(drive + "/right")
        os.makedirs("/mnt/c/Users/lab/other")
        for folder, text in ((drive + "/right", "right"), ("/mnt/c/Users/lab/other", "wrong")):
            with open(folder + "/file", "w", encoding="utf-8") as file:
                file.write(text)
            os.chmod(folder, 0o777)
        os.chmod(drive, 0o777)
    policy["filesystem"]["readonlyPaths"] = ["C:\\Users\\lab\\proj\\right"]
    ended = box.run(policy, "cat", drive + "/right/file", timeout=200).expect()
    equal(ended.text, "right", "a file of the drive")
    # While its name is a link half of the time, it is what was meant, or refused.
    stop = threading.Event()

    def swap():
        while not stop.is_set():
            os.rename(drive + "/right", drive + "/away")
            os.symlink("/mnt/c/Users/lab/other", drive + "/right")
            os.unlink(drive + "/right")
            os.rename(drive + "/away", drive + "/right")

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        ends = [box.run(policy, "cat", drive + "/right/file", timeout=200) for _ in range(6)]
    finally:
        stop.set()
        swapper.join()
    for ended in ends:
        lacks(ended.text, "wrong", "output in the race")
    # Something else mounted there is not the drive's.
    if os.getuid() == 0:
        box.mount("-t", "tmpfs", "tmpfs", drive + "/right")
        contains(box.run(policy, "true", timeout=200).expect(125).err, "mounted on it", "stderr")


if __name__ == "__main__":
    main()
