"""How rough a map is: on its own, away from an image's edges, in time, or against a target.

With D the difference to the next pixel along an axis (second order: x(p + 1) - 2 x(p) + x(p - 1)),
the edge weight E = e^{-a mean_c |D I|} (second order: of (I(p + 1) - I(p - 1)) / 2), and sums over
the channels of x:

    first_order_smoothness    mean over axes of E sum penalty(D x)
    second_order_smoothness   mean over axes of E sum penalty(D2 x)
    total_variation           sum over axes of sum |D x|
    gradient_difference       mean over axes of sum penalty(G x - G target), G = D or Sobel's / 8
    temporal_smoothness       penalty(|s(t + 1) - s(t)|), s the motion of a point to the next frame

A difference counts if all its pixels are valid and finite. The image has one to four channels, and
the edge weight assumes brightness in [0, 1]: outside `jit`, images with values above 8 are refused;
inside `jit`, values cannot be checked. Edges of an image normalised for ImageNet are 4.4 times as
strong, so divide the sharpness by that or pass the unnormalised image.

`srflow_terms` are four regularisers named in the SRFlow paper. It gives no formulas; these are
ours:

    mask                      |F| where the mask is false: the background is at rest
    gradient                  gradient_difference(F, F*) on the mask
    total_variation           total_variation(F) on the mask
    flow_difference           |F - F*| on the mask
"""

from collections.abc import Callable
from functools import partial
from typing import Literal, NamedTuple, get_args

import jax
import jax.numpy as jnp
from jax.typing import ArrayLike

from sf3d_jax._checks import check_channels, check_choice, check_components, check_maps
from sf3d_jax._numerics import channels, jit, widen
from sf3d_jax._numerics.brightness import expect_unit_range
from sf3d_jax.losses._maps import (
    LossMap,
    absolute,
    check_penalty,
    check_same_channels,
    differences,
    length,
    loss_map,
    mask_inputs,
    total,
)
from sf3d_jax.losses.penalties import l1

Penalty = Callable[[jax.Array], jax.Array]
Operator = Literal["difference", "sobel"]
# Values and where they count, one pair per axis.
Terms = list[tuple[jax.Array, jax.Array]]


@expect_unit_range("image")
@partial(jit, static=("penalty",))
def first_order_smoothness(
    x: jax.Array,
    image: jax.Array,
    *,
    sharpness: float = 10.0,
    valid: jax.Array | None = None,
    penalty: Penalty = l1,
) -> LossMap:
    """Edge-aware first differences: mean over axes of e^{-a mean_c |D I|} sum_c penalty(D x).

    D is the difference to the next pixel along an axis. The loss is 0 for a constant map.
    Outside `jit`, an image of 0 to 255 is refused; inside `jit`, values cannot be checked.

    Args:
      x: (*b, H, W, C), a flow or any map, at most 16 channels; a scalar map as
        `inv_depth[..., None]`.
      image: (*b, H, W, K), image whose edges permit edges in x, brightness in [0, 1].
      sharpness: a, the strength of the edge weight; 0 ignores the image.
      valid: (*b, H, W), bool, the pixels that count; all if None.
      penalty: a penalty of this package, or any such function. Reuse one function object: each new
        one is compiled.

    Returns:
      LossMap in the dtype of x, valid where all pixels of a difference are valid, and finite in x
      and in the image.

    Raises:
      ValueError: the image has more than four channels or values of 0 to 255, or x has more than 16
        channels.
    """
    return _smoothness(x, image, sharpness, valid, penalty, count=2)


@expect_unit_range("image")
@partial(jit, static=("penalty",))
def second_order_smoothness(
    x: jax.Array,
    image: jax.Array,
    *,
    sharpness: float = 10.0,
    valid: jax.Array | None = None,
    penalty: Penalty = l1,
) -> LossMap:
    """Edge-aware second differences: mean over axes of e^{-a mean_c |D I|} sum_c penalty(D2 x).

    D I is (I(p + 1) - I(p - 1)) / 2 and D2 x is x(p + 1) - 2 x(p) + x(p - 1), 0 for an affine map.
    Inverse depth and its change are affine on a rigidly moving plane; its flow is nearly so.
    Outside `jit`, an image of 0 to 255 is refused; inside `jit`, values cannot be checked.

    Args:
      x: (*b, H, W, C), a flow or any map, at most 16 channels; a scalar map as
        `inv_depth[..., None]`.
      image: (*b, H, W, K), image whose edges permit edges in x, brightness in [0, 1].
      sharpness: a, the strength of the edge weight; 0 ignores the image.
      valid: (*b, H, W), bool, the pixels that count; all if None.
      penalty: a penalty of this package, or any such function. Reuse one function object: each new
        one is compiled.

    Returns:
      LossMap in the dtype of x, valid where all pixels of a difference are valid, and finite in x
      and in the image.

    Raises:
      ValueError: the image has more than four channels or values of 0 to 255, or x has more than 16
        channels.
    """
    return _smoothness(x, image, sharpness, valid, penalty, count=3)


@jit
def total_variation(x: jax.Array, *, valid: jax.Array | None = None) -> LossMap:
    """Anisotropic total variation: sum over axes and channels of |x(p + 1) - x(p)|.

    Args:
      x: (*b, H, W, C), at most 16 channels; a scalar map as `inv_depth[..., None]`.
      valid: (*b, H, W), bool, the pixels that count; all if None.

    Returns:
      LossMap in the dtype of x, valid where the pixel counts. A difference to a pixel that does not
      count is 0.
    """
    check_maps(x=(x, "image"), valid=(valid, "mask"))
    check_components(x=x)
    dtype = x.dtype
    known, (x,) = mask_inputs(valid, *widen(x))
    steps = lambda *xs: total([absolute(b - a) for a, b in xs])
    terms = [differences(steps, known, 2, axis, *channels(x)) for axis in (-1, -2)]
    return loss_map(total([value for value, _ in terms]), known, dtype)


@partial(jit, static=("operator", "penalty"))
def gradient_difference(
    x: jax.Array,
    target: jax.Array,
    *,
    operator: Operator = "difference",
    valid: jax.Array | None = None,
    penalty: Penalty = l1,
) -> LossMap:
    """Difference in gradient: mean over axes of sum_c penalty(G x - G target).

    G is a derivative along an axis: the difference to the next pixel, or Sobel's operator / 8.

    Args:
      x: (*b, H, W, C), at most 16 channels; a scalar map as `inv_depth[..., None]`.
      target: (*b, H, W, C).
      operator: "difference" to the next pixel, or "sobel", 3 x 3.
      valid: (*b, H, W), bool, the pixels that count; all if None.
      penalty: a penalty of this package, or any such function. Reuse one function object: each new
        one is compiled.

    Returns:
      LossMap in the dtype of x, valid where all pixels of a derivative are valid and finite.

    Raises:
      ValueError: operator is not one of the two.
    """
    check_maps(x=(x, "image"), target=(target, "image"), valid=(valid, "mask"))
    check_same_channels(x=x, target=target)
    check_components(x=x)
    check_penalty(penalty)
    check_choice("operator", operator, get_args(Operator))
    dtype = x.dtype
    known, (x, target) = mask_inputs(valid, *widen(x, target))
    errors = channels(x - target)
    if operator == "difference":
        steps = lambda *xs: total([penalty(b - a) for a, b in xs])
        terms = [differences(steps, known, 2, axis, *errors) for axis in (-1, -2)]
    else:
        terms = [_sobel_terms(errors, known, axis, penalty) for axis in (-1, -2)]
    return _average_terms(terms, dtype)


@partial(jit, static=("order", "penalty"))
def temporal_smoothness(
    vectors: jax.Array,
    *,
    order: Literal[1, 2] = 1,
    valid: jax.Array | None = None,
    penalty: Penalty = l1,
) -> LossMap:
    """How unevenly points move in 3D: penalty(|s1 - s0|), or penalty(|(s2 - s1) - (s1 - s0)|).

    s_t = X_{t+1} - X_t is the motion of a point from frame t to the next. Order 1 is 0 at constant
    velocity, where X2 - 2 X1 + X0 = s1 - s0 = 0; order 2 at constant acceleration. It takes motions
    and not points, so it keeps the digits of small motions.

    Args:
      vectors: (*b, T, n, 3), s_t of n points, in metres, in axes that all frames share: the
        differences of `Tracks.points` from frame to frame, `jnp.diff(tracks.points, axis=-3)`,
        valid where both are, `tracks.valid[..., 1:, :] & tracks.valid[..., :-1, :]`; or scene flows
        of the same points. A grid of points is a list of H W.
      order: 1 compares two consecutive motions, 2 three.
      valid: (*b, T, n), bool, where a motion is known; everywhere if None.
      penalty: a penalty of this package, or any such function. Reuse one function object: each new
        one is compiled.

    Returns:
      LossMap, (*b, T, n), in metres with the default penalty, in the dtype of the vectors: at the
      first of two motions, or the second of three. It is valid where all of them are, and finite.

    Raises:
      ValueError: order is neither 1 nor 2.
    """
    check_maps(vectors=(vectors, "vectors"), valid=(valid, "mask"))
    check_choice("order", order, (1, 2))
    check_penalty(penalty)
    dtype = vectors.dtype
    known, (vectors,) = mask_inputs(valid, *widen(vectors))

    def change(s: list[jax.Array]) -> jax.Array:
        return s[1] - s[0] if order == 1 else (s[2] - s[1]) - (s[1] - s[0])

    uneven = lambda *motions: penalty(length(*map(change, motions)))
    values, counts = differences(uneven, known, order + 1, -2, *channels(vectors))
    return loss_map(values, counts, dtype)


class SRFlowTerms(NamedTuple):
    """The four regularisers of `srflow_terms`.

    Attributes:
      mask: LossMap, |F|, valid outside the mask.
      gradient: LossMap of the difference in gradient, valid on the mask, as are the next two
        fields.
      total_variation: LossMap of the total variation of F.
      flow_difference: LossMap, |F - F*|.
    """

    mask: LossMap
    gradient: LossMap
    total_variation: LossMap
    flow_difference: LossMap


@partial(jit, static=("operator",))
def srflow_terms(
    flow: jax.Array, target: jax.Array, mask: jax.Array, *, operator: Operator = "difference"
) -> SRFlowTerms:
    """The four regularisers of SRFlow: |F| outside the mask, and three terms inside it.

    Inside the mask these are the difference in gradient to a target F*, the total variation of F,
    and the distance |F - F*| to the target. The SRFlow paper names the four but gives no formulas;
    these are ours.

    Args:
      flow: (*b, H, W, 2), F, in pixels.
      target: (*b, H, W, 2), F*, in pixels.
      mask: (*b, H, W), bool, the subject, such as a face.
      operator: gradient operator, "difference" or "sobel".

    Returns:
      SRFlowTerms, four maps in the dtype of the flow.

    Raises:
      ValueError: operator is not one of the two.
    """
    check_maps(flow=(flow, "flow"), target=(target, "flow"), mask=(mask, "mask"))
    dtype = flow.dtype
    flow, target = widen(flow, target)
    off, (still,) = mask_inputs(~mask, flow)
    on, (moved, wanted) = mask_inputs(mask, flow, target)
    return SRFlowTerms(
        loss_map(length(*channels(still)), off, dtype),
        loss_map(*gradient_difference(flow, target, operator=operator, valid=mask), dtype),
        loss_map(*total_variation(flow, valid=mask), dtype),
        loss_map(length(*channels(moved - wanted)), on, dtype),
    )


def _smoothness(
    x: jax.Array,
    image: jax.Array,
    sharpness: ArrayLike,
    valid: jax.Array | None,
    penalty: Penalty,
    count: int,
) -> LossMap:
    check_maps(x=(x, "image"), image=(image, "image"), valid=(valid, "mask"))
    check_components(x=x)
    check_channels(image=image)
    check_penalty(penalty)
    dtype, many = x.dtype, x.shape[-1]
    known, (x, image) = mask_inputs(valid, *widen(x, image))
    sharpness = jnp.asarray(sharpness, x.dtype)

    def rough(*maps: list[jax.Array]) -> jax.Array:
        steps, edges = maps[:many], maps[many:]
        edge = total([absolute(e[-1] - e[0]) for e in edges]) / (len(edges) * (count - 1))
        change = [e[1] - e[0] if count == 2 else (e[2] - e[1]) - (e[1] - e[0]) for e in steps]
        return jnp.exp(-sharpness * edge) * total([penalty(c) for c in change])

    maps = *channels(x), *channels(image)
    return _average_terms(
        [differences(rough, known, count, axis, *maps) for axis in (-1, -2)], dtype
    )


def _sobel_terms(
    maps: tuple[jax.Array, ...], known: jax.Array, axis: int, penalty: Penalty
) -> tuple[jax.Array, jax.Array]:
    """Sobel's derivative along an axis: the slopes of three lines, averaged across the axis."""
    across = -3 - axis
    slopes, counts = [], known
    for x in maps:
        value, counts = differences(lambda xs: (xs[2] - xs[0]) / 2, known, 3, axis, x)
        slopes.append(value)
    smooth = lambda *xs: total([penalty((a + 2 * b + c) / 4) for a, b, c in xs])
    return differences(smooth, counts, 3, across, *slopes)


def _average_terms(terms: Terms, dtype: jnp.dtype) -> LossMap:
    """The mean over axes of the terms that count."""
    count = total([counts.astype(jnp.float32) for _, counts in terms])
    value = total([value for value, _ in terms])
    return loss_map(value / jnp.maximum(count, 1).astype(value.dtype), count > 0, dtype)
