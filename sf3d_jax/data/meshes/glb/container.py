"""The chunks of a .glb, and the objects and bytes that its JSON names by number."""

import base64
import binascii
import re
import struct
from pathlib import Path
from typing import NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.json import parse_json
from sf3d_jax.data.meshes.glb.items import Item

MAGIC, VERSION = b"glTF", 2
JSON, BINARY = b"JSON", b"BIN\0"
HEADER, CHUNK = struct.Struct("<4sII"), struct.Struct("<I4s")

# Extensions that change nothing of what is read, and those that are read.
_KNOWN = re.compile(
    r"KHR_materials_\w+|KHR_lights_punctual|KHR_xmp\w*|KHR_texture_transform|KHR_mesh_quantization"
)
_DATA = re.compile(r"data:[^,]{0,200};base64,")
# Extensions that pack what accessors name.
DRACO, MESHOPT = (
    "KHR_draco_mesh_compression",
    ("EXT_meshopt_compression", "KHR_meshopt_compression"),
)
_PACKED = {DRACO: "Draco compression", **dict.fromkeys(MESHOPT, "meshopt compression")}


class Glb(NamedTuple):
    """A .glb.

    Attributes:
      path: path of the file.
      root: the JSON.
      lists: the lists of objects in it that were asked for.
      buffers: bytes of the buffers.
    """

    path: PathLike
    root: Item
    lists: dict[str, list[Item]]
    buffers: list[bytes]

    def find(self, kind: str, number: int, where: Item) -> Item:
        """Finds an object by the name of its list and its number.

        Args:
          kind: key of the list, such as "accessors".
          number: place in the list.
          where: object that names it, used in error messages.
        """
        if kind not in self.lists:
            self.lists[kind] = self.root.items(kind)
        if number >= len(self.lists[kind]):
            expected = f"the number of one of {len(self.lists[kind])} {kind}"
            raise where.refuse("", expected, f"{number}")
        return self.lists[kind][number]

    def view(self, number: int, where: Item) -> tuple[bytes, int, int]:
        """Finds the bytes of a buffer view: a buffer, the first byte, and the number of bytes."""
        view = self.find("bufferViews", number, where)
        for key in view.item("extensions").keys():
            if key in _PACKED:
                raise view.refuse("", "a mesh without compression", f"{_PACKED[key]} ({key})")
        buffer = view.integer("buffer")
        if buffer >= len(self.buffers):
            raise view.refuse("buffer", f"one of {len(self.buffers)} buffers", f"{buffer}")
        start, length = view.integer("byteOffset", 0), view.integer("byteLength")
        if start + length > len(self.buffers[buffer]):
            expected = f"at most {len(self.buffers[buffer])} bytes"
            raise view.refuse("", expected, f"bytes {start} to {start + length}")
        return self.buffers[buffer], start, length


def read_glb(path: PathLike) -> Glb:
    """Reads the chunks of a file.

    Args:
      path: file to read.

    Raises:
      FormatError: it is not a complete .glb, or needs an extension that is not supported.
    """
    tree, binary = _split(path, Path(path).read_bytes())
    root = Item(path, "", parse_json(path, tree))
    for name in root.texts("extensionsRequired"):
        if not _KNOWN.fullmatch(name):
            known = f"{_PACKED[name]} ({name})" if name in _PACKED else name[:80]
            expected = "a .glb of plain meshes; export it without"
            raise FormatError(path, expected, f"an extension that is not supported: {known}")
    buffers = [_read_buffer(item, i, binary) for i, item in enumerate(root.items("buffers"))]
    return Glb(path, root, {}, buffers)


def _split(path: PathLike, data: bytes) -> tuple[bytes, bytes | None]:
    """Splits a file into its JSON and its numbers."""
    if len(data) < HEADER.size or not data.startswith(MAGIC):
        raise FormatError(path, f"a .glb, which begins with {MAGIC!r}", f"{data[:12]!r}")
    _, version, length = HEADER.unpack_from(data)
    if version != VERSION:
        raise FormatError(path, f"glTF of version {VERSION}", f"version {version}")
    if length != len(data):
        raise FormatError(path, f"a .glb of {length:,} bytes", f"{len(data):,}")
    chunks, at = [], HEADER.size
    while at < length:
        size, kind = CHUNK.unpack_from(data, at) if at + CHUNK.size <= length else (length, b"")
        at += CHUNK.size
        if at + size > length:
            raise FormatError(path, "complete chunks", f"{length - at} of {size} bytes of the last")
        chunks.append((kind, data[at : at + size]))
        at += size
    if not chunks or chunks[0][0] != JSON:
        raise FormatError(path, "a chunk of JSON first", f"{chunks[0][0]!r}" if chunks else "none")
    # Further chunks are those of extensions.
    binary = chunks[1][1] if len(chunks) > 1 and chunks[1][0] == BINARY else None
    return chunks[0][1], binary


def _read_buffer(buffer: Item, number: int, binary: bytes | None) -> bytes:
    length = buffer.integer("byteLength")
    if "uri" in buffer:
        data = decode_uri(buffer)
        if data is None:
            raise buffer.error("uri", "the bytes in the .glb itself", buffer.text("uri"))
    elif number == 0 and binary is not None:
        data = binary
    else:
        raise buffer.refuse("", "a uri or a binary chunk", "none; it may be compressed")
    if length > len(data):
        raise buffer.refuse("byteLength", f"at most {len(data)}", f"{length}")
    return data[:length]


def decode_uri(item: Item) -> bytes | None:
    """Decodes the bytes that a uri holds itself; None if it names a file."""
    uri = item.text("uri")
    if not uri.startswith("data:"):
        return None
    found = _DATA.match(uri)
    try:
        if found is None:
            raise ValueError
        return base64.b64decode(uri[found.end() :], validate=True)
    except (ValueError, binascii.Error):
        raise item.error("uri", "bytes in base64", uri) from None
