"""Draws the frames of a subject, with exact annotations to both neighbours in time.

The head is a mesh that moves; its Gaussians move with it. For the frame t, its vertices at t - 1, t
and t + 1 give the same Gaussians three times, and one drawing gives the image and both motions.
Gaussians that face away from the camera of t, or are far behind others, are left out at all three
times. Nothing in the
result depends on which frames were drawn before.
"""

import numbers
from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from sf3d_jax._checks import name_type
from sf3d_jax.camera import Camera
from sf3d_jax.data._files import FormatError
from sf3d_jax.data.sets.srflow3d.writer import Motion
from sf3d_jax.gaussians._options import room_for
from sf3d_jax.gaussians.motion import Annotation, render_motion
from sf3d_jax.gaussians.motion import Motion as ToPrevious
from sf3d_jax.gaussians.rendering import intersections_needed, render
from sf3d_jax.gaussians.scene import Gaussians
from sf3d_jax.head.culling import select
from sf3d_jax.head.skin.srgb import srgb_to_linear
from sf3d_jax.head.surfaces import sure_pixels
from sf3d_jax.making.cameras import draw_spiral
from sf3d_jax.making.colors import parse_color
from sf3d_jax.making.heads import open_head
from sf3d_jax.making.options import ROOM, Options
from sf3d_jax.making.planning import SubjectPlan
from sf3d_jax.making.room import build_room
from sf3d_jax.making.scene import State, build_scene
from sf3d_jax.making.sensor import draw_sensor, take_image

# The number of Gaussians that are drawn is rounded up to a multiple of this share of all, so that
# few programs are compiled.
SHARE = 8


class Frame(NamedTuple):
    """All that is written of a frame.

    Attributes:
      image: [H, W, 3], uint8, sRGB.
      mask: [H, W], bool.
      inv_depth: [H, W], float32, per metre; 0 where there is no surface.
      camera: the camera.
      forward: motion to the next frame; None for the last frame.
      backward: motion to the previous frame; None for the first frame.
    """

    image: np.ndarray
    mask: np.ndarray
    inv_depth: np.ndarray
    camera: Camera
    forward: Motion | None
    backward: Motion | None


class Subject:
    """One subject, ready to be drawn. Frames can be drawn in any order, and any of them alone.

    Attributes:
      faces: [T, 3], int32, the triangles of its mesh, counterclockwise from outside.
    """

    faces: np.ndarray

    def __init__(self, subject: SubjectPlan, options: Options) -> None:
        """Builds the head, and draws all that is random.

        Args:
          subject: the subject.
          options: options of the data set.

        Raises:
          FormatError: a file cannot be read, or does not fit.
          OSError: a file is missing.
        """
        self._plan, self._sensor = subject, draw_sensor(subject, options.sensor)
        self._options, self._head = options, open_head(subject, options)
        self.faces = self._head.faces
        generator, extent = subject.draw_from("camera"), self._head.extent
        self._path = draw_spiral(generator, np.zeros(3), extent, options.size)
        self._scene = build_scene(self._head, subject, options)
        self._states: dict[int, State] = {}
        self._room: Gaussians | None = None
        self._background = jnp.zeros(3, jnp.float32)
        if options.background == ROOM:
            self._room = build_room(subject.draw_from("background"), extent)
        else:
            color = srgb_to_linear(parse_color(options.background))
            self._background = jnp.asarray(color, jnp.float32)

    def camera(self, frame: int) -> Camera:
        """The camera of a frame.

        Args:
          frame: number of the frame, from 0.

        Returns:
          A pinhole in float32. The axes of its world are those of the head at rest, and its origin
          is the point that all cameras look at.

        Raises:
          TypeError: the frame is not an integer.
          ValueError: there is no such frame.
        """
        self._check_frame(frame)
        return self._path.camera(frame / self._options.fps)

    def vertices(self, frame: int) -> np.ndarray:
        """The mesh that is drawn, whose motion the annotations tell.

        Args:
          frame: number of the frame, from 0.

        Returns:
          [V, 3], float64, metres, in the world of the cameras.

        Raises:
          TypeError: the frame is not an integer.
          ValueError: there is no such frame.
        """
        self._check_frame(frame)
        return self._head.find_vertices(frame) - self._head.target

    def draw(self, frame: int) -> Frame:
        """Draws a frame.

        Args:
          frame: number of the frame, from 0.

        Returns:
          The frame: the same bits, whichever frames were drawn before.

        Raises:
          FormatError: nothing of the head is in the image.
          TypeError: the frame is not an integer.
          ValueError: there is no such frame.
        """
        self._check_frame(frame)
        last = self._options.frames - 1
        # The first and the last frame move to themselves, so that one program draws all frames.
        times = max(frame - 1, 0), frame, min(frame + 1, last)
        cameras = [self.camera(time) for time in times]
        annotation = self._annotate(times, cameras)
        inv_depth = np.asarray(annotation.inv_depth)
        check_seen(inv_depth, frame, self._options)
        backward = annotation.backward
        assert backward is not None
        if self._options.mask == "sure":
            mask = sure_pixels(annotation, cameras[1])
        else:
            mask = annotation.valid & backward.valid
        light = np.asarray(self._show(annotation, cameras[1]))
        return Frame(
            image=take_image(light, self._sensor, self._plan, frame),
            mask=np.asarray(mask),
            inv_depth=inv_depth,
            camera=cameras[1],
            forward=read_motion(annotation) if frame < last else None,
            backward=read_motion(backward) if frame > 0 else None,
        )

    def _check_frame(self, frame: int) -> None:
        if isinstance(frame, bool) or not isinstance(frame, numbers.Integral):
            raise TypeError(f"frame: expected an integer, got {name_type(frame)}")
        last = self._options.frames - 1
        if not 0 <= frame <= last:
            raise ValueError(f"frame: expected 0 to {last}, got {frame}")

    def _annotate(self, times: Sequence[int], cameras: Sequence[Camera]) -> Annotation:
        """Draws the Gaussians that are seen, with the motions to both neighbours."""
        self._states = {time: self._find_state(time) for time in times}
        keep = self._scene.find_seen(self._states[times[1]], cameras[1])
        room = round_room(int(keep.sum()), len(keep))
        shown = [self._states[time].gaussians for time in times]
        shown[1] = self._scene.show(self._states[times[1]], cameras[1])
        previous, current, following = (select(x, keep, room) for x in shown)
        needed = intersections_needed(current, cameras[1], antialias=True)
        return render_motion(
            *(current, following, cameras[1], cameras[2]),
            previous_gaussians=previous,
            previous_camera=cameras[0],
            features=select(self._scene.features, keep, room),
            background=self._background,
            max_intersections=room_for(needed),
            antialias=True,
        )

    def _show(self, annotation: Annotation, camera: Camera) -> jax.Array:
        """The linear colours, before the room if there is one.

        The room is drawn apart, in the image alone: a Gaussian of the head that lets a thousandth
        of the light through would mix millimetres of the room into the depth of the face.
        """
        if self._room is None:
            return annotation.colors
        needed = intersections_needed(self._room, camera, antialias=True)
        room = render(self._room, camera, max_intersections=room_for(needed), antialias=True)
        return annotation.colors + (1 - annotation.alpha)[..., None] * room.colors

    def _find_state(self, frame: int) -> State:
        """The scene at a frame; neighbours in time share it."""
        if frame in self._states:
            return self._states[frame]
        time = frame / self._options.fps
        return self._scene.place(self.vertices(frame), frame, time)


def open_subject(subject: SubjectPlan, options: Options) -> Subject:
    """Opens a subject, to draw its frames.

    Args:
      subject: one of `plan(options).subjects`.
      options: options of the data set.

    Returns:
      The subject.

    Raises:
      FormatError: a file cannot be read, or does not fit.
      OSError: a file is missing.
      TypeError: an argument has another type.
    """
    for name, kind, x in (("subject", SubjectPlan, subject), ("options", Options, options)):
        if not isinstance(x, kind):
            raise TypeError(f"{name}: expected {kind.__name__}, got {name_type(x)}")
    return Subject(subject, options)


def check_seen(inv_depth: np.ndarray, frame: int, options: Options) -> None:
    """Refuses a frame without a subject, of which a data set has no use.

    Args:
      inv_depth: [H, W], per metre; 0 where there is no surface.
      frame: number of the frame.
      options: options of the data set, to name the file.

    Raises:
      FormatError: there is no surface in the image.
    """
    if inv_depth.any():
        return
    if options.motion is not None:
        expected = "a motion that keeps the head in the image"
        raise FormatError(options.motion, expected, f"nothing of it in frame {frame}")
    expected = "a head that its cameras see, with faces counterclockwise from outside"
    raise FormatError(options.head, expected, f"nothing of it in frame {frame}")


def round_room(count: int, most: int) -> int:
    """Rounds a number of Gaussians up to a share of all of them.

    Args:
      count: number of Gaussians to draw.
      most: number of all Gaussians.

    Returns:
      A number from count to about `most`, one of SHARE.
    """
    step = -(-most // SHARE)
    return step * max(-(-count // step), 1)


def read_motion(motion: Annotation | ToPrevious) -> Motion:
    """Takes the maps that are written out of a drawn motion.

    Args:
      motion: a motion of `render_motion`.

    Returns:
      Flow and inverse-depth change.
    """
    return Motion(np.asarray(motion.flow), np.asarray(motion.inv_depth_change))
