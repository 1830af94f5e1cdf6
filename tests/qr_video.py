# tests/qr_video.py -- QR codes by libqrencode, and a film of them for Chromium's fake camera.
import ctypes
import ctypes.util

WIDTH, HEIGHT = 640, 480
LOW, BYTES = 0, 2  # QR_ECLEVEL_L, QR_MODE_8


class Code(ctypes.Structure):
    _fields_ = [("version", ctypes.c_int), ("width", ctypes.c_int), ("data", ctypes.POINTER(ctypes.c_ubyte))]


def library():
    found = ctypes.CDLL(ctypes.util.find_library("qrencode") or "libqrencode.so.4")
    for name in ("QRcode_encodeData", "QRcode_encodeString"):
        getattr(found, name).restype = ctypes.POINTER(Code)
    return found


def qr_rows(content, version=0, level=LOW):
    """The code's rows, each a text of 0 and 1: of a text, in the modes that suit it, or of bytes."""
    lib = library()
    made = (lib.QRcode_encodeString(content.encode(), version, level, BYTES, 1) if isinstance(content, str)
            else lib.QRcode_encodeData(len(content), content, version, level))
    if not made:
        raise ValueError("too long for a QR code")
    width, data = made.contents.width, made.contents.data
    return ["".join(str(data[y * width + x] & 1) for x in range(width)) for y in range(width)]


def picture(rows, turned=0.0):
    """Grey pixels of a code in the middle, leaning by that much from row to row."""
    size = len(rows) + 8
    module = min(WIDTH, HEIGHT) / size
    out = bytearray(b"\xd0" * (WIDTH * HEIGHT))
    for y in range(HEIGHT):
        v = int((y - (HEIGHT - size * module) / 2) / module) - 4
        if not 0 <= v < len(rows):
            continue
        left = (WIDTH - size * module) / 2 + turned * (y - HEIGHT / 2)
        row = rows[v]
        for x in range(WIDTH):
            u = int((x - left) // module) - 4
            if 0 <= u < len(row) and row[u] == "1":
                out[y * WIDTH + x] = 0x20
    return bytes(out)


def film(path, pictures, each=4):
    """A YUV4MPEG2 film that shows each picture for `each` of its 20 frames a second."""
    chroma = b"\x80" * (WIDTH * HEIGHT // 2)
    with open(path, "wb") as file:
        file.write(b"YUV4MPEG2 W%d H%d F20:1 Ip A0:0 C420jpeg\n" % (WIDTH, HEIGHT))
        for grey in pictures:
            file.write((b"FRAME\n" + grey + chroma) * each)
