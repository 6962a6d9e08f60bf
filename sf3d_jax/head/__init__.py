"""Moving heads made of Gaussians that are bound to the triangles of a mesh.

`cover` cuts a mesh into small pieces, `carry` makes one Gaussian of each piece and moves it exactly
as the mesh moves, and `sure_pixels` finds the pixels whose annotations belong to one surface point.
`Person` is a procedural head; `FaceModel` and `attach` are for heads of your own.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
