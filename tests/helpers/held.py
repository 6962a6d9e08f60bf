"""Which test of the default run holds what of each public function; a new one is a row here.

A cell is a test, its file below tests/, with `[case]` where one case of it matters; or, for what
does not apply, the reason: a text without "::".
"""

from typing import NamedTuple

from helpers.held_data import FILES
from helpers.held_making import RUNNING


class Held(NamedTuple):
    """Tests of a function's value, gradient and treatment of bad pixels and wrong shapes.

    Attributes:
      value: against something independent: NumPy, SciPy, OpenCV, bytes, a closed form, a file.
      gradient: against finite differences or a derivative that is known.
      bad: what a pixel, a point or a value that is not finite or not positive does.
      shape: an argument of a wrong shape or kind, or a file of another content, is refused.
    """

    value: str
    gradient: str
    bad: str
    shape: str


LAWS = "test_poison.py"
LOSSES = "losses/test_laws.py"
RENDERING = "gaussians/test_rendering.py"
CAMERA = "camera/test_camera.py"
POSES = "camera/test_poses.py"
BETWEEN = "test_between_two_cameras_is_the_change_of_their_axes_and_moves_one_to_the_other"
REFUSED_POSE = f"{POSES}::test_a_camera_moved_by_what_is_no_motion_is_refused"
FLOW = "conversion/test_scene_flow.py"
WINDOWS = "rigid/rigid_field/test_windows.py"
EDITED = f"{FLOW}::test_edit_then_convert_is_convert_then_edit"
ORIGIN = "gaussians/test_origin.py"
AUGMENT = "augment/test_augment.py"


def pixels(value, case, *, gradient=None, shape=None):
    """A function that has its place in the laws for functions of pixels."""
    return Held(
        value,
        gradient or f"{LAWS}::test_the_gradient_is_that_of_finite_differences[{case}]",
        f"{LAWS}::test_poison_stays_in_its_pixel[{case}]",
        shape or f"{LAWS}::test_a_map_of_another_size_is_refused[{case}]",
    )


def loss(name, *, case=None, shape=None):
    """A loss that has a reference in float64."""
    case, file = case or name, "losses/test_losses.py"
    value = f"{file}::test_the_values_are_those_of_the_formula[{case}]"
    gradient = f"{file}::test_the_gradient_is_that_of_finite_differences[{case}]"
    return pixels(value, name, gradient=gradient, shape=shape)


def host(value, shape, bad="reads or writes numbers as they are"):
    """A function of files or of samples on the host, which has no gradient."""
    return Held(value, "runs on the host, in NumPy", bad, shape)


def edit(value, shape=f"{CAMERA}::test_wrong_arguments_are_named"):
    """An edit of a camera."""
    return Held(
        value,
        "a few sums of the camera's numbers, whose gradient that of `scene_flow` contains",
        "has no pixels",
        shape,
    )


def metric(name, value):
    """A metric: counts and sums of errors."""
    file = "metrics/test_accumulation.py"
    return Held(
        f"metrics/{value}",
        "is reported and not minimised",
        f"{file}::test_an_estimate_that_is_no_number_leaves_the_others_alone[{name}-nan]",
        f"{file}::test_a_map_of_another_size_or_kind_is_refused[{name}]",
    )


REFUSED = f"{LOSSES}::test_what_does_not_fit_is_named"
ANY_SHAPE = "takes an array of any shape"
PENALTIES = ["l1", "l2", "charbonnier", "generalized_charbonnier", "huber"]
MAPS = """mixture_of_laplace brightness ssim ncc photometric first_order_smoothness
    second_order_smoothness total_variation end_point_error inverse_depth_change_error
    log_motion_in_depth_error depth_consistency point_reconstruction forward_backward_error rigidity
    raft raft3d self_supervision consistency_weight""".split()

SE3 = "se3/test_se3.py"


def transforms(name, value=None, reason=None):
    """A function of rigid transforms."""
    return Held(
        value or f"{SE3}::test_matches_jaxlie[{name}]",
        reason or f"{SE3}::test_the_gradient_is_that_of_finite_differences[{name}]",
        reason or f"{SE3}::test_a_bad_element_is_zero_and_touches_no_other[{name}]",
        f"{SE3}::test_wrong_arguments_are_named",
    )


TRANSFORMS = {
    **{
        f"se3.{name}": transforms(name)
        for name in """exp log compose inverse apply displacement between adjoint from_quaternion
            to_quaternion from_rotation_vector to_rotation_vector""".split()
    },
    "se3.interpolate": transforms(
        "interpolate", reason="is made of `exp`, `log`, `between` and `compose`, which have tests"
    ),
    "se3.look_at": transforms(
        "look_at", f"{SE3}::test_a_camera_looks_at_its_target_with_up_upwards"
    ),
}

EGO = "rigid/test_camera_motion.py"


def global_estimate(value):
    """A robust estimate from all pixels of an image."""
    return Held(
        f"{EGO}::{value}",
        "is that of `rigid._implicit`; in the thorough run, because it takes long to compile",
        f"{EGO}::test_a_bad_pixel_is_as_if_absent",
        f"{EGO}::test_wrong_arguments_are_named",
    )


EGO_MOTION = {
    "ego_motion": global_estimate("test_a_scene_with_moving_bodies_is_solved"),
    "rigid_change": global_estimate("test_the_change_of_a_body_is_that_of_its_motion"),
}

CORE = {
    "Camera.pinhole": edit(f"{CAMERA}::test_a_camera_takes_a_four_by_four_pose_and_integers"),
    "Camera.from_matrix": edit(f"{CAMERA}::test_projects_like_opencv[opencv]"),
    **{f"Camera.{name}": edit(f"{EDITED}[{name}-pinhole]") for name in ("crop", "pad", "stride")},
    "Camera.flip": edit(f"{EDITED}[flip-pinhole]", "takes no argument"),
    "Camera.resize": edit(f"{FLOW}::test_resizing_keeps_the_rays_of_areas"),
    "pixel_grid": Held(
        f"{CAMERA}::test_the_pixel_grid_counts_columns_then_rows",
        "is a constant",
        "is a constant",
        f"{CAMERA}::test_wrong_arguments_are_named",
    ),
    "Camera.moved": edit(f"{POSES}::{BETWEEN}", REFUSED_POSE),
    "Camera.between": edit(f"{POSES}::{BETWEEN}", REFUSED_POSE),
    "point_map": pixels(
        f"{POSES}::test_a_point_map_is_what_all_pixels_see_in_the_world", "point_map"
    ),
    "normals": pixels(
        "warping/test_surfaces.py::test_normals_of_planes_are_exact[opencv]", "normals"
    ),
    "project": pixels(
        f"{CAMERA}::test_projects_like_opencv[opencv]",
        "project opencv",
        shape=f"{CAMERA}::test_wrong_arguments_are_named",
    ),
    "unproject": pixels(
        f"{CAMERA}::test_unproject_inverts_project[opencv]",
        "unproject opencv",
        gradient=f"{CAMERA}::test_derivatives_of_undistortion_match_finite_differences[opencv]",
    ),
    **{
        name: pixels(
            f"{FLOW}::{test}",
            f"{name} pinhole",
            gradient="test_jax_transformations.py::test_derivatives_of_all_inputs_match_finite_"
            f"differences[{name}-pinhole-reverse]",
        )
        for name, test in {
            "scene_flow": "test_matches_the_definition[one camera-opencv]",
            "image_motion": "test_there_and_back_in_float64[one camera-opencv]",
            "rigid_motion": "test_rigid_motion_is_the_motion_of_zero_scene_flow",
        }.items()
    },
    "scene_flow_covariance": pixels(
        f"{FLOW}::test_covariance_is_that_of_samples", "scene_flow_covariance"
    ),
    "rigid_field.local": Held(
        f"{WINDOWS}::test_a_window_has_its_least_squares_fit[None-cpu]",
        f"{WINDOWS}::test_the_gradient_is_that_of_finite_differences[cpu]",
        f"{WINDOWS}::test_a_window_has_its_least_squares_fit[nan-cpu]",
        f"{WINDOWS}::test_wrong_arguments_are_named",
    ),
    "rigid_field.motion": pixels(
        "rigid/rigid_field/test_projecting.py::test_a_field_shows_the_motion_of_its_points"
        "[shape0-0.3-0.05]",
        "rigid_field.motion",
    ),
    "rigid_field.refine": pixels(
        "rigid/rigid_field/test_refining.py::test_the_step_is_raft3ds[exact]", "rigid_field.refine"
    ),
    "depth_change.optical_expansion": pixels(
        "conversion/test_depth_change.py::test_expansion_is_the_least_squares_fit",
        "optical_expansion",
    ),
    **{
        f"depth_change.{way}_{name}": pixels(
            "conversion/test_depth_change.py::"
            f"test_matches_the_definition_in_float64_and_inverts[{name.replace('_', ' ')}]",
            f"{way}_{name}",
        )
        for way in ("from", "to")
        for name in """depths disparities scaled motion_in_depth log_motion_in_depth
            time_to_contact""".split()
    },
}

SAMPLING = "warping/test_sampling.py"
SPLATTING = "warping/test_splatting.py"
RESIZING = "warping/test_resizing.py"
VISIBILITY = "warping/test_visibility.py"
WARPING = {
    **{
        name: pixels(
            f"{SAMPLING}::{value}",
            f"{name} bilinear",
            gradient=f"{SAMPLING}::{gradient}",
            shape=f"{SAMPLING}::test_wrong_arguments_are_named",
        )
        for name, value, gradient in [
            (
                "sample",
                "test_bilinear_is_that_of_scipy",
                "test_gradients_are_those_of_finite_differences[cpu-bilinear-zeros]",
            ),
            (
                "backward_warp",
                "test_a_shift_by_whole_pixels_is_a_shift[bilinear]",
                "test_on_a_centre_the_derivative_is_the_slope_to_the_next_pixel",
            ),
        ]
    },
    "forward_splat": pixels(
        f"{SPLATTING}::test_matches_the_loop",
        "forward_splat softmax",
        gradient=f"{SPLATTING}::test_gradients_are_those_of_finite_differences[cpu-softmax]",
    ),
    "warp_inverse_depth": pixels(
        f"{SPLATTING}::test_the_nearer_surface_wins_and_holes_are_not_valid",
        "warp_inverse_depth",
        gradient=f"{SPLATTING}::test_the_gradient_goes_to_the_winners",
    ),
    **{
        f"occlusion_from_{name}": pixels(
            f"{VISIBILITY}::test_what_a_square_comes_to_cover_is_hidden[{case}]",
            f"occlusion_from_{name}",
            gradient=f"{VISIBILITY}::test_soft_answers_have_the_gradient_of_finite_differences",
        )
        for name, case in {
            "consistency": "consistency",
            "range_map": "range map",
            "depth": "depth",
        }.items()
    },
    **{
        name: pixels(f"{RESIZING}::{test}", name)
        for name, test in {
            "resize_image": "test_planes_stay_planes",
            "resize_flow": "test_planes_stay_planes",
            "resize_inv_depth": "test_planes_stay_planes",
            "resize_sparse_flow": "test_sparse_vectors_go_to_the_pixel_they_fall_in",
            "pyramid": "test_a_level_weighs_four_pixels_of_the_one_below_along_each_axis",
        }.items()
    },
    "resize_mask": Held(
        f"{RESIZING}::test_what_touches_an_invalid_pixel_is_invalid",
        "a mask has none",
        "a mask has none",
        f"{RESIZING}::test_wrong_arguments_are_named",
    ),
}

SAMPLES = "test_samples.py"
TRACKS = "rigid/tracks/test_tracks.py"
MOTIONS = {
    "tracks.chain": pixels(
        f"{TRACKS}::test_a_chain_of_planes_is_exact",
        "chain",
    ),
    "tracks.track": Held(
        f"{TRACKS}::test_points_are_followed_through_a_clip",
        "hands that of `tracks.chain` from frame to frame; in full among the thorough tests",
        f"{TRACKS}::test_a_bad_query_or_pixel_touches_no_other_track",
        f"{TRACKS}::test_wrong_arguments_are_named",
    ),
}

SEQUENCES = {
    "Sequence.pair": host(
        f"{SAMPLES}::test_a_pair_has_the_numbers_of_its_frames",
        f"{SAMPLES}::test_a_sequence_of_other_counts_or_kinds_is_refused",
        "takes numbers as they are",
    ),
    "Sequence.pairs": host(
        f"{SAMPLES}::test_a_pair_has_the_numbers_of_its_frames",
        f"{SAMPLES}::test_a_sequence_of_other_counts_or_kinds_is_refused",
        "takes numbers as they are",
    ),
}

MOVED = f"{AUGMENT}::test_what_is_moved_or_erased_takes_its_gradient_along"
MOVES = "moves numbers or writes over them, whatever they are"
NAMED = f"{AUGMENT}::test_wrong_samples_are_named"
AUGMENTATIONS = {
    "augment.random_scale": pixels(
        f"{AUGMENT}::test_a_moving_plane_is_what_the_new_cameras_see[random_scale]",
        "random_scale",
        shape=NAMED,
    ),
    "augment.random_color": pixels(
        f"{AUGMENT}::test_colours_follow_the_formulas", "random_color", shape=NAMED
    ),
    "augment.random_crop": Held(
        f"{AUGMENT}::test_a_crop_is_a_slice_and_reaches_every_place", MOVED, MOVES, NAMED
    ),
    "augment.random_flip": Held(
        f"{AUGMENT}::test_a_moving_plane_is_what_the_new_cameras_see[random_flip]",
        MOVED,
        MOVES,
        NAMED,
    ),
    "augment.random_eraser": Held(
        f"{AUGMENT}::test_the_eraser_hides_rectangles_and_what_moves_there", MOVED, MOVES, NAMED
    ),
}

MEAN = f"{LOSSES}::test_the_mean_counts_what_the_mask_marks"
COMPOSED = f"{LOSSES}::test_composed_terms_are_weighted_and_kept"
BALANCED = f"{LOSSES}::test_balanced_terms_are_alike_and_their_weights_constant"
LOSS = {
    **{name: loss(name, shape=ANY_SHAPE) for name in PENALTIES},
    "general_robust": loss("general_robust", case="general_robust 0.5", shape=REFUSED),
    **{name: loss(name) for name in MAPS},
    "census": loss("census", case="census masked"),
    "gaussian_nll": loss("gaussian_nll", shape=REFUSED),
    "gradient_difference": loss("gradient_difference", case="gradient_difference sobel"),
    "temporal_smoothness": loss("temporal_smoothness", case="temporal_smoothness 2"),
    "srflow_terms": pixels(
        f"{LOSSES}::test_the_srflow_terms_divide_the_image_by_the_mask", "srflow_terms"
    ),
    "multi_scale": pixels(f"{LOSSES}::test_levels_have_the_loss_of_their_images", "multi_scale"),
    "multi_scale_flow": pixels(
        f"{LOSSES}::test_levels_have_the_loss_of_their_images", "multi_scale_flow", shape=REFUSED
    ),
    "masked_mean": Held(MEAN, MEAN, MEAN, REFUSED),
    "compose": Held(COMPOSED, COMPOSED, COMPOSED, REFUSED),
    "balance": Held(BALANCED, BALANCED, BALANCED, REFUSED),
}

FITTING, BODIES = "rigid/test_fitting.py", "rigid/test_bodies.py"
RIGID = {
    "fit_rigid": Held(
        f"{FITTING}::test_the_fit_is_that_of_scipy_at_all_angles[8-12]",
        f"{FITTING}::test_derivatives_are_those_of_finite_differences",
        f"{FITTING}::test_bad_points_and_weights_are_as_if_absent",
        f"{FITTING}::test_what_does_not_fit_is_named",
    ),
    "rigid_bodies": Held(
        f"{BODIES}::test_bodies_and_their_motions_are_found",
        "returns labels; passes no gradient",
        f"{BODIES}::test_bad_pixels_have_no_label_and_leave_the_others",
        f"{BODIES}::test_what_does_not_fit_is_named",
    ),
}

SCENE = f"{RENDERING}::test_a_wrong_scene_is_named"
DERIVATIVES = (
    f"{RENDERING}::test_the_derivatives_of_colours_and_factors_are_those_of_finite_differences"
)
COEFFICIENTS = f"{RENDERING}::test_wrong_coefficients_and_rotations_are_named"
ROTATIONS = f"{RENDERING}::test_rotations_may_be_quaternions_of_any_length_or_matrices"
FITS = "fit/test_fit.py"
REFUSES = f"{FITS}::test_wrong_arguments_are_refused"
GAUSSIANS_AND_FITS = {
    "gaussians.render": Held(
        f"{RENDERING}::test_one_gaussian_is_its_formula",
        f"{RENDERING}::test_the_derivative_is_that_of_finite_differences[render]",
        f"{RENDERING}::test_a_bad_gaussian_touches_nothing",
        f"{RENDERING}::test_wrong_arguments_are_named",
    ),
    "gaussians.render_motion": Held(
        "gaussians/test_annotations.py::test_the_annotations_are_those_of_the_surface[rigid-still-mean]",
        f"{RENDERING}::test_the_derivative_is_that_of_the_reference[both]",
        f"{RENDERING}::test_a_bad_gaussian_touches_nothing",
        f"{RENDERING}::test_wrong_arguments_are_named",
    ),
    "gaussians.intersections_needed": Held(
        f"{RENDERING}::test_needed_are_the_tiles_that_have_a_pixel_to_draw",
        "is a number of intersections",
        f"{RENDERING}::test_more_intersections_than_integers_are_counted_as_the_largest",
        SCENE,
    ),
    "gaussians.spherical_harmonics": Held(
        f"{RENDERING}::test_spherical_harmonics_are_orthonormal_and_those_of_scipy",
        DERIVATIVES,
        f"{RENDERING}::test_harmonics_without_a_direction_are_the_mean_colour",
        COEFFICIENTS,
    ),
    "gaussians.Gaussians.from_scales_rotations": Held(
        ROTATIONS, DERIVATIVES, ROTATIONS, COEFFICIENTS
    ),
    "gaussians.recenter": host(
        f"{ORIGIN}::test_cameras_see_every_mean_at_its_place_in_float32",
        f"{ORIGIN}::test_what_cannot_be_recentered_is_named",
        f"{ORIGIN}::test_a_mean_beyond_float32_is_infinite_and_the_others_stay",
    ),
    "gaussians.room_for": host(
        f"{ORIGIN}::test_room_is_above_what_was_counted_and_has_few_sizes",
        f"{ORIGIN}::test_room_for_what_is_no_integer_is_refused",
        f"{ORIGIN}::test_room_for_less_than_nothing_is_refused",
    ),
    "fit.flow": Held(
        f"{FITS}::test_a_translation_is_found_to_a_fiftieth_of_a_pixel",
        f"{FITS}::test_it_passes_no_gradient",
        f"{FITS}::test_unknown_pixels_stay_where_they_are",
        REFUSES,
    ),
    "fit.scene_flow": Held(
        f"{FITS}::test_the_scene_flow_of_a_rigid_motion_is_found",
        f"{FITS}::test_it_passes_no_gradient",
        f"{FITS}::test_holes_of_depth_are_no_surface_and_touch_nothing",
        f"{FITS}::test_scene_flow_checks_its_arguments",
    ),
    "fit.refine": Held(
        f"{FITS}::test_refinement_lowers_the_loss_that_it_is_given",
        f"{FITS}::test_a_refined_motion_passes_no_gradient_either",
        "fit/test_refine.py::test_the_values_are_those_of_the_least_loss_that_is_finite",
        REFUSES,
    ),
}

HEAD = {
    "cover": host(
        "head/test_covering.py::test_the_longest_piece_is_cut_each_time",
        "head/test_covering.py::test_what_is_wrong_is_named",
        "head/test_covering.py::test_what_is_wrong_is_named[nan]",
    ),
    **{
        name: Held(
            "head/test_carrying.py::test_the_gaussians_are_those_of_the_formula",
            gradient,
            "head/test_carrying.py::test_a_vertex_that_is_not_finite_takes_its_own_pieces_away",
            "head/test_carrying.py::test_wrong_arguments_are_named",
        )
        for name, gradient in {
            "carry": "head/test_carrying.py::test_the_gradient_is_that_of_finite_differences",
            "pieces": "is linear in the vertices, with the numbers of the cover",
        }.items()
    },
    "is_facing": Held(
        "head/test_culling.py::test_the_outside_is_counterclockwise",
        "a mask has none",
        "head/test_culling.py::test_pieces_without_a_side_do_not_face_the_camera",
        "head/test_culling.py::test_wrong_arguments_are_named",
    ),
    "select": Held(
        "head/test_culling.py::test_the_selected_come_first_in_their_order_and_zeros_after",
        "moves numbers",
        "moves numbers, whatever they are",
        "head/test_culling.py::test_wrong_arguments_are_named",
    ),
    "surface_features": host(
        "head/test_surfaces.py::test_the_features_are_bits_places_and_squares",
        "head/test_surfaces.py::test_wrong_arguments_are_named",
        "head/test_surfaces.py::test_a_vertex_that_is_not_finite_has_no_place",
    ),
    "sure_pixels": Held(
        "head/test_surfaces.py::test_pieces_far_apart_are_two_places",
        "a mask has none",
        "head/test_surfaces.py::test_a_pixel_that_is_not_finite_is_not_sure",
        "head/test_surfaces.py::test_wrong_arguments_are_named",
    ),
    "attach": Held(
        "head/test_binding.py::test_the_frame_is_that_of_gaussian_avatars",
        "head/test_binding.py::test_the_gradient_is_that_of_finite_differences",
        "head/test_binding.py::test_bad_triangles_take_their_own_gaussians_away",
        "head/test_binding.py::test_wrong_arguments_are_named",
    ),
    "FaceModel.vertices": Held(
        "head/test_face_model.py::test_the_vertices_are_those_of_the_definition",
        "head/test_face_model.py::test_the_gradient_is_that_of_finite_differences",
        "is a few sums over all vertices and joints",
        "head/test_face_model.py::test_wrong_arguments_are_named",
    ),
    "Person.vertices": host(
        "head/person/test_expressions.py::test_a_head_turns_as_a_whole_and_leaves_the_shoulders",
        "head/person/test_expressions.py::test_an_unknown_name_is_refused_with_the_nearest_one",
        "head/person/test_expressions.py::test_a_weight_outside_of_its_range_is_refused",
    ),
    "Person.albedo": host(
        "head/person/test_person.py::test_reflectance_is_that_of_the_skins_painter_in_centimetres",
        "head/skin/test_painting.py::test_a_wrong_argument_is_named",
    ),
    "blendshapes": Held(
        "head/test_face_model.py::test_blend_shapes_go_by_name",
        "moves numbers",
        "moves numbers, whatever they are",
        "head/test_face_model.py::test_wrong_arguments_are_named[target]",
    ),
}

METRICS = {
    **{
        name: metric(name, value)
        for name, value in {
            "DepthChange": "test_scene.py::test_depth_change_is_relative_to_the_second_depth",
            "FlyingThings3D": "test_scene.py::test_flying_things_by_both_protocols",
            "KittiSceneFlow": "test_kitti.py::"
            "test_every_number_is_that_of_the_rules_written_out[pixels]",
            "MotionInDepth": "test_scene.py::"
            "test_motion_in_depth_is_clipped_and_averaged_as_papers_do",
            "SRFlow3D": "test_scene.py::test_the_scene_flow_of_srflow3d_is_lifted_or_given",
            "SintelFlow": "test_scene.py::test_sintel_by_parts",
            "SpringSceneFlow": "test_spring.py::test_every_number_is_that_of_the_rules_written_out",
            "TapVid": "test_tapvid.py::"
            "test_tracks_in_the_image_are_counted_as_the_rules_say[image-first]",
            "TapVid3D": "test_tapvid.py::test_tracks_in_space_are_counted_as_the_rules_say[median]",
        }.items()
    },
    "fill_holes": Held(
        "metrics/test_kitti.py::test_holes_are_filled_as_the_loops_do",
        "prepares what is reported",
        "metrics/test_kitti.py::test_holes_are_filled_as_the_loops_do",
        "metrics/test_kitti.py::test_holes_are_refused_with_a_wrong_mask",
    ),
    "occlusion_boundary_distance": Held(
        "metrics/test_scene.py::test_the_distance_to_the_boundary_is_exact_up_to_140_pixels",
        "is a distance of masks",
        "a mask has none",
        "metrics/test_scene.py::test_the_distance_wants_a_mask",
    ),
}

BLACK = "views/test_colors.py::test_a_bad_pixel_is_black_and_changes_no_other"
VIEWS = {
    **{
        name: host(
            f"views/test_colors.py::{test}",
            "views/test_colors.py::test_a_wrong_argument_is_named",
            bad=BLACK,
        )
        for name, test in {
            "flow_to_color": "test_flow_has_the_published_colors",
            "scalar_to_color": "test_scalars_run_through_viridis",
            "signed_to_color": "test_signed_numbers_run_through_cividis_about_zero",
            "scene_flow_to_color": "test_scene_flow_is_its_axes_about_mid_grey",
        }.items()
    },
    "picture_sheet": host(
        "views/test_sheet.py::test_panels_show_each_map_in_its_colors",
        "views/test_sheet.py::test_a_wrong_argument_is_named",
        bad="views/test_sheet.py::test_what_is_not_finite_is_hatched_and_changes_no_other_pixel",
    ),
    "percent": host(
        "views/test_spread.py::test_a_share_is_whole_only_where_it_is",
        "takes one number",
        bad="takes what the mean of a mask can be",
    ),
}


def in_data(file, cell):
    """A cell of the host's table: a test of its file or of another one below data/, or a reason."""
    if "::" in cell:
        return f"data/{cell}"
    return f"data/{file}::{cell}" if cell.startswith("test_") else cell


DATA = {
    name: host(*(in_data(file, cell) for cell in cells))
    for file, rows in FILES.items()
    for name, cells in rows.items()
}

HELD = {
    **TRANSFORMS,
    **CORE,
    **EGO_MOTION,
    **WARPING,
    **SEQUENCES,
    **MOTIONS,
    **AUGMENTATIONS,
    **RIGID,
    **GAUSSIANS_AND_FITS,
    **{f"head.{name}": row for name, row in HEAD.items()},
    **{f"losses.{name}": row for name, row in LOSS.items()},
    **{f"metrics.{name}": row for name, row in METRICS.items()},
    **{f"views.{name}": row for name, row in VIEWS.items()},
    **{f"data.{name}": row for name, row in DATA.items()},
    **{f"making.{name}": host(*cells) for name, cells in RUNNING.items()},
}
