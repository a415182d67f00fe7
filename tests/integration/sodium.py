"""The client's side of the handshake and the encrypted stream (shared/wire/handshake.h), over libsodium itself."""

import ctypes
import ctypes.util
import struct

from harness import Skip
from mxcd import exactly


def _library():
    name = ctypes.util.find_library("sodium")
    if name is None:
        raise Skip("libsodium is not installed")
    library = ctypes.CDLL(name)
    library.sodium_init()
    return library


def transcript_hash(greeting, opening, ident, vm_id, port):
    parts = (greeting, opening, ident, vm_id, struct.pack("<I", port))
    whole = b"".join(struct.pack("<I", len(part)) + part for part in parts)
    out = ctypes.create_string_buffer(32)
    _library().crypto_generichash(out, ctypes.c_size_t(32), whole, ctypes.c_ulonglong(len(whole)), None, ctypes.c_size_t(0))
    return out.raw


class SecretStream:
    """A socket's encrypted stream, as the client."""

    def __init__(self, connection, ident, key, digest):
        self.sodium, self.socket = _library(), connection
        derived = []
        for number in (1, 2):
            out = ctypes.create_string_buffer(32)
            self.sodium.crypto_kdf_derive_from_key(out, ctypes.c_size_t(32), ctypes.c_uint64(number), b"mxchv01\0", key)
            derived.append(out.raw)
        self.push, self.pull = ctypes.create_string_buffer(64), ctypes.create_string_buffer(64)
        header = ctypes.create_string_buffer(24)
        self.sodium.crypto_secretstream_xchacha20poly1305_init_push(self.push, header, derived[0])
        try:
            self.socket.sendall(b"MXCHV1\r\n" + ident + header.raw)
            self.send(digest)
        except (BrokenPipeError, ConnectionResetError):
            pass  # closed already, which finish() finds
        self.plain, self.pull_key, self.digest = b"", derived[1], digest

    def finish(self):
        """The server's half. False: it closed instead."""
        answer = self._exactly(32)
        if answer is None:
            return False
        assert answer[:8] == b"MXCHV1\r\n", answer
        self.sodium.crypto_secretstream_xchacha20poly1305_init_pull(self.pull, answer[8:], self.pull_key)
        return self.receive() == self.digest

    def sealed(self, data, tag=0):
        out = ctypes.create_string_buffer(len(data) + 17)
        self.sodium.crypto_secretstream_xchacha20poly1305_push(self.push, out, None, data, ctypes.c_ulonglong(len(data)), None, ctypes.c_ulonglong(0), ctypes.c_ubyte(tag))
        return struct.pack("<I", len(out.raw)) + out.raw

    def send(self, data, tag=0):
        self.socket.sendall(self.sealed(data, tag))

    def receive(self):
        """The next record's plain text; None at the end of the connection, b"" for the stream's own."""
        header = self._exactly(4)
        if header is None:
            return None
        record = self._exactly(struct.unpack("<I", header)[0])
        out, tag = ctypes.create_string_buffer(max(1, len(record) - 17)), ctypes.c_ubyte(0)
        size = ctypes.c_ulonglong(0)
        failed = self.sodium.crypto_secretstream_xchacha20poly1305_pull(self.pull, out, ctypes.byref(size), ctypes.byref(tag), record, ctypes.c_ulonglong(len(record)), None, ctypes.c_ulonglong(0))
        assert failed == 0, "a record does not decrypt"
        return out.raw[: size.value]

    def _exactly(self, size):
        return exactly(self.socket, size)
