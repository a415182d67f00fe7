#!/usr/bin/env python3
"""config-linux.md, seccomp listeners: the container process state, its descriptor, and what is an error."""

import array
import contextlib
import fcntl
import json
import os
import socket
import struct
import sys
import threading

sys.dont_write_bytecode = True
import host  # noqa: E402
import schemas  # noqa: E402
from harness import check, clause, contains, equal, main  # noqa: E402
from seccomp_rules import ARCH, rule  # noqa: E402

# <linux/seccomp.h>: of struct seccomp_notif (80 bytes) and seccomp_notif_resp (24 bytes).
SECCOMP_IOCTL_NOTIF_RECV = 0xC0502100
SECCOMP_IOCTL_NOTIF_SEND = 0xC0182101


class Agent:
    """Listens on a socket as a seccomp agent does; answers every notification with that errno."""

    def __init__(self, path, uid, answer):
        self.messages, self.fds, self.closed, self.answered = [], [], [], 0
        self._answer = answer
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._socket.bind(path)
        os.chown(path, uid, uid)
        self._socket.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            connection, _ = self._socket.accept()
            with connection:
                text, fds = b"", []
                while True:
                    part, ancillary, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16 * 4))
                    for level, kind, payload in ancillary:
                        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
                            fds += array.array("i", payload[: len(payload) // 4 * 4])
                    if not part:
                        break
                    text += part
                    # One state a connection, so that a whole document is all of it; whoever sends waits for no answer.
                    with contextlib.suppress(ValueError):
                        json.loads(text)
                        if fds and not self.fds:
                            self.fds += fds
                            threading.Thread(target=self._serve, args=(fds[0],), daemon=True).start()
                self.messages.append(text)
                self.closed.append(True)

    def _serve(self, fd):
        while True:
            request = bytearray(80)
            try:
                fcntl.ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, request)
                (number,) = struct.unpack_from("Q", request)
                fcntl.ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, struct.pack("QqiI", number, 0, -self._answer, 0))
            except OSError:
                return
            self.answered += 1


def listened(box, answer=77, **fields):
    """A container whose getppid an agent answers."""
    path = os.path.join(box.state_root, "agent")
    agent = Agent(path, box.uid, answer)
    box.linux["seccomp"] = {"defaultAction": "SCMP_ACT_ALLOW", "architectures": [ARCH], "listenerPath": path,
                            "syscalls": [rule("getppid", action="SCMP_ACT_NOTIFY")], **fields}  # fmt: skip
    return agent


@clause("config_linux.seccomp.listener_path", callers=("root", "rootless"))
def notifications_go_to_the_agent(box):
    agent = listened(box)
    equal(box.run("probe", "call", "getppid").out, "getppid -77\n", "getppid")
    equal(agent.answered, 1, "notifications answered")


@clause("config_linux.container_process_state")
def has_what_it_must_have(box):
    box.config["annotations"] = {"com.example.key": "value"}
    agent = listened(box, listenerMetadata="MKNOD=/dev/null")
    pid = box.launch("probe", "wait")
    check(host.eventually(lambda: agent.closed), "the connection wasn't closed")
    equal(len(agent.messages), 1, "connections")
    state = json.loads(agent.messages[0])
    equal(state.get("fds"), ["seccompFd"], "fds")
    equal(len(agent.fds), 1, "descriptors sent")
    equal(state.get("metadata"), "MKNOD=/dev/null", "metadata")
    check(isinstance(state.get("ociVersion"), str) and isinstance(state.get("pid"), int), f"state: {state}")
    equal(state["pid"], pid, "pid")
    equal((state["state"]["id"], os.path.realpath(state["state"]["bundle"])), (box.id, os.path.realpath(box.bundle)), "id and bundle")
    equal(state["state"].get("annotations", {}).get("com.example.key"), "value", "annotation")
    equal(schemas.errors("state-schema.json", state["state"]), [], "errors in the state")


@clause("config_linux.container_process_state")
def status_of_the_state_is_that_of_the_moment(box):
    agent = listened(box)
    box.launch("probe", "wait")
    check(host.eventually(lambda: agent.closed), "the connection wasn't closed")
    check(json.loads(agent.messages[0])["state"]["status"] in ("creating", "created"), f"state: {agent.messages[0]!r}")


@clause("config_linux.container_process_state")
def exec_sends_its_own(box):
    agent = listened(box)
    box.launch("probe", "wait")
    check(host.eventually(lambda: len(agent.messages) == 1), "no state of the first process")
    agent.fds.clear()
    equal(box.exec("probe", "call", "getppid").out, "getppid -77\n", "getppid")
    check(host.eventually(lambda: len(agent.messages) == 2), f"states: {len(agent.messages)}")


@clause("config_linux.seccomp.listener_path")
def that_nobody_listens_on_is_an_error(box):
    listened(box)
    box.linux["seccomp"]["listenerPath"] = box.path("nobody")
    box.refused("listenerPath", start=True)


@clause("config_linux.seccomp.listener_path")
def is_ignored_without_a_notify_action(box):
    listened(box)
    box.linux["seccomp"].update(listenerPath=box.path("nobody"), syscalls=[rule("getppid")])
    equal(box.run("probe", "call", "getppid").out, "getppid -1\n", "getppid")


@clause("config_linux.seccomp.listener_path")
def left_out_with_a_notify_action_is_an_error(box):
    listened(box)
    del box.linux["seccomp"]["listenerPath"]
    box.refused("listenerPath", start=True)


@clause("config_linux.seccomp.listener_metadata")
def without_a_listener_path_is_an_error(box):
    listened(box, listenerMetadata="x")
    box.linux["seccomp"]["syscalls"] = [rule("getppid")]
    del box.linux["seccomp"]["listenerPath"]
    box.refused("listenerMetadata")


@clause("config_linux.seccomp.flags")
def wait_killable_goes_with_a_listener(box):
    listened(box, flags=["SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV"])
    contains(box.run("probe", "call", "getppid").out, "getppid -77\n", "getppid")


if __name__ == "__main__":
    main()
