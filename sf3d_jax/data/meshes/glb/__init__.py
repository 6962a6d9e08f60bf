"""Binary glTF 2.0, .glb (Khronos, ISO/IEC 12113).

    4 bytes glTF, uint32 version 2, uint32 length of the file
    chunks: uint32 length, 4 bytes kind, content
        JSON        the scene: nodes, meshes, accessors, materials
        BIN\\0       the numbers

An accessor describes an array in the bytes of a buffer view, and perhaps the few rows that differ
from it (sparse). A mesh has primitives, each with accessors of its attributes, indices, morph
targets and material. Texture coordinates count from the top left of the image.
"""
