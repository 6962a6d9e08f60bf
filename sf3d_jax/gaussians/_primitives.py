"""The kernels as primitives of JAX, which are traced only where XLA lowers for a GPU.

To trace a kernel needs Pallas, and takes as long as to trace the rest of a drawing program. A
process that draws on a CPU does neither.

When a primitive is lowered, its card decides which compiler gets the kernel:

- compute capability 9 and 10 (H100, H200, B200): Mosaic GPU, from jax 0.12 on.
- all others from 8.0 on (A100, RTX 4090), and older versions of jax: Triton, while jax has it. From
  version 0.11 on, jax says that it will be removed, and recommends Mosaic GPU.
- otherwise: plain JAX.

On a CPU, Triton's kernels are interpreted, which is slow, and for tests.

The card is the one that an abstract mesh names, else that of this process, else a Hopper, as Mosaic
GPU assumes. A name that is not known counts as a card of capability 8.0. A program is compiled for
one kind of card, so to export it from a process without that card, name the card:

    device = AbstractDevice("NVIDIA A100", num_cores=108, platform="gpu")
    with use_abstract_mesh(AbstractMesh((), (), abstract_device=device)):
        exported = jax.export.export(program, platforms=["cuda"])(*arguments)

JAX guarantees that programs of Mosaic GPU can be loaded by later versions. It refuses to export
those of Triton unless this check is disabled, as its error says.
"""

import re
import warnings
from collections.abc import Callable
from functools import partial
from types import ModuleType
from typing import Any, TypeAlias

import jax
import jax.numpy as jnp
from jax.core import ShapedArray
from jax.extend.core import Primitive
from jax.interpreters import batching, mlir

from sf3d_jax.camera import Size
from sf3d_jax.gaussians import _kernel_calls
from sf3d_jax.gaussians._rows import Layout

_HOPPER, _AMPERE, _VOLTA = 90, 80, 70
_MOSAIC = range(_HOPPER, 110)
# Patterns of names of cards, and the least capability of these cards. The first that fits counts.
_CARDS = (
    (r"\b(H\d{2,3}|GH\d{3}|B\d{3}|GB\d{3})\b", _HOPPER),
    (r"\b([KMPTV]\d+|TITAN|GTX|RTX 20\d\d|Quadro (P|RTX [3-8]000$))", _VOLTA),
)

# Before this version, Mosaic GPU took other arguments, and Triton was not deprecated.
_MOSAIC_SINCE = (0, 12)
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
    """The function of this name in `_kernel_calls`, by the compiler that has kernels for the card.

    Args:
      table: (B, N, D), packed rows.
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      layout: which fields rows and images have.
      size: (H, W).
      otherwise: plain form of the same, without the axis of the batch; None if a card without
        kernels is an error.

    Returns:
      (B, T images, P).
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
    """The function of this name in `_kernel_calls`, by the compiler that has kernels for the card.

    Args:
      table: (B, N, D).
      ids: (B, M), the tile lists.
      starts: (B, T + 1), where they start.
      sums: (B, T images, P), the drawn images.
      cotangents: (B, T images, P).
      layout: which fields rows and images have.
      size: (H, W).
      otherwise: plain form of the same, without the axis of the batch; None if a card without
        kernels is an error.

    Returns:
      (B, N, D).
    """
    options = {"layout": layout, "size": size, "otherwise": otherwise}
    result: jax.Array = _DERIVATIVE.bind(table, ids, starts, sums, cotangents, **options)
    return result


def _define(name: str, find_shape: Callable[..., tuple[int, ...]]) -> Primitive:
    """A primitive of operands with a batch axis; `find_shape` is of (table, starts, layout)."""
    primitive = Primitive(name)

    # The table's type also says over which axes of a mesh the result varies.
    def find_type(table: Any, ids: Any, starts: Any, *_: Any, layout: Layout, **__: Any) -> Any:
        return table.update(shape=find_shape(table, starts, layout))

    def run(*operands: jax.Array, **options: Any) -> jax.Array:
        with jax.disable_jit(False):
            result: jax.Array = jax.jit(partial(primitive.bind, **options))(*operands)
        return result

    primitive.def_abstract_eval(find_type)
    primitive.def_impl(run)
    batching.primitive_batchers[primitive] = partial(_fold_batch, primitive)
    for platform in ("cuda", "rocm", "cpu"):
        mlir.register_lowering(primitive, partial(_lower, name, platform), platform)
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
    platform: str,
    context: mlir.LoweringRuleContext,
    *operands: Any,
    layout: Layout,
    size: Size,
    otherwise: Plain | None,
) -> Any:
    """The kernel, or the plain form where there is no kernel for the card."""
    kernels = _find_kernels(platform)
    if kernels is not None:
        call = partial(kernels.call, interpret=True) if platform == "cpu" else kernels.call
        form = partial(getattr(_kernel_calls, name), layout=layout, size=size, call=call)
    elif otherwise is not None:
        form = jax.vmap(partial(otherwise, layout=layout, size=size))
    else:
        raise ValueError(
            'backend: expected "auto" or "xla", got "pallas", which this version of jax does not '
            "compile for this device; a GPU needs compute capability 8.0 or newer"
        )
    context = context.replace(avals_in=[*map(_leave_mesh, context.avals_in)])
    with warnings.catch_warnings():
        # `_find_kernels` is ready for what this announces.
        warnings.filterwarnings("ignore", _DEPRECATION, DeprecationWarning)
        return mlir.lower_fun(form, multiple_results=False)(context, *operands)


def _leave_mesh(x: Any) -> ShapedArray:
    """The type inside of a kernel, where nothing varies over the axes of a mesh."""
    return ShapedArray(x.shape, x.dtype)


def _find_kernels(platform: str) -> ModuleType | None:
    """The module of the compiler for a device, or None."""
    capability = _find_capability() if platform == "cuda" else _AMPERE
    if capability in _MOSAIC and jax.__version_info__ >= _MOSAIC_SINCE:
        from sf3d_jax.gaussians import _mosaic

        return _mosaic
    if capability < _AMPERE:
        return None
    try:
        from sf3d_jax.gaussians import _triton
    except ImportError:
        return None
    return _triton


def _find_capability() -> int:
    """Ten times the compute capability of the GPU to lower for."""
    try:
        cards = jax.local_devices(backend="cuda")
    except RuntimeError:
        cards = []
    named = getattr(jax.sharding.get_abstract_mesh(), "abstract_device", None)
    if named is not None and named.platform in ("gpu", "cuda"):
        matching = [card for card in cards if card.device_kind == named.device_kind]
        if not matching:
            kind = named.device_kind
            return next((least for names, least in _CARDS if re.search(names, kind)), _AMPERE)
        cards = matching
    return min((int(card.compute_capability.replace(".", "")) for card in cards), default=_HOPPER)


_SUMS = _define("composite_sums", lambda *x: _kernel_calls.sums_shape(*x).shape)
_DERIVATIVE = _define("derivative", lambda table, *_: table.shape)
