"""Checks encoded images before they are decoded.

Decoders fill in missing data, print warnings, and allocate whatever size a header claims. These
checks find truncated and damaged images, and sizes that the file cannot hold, without decoding.
"""

import struct
import zlib

PNG = b"\x89PNG\r\n\x1a\n"
JPEG = b"\xff\xd8"
_GIF, _BMP, _TIFF = b"GIF8", b"BM", (b"II*\0", b"MM\0*")
_BMP_HEADER = 40  # bytes; shorter ones of old files have sides of two bytes
_TIFF_WIDTH, _TIFF_HEIGHT = 256, 257

# Pixels of any image: a file of one megabyte may decode to gigabytes of a single colour.
LARGEST_PICTURE = 2**28

# Largest compression ratios. Deflate expands a byte to at most 1032; LZW repeats its longest run.
_DEFLATE, _LZW = 1032, 4096
# Largest number of pixels of one component that a bit of a JPEG can encode. A block of 8 x 8 needs
# one Huffman code for its mean and one for the rest; a progressive file shares the latter between
# blocks, and arithmetic codes are shorter.
_BASELINE, _PROGRESSIVE, _ARITHMETIC = 32, 64, 1024
_BASELINE_FRAMES = {0xC0, 0xC1}
_SLACK = 65536

_PNG_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_NO_FRAMES = {0xC4, 0xC8, 0xCC}  # the markers among C0 to CF that do not begin a frame
_ALONE = {0x00, 0x01, *range(0xD0, 0xD9)}  # markers without a length


def find_problem(data: bytes) -> tuple[str, str] | None:
    """Finds what is wrong with an encoded image.

    Args:
      data: whole file, of any format.

    Returns:
      What was expected and what was found; None if no problem is found.
    """
    if data.startswith(PNG):
        return _check_png(data)
    if data.startswith(JPEG):
        return _check_jpeg(data)
    if data.startswith(_GIF) and len(data) >= 10:
        width, height = struct.unpack_from("<HH", data, 6)
        return _compare_size(data, width, height, _LZW * len(data))
    if data.startswith(_BMP) and len(data) >= 26:
        header, width, height = struct.unpack_from("<Iii", data, 14)
        return find_size_problem(width, abs(height)) if header >= _BMP_HEADER else None
    if data.startswith(_TIFF):
        return find_size_problem(*_read_tiff_size(data))
    return None


def find_size_problem(width: int, height: int) -> tuple[str, str] | None:
    """Describes the problem if a size is larger than any image that is decoded."""
    if width * height <= LARGEST_PICTURE:
        return None
    return f"at most {LARGEST_PICTURE:,} pixels", f"{width} x {height}"


def _compare_size(
    data: bytes, width: int, height: int, most: int, each: float = 1
) -> tuple[str, str] | None:
    """Describes the problem if width x height x each exceeds what the bytes hold, `most`."""
    if width * height * each <= most + _SLACK:
        return find_size_problem(width, height)
    return "a size that fits the file", f"{width} x {height} pixels claimed by {len(data)} bytes"


def _read_tiff_size(data: bytes) -> tuple[int, int]:
    """Reads the width and height of the first image; 0 if missing."""
    order = "<" if data.startswith(b"II") else ">"
    (at,) = struct.unpack_from(f"{order}I", data, 4) if len(data) >= 8 else (len(data),)
    count = struct.unpack_from(f"{order}H", data, at)[0] if at + 2 <= len(data) else 0
    sizes = {_TIFF_WIDTH: 0, _TIFF_HEIGHT: 0}
    # An entry is a tag, a type, a count, and the value, short (3) or long.
    for entry in range(at + 2, min(at + 2 + 12 * count, len(data) - 11), 12):
        tag, kind = struct.unpack_from(f"{order}HH", data, entry)
        if tag in sizes:
            form = f"{order}H" if kind == 3 else f"{order}I"
            (sizes[tag],) = struct.unpack_from(form, data, entry + 8)
    return sizes[_TIFF_WIDTH], sizes[_TIFF_HEIGHT]


def _check_png(data: bytes) -> tuple[str, str] | None:
    """Describes the problem if a chunk is missing or damaged; decoders only warn of that."""
    cut = "a complete PNG", f"{len(data)} bytes, truncated or damaged"
    rest = memoryview(data)[len(PNG) :]
    kind, header, content = b"", b"", 0
    # A chunk is a length, a kind, its content, and a checksum of the last two.
    while len(rest) >= 12 and kind != b"IEND":
        end = 8 + int.from_bytes(rest[:4], "big")
        kind, checksum = bytes(rest[4:8]), rest[end : end + 4]
        # Kinds that begin with a lower-case letter do not affect the image.
        if kind[:1].isupper() and zlib.crc32(rest[4:end]) != int.from_bytes(checksum, "big"):
            return cut
        if kind == b"IHDR":
            header = bytes(rest[8:end])
        if len(header) != 13:  # IHDR must come first
            return cut
        content += len(rest[8:end]) * (kind == b"IDAT")
        rest = rest[end + 4 :]
    if kind != b"IEND" or not content:
        return cut

    width, height, depth, colour = struct.unpack_from(">IIBB", header)
    bits = depth * _PNG_CHANNELS.get(colour, 4)
    return _compare_size(data, width, height, 8 * _DEFLATE * content, bits)


def _check_jpeg(data: bytes) -> tuple[str, str] | None:
    """Describes the problem if there is no end marker; OpenCV 4 fills missing rows with grey."""
    at = len(JPEG)
    size = None
    # Skip segments by their lengths, as a thumbnail inside one has its own end marker. Like
    # decoders, ignore the bytes between segments.
    while (at := data.find(b"\xff", at)) >= 0 and at + 1 < len(data):
        at += 1
        kind = data[at]
        if kind == 0xFF or kind in _ALONE:
            continue
        if kind in (0xD9, 0xDA):
            break
        if 0xC0 <= kind <= 0xCF and kind not in _NO_FRAMES and at + 8 <= len(data):
            size = size or _check_jpeg_frame(data, at)
        at += 1 + int.from_bytes(data[at + 1 : at + 3], "big")
    if at < 0 or b"\xff\xd9" not in data[at - 1 :]:
        return "a complete JPEG", f"{len(data)} bytes without an end marker"
    return size


def _check_jpeg_frame(data: bytes, at: int) -> tuple[str, str] | None:
    """Describes the problem if the file is too small for the frame, whose components add up."""
    height, width = struct.unpack_from(">HH", data, at + 4)
    count = int.from_bytes(data[at + 8 : at + 9])
    # A component is a name, its sampling along x and y in half a byte each, and a table.
    samplings = [divmod(x, 16) for x in data[at + 10 : at + 9 + 3 * count : 3]]
    largest = max((x for x, _ in samplings), default=0) * max((y for _, y in samplings), default=0)
    components = sum(x * y for x, y in samplings) / largest if largest else 1
    kind = data[at]
    holds = _BASELINE if kind in _BASELINE_FRAMES else _PROGRESSIVE
    holds = holds if kind < 0xC8 else _ARITHMETIC
    return _compare_size(data, width, height, 8 * holds * len(data), components)
