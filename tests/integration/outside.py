"""A network namespace behind a veth pair, which is the world outside of the tests' own one."""
import os
import subprocess
import sys

from harness import equal, eventually, main


def sh(*command, check_it=True):
    return subprocess.run(command, check=check_it, capture_output=True, text=True)


def lines(*commands, before=()):
    for command in commands:
        sh(*before, *command.split())


class Outside:
    """up0 here, up1 there. To be used by `with`: everything goes at the end."""

    def __init__(self, here, there):
        """here, there: `ip` commands on either side, once both devices exist."""
        self.holder = subprocess.Popen(["unshare", "-n", "sleep", "1000"])
        own = os.readlink("/proc/self/ns/net")
        eventually(lambda: os.readlink(f"/proc/{self.holder.pid}/ns/net") != own, 5)
        self.enter = ["nsenter", "-t", str(self.holder.pid), "-n"]
        self.servers = []
        lines("ip link set lo up", f"ip link add up0 type veth peer name up1 netns {self.holder.pid}", "ip link set up0 up")
        lines("ip link set lo up", "ip link set up1 up", *there, before=self.enter)
        lines(*here)

    def serve(self, command):
        """Starts a server, which says when it is ready."""
        started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.servers.append(started)
        equal(started.stdout.readline(), "ready\n", "the servers")
        return started

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for server in self.servers:
            server.kill()
            server.wait()
            server.stdout.close()
        self.holder.kill()
        self.holder.wait()
        eventually(lambda: "up0" not in os.listdir("/sys/class/net"), 5)
        sh("ip", "link", "del", "up0", check_it=False)


def main_in_own_network():
    """harness.main, in a network namespace that is the host of the sandboxes."""
    if os.getuid() == 0 and "MXC_TEST_NETNS" not in os.environ:
        os.environ["MXC_TEST_NETNS"] = "1"
        os.execvp("unshare", ["unshare", "-n", sys.executable, "-B", *sys.argv])
    main()
