"""Who is drawn: the subjects of a data set, their splits, clips and sources of chance.

Subject i draws all that is random from numpy.random.SeedSequence([seed, i]), one stream for each
purpose. So neither the number of subjects nor a further stream changes what an earlier subject is,
how it moves and in which split it is.
"""

import dataclasses
import zlib

import numpy as np

from sf3d_jax._checks import check_choice, name_type
from sf3d_jax.data.sets.srflow3d.clips import Clip
from sf3d_jax.making.motion.kinds import draw_kinds
from sf3d_jax.making.options import PROCEDURAL, Options

# The position of a name is part of every data set: only append.
STREAMS = ("identity", "skin", "motion", "camera", "light", "background", "sensor")

# Frames from the first to the last of a clip; the next clip begins at that last frame.
CLIP = 64


@dataclasses.dataclass(frozen=True)
class SubjectPlan:
    """One subject.

    Attributes:
      index: position among all subjects, from 0.
      name: the name of its folders, such as "007".
      split: "train" or "test".
      seed: the seed of the data set.
      clips: for test subjects, clips that cover all frames. Each begins at the last frame of the
        one before, so that every pair of neighbours lies in a clip. Empty for train subjects.
    """

    index: int
    name: str
    split: str
    seed: int
    clips: tuple[Clip, ...]

    def draw_from(self, stream: str, key: str | None = None) -> np.random.Generator:
        """Opens a source of random numbers, at its beginning.

        Args:
          stream: one of STREAMS.
          key: name of a part of the stream that is independent of all others; None for the first.

        Returns:
          A generator that depends on the seed, the subject, the stream and the key alone.

        Raises:
          ValueError: there is no such stream.
        """
        check_choice("stream", stream, STREAMS)
        spawn_key = (STREAMS.index(stream), zlib.crc32((key or "").encode()))
        sequence = np.random.SeedSequence([self.seed, self.index], spawn_key=spawn_key)
        return np.random.default_rng(sequence)


@dataclasses.dataclass(frozen=True)
class Plan:
    """All subjects of a data set.

    Attributes:
      options: the options that were planned.
      subjects: the subjects, in order of their names; test subjects are first.
    """

    options: Options
    subjects: tuple[SubjectPlan, ...]


def plan(options: Options) -> Plan:
    """Decides who is drawn, without drawing or reading anything.

    The first `test` people are the test subjects, and the others are for training. People are
    split before anything of them is drawn, so that no identity is in both. A mesh as the head, and
    a face model whose motion has a shape, give all subjects one identity.

    Args:
      options: options of the data set.

    Returns:
      The subjects.

    Raises:
      TypeError: the options are not Options.
    """
    if not isinstance(options, Options):
        raise TypeError(f"options: expected Options, got {name_type(options)}")
    subjects = []
    for i in range(options.subjects):
        is_test = i < options.test
        split = "test" if is_test else "train"
        subject = SubjectPlan(i, f"{i:03d}", split, options.seed, ())
        if is_test:
            subject = dataclasses.replace(subject, clips=_name_clips(subject, options))
        subjects.append(subject)
    return Plan(options, tuple(subjects))


def clip_seconds(fps: float) -> float:
    """The time from the first frame of a clip to its last, which is the first of the next one."""
    return (CLIP - 1) / fps


def _name_clips(subject: SubjectPlan, options: Options) -> tuple[Clip, ...]:
    """The clips of a subject, each with its kind if the motion of a person is drawn."""
    clips = cut_into_clips(options.frames)
    if options.head != PROCEDURAL or options.motion is not None:
        return clips
    kinds = draw_kinds(subject.draw_from("motion", "kinds"), len(clips))
    return tuple(
        clip._replace(name=f"{clip.name}_{kind}") for clip, kind in zip(clips, kinds, strict=True)
    )


def cut_into_clips(frames: int) -> tuple[Clip, ...]:
    """Cuts a sequence into clips that share their first and last frames.

    Args:
      frames: number of frames, at least 2.

    Returns:
      Clips with inclusive ends, the last of which is frames - 1.
    """
    starts = range(0, frames - 1, CLIP - 1)
    return tuple(
        Clip(f"{number:02d}", start, min(start + CLIP - 1, frames - 1))
        for number, start in enumerate(starts)
    )
