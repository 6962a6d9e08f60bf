"""Wavefront .obj and .mtl."""
