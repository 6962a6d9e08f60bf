"""The keys beside a camera in a JSON file: which are understood, and which are harmless.

A key that is neither understood nor on the list of harmless ones may change what the camera sees.
It is refused where its value says something: a number, a list with numbers, true, or a word for a
lens. Zero, false, null and any other text say nothing. Keys are compared as `names.simple` writes
them.
"""

import math
import re
from collections.abc import Collection, Iterable, Iterator
from typing import NamedTuple

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.json import Json, outline, shorten
from sf3d_jax.data.cameras.names import FRAME_NAMES, OTHER_NAMES, simple

# What exporters write that leaves the camera as it is.
_EXPORTERS = {
    # Blender's script for NeRF writes the angle by which it turned the camera; D-NeRF a time.
    "NeRF": "rotation time near far bounds",
    # `scale`, `offset` and `aabb` place its own unit cube; the poses are those of the file.
    "instant-ngp": "aabb_scale aabb aabb_range render_aabb render_aabb_to_local scale offset up cl "
    "n_frames sharpness sharpness_discard_threshold sharpen integer_depth_scale depth_path "
    "enable_depth_loading enable_ray_loading fix_premult from_na from_mitsuba normal_mts_args "
    "importance_sampling n_extra_learnable_dims white_transparent black_transparent envmap "
    "driver_parameters avglen totp sphere_center sphere_radius",
    # The poses have the applied transform and scale already. What is cropped is the picture's
    # valid part (fisheye_crop_radius) or the scene (crop), neither of which moves a pixel.
    "nerfstudio": "applied_transform applied_scale ply_file_path orientation_override crop "
    "train_filenames val_filenames test_filenames colmap_im_id mask_path depth_file_path "
    "semantic_path normal_file_path fisheye_crop_radius depth_unit_scale_factor timestamp "
    "motion_score blur_score camera_linear_velocity camera_angular_velocity exposure exposure_time "
    "scene_box scene_scale worldtogt collider_type radius has_mono_prior has_foreground_mask "
    "has_sparse_sfm_points pairs mono_depth_path mono_normal_path rgb_path",
    # A picture of w x h pixels is drawn whatever `aspect` says.
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
    # How a path of cameras was made; the poses have it already.
    "paths": "azimuth elevation look_at target",
}
_IDS = (*FRAME_NAMES, *OTHER_NAMES)
HARMLESS = frozenset(
    simple(key) for words in (*_EXPORTERS.values(), " ".join(_IDS)) for key in words.split()
)

_LENSES = (
    "fisheye|equirect(?:angular)?|panorama?|panoramic|latlong|spherical|orthographic|orthophoto|"
    "omnidirectional(?:stereo[lr]?)?|catadioptric|equidistant|equisolid|stereographic|ftheta|"
    "cylindrical|radtan|radial|simpleradial|fullopencv|fov|brown(?:conrady)?|kannalabrandt|mei|"
    "eucm|ucm|doublesphere|thinprism|vr180[lr]?|plumbbob|rationalpolynomial"
)
# A word is all of the text: a description may mention a lens.
_LENS_WORD = re.compile(
    rf"(?:opencv|simple|radial|radtan|thinprism)*(?:{_LENSES})\d*(?:camera|lens|model|projection)?"
)
# What a key speaks of that can only be a camera's, even in an object without one.
_OF_A_LENS = re.compile(
    r".*(?:lens|distort|fisheye|skew|shear|(?<!re)projection|rollingshutter|anamorph|equirect|panoram|"
    r"latlong|spherical|orthogra|omnidirect|radtan|ftheta).*|[kps]\d|sk[xy]|xi"
)


class UnknownKey(NamedTuple):
    """A key that is neither understood nor harmless, and says something.

    Attributes:
      place: the key with those above it.
      value: what stands there.
    """

    place: str
    value: Json

    @property
    def is_of_a_lens(self) -> bool:
        """Whether the key speaks of a lens, so that it counts wherever it stands."""
        return _OF_A_LENS.fullmatch(simple(self.place.rsplit("/", 1)[-1])) is not None


def is_harmless(key: str) -> bool:
    """Whether a key is on the list: no camera changes by it."""
    return simple(key) in HARMLESS


def says_something(value: Json) -> bool:
    """Whether a value might change a camera.

    Args:
      value: of a JSON file; what stands in an object is not looked at.

    Returns:
      True for a number but 0, true, a word for a lens, and a list with one of them.
    """
    rest = [value]
    while rest:
        x = rest.pop()
        if isinstance(x, list):
            rest += x
        elif isinstance(x, str):
            if _LENS_WORD.fullmatch(simple(x)) is not None:
                return True
        elif isinstance(x, (int, float)) and (x != 0 or math.isnan(x)):
            return True
    return False


def unknown_keys(node: dict[str, Json], understood: Collection[str]) -> Iterator[UnknownKey]:
    """The keys of an object that are neither understood nor harmless, and say something.

    In the objects below it only the keys count that speak of a lens.

    Args:
      node: the object.
      understood: keys as they stand in the file.

    Yields:
      The keys, those of the object itself first.
    """
    rest = [(node, "")]
    while rest:  # objects may be as deep as the reader of JSON allows
        inside, place = rest.pop()
        for key, value in inside.items():
            if is_harmless(key) or (inside is node and key in understood):
                continue
            found = UnknownKey(f"{place}{shorten(key)}", value)
            if says_something(value) and (inside is node or found.is_of_a_lens):
                yield found
            below = value if isinstance(value, list) else [value]
            rest += [(x, f"{found.place[-200:]}/") for x in below if isinstance(x, dict)]


def refuse_unknown(path: PathLike, where: str, found: Iterable[UnknownKey]) -> None:
    """Raises for the first unknown key.

    Args:
      path: of the file, for the error.
      where: what the keys stand in, for the error.
      found: the keys.

    Raises:
      FormatError: there is one.
    """
    for key in found:
        shown = key.value if isinstance(key.value, bool | int | float) else outline(key.value)
        raise FormatError(
            path,
            f"only keys whose meaning for a camera is known in {where}; remove this one if the "
            "camera is the same without it",
            f"{key.place} = {shown}",
        )
