"""Random changes to the appearance of a sample's frames; the motion does not change.

Image values are from 0 to 1. Outside of `jit`, images with values above 8 are refused, because
they probably range from 0 to 255; inside, values are unknown.
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

    image(p) = colour if |p - centre| < side / 2 along both axes. In a sequence, the last frame
    changes. The motion does not change.
    Source: Zhong et al., "Random erasing data augmentation" (AAAI 2020), applied to the next frame
    alone as in RAFT.

    Args:
      key: a key of jax.random.
      sample: sample or sequence with a next image, (*b, H, W, C), values from 0 to 1.
      probability: probability of each rectangle.
      count: number of rectangles, static.
      sides: smallest and largest side length in pixels.

    Returns:
      The sample with a new next image. If it has both flow and occlusion, points that move into a
      rectangle within the image become hidden.

    Raises:
      ValueError: there is no next image, or its values range from 0 to 255.
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
    # Coordinates in the default float type, that of the random numbers.
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
    """Erases parts of the last image; returns the new images and occlusion."""
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
    """Changes the colours of all images.

    They change by the same amount in each or, with probability `asymmetric`, by different amounts.
    With b, k, s and h drawn from U(-1, 1) times the options, a colour x becomes, in this order,

        brightness  (1 + b) x
        contrast    x + k (x - 1/2)
        saturation  x + s (x - luma)
        hue         x with its chroma rotated by h turns in the I-Q plane (YIQ)

    and is finally clipped to [0, 1].

    Args:
      key: a key of jax.random.
      sample: sample or sequence; images (*b, H, W, 3), RGB from 0 to 1.
      brightness: largest |b|.
      contrast: largest |k|.
      saturation: largest |s|.
      hue: largest |h|, in turns.
      asymmetric: probability that images after the first get their own b, k, s and h; otherwise
        all images share those of the first.

    Returns:
      The sample with new images, in their dtype. Non-finite pixels become 0.

    Raises:
      ValueError: the values of an image range from 0 to 255.
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


# Luma and chroma from RGB, as in NTSC; the first row sums to 1, the others to 0.
_YIQ = ((0.299, 0.587, 0.114), (0.5959, -0.2746, -0.3213), (0.2115, -0.5227, 0.3112))
_RGB = np.linalg.inv(_YIQ).tolist()


def _recolor(name: str, image: jax.Array, change: jax.Array) -> jax.Array:
    check_array(f"sample.{name}", image, (3,))
    dtype = image.dtype
    (image,) = widen(image)
    finite = is_in_range(image).all(-1)
    brightness, contrast, saturation, hue = change.astype(image.dtype)
    cos, sin = jnp.cos(2 * jnp.pi * hue), jnp.sin(2 * jnp.pi * hue)
    # One affine map combines everything: brightness and contrast scale, the rest acts on chroma.
    chroma = (1 + saturation) * jnp.array([[cos, -sin], [sin, cos]])
    turned = jnp.eye(3, dtype=image.dtype).at[1:, 1:].set(chroma)
    exact = partial(jnp.matmul, precision=lax.Precision.HIGHEST)
    to_yiq, to_rgb = jnp.array(_YIQ, image.dtype), jnp.array(_RGB, image.dtype)
    matrix = (1 + brightness) * (1 + contrast) * exact(exact(to_rgb, turned), to_yiq)
    x = channels(mask(finite, image))
    mixed = [sum(m * c for m, c in zip(row, x, strict=True)) - contrast / 2 for row in matrix]
    return jnp.stack([mask(finite, jnp.clip(c, 0, 1)) for c in mixed], axis=-1).astype(dtype)
