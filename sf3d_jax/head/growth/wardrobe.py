"""All that a person grows and wears, as one mesh beside that of the person."""

import numpy as np
import numpy.typing as npt

from sf3d_jax.head.growth.beard import find_area, grow_beard
from sf3d_jax.head.growth.clothes import dress, find_clothed
from sf3d_jax.head.growth.glasses import wear_glasses
from sf3d_jax.head.growth.lashes import grow_brows, grow_lashes
from sf3d_jax.head.growth.part import KINDS, SURFACE_OF, SURFACES, Part
from sf3d_jax.head.growth.scalp import grow_hair
from sf3d_jax.head.growth.styles import BALD, FULL, GOATEE, MOUSTACHE, Style, draw_style
from sf3d_jax.head.growth.wisps import grow_wisps
from sf3d_jax.head.person.landmarks import SKIN, Floats
from sf3d_jax.head.person.person import Person
from sf3d_jax.head.skin.noise import Array
from sf3d_jax.head.skin.traits import draw_traits

_METRE = 100.0  # centimetres
_BEARDS = (MOUSTACHE, GOATEE, FULL)
# Skin does not show where a beard is denser than this.
_DENSE = 0.9


class Wardrobe:
    """What one person grows and wears. Lengths are metres, in the axes of the head.

    Attributes:
      style: what it is.
      vertices: (V, 3), on the person at rest.
      faces: (T, 3) int32, oriented outwards; parts end under the skin.
      kinds: (T,) int32, places in `KINDS`.
      surfaces: (T,) int32, places in `SURFACES`.
      sides: (T,) int32, numbers that differ between kinds, and between neighbours in hair, so that
        no skin under hair counts as hidden: light that passes between the pieces of dark hair has
        to come from dark skin.
      metric: (V, 3), where vertices are when pieces are measured.
    """

    def __init__(self, person: Person) -> None:
        """Makes it from the seed of the person."""
        traits = draw_traits(person.seed)
        self.style = draw_style(person.seed, traits)
        self._parts = _make_parts(person, self.style, traits.pattern)
        counts = [len(part.vertices) for part in self._parts]
        self._starts = np.cumsum([0, *counts])
        self.vertices = np.concatenate([part.vertices for part in self._parts]) / _METRE
        self.metric = np.concatenate([part.metric for part in self._parts]) / _METRE
        faces = zip(self._parts, self._starts, strict=False)
        self.faces = np.concatenate([part.faces + start for part, start in faces]).astype(np.int32)
        sizes = [len(part.faces) for part in self._parts]
        kinds = [KINDS.index(part.kind) for part in self._parts]
        self.kinds = np.repeat(kinds, sizes).astype(np.int32)
        surfaces = [SURFACES.index(SURFACE_OF.get(kind, kind)) for kind in KINDS]
        self.surfaces = np.array(surfaces, np.int32)[self.kinds]
        in_hair = self.kinds == KINDS.index("hair")
        odd = in_hair & (np.arange(len(in_hair)) % 2 == 1)
        self.sides = np.where(odd, len(SURFACES), self.surfaces).astype(np.int32)
        self._owners = np.repeat(np.arange(len(self._parts)), sizes)

    def find_hidden(self, person: Person) -> npt.NDArray[np.bool_]:
        """Which triangles of the person (T,) lie under clothes or under a dense beard."""
        points = person.template * _METRE
        pattern = draw_traits(person.seed).pattern
        under = find_clothed(points, self.style)
        if self.style.beard in _BEARDS:
            under |= find_area(points, self.style, pattern) > _DENSE
        return under[person.faces].all(1) & (person.parts == SKIN)

    def move(self, skin: Floats, rotation: tuple[float, float, float]) -> Floats:
        """Vertices (V, 3) for those of the person's skin and the turn of the head."""
        moved = [part.move(skin * _METRE, rotation) for part in self._parts]
        return np.concatenate(moved) / _METRE

    def paint(self, triangles: np.ndarray, corners: np.ndarray, spacing: np.ndarray) -> Array:
        """Reflectance of points on triangles.

        Args:
          triangles: (N,), the triangle of each point.
          corners: (N, 3), its barycentric coordinates.
          spacing: (N,), distance between samples, in metres.

        Returns:
          (N, 3) float32, linear, from 0 to 1.
        """
        colors = np.zeros((len(triangles), 3), np.float32)
        owners = self._owners[triangles]
        for number, part in enumerate(self._parts):
            own = np.flatnonzero(owners == number)
            if len(own):
                at = self.faces[triangles[own]] - self._starts[number]
                around = part.coordinates[at]
                place = sum(corners[own, k, None] * around[:, k] for k in range(3))
                painted = part.paint(
                    place.astype(np.float32), (spacing[own] * _METRE).astype(np.float32)
                )
                colors[own] = np.clip(painted, 0, 1)
        return colors


def _make_parts(person: Person, style: Style, pattern: int) -> list[Part]:
    skin = person.rest * _METRE
    parts = [dress(skin, style, pattern)]
    parts += [grow_lashes(skin, style, person.seed), grow_brows(skin, style, person.seed)]
    if style.beard in _BEARDS:
        parts += grow_beard(skin, style, person.seed, pattern)
    if style.glasses is not None:
        parts.append(wear_glasses(skin, style))
    if style.cut.kind != BALD:
        hair, share = grow_hair(skin, style, pattern)
        parts += [hair, grow_wisps(hair, share, style, person.seed, pattern)]
    return parts
