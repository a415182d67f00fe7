"""What the tour runs in the sandbox: tries things, and says what came of each."""

import ctypes
import os
import socket


def attempt(what, action):
    try:
        result = action()
        print(f"  allowed  {what}" + (f": {result}" if result else ""))
    except OSError as error:
        print(f"  denied   {what}: {error.strerror}")


def write(path, text="written inside\n"):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def read(path):
    with open(path, encoding="utf-8") as file:
        return file.read().strip()


def mount():
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"none", b"/tmp", b"tmpfs", 0, None) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def connect():
    with socket.create_connection(("192.0.2.1", 443), timeout=2):
        return "connected"


attempt("read ../data/rows.csv", lambda: read("../data/rows.csv"))
attempt("write result.txt", lambda: write("result.txt"))
attempt("see .env in the listing", lambda: ".env" if ".env" in os.listdir(".") else "")
attempt("read .env", lambda: read(".env"))
attempt("rename .env", lambda: os.rename(".env", "env"))
attempt("write vendor/lib.txt", lambda: write("vendor/lib.txt"))
attempt("plant .git/hooks/post-commit", lambda: write(".git/hooks/post-commit"))
attempt("read ~/.ssh", lambda: os.listdir(os.path.expanduser("~root/.ssh")))
attempt("read /etc/shadow", lambda: read("/etc/shadow"))
attempt("connect to 192.0.2.1:443", connect)
attempt("open a VM socket to Windows", lambda: socket.socket(40, socket.SOCK_STREAM).close())
attempt("mount a file system", mount)
print("  processes seen:", " ".join(name for name in sorted(os.listdir("/proc")) if name.isdigit()))
