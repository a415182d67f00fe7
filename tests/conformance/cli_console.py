#!/usr/bin/env python3
"""config.md, process.terminal and consoleSize; command line of runc and crun: --console-socket and --tty."""

import array
import contextlib
import os
import pty
import re
import socket
import sys
import termios
import time

sys.dont_write_bytecode = True
import host  # noqa: E402
from harness import check, clause, contains, equal, main  # noqa: E402


class Console:
    """A socket that takes one console, as conmon and containerd's shim do; `text` is what came from it so far."""

    def __init__(self, box, name="console"):
        # Below the state folder the caller reaches it, whoever that is; socket addresses are short.
        self.path = os.path.join(box.state_root, name)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(self.path)
        os.chown(self.path, box.uid, box.uid)
        self._socket.listen(1)
        self.master, self.name, self.text = None, b"", ""

    def take(self):
        """Takes the console that the runtime sent."""
        self._socket.settimeout(10)
        connection, _ = self._socket.accept()
        with connection:
            self.name, ancillary, _, _ = connection.recvmsg(4096, socket.CMSG_SPACE(4))
        check(ancillary, "no descriptor was sent")
        (self.master,) = array.array("i", ancillary[0][2][:4])
        os.set_blocking(self.master, False)
        return self.master

    def read(self):
        """What has been written to the terminal until now."""
        with contextlib.suppress(OSError):
            while part := os.read(self.master, 65536):
                self.text += part.decode(errors="replace")
        return self.text

    def says(self, part, seconds=5):
        check(host.eventually(lambda: part in self.read(), seconds), f"the terminal lacks {part!r}: {self.text[-600:]!r}")


def with_console(box, *argv):
    """A created container of that program whose console has been taken."""
    box.process["terminal"] = True
    console = Console(box)
    box.create(*argv, flags=("--console-socket", console.path))
    console.take()
    return console


@clause("config.process.terminal", callers=("root", "rootless"))
def is_on_the_three_standard_streams(box):
    console = with_console(box, "sh", "-c", "probe tty; exec sleep 100")
    box.start()
    console.says("2 terminal")
    lines = [line.split() for line in console.text.splitlines()[:3]]
    equal([line[:2] for line in lines], [["0", "terminal"], ["1", "terminal"], ["2", "terminal"]], "streams")
    equal(len({line[2] for line in lines}), 1, "names of the terminal")
    check(re.fullmatch(r"/dev/(pts/\d+|console)", lines[0][2]), f"name of the terminal: {lines[0][2]}")


@clause("config.process.terminal")
def controls_its_session(box):
    console = with_console(box, "sh", "-c", "trap 'echo interrupted; exit 5' INT; echo ready; while :; do sleep 0.05; done")
    box.start()
    console.says("ready")
    os.write(console.master, b"\x03")
    console.says("interrupted")


@clause("config.process.terminal")
def can_be_opened_as_dev_tty(box):
    console = with_console(box, "sh", "-c", "echo through-tty > /dev/tty; exec sleep 100")
    box.start()
    console.says("through-tty")


@clause("config_linux.default_devices", callers=("root", "rootless"))
def console_is_the_terminal(box):
    console = with_console(box, "sh", "-c", "stat -c '%t %T %F' /dev/console; tty; echo to-console > /dev/console; exec sleep 100")
    box.start()
    console.says("to-console")
    contains(console.text, "character special", "the terminal")
    # 136 is the major number of the slaves of /dev/pts (devices.txt).
    contains(console.text, "88 ", "the terminal")


@clause("config_linux.default_devices")
def console_is_not_there_without_a_terminal(box):
    out = box.shell("test -c /dev/console && stat -c %t /dev/console; true")
    check(out.strip() != "88", f"/dev/console is a terminal: {out!r}")


@clause("config.process.console_size", callers=("root", "rootless"))
def is_that_of_the_terminal_when_the_program_starts(box):
    box.process["consoleSize"] = {"height": 25, "width": 91}
    console = with_console(box, "sh", "-c", "probe tty; exec sleep 100")
    box.start()
    console.says("2 terminal")
    contains(console.text, "25x91", "the terminal")


@clause("config.process.terminal")
def belongs_to_the_programs_user(box):
    box.process["user"] = {"uid": 1234, "gid": 5}
    console = with_console(box, "sh", "-c", "stat -L -c 'owner %u' /proc/self/fd/0; exec sleep 100")
    box.start()
    console.says("owner 1234")


@clause("cli.console_socket")
def gets_the_masters_descriptor_at_create(box):
    console = with_console(box, "sh", "-c", "read line; echo got-$line; exec sleep 100")
    check(os.isatty(console.master), "it is no terminal")
    check(console.name, "the message is empty: it has to carry the terminal's name")
    box.start()
    os.write(console.master, b"typed\n")
    console.says("got-typed")


@clause("cli.console_socket")
def without_a_terminal_or_a_terminal_without_it_is_an_error(box):
    """create has no terminal of its own to lend; a socket for nothing is a mistake of the caller."""
    box.process["terminal"] = True
    box.try_create("true").fails()
    check(not box.exists(), "the container exists")
    box.process["terminal"] = False
    box.try_create("true", flags=("--console-socket", Console(box).path)).fails()
    check(not box.exists(), "the container exists")


@clause("cli.console_socket")
def that_nobody_listens_on_is_an_error(box):
    box.process["terminal"] = True
    box.try_create("true", flags=("--console-socket", box.path("nobody"))).fails()
    check(not box.exists(), "the container exists")


@clause("cli.exec")
def tty_with_a_console_socket_is_a_terminal(box):
    box.launch()
    for flags in (("--tty",), ("-t",)):
        console = Console(box, "exec" + flags[0])
        box.call("exec", *flags, "--detach", "--console-socket", console.path, box.id, "sh", "-c", "probe tty; exec sleep 100").expect(0)
        console.take()
        console.says("2 terminal")


@clause("cli.run")
def lends_its_own_terminal(box):
    """Without a socket, run connects its own terminal with the container's, raw, at its size, and puts it back as it was."""
    box.process["terminal"] = True
    box.process["args"] = ["sh", "-c", "probe tty; read line; echo got-$line; exit 9"]
    box.save()
    box.remember(box.id)
    pid, master = pty.fork()
    if pid == 0:
        os.execve(box.runtime, [box.runtime, "--root", box.state_root, "run", "--bundle", box.bundle, box.id], dict(os.environ))
    termios.tcsetwinsize(master, (33, 77))
    before = termios.tcgetattr(master)
    text = ""
    os.set_blocking(master, False)
    deadline = time.monotonic() + 10
    typed = False
    while "got-typed" not in text and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            text += os.read(master, 4096).decode(errors="replace")
        if "2 terminal" in text and not typed:
            os.write(master, b"typed\n")
            typed = True
        time.sleep(0.01)
    contains(text, "got-typed", "the terminal")
    contains(text, "33x77", "the terminal")
    equal(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), 9, "exit status")
    equal(termios.tcgetattr(master)[:4], before[:4], "modes of the caller's terminal")


if __name__ == "__main__":
    main()
