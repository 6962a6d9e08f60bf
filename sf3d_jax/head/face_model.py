"""Face models: a mesh that moves by the coefficients of shapes and the rotations of joints.

With coefficients c of the shapes S, and rotations R_j of J joints relative to their parents,

    shaped   = template + S c
    joints   = regressor shaped
    posed    = shaped + P (R_1 - I, ..., R_(J-1) - I)      pose correctives
    vertex v = sum_j w_vj (G_j (posed_v - joint_j) + p_j) + translation      linear blend skinning

where G_j = G_parent R_j is the rotation of joint j in the world, and p_j = p_parent + G_parent
(joint_j - joint_parent) its place there. This is the model of SMPL (Loper et al., SIGGRAPH Asia
2015) and FLAME (Li et al., SIGGRAPH Asia 2017). Plain blend shapes are the case of one joint.
"""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from sf3d_jax._checks import check_array, check_batch
from sf3d_jax._numerics import Array, Leaf, align_ranks, channels, jit, result_type, widen
from sf3d_jax._numerics.lengths import root
from sf3d_jax.head._pieces import check_integers


@jax.tree_util.register_dataclass
@dataclasses.dataclass(frozen=True)
class FaceModel:
    """A mesh of V vertices with S shapes and J joints; a frozen pytree.

    `FaceModel(*data.read_face_model(path))` makes one from a file, and `blendshapes` from a neutral
    mesh and its targets.

    Attributes:
      template: (V, 3), the neutral face, metres.
      shapes: (V, 3, S), displacement per unit of each shape: first identities, then expressions.
      pose_shapes: (V, 3, 9 (J - 1)), displacement per unit of R - I of all joints but the first,
        row by row; or None.
      regressor: (J, V), gives the joints of a face at rest from its vertices.
      weights: (V, J), influence of the joints on each vertex; they add up to 1.
      parents: (J), integer: the parent of each joint, which comes before it; -1 for the first.
      faces: (T, 3), integer, or None.
      identities: number of shapes that are identities, static; 300 for FLAME.
      names: names of the expressions, static; or empty.
    """

    template: Leaf
    shapes: Leaf
    pose_shapes: Leaf
    regressor: Leaf
    weights: Leaf
    parents: Leaf
    faces: Leaf = None
    identities: int = dataclasses.field(default=0, kw_only=True, metadata={"static": True})
    names: tuple[str, ...] = dataclasses.field(default=(), kw_only=True, metadata={"static": True})

    def vertices(
        self,
        shape: Array | None = None,
        expression: Array | Mapping[str, float | jax.Array] | None = None,
        pose: Array | None = None,
        translation: Array | None = None,
    ) -> jax.Array:
        """Finds the vertices of a face, by the formulas above.

        Args:
          shape: (*b, n), coefficients of the first n identities; None for zeros.
          expression: (*b, n), coefficients of the first n expressions, or {name: coefficient} with
            coefficients (*b); None for zeros.
          pose: (*b, J, 3), rotation of each joint relative to its parent as axis times angle,
            radians; None for zeros.
          translation: (*b, 3), metres; None for zeros.

        Returns:
          (*b, V, 3), metres, differentiable with respect to all arguments and the model. The batch
          axes *b broadcast, so the frames of a whole motion can be found at once.

        Raises:
          TypeError: an argument or an array of the model has another type.
          ValueError: a shape does not fit, an expression has a name that the model does not have,
            or the arrays of the model do not fit each other, or its parents are in NumPy and one
            does not come before its joint.
        """
        joints = _check_model(self)
        expressions = self.shapes.shape[-1] - self.identities
        given: dict[str, Any] = {}
        batches = {}
        if isinstance(expression, Mapping):
            _check_names(expression, self.names)
            batches = {f"expression[{name!r}]": np.shape(x) for name, x in expression.items()}
            given["expression"], expression = dict(expression), None
        for name, x, axes in (
            ("shape", shape, (self.identities,)),
            ("expression", expression, (expressions,)),
            ("pose", pose, (joints, 3)),
            ("translation", translation, (3,)),
        ):
            if x is not None:
                _check_coefficients(name, x, axes)
                given[name] = x
                batches[name] = x.shape[: x.ndim - len(axes)]
        check_batch(**batches)
        return _find_vertices(self, given)


def blendshapes(neutral: Array, targets: Mapping[str, Array]) -> FaceModel:
    """Makes a face model of blend shapes: neutral + sum_k c_k target_k, turned about the origin.

    Coefficients are expressions with the names of the targets. The model has one joint, at the
    origin of the mesh. Blend shapes move on straight lines, so lids that close cut through the
    eyeball half-way, and the eyeballs of ICT-FaceKit do not turn with its eyeLook shapes.

    Args:
      neutral: (V, 3), metres.
      targets: displacements (V, 3) from the neutral mesh by name, metres, such as those of
        `data.read_mesh`.

    Returns:
      The model, in the dtype of the neutral mesh.

    Raises:
      TypeError: an array is not floating-point.
      ValueError: a shape does not fit.
    """
    check_array("neutral", neutral, (3,))
    if neutral.ndim != 2:
        raise ValueError(f"neutral: expected shape (V, 3), got {neutral.shape}")
    for name, target in targets.items():
        check_array(f"targets[{name!r}]", target)
        if target.shape != neutral.shape:
            raise ValueError(
                f"targets[{name!r}]: expected shape {neutral.shape}, got {target.shape}"
            )
    count, dtype = neutral.shape[0], neutral.dtype
    own = np if all(isinstance(x, np.ndarray) for x in (neutral, *targets.values())) else jnp
    shapes = [own.asarray(x, dtype) for x in targets.values()]
    return FaceModel(
        template=neutral,
        shapes=own.stack(shapes, -1) if shapes else np.zeros((count, 3, 0), dtype),
        pose_shapes=None,
        regressor=np.zeros((1, count), dtype),
        weights=np.ones((count, 1), dtype),
        parents=np.array([-1], np.int32),
        names=tuple(targets),
    )


def _check_model(model: FaceModel) -> int:
    """Checks that the arrays of a model fit each other, and returns the number of joints."""
    check_array("FaceModel.template", model.template, (3,))
    for name in ("shapes", "regressor", "weights"):
        check_array(f"FaceModel.{name}", getattr(model, name))
    if model.pose_shapes is not None:
        check_array("FaceModel.pose_shapes", model.pose_shapes)
    check_integers("FaceModel.parents", model.parents, (None,))
    count, joints = model.template.shape[0], model.weights.shape[-1]
    shapes = model.shapes.shape[-1]
    expected = {
        "template": (count, 3),
        "shapes": (count, 3, shapes),
        "pose_shapes": (count, 3, 9 * (joints - 1)),
        "regressor": (joints, count),
        "weights": (count, joints),
        "parents": (joints,),
    }
    for name, shape in expected.items():
        x = getattr(model, name)
        if x is not None and x.shape != shape:
            raise ValueError(f"FaceModel.{name}: expected shape {shape}, got {x.shape}")
    _check_parents(model.parents)
    if not 0 <= model.identities <= shapes:
        raise ValueError(f"identities: expected 0 to {shapes}, the shapes, got {model.identities}")
    if model.names and len(model.names) != shapes - model.identities:
        raise ValueError(
            f"names: expected {shapes - model.identities}, one per expression, got "
            f"{len(model.names)}"
        )
    return int(joints)


def _check_parents(parents: Array) -> None:
    """Checks parents that are in NumPy; those on a device would have to be copied at every call."""
    if not isinstance(parents, np.ndarray):
        return
    joints = np.arange(len(parents))
    is_wrong = ~((parents >= 0) & (parents < joints))
    is_wrong[:1] = False
    if is_wrong.any():
        first = int(is_wrong.argmax())
        raise ValueError(
            f"FaceModel.parents: expected a joint before joint {first}, 0 to {first - 1}, got "
            f"{parents[first]}; sort the joints so that parents come first"
        )


def _check_names(expression: Mapping[str, object], names: tuple[str, ...]) -> None:
    for name in expression:
        if name not in names:
            listed = ", ".join(names) or "none, so pass an array"
            raise ValueError(f"expression: the model has no {name!r}; its names are {listed}")


def _check_coefficients(name: str, x: Array, axes: tuple[int, ...]) -> None:
    """Checks an argument (*b, *axes); of coefficients there may be fewer."""
    check_array(name, x, axes if name in ("pose", "translation") else ())
    if not x.ndim or x.shape[-1] > axes[-1]:
        raise ValueError(f"{name}: expected shape (..., n), n at most {axes[-1]}, got {x.shape}")


@jit
def _find_vertices(model: FaceModel, given: dict[str, Any]) -> jax.Array:
    model, given = jax.tree.map(jnp.asarray, (model, given))
    if isinstance(given.get("expression"), dict):
        given["expression"] = _order(given["expression"], model.names, model.template.dtype)
    dtype = result_type(model.template, *given.values())
    model, given = widen(model, given)
    shaped = model.template
    starts = {"shape": 0, "expression": model.identities}
    for name, start in starts.items():
        if name in given:
            used = model.shapes[..., start : start + given[name].shape[-1]]
            shaped = _add(shaped, _multiply("vxs,...s->...vx", used, given[name]))
    posed = _pose(model, shaped, given["pose"]) if "pose" in given else shaped
    if "translation" in given:
        posed = _add(posed, given["translation"][..., None, :])
    return posed.astype(dtype)


def _order(expression: dict[str, jax.Array], names: tuple[str, ...], dtype: Any) -> jax.Array:
    """Coefficients (*b, n) in the order of the names; 0 for those that are not given."""
    if not names:
        return jnp.zeros(0, dtype)
    zero = jnp.zeros((), dtype)
    cast = [expression[name].astype(dtype) if name in expression else zero for name in names]
    return jnp.stack(jnp.broadcast_arrays(*cast), -1)


def _pose(model: FaceModel, shaped: jax.Array, pose: jax.Array) -> jax.Array:
    """Applies pose correctives and linear blend skinning."""
    turns = _find_turns(pose)
    rotations = _add(jnp.eye(3, dtype=turns.dtype), turns)
    joints = _multiply("jv,...vx->...jx", model.regressor, shaped)
    if model.pose_shapes is not None:
        changes = turns[..., 1:, :, :].reshape(*turns.shape[:-3], -1)
        shaped = _add(shaped, _multiply("vxs,...s->...vx", model.pose_shapes, changes))
    placed, places = _place_joints(model.parents, rotations, joints)
    # sum_j w_vj (G_j (x - joint_j) + p_j) = (sum_j w_vj G_j) x + sum_j w_vj (p_j - G_j joint_j)
    offsets = _add(places, -_multiply("...jxy,...jy->...jx", placed, joints))
    turned = _multiply("vj,...jxy->...vxy", model.weights, placed)
    moved = _multiply("...vxy,...vy->...vx", turned, shaped)
    return moved + _multiply("vj,...jx->...vx", model.weights, offsets)


def _place_joints(
    parents: jax.Array, rotations: jax.Array, joints: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """Rotations G_j (*b, J, 3, 3) and places p_j (*b, J, 3) of the joints in the world."""
    batch = jnp.broadcast_shapes(rotations.shape[:-3], joints.shape[:-2])
    rotations = jnp.broadcast_to(rotations, (*batch, *rotations.shape[-3:]))
    joints = jnp.broadcast_to(joints, (*batch, *joints.shape[-2:]))

    def place(index: int, state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        placed, places = state
        parent = parents[index]
        above = placed[..., parent, :, :]
        step = joints[..., index, :] - joints[..., parent, :]
        own = _multiply("...xy,...yz->...xz", above, rotations[..., index, :, :])
        there = places[..., parent, :] + _multiply("...xy,...y->...x", above, step)
        return placed.at[..., index, :, :].set(own), places.at[..., index, :].set(there)

    # The first joint has no parent: its rotation and its place at rest are those in the world.
    return lax.fori_loop(1, rotations.shape[-3], place, (rotations, joints))


def _find_turns(pose: jax.Array) -> jax.Array:
    """R - I, (*b, 3, 3), of rotations given as axis times angle, (*b, 3), by Rodrigues' formula.

    R - I = (sin a / a) K + (1 - cos a) / a^2 K^2, where K v = pose x v and a = |pose|.
    """
    x, y, z = channels(pose)
    angle = root(x * x + y * y + z * z)
    once = jnp.sinc(angle / jnp.pi)
    twice = jnp.sinc(angle / (2 * jnp.pi)) ** 2 / 2
    nil = jnp.zeros_like(x)
    rows = (nil, -z, y), (z, nil, -x), (-y, x, nil)
    cross = jnp.stack([jnp.stack(row, -1) for row in rows], -2)
    square = _multiply("...xy,...yz->...xz", cross, cross)
    return once[..., None, None] * cross + twice[..., None, None] * square


def _add(x: jax.Array, y: jax.Array) -> jax.Array:
    """x + y, of which one may have more batch axes."""
    x, y = align_ranks(x, y)
    return x + y


def _multiply(sums: str, *arrays: jax.Array) -> jax.Array:
    """jnp.einsum in the digits of the type; a GPU would round float32 to fewer."""
    return jnp.einsum(sums, *arrays, precision=lax.Precision.HIGHEST)
