"""Conversions between image motion and 3D motion, and the geometry of two views."""
