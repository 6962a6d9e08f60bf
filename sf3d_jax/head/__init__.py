"""Moving heads made of Gaussians that are bound to the triangles of a mesh.

`cover` cuts a mesh into small pieces, `carry` makes one Gaussian of each piece and moves it exactly
as the mesh moves, and `sure_pixels` finds the pixels whose annotations belong to one surface point.
`Person` is a procedural head; `FaceModel` and `attach` are for heads of your own. From vertices at
two times to annotations, with a mesh of triangles that are counterclockwise from outside:

    pieces = head.cover(rest, faces, 60_000)
    now, later = (head.carry(pieces, faces, x, colors) for x in (vertices, next_vertices))
    features = head.surface_features(pieces, faces, rest, groups)
    keep = head.is_facing(pieces, faces, vertices, camera)  # | is_open[pieces.triangles]
    now, later, features = head.select((now, later, features), keep, room_for(keep.sum()))
    seen = render_motion(now, later, camera, next_camera, features=features, antialias=True)
    sure = head.sure_pixels(seen, camera)
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
