"""The kernels of `_pallas` as primitives of JAX, which are traced only where XLA lowers for a GPU.

To trace a kernel needs Pallas, and takes as long as to trace the rest of a drawing program. A
process that draws on a CPU does neither.
"""

import contextlib
import importlib.util
import re
import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from sf3d_jax.camera import Size
from sf3d_jax.gaussians._rows import Layout
from sf3d_jax.gaussians._tiles import whole_tiles

# The oldest cards that Pallas' Triton compiles for, and one of them by name.
_OLDEST = (8, 0)
_OLDEST_CARD = "NVIDIA A100"
_DEPRECATION = "The Pallas Triton backend is deprecated"

# Plain JAX that computes what a kernel gives for one image.
Plain: TypeAlias = Callable[..., jax.Array]


def composite_sums(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    *,
    layout: Layout,
    size: Size,
    otherwise: Plain | None,
) -> jax.Array:
    """The function of this name in `_pallas`, or `otherwise` if the card has no kernels.

    Args:
      table: (B, N, D), packed rows.
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      layout: which fields rows and images have.
      size: (H, W).
      otherwise: plain form of the same, without the axis of the batch; None if cards without
        kernels are an error.

    Returns:
      (B, images H', W').
    """
    options = {"layout": layout, "size": size, "otherwise": otherwise}
    result: jax.Array = _SUMS.bind(table, ids, starts, **options)
    return result


def derivative(
    table: jax.Array,
    ids: jax.Array,
    starts: jax.Array,
    sums: jax.Array,
    cotangents: jax.Array,
    *,
    layout: Layout,
    size: Size,
    otherwise: Plain | None,
) -> jax.Array:
    """The function of this name in `_pallas`, or `otherwise` if the card has no kernels.

    Args:
      table: (B, N, D).
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      sums: (B, images H', W'), the drawn images.
      cotangents: (B, images H', W').
      layout: which fields rows and images have.
      size: (H, W).
      otherwise: plain form of the same, without the axis of the batch; None if cards without
        kernels are an error.

    Returns:
      (B, N, D).
    """
    options = {"layout": layout, "size": size, "otherwise": otherwise}
    result: jax.Array = _DERIVATIVE.bind(table, ids, starts, sums, cotangents, **options)
    return result


def _find_images_shape(table: tuple[int, ...], layout: Layout, size: Size) -> tuple[int, ...]:
    height, width = whole_tiles(size)
    return table[0], layout.images * height, width


def _define(name: str, shape_of: Callable[..., tuple[int, ...]]) -> Primitive:
    """A primitive of operands with a batch axis, whose result has the type of the first of them."""
    primitive = Primitive(name)
    find_type = lambda table, *_, otherwise, **options: table.update(
        shape=shape_of(table.shape, **options)
    )
    primitive.def_abstract_eval(find_type)
    batching.primitive_batchers[primitive] = partial(_fold_batch, primitive)
    for platform in ("cuda", "rocm"):
        mlir.register_lowering(primitive, partial(_lower, name), platform)
    return primitive


def _fold_batch(
    primitive: Primitive, operands: list[jax.Array], axes: list[int | None], **options: Any
) -> tuple[jax.Array, int]:
    """One call for a batch of batches."""
    count = next(x.shape[i] for x, i in zip(operands, axes, strict=True) if i is not None)
    batched = [
        jnp.broadcast_to(x, (count, *x.shape)) if i is None else jnp.moveaxis(x, i, 0)
        for x, i in zip(operands, axes, strict=True)
    ]
    result = primitive.bind(*(x.reshape(-1, *x.shape[2:]) for x in batched), **options)
    return result.reshape(count, -1, *result.shape[1:]), 0


def _lower(
    name: str,
    context: mlir.LoweringRuleContext,
    *operands: Any,
    layout: Layout,
    size: Size,
    otherwise: Plain | None,
) -> Any:
    """The kernel, or the plain form where there is no kernel for the card."""
    obstacle = _find_obstacle()
    if obstacle is None:
        from sf3d_jax.gaussians import _pallas

        form = getattr(_pallas, name)
    elif otherwise is None:
        raise ValueError(f'backend: expected "auto" or "xla", got "pallas"; {obstacle}')
    else:
        form = jax.vmap(otherwise)
    form = partial(form, layout=layout, size=size)
    with _naming_a_card(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", _DEPRECATION, DeprecationWarning)
        return mlir.lower_fun(form, multiple_results=False)(context, *operands)


def _find_obstacle() -> str | None:
    """Why there is no kernel for the GPUs of this process, or None."""
    if importlib.util.find_spec("jax.experimental.pallas.triton") is None:
        return "this version of jax has no Triton"
    for card in _find_cards():
        # AMD's have names instead.
        capability = re.fullmatch(r"(\d+)\.(\d+)", str(getattr(card, "compute_capability", "")))
        if capability and tuple(map(int, capability.groups())) < _OLDEST:
            return (
                f"kernels need compute capability 8.0, and {card.device_kind} has {capability[0]}"
            )
    return None


def _find_cards() -> list[jax.Device]:
    try:
        return jax.local_devices(backend="gpu")
    except RuntimeError:
        return []


@contextlib.contextmanager
def _naming_a_card() -> Iterator[None]:
    """Names the card to lower for in a process that has none, unless the caller has done so."""
    mesh = jax.sharding.get_abstract_mesh()
    named = getattr(mesh, "abstract_device", None)
    if _find_cards() or (named is not None and named.platform != "cpu"):
        yield
        return
    card = jax.sharding.AbstractDevice(_OLDEST_CARD, num_cores=None, platform="gpu")
    with jax.sharding.use_abstract_mesh(mesh.update(abstract_device=card)):
        yield


_SUMS = _define("composite_sums", _find_images_shape)
_DERIVATIVE = _define("derivative", lambda table, layout, size: table)
