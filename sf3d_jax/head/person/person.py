"""A procedural person: rest shape, expressions, groups of the surface, and reflectance."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.person.expression import check_weights
from sf3d_jax.head.person.identity import make_identity
from sf3d_jax.head.person.landmarks import (
    EYE,
    LEFT_EYE,
    MOUTH,
    PARTS,
    RIGHT_EYE,
    SKIN,
    Floats,
)
from sf3d_jax.head.person.rig import Rig, load_rig, move
from sf3d_jax.head.skin.painting import paint

_METRE = 100.0  # centimetres
_GROUPS = ("skin", "upper lids", "lower jaw", *PARTS[MOUTH:])
_UPPER_LIDS, _LOWER_JAW, _REST = 1, 2, 3
# Upper lids are the skin this close to the centre of an eye and above it, the fold over them
# included.
_LID_REACH = 1.9


class Person:
    """One of many procedural heads, made from a seed alone, with ARKit's 52 expressions.

    All people are displacements of one template, so vertices and triangles correspond. The axes are
    those of the head: x to the subject's left, y up, z forward; lengths are metres. The same seed
    gives the same person in every process with the same version of NumPy.

    Attributes:
      seed: what the person was made from.
      faces: (T, 3) int32, closed parts, oriented outwards.
      template: (V, 3) float64, the rest shape of all people; its mouth and lids are open.
      rest: (V, 3) float64, this person's neutral face: `vertices({})`.
      parts: (T,) int32, the index of each triangle into `part_names`: what the painter of the skin
        needs, and the groups for `surface_features`.
      groups: (T,) int32, the index of each triangle into `group_names`: parts, with upper lids and
        the lower jaw's skin apart, so that the two sides of every opening have different groups.
    """

    group_names: tuple[str, ...] = _GROUPS
    part_names: tuple[str, ...] = PARTS

    def __init__(self, seed: int) -> None:
        """Makes the person.

        Args:
          seed: whole number, 0 or more; each gives another person.

        Raises:
          TypeError: if the seed is not a whole number.
          ValueError: if the seed is negative.
        """
        if isinstance(seed, bool) or not isinstance(seed, int | np.integer):
            raise TypeError(f"seed: expected a whole number, got {seed!r}")
        if seed < 0:
            raise ValueError(f"seed: expected 0 or more, got {seed}")

        self.seed = int(seed)
        self._rig = load_rig()
        self._identity = make_identity(
            self._rig.template, self._rig.mouth, self._rig.proportions, self.seed
        )
        vertex_parts = self._rig.template.vertex_parts
        self._centers = np.stack(
            [
                self._identity.vertices[vertex_parts == ball].mean(0)
                for ball in (LEFT_EYE, RIGHT_EYE)
            ]
        )
        self.faces = self._rig.template.faces
        self.template = self._rig.template.vertices / _METRE
        self.parts = vertex_parts[self.faces].min(1)
        self.groups = _group(self._rig, self.parts)
        self.rest = self.vertices({})

    def vertices(
        self,
        expression: Mapping[str, float] | None = None,
        *,
        rotation: tuple[float, float, float] = (0.0, 0.0, 0.0),
    ) -> Floats:
        """Moves the person.

        Args:
          expression: weights of 0 to 1 by names of `EXPRESSIONS`; what is not named is 0.
            `mouthClose` closes the lips that `jawOpen` parts; `tongueOut` opens the jaw as far as
            the tongue needs.
          rotation: (yaw, pitch, roll) of the head about its neck, in radians: towards the subject's
            left, up, and the left ear up. The shoulders stay.

        Returns:
          (V, 3) float64, in metres.

        Raises:
          ValueError: if a name is unknown, or a weight is not from 0 to 1, or an angle is not
            finite.
        """
        weights = check_weights(expression or {})
        if len(rotation) != 3 or not np.isfinite(rotation).all():
            raise ValueError(
                f"rotation: expected finite (yaw, pitch, roll) in radians, got {rotation!r}"
            )

        return move(self._rig, self._identity, self._centers, weights, rotation) / _METRE

    def albedo(
        self, points: npt.ArrayLike, parts: npt.ArrayLike, spacing: npt.ArrayLike
    ) -> npt.NDArray[np.float32]:
        """Paints skin, hair, brows, irises, teeth and tongue.

        Args:
          points: (N, 3), on the template, in metres.
          parts: (N,), the part of each point, as in `parts`.
          spacing: scalar or (N,), distance between samples of the surface, in metres. Detail that
            is finer than two samples fades out; 0 keeps all.

        Returns:
          (N, 3) float32, linear reflectance from 0 to 1. A point that is not finite gets 0.

        Raises:
          ValueError: if an argument has another shape, or a part is unknown.
        """
        spacing = np.asarray(spacing, float) * _METRE
        return paint(np.asarray(points, float) * _METRE, parts, self.seed, spacing)


def _group(rig: Rig, parts: npt.NDArray[np.int32]) -> npt.NDArray[np.int32]:
    """The group of each triangle, from its part and, on the skin, its place on the template."""
    vertices, faces, _ = rig.template
    middle = vertices[faces].mean(1)
    q = np.concatenate([np.abs(middle[:, :1]), middle[:, 1:]], 1) - EYE
    is_skin = parts == SKIN
    is_lid = is_skin & (np.linalg.norm(q, axis=1) < _LID_REACH) & (q[:, 1] > 0)
    is_jaw = is_skin & (rig.mouth.jaw[faces].mean(1) > 0.5)
    groups = np.where(is_skin, 0, parts - MOUTH + _REST)
    groups = np.where(is_jaw, _LOWER_JAW, groups)
    return np.where(is_lid, _UPPER_LIDS, groups).astype(np.int32)
