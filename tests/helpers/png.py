"""A writer of PNGs with the filters and the chunks that a test asks for, and OpenCV's."""

import itertools
import struct
import zlib

import cv2
import numpy as np

COLOR_TYPES = {1: 0, 3: 2, 4: 6}


def chunk(kind, content):
    checksum = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)


def paeth(left, above, corner):
    """What the standard predicts of three neighbours: the one next to left + above - corner."""
    far = [abs(left + above - corner - x) for x in (left, above, corner)]
    return np.where(
        (far[0] <= far[1]) & (far[0] <= far[2]), left, np.where(far[1] <= far[2], above, corner)
    )


def filtered(rows, step, filters):
    """The bytes [H, N] of rows less what their filters predict, each after the filter's number."""
    above = np.pad(rows, ((1, 0), (0, 0)))[:-1].astype(int)
    left = np.pad(rows, ((0, 0), (step, 0)))[:, :-step].astype(int)
    corner = np.pad(rows, ((1, 0), (step, 0)))[:-1, :-step].astype(int)
    predicted = [0 * left, left, above, (left + above) // 2, paeth(left, above, corner)]
    numbers = np.resize(filters, len(rows))
    taken = np.stack(predicted)[numbers, np.arange(len(rows))]
    return np.c_[numbers, rows - taken].astype(np.uint8)


def write_png(path, array, *, filters=(0,), before=(), piece=8192):
    """Writes uint8 or uint16, [H, W] or [H, W, channels], and returns the path.

    The rows have the filters in turn. The chunks `before`, (kind, content) each, stand before the
    pixels, which are split into chunks of `piece` bytes.
    """
    height, width = array.shape[:2]
    channels = array.reshape(height, width, -1).shape[-1]
    depth = array.dtype.itemsize
    rows = np.ascontiguousarray(array, array.dtype.newbyteorder(">")).reshape(height, -1)
    lines = filtered(rows.view(np.uint8), channels * depth, filters)
    pixels = zlib.compress(lines.tobytes())
    header = struct.pack(">IIBBBBB", width, height, 8 * depth, COLOR_TYPES[channels], 0, 0, 0)
    pieces = [pixels[i : i + piece] for i in range(0, len(pixels), piece)]
    kinds = [(b"IHDR", header), *before, *((b"IDAT", p) for p in pieces), (b"IEND", b"")]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(itertools.starmap(chunk, kinds)))
    return path


def write_channels(path, *channels):
    """Writes one channel [H, W], or red, green and blue, in 16 bits by OpenCV."""
    assert cv2.imwrite(str(path), np.dstack(channels[::-1]).astype(np.uint16))
    return path
