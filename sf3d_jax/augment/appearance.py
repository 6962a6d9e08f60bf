"""Random changes of what the frames of a sample look like; its motion stays.

Images are numbers from 0 to 1. Outside of `jit`, one with numbers above 8, as bytes have, is
refused; inside there are no numbers to look at.
"""

import dataclasses
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._checks import check_array, check_key
from sf3d_jax._numerics import Leaf, align_ranks, channels, is_in_range, jit, mask, widen
from sf3d_jax._numerics.brightness import expect_unit_range
from sf3d_jax.samples import S, Sequence, check_sample, present_fields
from sf3d_jax.warping.sampling import is_within, positions


@expect_unit_range("sample.next_image", "sample.images")
@partial(jit, static=("count",))
def random_eraser(
    key: jax.Array,
    sample: S,
    *,
    probability: float = 0.5,
    count: int = 2,
    sides: tuple[float, float] = (50.0, 100.0),
) -> S:
    """Hides parts of the next frame behind rectangles of random place, size and colour.

    Source: Zhong et al., "Random erasing data augmentation" (AAAI 2020), on the next frame alone
    as RAFT does it. The motion does not change. Of a sequence it is the last frame.

    Args:
      key: of jax.random.
      sample: or sequence, with a next image, (*b, H, W, C), of numbers from 0 to 1.
      probability: of each rectangle.
      count: how many rectangles, static.
      sides: least and greatest length of their sides, in pixels.

    Returns:
      The sample with another next image. Where it has both flow and occlusion, points that move
      into a rectangle, and not out of the image, are hidden.

    Raises:
      TypeError: key is not a key, sample not a sample, or a map of it has numbers of another kind.
      ValueError: shapes do not fit, there is no next image, or it is of 0 to 255.
    """
    check_key(key)
    height, width = check_sample(sample)[-2:]
    if isinstance(sample, Sequence):
        options = {"probability": probability, "count": count, "sides": sides}
        return dataclasses.replace(sample, **_erase_last(key, sample, **options))
    if sample.next_image is None:
        raise ValueError("sample.next_image: needed to erase parts of it")
    image, occlusion = sample.next_image, sample.occlusion
    hides = occlusion is not None and sample.flow is not None
    # In the type of what is drawn.
    here = jnp.arange(width, dtype=float)[None], jnp.arange(height, dtype=float)[:, None]
    if hides:
        u, v = positions(*widen(*channels(sample.flow)))
        inside = is_within(u, v, (height, width))
        there = u.astype(float), v.astype(float)
    for of_one in jax.random.split(key, count):
        of_place, of_size, of_color, of_chance = jax.random.split(of_one, 4)
        middle = jax.random.uniform(of_place, (2,)) * jnp.array([width, height], float) - 0.5
        reach = jax.random.uniform(of_size, (2,), minval=sides[0], maxval=sides[1]) / 2
        color = jax.random.uniform(of_color, (image.shape[-1],)).astype(image.dtype)
        drawn = jax.random.uniform(of_chance) < jnp.asarray(probability, float)
        covers = lambda at, m=middle, r=reach, drawn=drawn: (
            drawn & (jnp.abs(at[0] - m[0]) < r[0]) & (jnp.abs(at[1] - m[1]) < r[1])
        )
        image = jnp.where(covers(here)[..., None], color, image)
        if hides:
            occlusion = jnp.logical_or(*align_ranks(occlusion, covers(there) & inside))
    return dataclasses.replace(sample, next_image=image, occlusion=occlusion)


def _erase_last(key: jax.Array, sequence: Sequence, **options: Any) -> dict[str, Leaf]:
    """The images with rectangles in the last one, and what is hidden if one moves behind them."""
    if sequence.images is None:
        raise ValueError("sequence.images: needed to erase parts of them")
    last = random_eraser(key, sequence.pair(-1), **options)
    replace = lambda x, end, axis: jnp.concatenate(
        [lax.slice_in_dim(x, 0, x.shape[axis] - 1, axis=axis), jnp.expand_dims(end, axis)], axis
    )
    changed: dict[str, Leaf] = {"images": replace(sequence.images, last.next_image, -4)}
    if sequence.occlusion is not None:
        changed["occlusion"] = replace(sequence.occlusion, last.occlusion, -3)
    return changed


@expect_unit_range("sample.image", "sample.next_image", "sample.images")
@jit
def random_color(
    key: jax.Array,
    sample: S,
    *,
    brightness: float = 0.4,
    contrast: float = 0.4,
    saturation: float = 0.4,
    hue: float = 0.16,
    asymmetric: float = 0.2,
) -> S:
    """Changes the colours of all images, a little differently in each once in a while.

    With b, k, s and h drawn from U(-1, 1) times the options, a colour x becomes, in this order,

        brightness  (1 + b) x
        contrast    x + k (x - 1/2)
        saturation  x + s (x - luma)
        hue         x with its chroma turned by h turns in the plane of I and Q (YIQ)

    and is cut to [0, 1] at the end.

    Args:
      key: of jax.random.
      sample: with an image or both, (*b, H, W, 3), RGB from 0 to 1; or a sequence.
      brightness: the greatest |b|.
      contrast: the greatest |k|.
      saturation: the greatest |s|.
      hue: the greatest |h|, in turns.
      asymmetric: the probability that the next image, and each further one, has numbers of its
        own.

    Returns:
      The sample with other images, in their type. Pixels that are not finite become 0.

    Raises:
      TypeError: key is not a key, sample not a sample, or a map of it has numbers of another kind.
      ValueError: shapes do not fit, or an image is of 0 to 255.
    """
    check_key(key)
    check_sample(sample)
    of_first, of_next, of_chance = jax.random.split(key, 3)
    most = jnp.array([[brightness, contrast, saturation, hue]], float)
    draw = lambda k, n: most * jax.random.uniform(k, (n, 4), minval=-1, maxval=1)
    first = draw(of_first, 1)
    others = draw(of_next, check_sample(sample)[-3] if isinstance(sample, Sequence) else 1)
    differ = jax.random.uniform(of_chance) < jnp.asarray(asymmetric, float)
    changes = jnp.concatenate([first, jnp.where(differ, others, first)])
    given = present_fields(sample, "image", "next_image", "images")
    images: dict[str, Leaf] = {
        name: jax.vmap(partial(_recolor, name), (-4, 0), -4)(x, changes)
        if name == "images"
        else _recolor(name, x, changes[int(name == "next_image")])
        for name, x in given.items()
    }
    return dataclasses.replace(sample, **images)


# Luma and chroma of RGB, as in NTSC; the first row sums to 1, the others to 0.
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
_RGB = np.linalg.inv(_YIQ).tolist()


def _recolor(name: str, image: jax.Array, change: jax.Array) -> jax.Array:
    check_array(f"sample.{name}", image, (3,))
    dtype = image.dtype
    (image,) = widen(image)
    finite = is_in_range(image).all(-1)
    brightness, contrast, saturation, hue = change.astype(image.dtype)
    cos, sin = jnp.cos(2 * jnp.pi * hue), jnp.sin(2 * jnp.pi * hue)
    # All of it is one affine map: brightness and contrast scale, the rest acts on the chroma.
    chroma = (1 + saturation) * jnp.array([[cos, -sin], [sin, cos]])
    turned = jnp.eye(3, dtype=image.dtype).at[1:, 1:].set(chroma)
    exact = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
    to_yiq, to_rgb = jnp.array(_YIQ, image.dtype), jnp.array(_RGB, image.dtype)
    matrix = (1 + brightness) * (1 + contrast) * exact(exact(to_rgb, turned), to_yiq)
    x = channels(mask(finite, image))
    mixed = [sum(m * c for m, c in zip(row, x, strict=True)) - contrast / 2 for row in matrix]
    return jnp.stack([mask(finite, jnp.clip(c, 0, 1)) for c in mixed], axis=-1).astype(dtype)
