"""Files of glTF packed by hand, byte by byte, as the specification has them."""

import copy
import json
import struct

CODES = {"b": 5120, "B": 5121, "h": 5122, "H": 5123, "I": 5125, "f": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3"}


class Scene:
    """The JSON of a scene of one mesh of one triangle, to be changed, and its bytes."""

    def __init__(self):
        self.data = b""
        self.tree = {
            "asset": {"version": "2.0"},
            "scene": 0,
            "scenes": [{"nodes": [0]}],
            "nodes": [{"mesh": 0}],
            "meshes": [{"primitives": []}],
            "accessors": [],
            "bufferViews": [],
            "buffers": [{}],
        }

    def view(self, data, **more):
        """Adds bytes, after a gap; returns the number of their view."""
        self.data += bytes(-len(self.data) % 4)
        entry = {"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)}
        self.tree["bufferViews"].append(entry | more)
        self.data += data
        return len(self.tree["bufferViews"]) - 1

    def array(self, code, rows, stride=None, **more):
        """Adds an accessor of rows of numbers, a stride apart; returns its number."""
        packed = [struct.pack(f"<{len(row)}{code}", *row) for row in rows]
        size = len(packed[0])
        gap = bytes([0xAB]) * ((stride or size) - size)
        view = self.view(gap.join(packed), **({} if stride is None else {"byteStride": stride}))
        return self.accessor(code, rows, bufferView=view, **more)

    def accessor(self, code, rows, **more):
        entry = {"componentType": CODES[code], "count": len(rows), "type": KINDS[len(rows[0])]}
        self.tree["accessors"].append(entry | more)
        return len(self.tree["accessors"]) - 1

    def primitive(self, position, mesh=0, uv=None, **more):
        """Adds a primitive to a mesh."""
        attributes = {"POSITION": position} | ({} if uv is None else {"TEXCOORD_0": uv})
        self.tree["meshes"][mesh]["primitives"].append({"attributes": attributes} | more)

    def pack(self, **changed):
        """The bytes of the file, with other values of some keys."""
        tree = copy.deepcopy(self.tree) | changed
        if tree["buffers"] == [{}]:
            tree["buffers"] = [{"byteLength": len(self.data)}]
        return pack(json.dumps(tree).encode(), self.data)


def pack(text, data):
    """A file of a chunk of JSON and one of numbers."""
    text += b" " * (-len(text) % 4)
    data += bytes(-len(data) % 4)
    length = 12 + 8 + len(text) + 8 + len(data)
    header = struct.pack("<4sIII4s", b"glTF", 2, length, len(text), b"JSON")
    return header + text + struct.pack("<I4s", len(data), b"BIN\0") + data
