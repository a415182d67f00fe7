"""A seccomp agent: takes one container's listener over a unix socket and answers its notifications (seccomp_unotify(2))."""

import array
import fcntl
import json
import os
import socket
import struct
import threading

NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
FLAG_CONTINUE = 1


class Agent:
    """Answers every call with `value`, or lets it go on when that is None. `state` is what the runtime sent."""

    def __init__(self, path, value):
        self.value = value
        self.state = None
        self.descriptors = 0
        self.connections = 0
        self.calls = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(1)
        self.thread = threading.Thread(target=self.serve, daemon=True)
        self.thread.start()

    def serve(self):
        connection, _ = self.listener.accept()
        self.connections += 1
        with connection:
            text, notify = b"", []
            while True:
                data, control, _, _ = connection.recvmsg(65536, socket.CMSG_SPACE(16))
                for level, kind, payload in control:
                    if level == socket.SOL_SOCKET and kind == socket.SCM_RIGHTS:
                        notify += array.array("i", payload)
                if not data:
                    break
                text += data
        self.descriptors = len(notify)
        self.state = json.loads(text)
        for fd in notify:
            self.answer(fd)
            os.close(fd)

    def answer(self, fd):
        while True:
            request = bytearray(80)
            try:
                fcntl.ioctl(fd, NOTIF_RECV, request)
                identity, _, _, number = struct.unpack_from("QIIi", request)
                self.calls.append(number)
                value, flags = (0, FLAG_CONTINUE) if self.value is None else (self.value, 0)
                fcntl.ioctl(fd, NOTIF_SEND, struct.pack("QqiI", identity, value, 0, flags))
            except FileNotFoundError:
                # The process went while its call waited, or the last one that had the filter has.
                return

    def close(self):
        self.listener.close()
        self.thread.join(timeout=10)
