"""How the skin, the eyes and the teeth of a procedural person shine.

The gloss of skin comes from sebum: there is most of it on the forehead, nose and chin, the T zone,
and least on the cheeks and the neck.
"""

import numpy as np

from sf3d_jax.head.covering import Cover
from sf3d_jax.head.person import landmarks as at
from sf3d_jax.head.person.person import Person
from sf3d_jax.head.skin.pieces import place_corners
from sf3d_jax.making.shading.finish import GLOSS, ROUGHNESS, Finish

# Middle of a region in centimetres, its radius, and what it adds to the gloss and the roughness of
# skin. Those with x > 0 are on both sides.
REGIONS = (
    (at.NOSE_TIP, 1.3, 0.7, -0.12),
    (np.array([0.0, -1.5, 9.6]), 1.6, 0.4, -0.06),
    (np.array([0.0, 4.0, 8.6]), 3.2, 0.4, -0.06),
    (at.CHEEKBONE + np.array([-0.6, 0.2, 1.0]), 1.8, 0.35, -0.07),
    (at.CHIN, 1.6, 0.2, -0.04),
    (np.array([0.0, at.MOUTH_HEIGHT - 0.6, 9.0]), 1.2, 0.6, -0.14),
)
# Gloss and roughness of the other parts. Eyes are wet; hair that is painted on skin is not shiny.
PARTS = {
    at.LEFT_EYE: (2.2, 0.05),
    at.RIGHT_EYE: (2.2, 0.05),
    at.UPPER_TEETH: (1.0, 0.25),
    at.LOWER_TEETH: (1.0, 0.25),
    at.TONGUE: (0.6, 0.3),
    at.MOUTH: (0.3, 0.4),
}
METRE = 100.0


def find_finish(person: Person, pieces: Cover) -> Finish:
    """The finish of a person.

    Args:
      person: the person.
      pieces: a cover of it.

    Returns:
      The finish; parts that have none of their own are rough.
    """
    corners = person.template[person.faces[pieces.triangles]]
    points = METRE * place_corners(pieces.corners, corners).mean(1)
    mirrored = np.concatenate([np.abs(points[:, :1]), points[:, 1:]], 1)
    gloss, roughness = (np.full(len(points), x) for x in (GLOSS, ROUGHNESS))
    for middle, radius, more_gloss, more_roughness in REGIONS:
        square = ((mirrored - middle) ** 2).sum(1) / (2 * radius) ** 2
        share = np.maximum(1 - square, 0) ** 2
        gloss += share * more_gloss
        roughness += share * more_roughness
    parts = person.parts[pieces.triangles]
    for part, (own_gloss, own_roughness) in PARTS.items():
        gloss = np.where(parts == part, own_gloss, gloss)
        roughness = np.where(parts == part, own_roughness, roughness)
    return Finish(
        gloss.astype(np.float32),
        roughness.astype(np.float32),
        eyes=_find_vertices(person, [at.LEFT_EYE, at.RIGHT_EYE]),
        inside=_find_vertices(person, [at.MOUTH, at.UPPER_TEETH, at.LOWER_TEETH, at.TONGUE]),
    )


def _find_vertices(person: Person, parts: list[int]) -> np.ndarray:
    """The vertices [V] of parts, bool."""
    found = np.zeros(len(person.template), bool)
    found[person.faces[np.isin(person.parts, parts)]] = True
    return found
