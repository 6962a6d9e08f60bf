"""The keys beside a camera in a JSON file: which are understood, and which are harmless.

A key that is neither understood nor on the list of harmless ones may change what the camera sees.
It is refused if its value is meaningful: a number, a list with numbers, true, or a word for a lens.
Zero, false, null and any other text are ignored, except that under a key about a lens any text
counts that is not a word for a pinhole. Keys are compared in the form of `names.simplify`.
"""

import functools
import itertools
import math
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.json import Json, outline, shorten
from sf3d_jax.data.cameras.names import FRAME_NAMES, NAMES, OTHER_NAMES, simplify

# Keys that exporters write and that do not affect the camera.
_EXPORTERS = {
    # Blender's script for NeRF writes the angle by which it turned the camera, D-NeRF a time.
    "NeRF": "rotation time near far bounds",
    # `scale`, `offset` and `aabb` place instant-ngp's unit cube; the poses do not depend on them.
    "instant-ngp": "aabb_scale aabb aabb_range render_aabb render_aabb_to_local scale offset up cl "
    "n_frames sharpness sharpness_discard_threshold sharpen integer_depth_scale depth_path "
    "enable_depth_loading enable_ray_loading fix_premult from_na from_mitsuba normal_mts_args "
    "importance_sampling n_extra_learnable_dims white_transparent black_transparent envmap "
    "driver_parameters avglen totp sphere_center sphere_radius",
    # The poses already include the applied transform and scale. Cropping limits the image's valid
    # part (fisheye_crop_radius) or the scene (crop); neither moves a pixel.
    "nerfstudio": "applied_transform applied_scale ply_file_path orientation_override crop "
    "train_filenames val_filenames test_filenames colmap_im_id mask_path depth_file_path "
    "semantic_path normal_file_path fisheye_crop_radius depth_unit_scale_factor timestamp "
    "motion_score blur_score camera_linear_velocity camera_angular_velocity exposure exposure_time "
    "scene_box scene_scale worldtogt collider_type radius has_mono_prior has_foreground_mask "
    "has_sparse_sfm_points pairs mono_depth_path mono_normal_path rgb_path",
    # The viewer renders w x h pixels, whatever `aspect` says.
    "nerfstudio's viewer": "fps seconds is_cycle is_loop smoothness_value default_time "
    "default_transition_sec aspect render_time override_transition_enabled "
    "override_transition_sec override_time_enabled properties tension",
    "GaussianAvatars and VHAP": "timestep_index timestep_index_original timestep_id "
    "timestep_indices camera_index camera_indx camera_indices camera_id camera_ids fg_mask_path "
    "flame_param_path smplx_param_path exp_path mesh_path landmark_path bg_color",
    # Coefficients of a face, and the face's box in the image.
    "NeRFace": "expression bbox",
    "3D Gaussian Splatting": "uid img_name is_test_view near_plane far_plane z_near z_far znear "
    "zfar",
    "COLMAP": "image_id camera_id rig_id num_points2d num_points_2d points2d point3d_ids xys "
    "has_prior_focal_length mean_error reprojection_error num_observations "
    "error tracks",
    "anybody": "file_path n num count total version date year fps frame_rate iso gain gamma "
    "shutter_speed white_balance aperture focus_distance start end step seed sequence scene "
    "split bound background metadata exif depth_scale depth_min depth_max unit num_frames "
    "num_images num_views num_cameras n_images n_views n_cameras frame_count image_count duration",
    # Flags and scores of an image; poses flagged as centred or scaled already are.
    "captures": "is_bad is_valid is_test is_train is_val is_keyframe has_mask has_depth has_normal "
    "has_alpha motion_blur_score quality quality_score score cam_id cam_idx view_id img_id img_idx "
    "split_idx depth_range created_at fstop is_undistorted undistorted centered centred scaled "
    "bounds_min bounds_max",
    # Parameters that generated a camera path; the poses already include them.
    "paths": "azimuth elevation look_at target theta phi radii rads zdelta zrate n_rots n_turns "
    "turns focus_depth",
    # The name of the person in data sets of heads.
    "subjects": "subject subject_id",
}
_IDS = (*FRAME_NAMES, *OTHER_NAMES)
HARMLESS = frozenset(
    simplify(key) for words in (*_EXPORTERS.values(), " ".join(_IDS)) for key in words.split()
)

_LENSES = (
    "fisheye|dualfisheye|equirect(?:angular)?|panorama?|panoramic|latlong|spherical|cubemap|"
    "mercator|orthographic|orthophoto|omnidirectional(?:stereo[lr]?)?|catadioptric|equidistant|"
    "equisolid|stereographic|ftheta|cylindrical|radtan|radial|simpleradial|fullopencv|fov|"
    "brown(?:conrady)?|kannalabrandt|kb|mei|eucm|ucm|doublesphere|thinprism|vr180[lr]?|plumbbob|"
    "rationalpolynomial"
)
# The word must be the whole text, since a description may mention a lens.
_LENS_WORD = re.compile(
    rf"(?:opencv|simple|radial|radtan|thinprism)*(?:{_LENSES})\d*(?:camera|lens|model|projection)?"
)
# Keys that can only belong to a camera's lens, even in an object without a camera.
_OF_A_LENS = re.compile(
    r".*(?:lens|distort|fisheye|skew|shear|(?<!re)projection|rollingshutter|anamorph|equirect|panoram|"
    r"latlong|spherical|orthogra|omnidirect|radtan|radial|tangential|ftheta).*|[kps]\d|sk[xy]|xi"
)
# Below a key about a lens, these name its model.
_KINDS = {"type", "model", "kind"}
# Texts under such keys that do not affect a camera.
_PLAIN = set(
    "pinhole simplepinhole perspective opencv linear rectilinear undistorted rectified ideal "
    "identity none null no off false".split()
)
_ROLES = "matrix flx fly fx fy focal cx cy principalpoint fovx fovy distortionparams".split()
# Ratios of a pixel's sides; 1 has no effect.
_RATIOS = {"pixelaspectratio", "pixelaspect"}


class UnknownKey(NamedTuple):
    """A key that is neither understood nor harmless, and has a meaningful value.

    Attributes:
      place: path of keys, ending in this one.
      value: value of the key.
      is_of_a_lens: whether it or a key above it is about a lens, or the value is a word for one;
        such a key counts anywhere in the file.
    """

    place: str
    value: Json
    is_of_a_lens: bool


def is_harmless(key: str) -> bool:
    """Whether a key is on the list of keys that do not affect a camera."""
    return simplify(key) in HARMLESS


def is_meaningful(value: Json, *, of_a_lens: bool = False) -> bool:
    """Whether a value might affect a camera.

    Args:
      value: value from a JSON file; the contents of objects are ignored.
      of_a_lens: whether its key is about a lens, so that any text counts except zeros and words
        for a pinhole.

    Returns:
      True for a nonzero number, true, a word for a lens, and a list with one of them.
    """
    for x in _iterate_leaves(value):
        if isinstance(x, str):
            if _is_lens_word(x) or (of_a_lens and not _is_plain(x)):
                return True
        elif isinstance(x, int | float) and (x != 0 or math.isnan(x)):
            return True
    return False


def find_unknown_keys(node: dict[str, Json], understood: Collection[str]) -> Iterator[UnknownKey]:
    """Finds the keys of an object that are neither understood nor harmless, and are meaningful.

    In nested objects only keys of a lens count (see `find_unknown_below`).

    Args:
      node: the object.
      understood: understood keys, as spelled in the file.

    Yields:
      The keys in the order of the object, each before those below it.
    """
    for key, value in node.items():
        if key not in understood and not is_harmless(key):
            yield from find_unknown_below((key,), value)


def find_unknown_below(keys: Sequence[str], value: Json) -> Iterator[UnknownKey]:
    """Finds the meaningful keys of a value: its own and those of the objects in it.

    In nested objects these count: words for a lens, keys about a lens or naming intrinsics, and
    every number below a key about a lens.

    Args:
      keys: keys leading to the value; the last one is neither understood nor harmless.
      value: value from a JSON file.
    """
    *above, key = keys
    is_below = any(map(_is_about_lens, above))
    rest = [("/".join(map(shorten, above)), is_below, key, value)]
    is_first = True
    while rest:  # not recursive, since objects may be nested as deep as the JSON reader allows
        place, is_below, key, value = rest.pop()
        place = f"{place[-200:]}/{shorten(key)}" if place else shorten(key)
        speaks = _is_about_lens(key)
        # Texts below a lens may be names or remarks; only those that state its model count.
        strict = speaks or _is_intrinsic(key, value) or (is_below and simplify(key) in _KINDS)
        is_below = is_below or speaks
        leaves = [*_iterate_leaves(value)]
        has_word = any(isinstance(x, str) and _is_lens_word(x) for x in leaves)
        if (is_first or is_below or strict or has_word) and not _is_one(key, value):
            if is_meaningful(value, of_a_lens=strict):
                yield UnknownKey(place, value, is_below or has_word)
        inner = [x.items() for x in leaves if isinstance(x, dict)]
        pairs = [(k, x) for k, x in itertools.chain(*inner) if is_below or not is_harmless(k)]
        rest += [(place, is_below, k, x) for k, x in pairs]
        is_first = False


def _iterate_leaves(value: Json) -> Iterator[Json]:
    """Iterates over the items of nested lists, or over the value itself."""
    rest = [value]
    while rest:
        x = rest.pop()
        if isinstance(x, list):
            rest += x
        else:
            yield x


@functools.lru_cache(4096)
def _is_about_lens(key: str) -> bool:
    # `simplify` would drop the s of "lens" as a plural; the x protects it.
    return _OF_A_LENS.fullmatch(simplify(key)) is not None or "lens" in simplify(f"{key}x")


def _is_intrinsic(key: str, value: Json) -> bool:
    """Whether a key names focal lengths or a principal point; a single letter needs a list."""
    name = simplify(key)
    is_name = name in NAMES and NAMES[name].role in _ROLES
    return is_name and (len(name) > 1 or isinstance(value, list))


def _is_lens_word(text: str) -> bool:
    return _LENS_WORD.fullmatch(simplify(text)) is not None


def _is_plain(text: str) -> bool:
    """Whether a text under a lens key states an ideal pinhole: "pinhole", "0 0 0"."""
    if simplify(text) in _PLAIN:
        return True
    try:
        return not any(float(word) != 0 for word in text.replace(",", " ").split())
    except ValueError:
        return False


def _is_one(key: str, value: Json) -> bool:
    """Whether a value is a ratio of 1, which has no effect."""
    return simplify(key) in _RATIOS and not isinstance(value, str | dict | list) and value == 1


def refuse_unknown(path: PathLike, where: str, found: Iterable[UnknownKey]) -> None:
    """Raises for the first unknown key.

    Args:
      path: file named in error messages.
      where: object with the keys, named in error messages.
      found: the unknown keys.

    Raises:
      FormatError: found is not empty.
    """
    for key in found:
        shown = key.value if isinstance(key.value, bool | int | float) else outline(key.value)
        raise FormatError(
            path,
            f"only keys whose meaning for a camera is known in {where}; remove this one if it does "
            "not affect the camera",
            f"{key.place} = {shown}",
        )
