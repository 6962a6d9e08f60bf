"""The solid texture of the procedural head, and textures of a user's image. NumPy only.

`painting.paint` gives the reflectance of points of the template, `pieces.average_over_pieces` the
mean over the pieces of a cover, `textures.paint_from_texture` that of an image.
"""
