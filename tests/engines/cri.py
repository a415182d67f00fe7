"""A client of the Kubernetes container runtime interface, as much of it as the tests need.

Messages are written and read by field numbers (k8s.io/cri-api, runtime/v1/api.proto): a message is a dict {number: value}, where a value
is an int or bool, text, bytes, another dict, or a list of these. gRPC itself is python3-grpcio.
"""

import grpc

POD, NODE = 0, 2  # NamespaceMode: the pod's own namespace, the host's
RUNNING, EXITED = 1, 2  # ContainerState


def _varint(number):
    number &= (1 << 64) - 1
    out = b""
    while True:
        out += bytes([number & 127 | (128 if number > 127 else 0)])
        number >>= 7
        if not number:
            return out


def encode(message):
    out = b""
    for field, value in message.items():
        for one in value if isinstance(value, list) else [value]:
            if isinstance(one, int):
                out += _varint(field << 3) + _varint(int(one))
            else:
                data = encode(one) if isinstance(one, dict) else one.encode() if isinstance(one, str) else one
                out += _varint(field << 3 | 2) + _varint(len(data)) + data
    return out


def decode(data):
    """{number: [values]}, where a value is an int or bytes."""
    message, at = {}, 0

    def varint():
        nonlocal at
        number, shift = 0, 0
        while True:
            byte = data[at]
            at += 1
            number |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return number

    while at < len(data):
        key = varint()
        if key & 7 == 0:
            value = varint()
        else:
            length = {1: 8, 5: 4}.get(key & 7) or varint()
            value = data[at : at + length]
            at += length
        message.setdefault(key >> 3, []).append(value)
    return message


class Client:
    """The two services at a socket. A refused call raises grpc.RpcError."""

    def __init__(self, socket):
        self.channel = grpc.insecure_channel(f"unix://{socket}")

    def call(self, method, message, service="RuntimeService", timeout=30):
        reply = self.channel.unary_unary(f"/runtime.v1.{service}/{method}")(encode(message), timeout=timeout, wait_for_ready=True)
        return decode(reply)

    def run_sandbox(self, config, handler):
        return self.call("RunPodSandbox", {1: config, 2: handler})[1][0].decode()

    def create(self, sandbox, config, sandbox_config):
        return self.call("CreateContainer", {1: sandbox, 2: config, 3: sandbox_config})[1][0].decode()

    def status(self, container):
        """(state, exit status)."""
        status = decode(self.call("ContainerStatus", {1: container})[1][0])
        return status.get(3, [0])[0], status.get(7, [0])[0]

    def exec(self, container, *command):
        """(exit status, stdout, stderr)."""
        reply = self.call("ExecSync", {1: container, 2: list(command), 3: 20})
        return reply.get(3, [0])[0], reply.get(1, [b""])[0].decode(), reply.get(2, [b""])[0].decode()

    def end(self, sandbox, *containers):
        for container in containers:
            self.call("StopContainer", {1: container})
            self.call("RemoveContainer", {1: container})
        self.call("StopPodSandbox", {1: sandbox})
        self.call("RemovePodSandbox", {1: sandbox})
