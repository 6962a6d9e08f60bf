"""The Gaussians of a subject at one time, with their colours in its light and their features.

The origin of the world is the point that the cameras look at, so that positions keep their digits
in float32.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._numerics import jit
from sf3d_jax.camera import Camera
from sf3d_jax.gaussians.scene import Gaussians
from sf3d_jax.head.carrying import carry
from sf3d_jax.head.covering import Cover
from sf3d_jax.head.culling import is_facing
from sf3d_jax.head.surfaces import surface_features
from sf3d_jax.making.heads.head import Head
from sf3d_jax.making.lights import Lights, dim, draw_lights, shade
from sf3d_jax.making.options import Options
from sf3d_jax.making.planning import SubjectPlan
from sf3d_jax.making.shading.finish import Finish, find_plain_finish
from sf3d_jax.making.shading.flicker import Flicker, draw_flicker
from sf3d_jax.making.shading.highlights import Surface, find_highlights
from sf3d_jax.making.shading.normals import Normals
from sf3d_jax.making.shading.occlusion import Occlusion, bake_occlusion

# Cells in which hidden pieces are looked for: their size in sides of a piece, the number of cells
# to each side that have to be covered, and the least distance behind their surface, metres. It is
# more than the depth of a cell on a steep surface.
CELL, REACH, BEHIND = 2.0, 3, 0.006
SIZE = 0.25  # deviation of a Gaussian over the side of its piece
# Higher than the default of `carry`: the mask keeps 2 % more of a face, since less light passes
# through its skin, and the error of the flow there is a sixth larger.
OPACITY = 4.5


class State(NamedTuple):
    """The scene at one time.

    Attributes:
      vertices: (V, 3), float32, metres.
      gaussians: (N), with linear colours, those that it scatters.
      lit: how the light falls on it.
    """

    vertices: jax.Array
    gaussians: Gaussians
    lit: "Lit"


class Lit(NamedTuple):
    """How light falls on pieces at one time.

    Attributes:
      lights: the lights, as bright as they are.
      normals: (N, 3), of any length but 0.
      ambient: (N), the share of the room that is seen.
      shares: (N, L), the shares of the lights.
      light: (N, 3), what white pieces would scatter, linear.
    """

    lights: Lights
    normals: jax.Array
    ambient: jax.Array
    shares: jax.Array
    light: jax.Array


@dataclasses.dataclass(frozen=True)
class Scene:
    """What of a subject is the same at all times.

    Attributes:
      head: the head.
      cover: pieces of the head.
      faces: (T, 3), int32.
      features: (N, K), float32, from `surface_features`.
      reflectance: (N, 3), float32, linear.
      normals: finds the normals of the vertices.
      lights: the lights.
      flicker: how the brightness of the first light changes, if it does.
      occlusion: what the vertices see of the room and its lights.
      finish: how the pieces shine.
      baked: light on the pieces at rest, if it is the same at all times.
    """

    head: Head
    cover: Cover
    faces: jax.Array
    features: jax.Array
    reflectance: jax.Array
    normals: Normals
    lights: Lights
    flicker: Flicker | None
    occlusion: Occlusion
    finish: Finish
    baked: Lit | None

    def place(self, vertices: np.ndarray, frame: int | None = None, time: float = 0.0) -> State:
        """The Gaussians for the vertices of the head.

        Args:
          vertices: [V, 3], float64, relative to the target.
          frame: number of the frame, for the folds of the skin; None for the face at rest.
          time: seconds, for a light that flickers.

        Returns:
          The state.
        """
        lit = self.find_light(vertices, frame, time) if self.baked is None else self.baked
        moved, colors = jnp.asarray(vertices, jnp.float32), self.reflectance * lit.light
        placed = carry(self.cover, self.faces, moved, colors, size=SIZE, opacity=OPACITY)
        return State(moved, placed, lit)

    def show(self, state: State, camera: Camera) -> Gaussians:
        """The Gaussians with the colours that a camera sees: highlights are added, unless the
        light is baked.
        """
        if self.baked is not None:
            return state.gaussians
        lit, pose = state.lit, np.asarray(camera.world_to_camera, np.float64)
        surface = Surface(
            *(state.gaussians.means, lit.normals, self.finish.gloss, self.finish.roughness),
            *(lit.ambient, lit.shares),
        )
        center = jnp.asarray(-pose[:, 3] @ pose[:, :3], jnp.float32)
        mirrored = find_highlights(surface, lit.lights, center)
        return dataclasses.replace(state.gaussians, colors=state.gaussians.colors + mirrored)

    def find_seen(self, state: State, camera: Camera) -> np.ndarray:
        """Which Gaussians face a camera and are not far behind others that do: (N), bool."""
        facing = np.asarray(is_facing(self.cover, self.faces, state.vertices, camera))
        if self.head.sides is None:
            return facing
        means = np.asarray(state.gaussians.means)[facing]
        factors = np.asarray(state.gaussians.factors)[facing]
        sides = self.head.sides[np.asarray(self.head.cover.triangles)[facing]]
        seen = facing.copy()
        seen[facing] = ~is_hidden(means, factors, sides, camera)
        return seen

    def find_light(self, vertices: np.ndarray, frame: int | None = None, time: float = 0.0) -> Lit:
        """Light on the pieces of the head, for the vertices relative to the target; less of it in
        folds of the skin.
        """
        normals, turn = self.normals(vertices), self.occlusion.find_turn(vertices)
        bright = 1.0 if self.flicker is None else self.flicker.find_brightness(time)
        lights = dim(self.lights, bright)
        directions = np.asarray(lights.directions, np.float64) @ turn
        lit = self.occlusion.find_lit(directions, np.asarray(lights.sizes, np.float64))
        lit = np.concatenate([self.occlusion.ambient[:, None], lit], 1)
        lit = self.finish.hood(lit, normals @ turn)
        around, seen = (jnp.asarray(x, jnp.float32) for x in (normals, lit))
        find_relief = self.head.find_relief
        relief = (1.0, 0.0) if find_relief is None else find_relief(frame)
        left, bend = (jnp.asarray(x, jnp.float32) for x in relief)
        found = _light_pieces(self.cover, self.faces, around, seen, bend, self.reflectance, lights)
        return found._replace(light=left * found.light)


def build_scene(head: Head, subject: SubjectPlan, options: Options) -> Scene:
    """Puts a head into its light.

    Args:
      head: the head.
      subject: the subject.
      options: options of the data set.

    Returns:
      The scene.
    """
    features = surface_features(head.cover, head.faces, head.rest, head.groups)
    triangles, corners = head.cover
    normals, finish = Normals(head.faces), head.finish
    if finish is None:
        finish = find_plain_finish(len(triangles), len(head.neutral))
    scene = Scene(
        head=head,
        cover=Cover(jnp.asarray(triangles), jnp.asarray(corners, jnp.float32)),
        faces=jnp.asarray(head.faces, jnp.int32),
        features=jnp.asarray(features),
        reflectance=jnp.asarray(head.paint(), jnp.float32),
        normals=normals,
        lights=draw_lights(subject.draw_from("light")),
        flicker=draw_flicker(subject.draw_from("light", "flicker"))
        if options.light == "flicker"
        else None,
        occlusion=bake_occlusion(head.neutral, head.faces, normals(head.neutral)),
        finish=finish,
        baked=None,
    )
    if options.light != "baked":
        return scene
    return dataclasses.replace(scene, baked=scene.find_light(head.neutral))


def is_hidden(
    means: np.ndarray, factors: np.ndarray, sides: np.ndarray, camera: Camera
) -> np.ndarray:
    """Tells which pieces lie far behind one surface, such as teeth behind a lip.

    A thousandth of the light that passes between the Gaussians of a lip would mix the teeth into
    its depth. The image is divided into cells of about four pieces. A piece is hidden if in all
    cells about it, the nearest pieces are nearer by BEHIND and belong to one side: an opening has
    two.

    Args:
      means: [N, 3], of pieces that face the camera, metres.
      factors: [N, 3, 3], their factors.
      sides: [N], numbers that differ on the two sides of an opening.
      camera: a pinhole.

    Returns:
      [N], bool.
    """
    pose, focal = np.asarray(camera.world_to_camera), np.asarray(camera.focal).min()
    x, y, depth = (means * pose[:, None, :3]).sum(-1) + pose[:, 3:]
    areas = np.linalg.norm(np.cross(factors[..., 0], factors[..., 1]), axis=-1)
    cell = max(CELL / SIZE * focal * float(np.median(np.sqrt(areas) / depth)), 1.0)
    at = np.stack([y, x]) / depth * focal / cell
    at = np.floor(at - at.min(1, keepdims=True)).astype(np.int64) + REACH
    rows, columns = at.max(1) + REACH + 1
    place = at[0] * columns + at[1]
    order = np.argsort(-depth, kind="stable")  # the nearest piece of a cell is written last
    least = np.full(rows * columns, np.inf)
    least[place[order]] = depth[order]
    side = np.zeros(rows * columns)
    side[place[order]] = sides[order]
    farthest, highest, lowest = (
        _find_largest(x.reshape(rows, columns)).ravel()[place] for x in (least, side, -side)
    )
    return (farthest < depth - BEHIND) & (highest == -lowest)


def _find_largest(x: np.ndarray) -> np.ndarray:
    """The largest number within REACH of each cell, along rows and columns."""
    for axis in (0, 1):
        x = np.max([np.roll(x, k, axis) for k in range(-REACH, REACH + 1)], axis=0)
    return x


@jit
def _light_pieces(
    cover: Cover,
    faces: jax.Array,
    normals: jax.Array,
    lit: jax.Array,
    bend: jax.Array,
    reflectance: jax.Array,
    lights: Lights,
) -> Lit:
    """Light on the middles of pieces, by what the vertices about them have and a bend."""
    corners, shares = faces[cover.triangles], cover.corners.mean(1)[..., None]
    normal, seen = ((shares * x[corners]).sum(1) for x in (normals, lit))
    normal = normal + bend
    ambient, lit = seen[:, 0], seen[:, 1:]
    return Lit(lights, normal, ambient, lit, shade(lights, normal, reflectance, ambient, lit))
