"""Moves Gaussians that are bound to the triangles of a mesh, as those of GaussianAvatars are.

GaussianAvatars (Qian et al., CVPR 2024) gives each triangle v0 v1 v2, with edges e1 = v1 - v0 and
e2 = v2 - v0, an origin o, a rotation R of three axes, and a size s,

    o = (v0 + v1 + v2) / 3,   R = [a0 n a2],   s = (|e1| + |a2 . e2|) / 2
    a0 = unit(e1),  n = unit(a0 x e2),  a2 = a0 x n,

and a Gaussian with mean x and factor M in that frame has the mean s R x + o and the factor s R M in
the world. So it turns with its triangle and grows with it, but it does not shear, and it stretches
alike in all directions.

With the mesh at rest, a Gaussian can follow the whole affine map of its triangle. Let

    A = [e1, e2, sqrt(|e1 x e2|) n].

Then A A_rest^-1 is the deformation gradient of the triangle, and (A A_rest^-1) s_rest R_rest takes
the place of s R. At rest, both are the same.
"""

import jax
import jax.numpy as jnp

from sf3d_jax._checks import check_array, name_type
from sf3d_jax._numerics import Array, channels, channels_last, jit, mask, widen
from sf3d_jax._numerics.lengths import length, root
from sf3d_jax._numerics.vectors import Vector, add, dot, scale, subtract
from sf3d_jax.data.bound_gaussians import BoundGaussians
from sf3d_jax.gaussians.scene import Gaussians, check_gaussians
from sf3d_jax.head._pieces import (
    Corners,
    check_below,
    check_integers,
    check_mesh,
    gather,
    make_frame,
)


def attach(
    bound: BoundGaussians, faces: Array, vertices: Array, *, rest: Array | None = None
) -> Gaussians:
    """Puts bound Gaussians into the world, by the formulas above.

    Call it with the vertices of two times to get the two arguments of `render_motion`. With `rest`,
    points of a Gaussian move as those of its triangle do, which makes flow and scene flow several
    times more accurate; but where triangles shear, images differ from those of GaussianAvatars.

    Args:
      bound: N Gaussians in the frames of their triangles, from `data.read_bound_gaussians`.
      faces: (T, 3), integer, the corners of the triangles.
      vertices: (V, 3), metres, at any time.
      rest: (V, 3), metres: vertices of the shape at which the frame of GaussianAvatars is to hold,
        such as the neutral face. None for that frame at all times.

    Returns:
      N Gaussians in the world, in the dtype of the vertices, differentiable with respect to the
      vertices, rest and the bound Gaussians. Opacities and colours stay the same; coefficients of
      spherical harmonics are not turned. A triangle that is too thin to have a normal gives a
      singular factor, which is not drawn. If a vertex is not finite or does not exist, mean and
      factor are infinite, so the Gaussian is not drawn, and gives no gradient.

    Raises:
      TypeError: an argument has another type.
      ValueError: a shape does not fit, or a NumPy array of triangles refers to no face.
    """
    if not isinstance(bound, BoundGaussians):
        raise TypeError(f"bound: expected BoundGaussians, got {name_type(bound)}")
    count, _ = check_gaussians("bound.local", bound.local)
    check_integers("bound.triangles", bound.triangles, (count,))
    check_mesh(faces, vertices)
    check_below("bound.triangles", bound.triangles, faces.shape[0], "faces")
    if rest is not None:
        check_array("rest", rest)
        if rest.shape != vertices.shape:
            raise ValueError(f"rest: expected shape {vertices.shape}, got {rest.shape}")
    return _attach(bound, faces, vertices, rest)


@jit
def _attach(bound: BoundGaussians, faces: Array, vertices: Array, rest: Array | None) -> Gaussians:
    local = bound.local
    arrays = local.means, local.factors, vertices, *(() if rest is None else (rest,))
    means, factors, points, *rests = widen(*map(jnp.asarray, arrays))
    now = gather(bound.triangles, faces, points)
    at_rest = gather(bound.triangles, faces, rests[0]) if rests else now
    axes = _find_axes(now, at_rest)
    origin = add(now.origin, scale(1 / 3, add(now.first, now.second)))
    columns = (factors[..., k] for k in range(3))
    placed = (
        channels_last(*add(origin, _combine(axes, channels(means)))),
        jnp.stack([channels_last(*_combine(axes, channels(x))) for x in columns], -1),
    )
    placed = mask(now.is_finite & at_rest.is_finite, placed, (jnp.inf, jnp.inf))
    means, factors = (x.astype(vertices.dtype) for x in placed)
    return Gaussians(means, factors, local.opacities, local.colors)


def _find_axes(now: Corners, at_rest: Corners) -> tuple[Vector, Vector, Vector]:
    """The columns of (A A_rest^-1) s_rest R_rest; of s R if both are the same triangles.

    In the axes of R_rest, A_rest has the columns (b, 0, 0), (x, 0, -h) and (0, t, 0), with the base
    b = |e1|, x = a0 . e2, the height h = |e1 x e2| / b and t = sqrt(|e1 x e2|), so its inverse is
    written out.
    """
    frame, rest = make_frame(now.first, now.second), make_frame(at_rest.first, at_rest.second)
    base = length(*rest.first)
    per_base = _invert(base)
    height = rest.area * per_base
    size = (base + height) / 2
    slide = dot(rest.first, rest.second) * per_base * per_base
    return (
        scale(size * per_base, frame.first),
        scale(size * _invert(root(rest.area)) * root(frame.area), frame.normal),
        scale(-size * _invert(height), subtract(frame.second, scale(slide, frame.first))),
    )


def _invert(x: jax.Array) -> jax.Array:
    """1 / x, and 0 for 0."""
    return mask(x > 0, 1 / jnp.where(x > 0, x, 1))


def _combine(axes: tuple[Vector, Vector, Vector], parts: tuple[jax.Array, ...]) -> Vector:
    """The sum of the axes times the parts of a vector."""
    first, second, third = (scale(part, axis) for part, axis in zip(parts, axes, strict=True))
    return add(add(first, second), third)
