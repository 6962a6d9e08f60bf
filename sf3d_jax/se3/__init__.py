"""Rigid transforms [R | t], of shape (..., 3, 4), and twists (translation, rotation), (..., 6)."""
