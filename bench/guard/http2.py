"""As much of HTTP/2 (RFC 9113) and HPACK (RFC 7541) as it takes to ask and to answer the same thing
again and again with the same bytes."""

import struct

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
DATA, HEADERS, RST_STREAM, SETTINGS, PING, GOAWAY, WINDOW_UPDATE = 0, 1, 3, 4, 6, 7, 8
END_STREAM, END_HEADERS, ACK, PADDED, PRIORITY = 1, 4, 1, 8, 32
STATUS_200 = b"\x88"
# Names of the static table that are used here.
STATIC = {":authority": 1, ":path": 4, "accept": 19, "content-length": 28, "content-type": 31,
          "server": 54, "user-agent": 58, ":method": 2, ":scheme": 6}  # fmt: skip


def frame(kind, flags, stream, payload=b""):
    return struct.pack(">I", len(payload))[1:] + struct.pack(">BBI", kind, flags, stream) + payload


def opening():
    """Settings and a window that never need an update in a load."""
    settings = struct.pack(">HI", 4, 2**31 - 1) + struct.pack(">HI", 3, 1000)
    return frame(SETTINGS, 0, 0, settings) + frame(WINDOW_UPDATE, 0, 0, struct.pack(">I", 2**30))


class Encoder:
    """Literal fields that enter the dynamic table the first time, and are an index after, as browsers'
    and nghttp2's do."""

    def __init__(self):
        self.entered = []

    def encode(self, fields):
        return b"".join(map(self._field, fields))

    def _field(self, field):
        if field in self.entered:
            return _integer(0x80, 7, 62 + len(self.entered) - 1 - self.entered.index(field))
        self.entered.append(field)
        name, value = field
        index = STATIC.get(name)
        start = _integer(0x40, 6, index) if index else bytes([0x40]) + _string(name)
        return start + _string(value)


def _string(text):
    return _integer(0x00, 7, len(text)) + text.encode()


def _integer(pattern, bits, number):
    limit = (1 << bits) - 1
    if number < limit:
        return bytes([pattern | number])
    number -= limit
    encoded = [pattern | limit]
    while number >= 128:
        encoded.append(number % 128 + 128)
        number //= 128
    return bytes([*encoded, number])


class Frames:
    """Frames out of bytes as they come."""

    def __init__(self):
        self.buffer = bytearray()

    def add(self, received):
        """The whole frames in what was received: kind, flags, stream, payload."""
        self.buffer += received
        frames = []
        while len(self.buffer) >= 9:
            length = int.from_bytes(self.buffer[:3], "big")
            if len(self.buffer) < 9 + length:
                break
            kind, flags, stream = struct.unpack(">BBI", self.buffer[3:9])
            frames.append((kind, flags, stream, bytes(self.buffer[9 : 9 + length])))
            del self.buffer[: 9 + length]
        return frames


def acknowledgement(kind, flags, payload):
    """What the connection must answer to a frame by itself, or nothing."""
    if flags & ACK or kind not in (SETTINGS, PING):
        return b""
    return frame(kind, ACK, 0, payload if kind == PING else b"")


def status_is_200(block):
    """Whether a block of fields begins with it, past updates of the table's size."""
    while block and block[0] & 0xE0 == 0x20:
        block = block[1:]
    return block[:1] == STATUS_200
