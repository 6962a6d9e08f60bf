"""Rigid transforms, [R | t] of shape (*b, 3, 4), and twists (translation, rotation), (*b, 6).

A transform takes a point X to R X + t. The twist (u, w) of a transform is the constant velocity
that reaches it in one unit of time. Batch axes broadcast as NumPy's do, for points and twists too:
`transform[..., None, :, :]` moves a list of points.

An element of the batch that is bad gives 0 for that element, passes no gradient, and changes no
other. Bad are NaN and infinity, quaternions of length 0, and transforms without a
rotation: the determinant of R is not above 1/2. A result of zeros in place of a transform is such
a transform, which all functions, and cameras, treat as bad in turn.

R is used as it is, rounded or not. Where the difference from the identity counts, as in
`displacement` and `log`, it is recovered from the antisymmetric part of R, which keeps the digits
of small turns; the diagonal of R does not. All gradients are finite, at the identity and at half a
turn.
"""

from sf3d_jax import _lazy

__getattr__, __dir__, __all__ = _lazy.attach(__name__, __file__)
