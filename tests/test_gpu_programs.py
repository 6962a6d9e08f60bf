"""What is lowered for an NVIDIA GPU, read as StableHLO, which needs no GPU.

A loop is a few launches of kernels per step, and the CPU's forms have loops over what fits into its
cache. A product of matrices without a precision of its own has ten bits on a GPU.
"""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import calls
from helpers.losses_cases import SIZE
from helpers.platforms import count_loops, lower_for_gpu
from helpers.thorough import parametrize

import sf3d_jax as sf3d
from sf3d_jax import gaussians, metrics
from sf3d_jax.gaussians import reference

# Calls whose programs multiply matrices.
PRODUCTS = {
    "resize_image": calls.WARPING["resize_image"],
    **{name: calls.AUGMENTATIONS[f"augment.random_{name}"] for name in ("scale", "color")},
    "fit.flow": calls.GAUSSIANS_AND_FITS["fit.flow"],
    "gaussians.render": calls.Call(
        lambda *scene: gaussians.render(*scene, max_intersections=1024, backend="xla"),
        (calls.BALL, calls.FIRST),
    ),
    "reference.render": calls.Call(reference.render, (calls.BALL, calls.FIRST)),
    "FaceModel.vertices": calls.HEAD["FaceModel.vertices"],
}

# So many maps do not fit into the cache of a core.
BATCH = 1000

CONVERSIONS = ("project", "unproject", "scene_flow", "image_motion", "rigid_motion")
CONVERSIONS += ("scene_flow_covariance",)
PROGRAMS = {
    **{name: calls.GEOMETRY[name] for name in CONVERSIONS},
    **calls.WARPING,
    **{f"losses.{name}": call for name, call in calls.LOSS.items()},
    **{f"metrics.{name}": call for name, call in calls.METRICS.items()},
    "metrics.TapVid": calls.METRICS["TapVid"]._replace(
        function=lambda *x: calls.update_with_tracks(metrics.TapVid, *x, size=SIZE)
    ),
    "metrics.TapVid3D": calls.METRICS["TapVid3D"]._replace(
        function=lambda *x: calls.update_with_tracks(metrics.TapVid3D, *x[:3], camera=x[3])
    ),
}
DEFAULT = ["scene_flow", "image_motion", "backward_warp", "forward_splat", "warp_inverse_depth"]
DEFAULT += [name for name in calls.WARPING if name.startswith("occlusion")]
DEFAULT += [f"losses.{name}" for name in ("census", "ssim", "ncc", "photometric")]
DEFAULT += [f"metrics.{name}" for name in ("KittiSceneFlow", "SintelFlow")]


def enlarge(x):
    """Shapes of a batch of maps; what is no map stays."""
    shape = np.shape(x)
    for i in range(len(shape) - 1):
        if shape[i : i + 2] == SIZE:
            return jax.ShapeDtypeStruct((*shape[:i], BATCH, *shape[i:]), x.dtype)
    return x


def updated(name):
    """The update of a metric, which is what runs on a GPU."""
    return lambda maps: getattr(metrics, name).empty().update(**maps)


def with_gradient(function):
    """The function, and the gradient of the sum of squares of its floating results."""

    def squares(arguments):
        results = function(*arguments)
        leaves = [x for x in jax.tree.leaves(results) if jnp.issubdtype(x.dtype, jnp.floating)]
        return sum(
            (jnp.square(x.astype(jnp.float32)).sum() for x in leaves), jnp.zeros(())
        ), results

    return lambda *arguments: jax.grad(squares, has_aux=True, allow_int=True)(arguments)


@parametrize("name", PROGRAMS, default=DEFAULT)
def test_a_program_for_gpus_has_no_loop(name):
    call = PROGRAMS[name]
    of_metric = name.removeprefix("metrics.")
    is_metric = isinstance(getattr(metrics, of_metric, None), type)
    has_maps = len(call.arguments) == 1  # by the names of the arguments; tracks come one by one
    function = updated(of_metric) if is_metric and has_maps else call.function
    arguments = jax.tree.map(enlarge, call.arguments)
    text = lower_for_gpu(with_gradient(function), *arguments)
    assert count_loops(text) == 0


@parametrize("name", PRODUCTS, default=["resize_image", "color", "reference.render"])
def test_products_name_their_precision(name):
    call = PRODUCTS[name]
    traced = jax.jit(with_gradient(call.function)).trace(*call.arguments)
    # The CPU's forms have products even where a GPU's has none.
    text = traced.lower(lowering_platforms=("cuda", "cpu")).as_text()
    products = re.findall(r"stablehlo\.(?:dot_general|dot|convolution)\b.*", text)
    assert products
    assert [line for line in products if "precision = [HIGHEST, HIGHEST]" not in line] == []


@pytest.mark.parametrize("dtype, is_stored", [(jnp.bfloat16, True), (jnp.float32, False)])
def test_a_warped_image_is_written_in_its_own_dtype(dtype, is_stored):
    image, flow = (calls.WARPING["backward_warp"].arguments[i] for i in range(2))
    text = lower_for_gpu(with_gradient(sf3d.backward_warp), image.astype(dtype), flow)
    shape = "x".join(map(str, image.shape))
    # Forward, and the cotangent: XLA drops a cast to bfloat16 and back unless something is between.
    barriers = re.findall(rf"optimization_barrier .*tensor<{shape}xbf16>", text)
    assert len(barriers) == (2 if is_stored else 0)
