"""Which tests hold what of the functions of files, by the file below tests/data: see `held`."""

# Functions and methods: the tests of value, wrong content or arguments and, if any, bad values.
FILES = {
    "maps/test_flo.py": {
        "read_flow": (
            "test_the_bytes_are_read_row_by_row_as_u_and_v",
            "test_a_broken_file_is_named",
        ),
        "write_flow": (
            "test_the_bytes_are_written_with_1e10_for_unknown",
            "maps/test_maps.py::test_a_wrong_argument_is_named",
        ),
    },
    "maps/test_pfm.py": {
        "read_disparity": (
            "test_disparity_drops_its_sign_and_zero_is_no_surface",
            "test_a_broken_file_is_named",
        ),
        "write_disparity": (
            "test_written_disparity_has_zero_where_invalid",
            "maps/test_maps.py::test_a_wrong_scalar_map_is_named",
        ),
        "write_map": (
            "test_written_bytes_are_little_endian_from_the_bottom",
            "maps/test_maps.py::test_a_wrong_scalar_map_is_named",
        ),
    },
    "maps/test_npy.py": {
        "read_map": ("test_only_what_is_not_finite_is_invalid", "test_a_broken_file_is_named"),
    },
    "maps/test_images.py": {
        "read_image": ("test_a_ppm_written_by_hand_is_read", "test_a_broken_file_is_named"),
        "read_unit_image": ("test_brightness_is_the_share_of_the_largest_code",) * 2,
        "write_image": (
            "test_what_we_write_is_what_opencv_reads",
            "test_a_wrong_argument_is_named",
        ),
        "read_mask": (
            "test_a_png_of_zeros_and_ones_is_a_mask",
            "test_a_deep_or_broken_mask_is_named",
        ),
        "write_mask": ("test_a_mask_there_and_back_is_the_same", "test_a_wrong_mask_is_named"),
    },
    "cameras/test_colmap.py": {
        "read_colmap": (
            "test_a_model_gives_cameras_by_the_names_of_images",
            "test_a_missing_model_is_named",
        ),
        "read_colmap_cameras": ("test_models_become_ours", "test_a_bad_line_of_cameras_is_named"),
        "read_colmap_images": (
            "test_images_are_read_without_their_points",
            "test_a_bad_line_of_images_is_named",
        ),
        "write_colmap_cameras": (
            "test_a_camera_that_was_read_is_written_as_it_was",
            "test_what_would_not_be_read_is_not_written",
        ),
        "write_colmap_images": (
            "test_quaternions_are_as_scipys",
            "test_what_would_not_be_read_is_not_written",
        ),
    },
    "cameras/test_by_content.py": {
        "read_json_cameras": (
            "test_the_same_cameras_are_read_from_every_form",
            "test_what_makes_no_camera_is_refused_by_name",
        ),
        "write_json_cameras": (
            "test_what_was_written_is_read_to_the_last_bit",
            "test_what_would_not_be_read_is_not_written",
        ),
    },
    "cameras/test_nersemble.py": {
        "read_nersemble_cameras": (
            "test_the_full_size_has_the_numbers_of_the_file",
            "test_a_bad_file_is_refused_by_name",
        ),
        "write_nersemble_cameras": (
            "test_what_was_written_is_read_to_the_last_bit",
            "test_what_would_not_be_read_is_not_written",
        ),
    },
    "cameras/test_transforms.py": {
        "read_transforms": (
            "test_axes_are_turned_and_the_principal_point_counts_from_pixel_centres",
            "test_a_bad_file_is_refused_by_name",
        ),
        "write_transforms": (
            "test_what_was_written_is_read",
            "test_what_would_not_be_read_is_not_written",
        ),
    },
    "sets/kitti/test_calibration.py": {
        "read_kitti_calibration": (
            "test_the_calibration_gives_the_left_camera_and_the_baseline",
            "test_a_broken_calibration_is_named",
        ),
        "write_kitti_calibration": (
            "test_a_written_calibration_has_the_lines_of_the_devkit",
            "test_a_calibration_that_the_format_cannot_hold_is_refused",
        ),
    },
    "sets/sintel/test_files.py": {
        "read_sintel_camera": (
            "test_a_camera_packed_by_hand_sees_what_m_n_x_says",
            "test_what_is_no_camera_is_refused_by_name",
        ),
        "write_sintel_camera": (
            "test_a_camera_there_and_back_is_the_same_file",
            "test_a_camera_that_the_format_cannot_hold_is_refused",
        ),
        "read_sintel_disparity": (
            "test_disparity_is_read_as_the_benchmark_says",
            "test_another_picture_is_no_disparity",
        ),
        "write_sintel_disparity": (
            "test_what_is_written_the_benchmarks_reader_finds",
            "test_a_disparity_that_does_not_fit_is_refused_with_its_number",
        ),
    },
    "sets/spring/test_cameras.py": {
        "read_spring_extrinsics": (
            "test_a_matrix_stands_in_one_row_or_in_four",
            "test_what_is_no_pose_is_refused_by_name",
        ),
        "read_spring_intrinsics": (
            "test_what_is_written_numpy_reads",
            "test_what_are_no_intrinsics_is_refused_by_name",
        ),
        "write_spring_extrinsics": (
            "test_what_is_written_numpy_reads",
            "test_what_is_no_camera_is_not_written",
        ),
        "write_spring_intrinsics": (
            "test_what_is_written_numpy_reads",
            "test_what_is_no_camera_is_not_written",
        ),
    },
    "sets/tartanair/test_files.py": {
        "read_tartanair_flow": (
            "test_the_mask_takes_away_all_that_it_marks",
            "test_a_mask_of_another_size_is_named",
        ),
        "read_tartanair_poses": (
            "test_a_camera_that_flies_north_looks_along_x",
            "test_what_is_no_pose_is_refused_by_name",
        ),
        "write_tartanair_poses": (
            "test_poses_are_those_of_scipy",
            "test_what_is_no_pose_is_not_written",
        ),
        "tartanair_camera": (
            "test_the_camera_is_ninety_degrees_wide",
            "test_the_camera_is_ninety_degrees_wide",
        ),
    },
    "sets/things/test_cameras.py": {
        "read_things_cameras": (
            "test_the_poses_are_those_of_the_inverse_matrix",
            "test_a_broken_file_is_named",
        ),
        "write_things_cameras": (
            "test_cameras_there_and_back_agree",
            "test_what_is_no_pose_is_not_written",
        ),
        "things_camera": (
            "test_the_camera_has_the_published_numbers",
            "test_a_wrong_size_is_the_fault_of_the_caller",
        ),
    },
    "sets/vkitti2/test_files.py": {
        "read_vkitti2_cameras": (
            "test_the_cameras_stand_under_frame_and_side",
            "test_a_broken_file_of_cameras_is_named",
        ),
        "write_vkitti2_cameras": (
            "test_cameras_there_and_back_are_the_same_numbers",
            "test_no_cameras_are_not_written",
        ),
        "read_vkitti2_depth": (
            "test_depth_is_centimetres_and_the_sky_is_far",
            "test_depth_and_flow_are_not_taken_for_each_other",
        ),
        "write_vkitti2_depth": (
            "test_depth_is_written_rounded_and_clipped",
            "test_depth_of_a_wrong_shape_is_refused",
        ),
        "read_vkitti2_scene_flow": (
            "test_scene_flow_is_metres_up_to_ten",
            "test_depth_and_flow_are_not_taken_for_each_other",
        ),
        "write_vkitti2_scene_flow": (
            "test_scene_flow_there_and_back_is_exact_to_half_a_step",
            "test_scene_flow_that_does_not_fit_is_refused_with_its_number",
        ),
    },
    "sets/srflow3d/test_clips.py": {
        "read_clips": (
            "test_every_form_is_told_by_its_content",
            "test_another_form_is_refused_by_name",
        ),
        "write_clips": (
            "test_what_was_written_is_read",
            "test_what_would_not_be_read_is_not_written",
        ),
        "clip_frames": (
            "test_the_end_is_a_part_of_the_clip",
            "test_a_clip_of_frames_that_are_not_there_is_refused",
        ),
    },
    "meshes/test_mesh.py": {
        "read_mesh": (
            "meshes/obj/test_reading.py::test_vertices_coordinates_and_faces_are_those_of_the_lines",
            "test_another_ending_and_another_argument_are_named",
            "meshes/test_robustness.py::test_a_damaged_file_is_read_or_named[mesh.glb]",
        ),
        "write_mesh": (
            "meshes/glb/test_writing.py::test_another_reader_finds_the_mesh",
            "test_a_wrong_mesh_is_named",
            "test_a_wrong_mesh_is_named",
        ),
    },
    "meshes/test_sequences.py": {
        "read_mesh_sequence": (
            "test_a_folder_is_read_in_the_order_of_its_numbers",
            "test_what_is_no_sequence_is_named",
            "test_what_is_no_sequence_is_named",
        ),
    },
    "meshes/test_face_models.py": {
        "read_face_model": (
            "test_the_names_of_flame_are_read",
            "test_arrays_that_do_not_fit_are_named",
            "test_arrays_that_do_not_fit_are_named",
        ),
    },
    "test_bound_gaussians.py": {
        "read_bound_gaussians": (
            "test_each_number_goes_where_it_belongs",
            "test_what_are_no_bound_gaussians_is_named",
            "test_a_number_that_is_no_triangle_is_named",
        ),
        "write_bound_gaussians": (
            "test_the_bytes_are_those_of_the_scene_with_one_more_number",
            "test_what_the_format_cannot_hold_is_refused",
        ),
    },
    "test_gaussian_ply.py": {
        "read_gaussian_ply": (
            "test_each_number_goes_where_it_belongs",
            "test_a_file_that_is_none_is_refused",
            "test_what_is_not_finite_stays_in_its_gaussian",
        ),
        "write_gaussian_ply": (
            "test_the_bytes_of_a_simple_scene",
            "test_what_the_format_cannot_hold_is_refused",
            "test_a_factor_that_is_not_finite_is_nan_alone",
        ),
    },
    "sets/test_recognise.py": {
        "recognise": (
            "test_every_data_set_is_recognised",
            "test_an_unknown_folder_says_what_was_looked_for",
        ),
        "Dataset.read": ("test_a_data_set_is_a_source_of_samples", "test_a_missing_file_is_named"),
    },
    "loading/test_loading.py": {
        "loader": ("test_a_batch_is_its_samples_stacked", "test_arguments_out_of_range_are_named"),
        "stack": (
            "test_a_batch_is_its_samples_stacked",
            "test_lenses_of_a_batch_must_be_of_one_kind",
        ),
    },
    "checking/test_sample.py": {
        "check": (
            "test_a_fault_is_named_first",
            "test_arguments_that_are_none_are_refused",
            "test_a_sample_of_which_nothing_is_known_says_so",
        ),
        "Finding.to_json": (
            "test_findings_say_what_was_measured_and_how_sure_that_is",
            "takes no argument",
        ),
        "Report.to_json": (
            "test_findings_say_what_was_measured_and_how_sure_that_is",
            "takes no argument",
        ),
    },
    "checking/test_dataset.py": {
        "check_dataset": (
            "test_a_scale_of_its_own_in_a_frame_is_named",
            "test_wrong_options_are_named",
            "test_values_that_are_none_in_the_mask_are_named",
        ),
        "list_directions": (
            "test_a_map_that_is_cut_off_is_named_and_nothing_else",
            "takes a data set alone",
        ),
        "SRFlow3D.scale_evidence": ("test_a_scale_is_one_number_by_itself", "takes no argument"),
    },
    "sets/chairs/test_dataset.py": {
        "FlyingChairs.read": (
            "test_a_sample_is_the_truth",
            "test_what_is_missing_or_of_another_size_is_named",
            "test_a_sample_is_the_truth",
        ),
    },
    "sets/folders/test_pairing.py": {
        "pair_frames": (
            "test_a_flow_leads_to_the_next_frame_of_its_camera",
            "test_a_number_that_may_be_that_of_a_camera_or_of_a_frame_is_asked_for",
        ),
        "pair_files": (
            "test_names_say_which_files_belong_together",
            "test_what_names_do_not_say_is_refused",
        ),
    },
    "sets/folders/test_dataset.py": {
        "FolderPairs.read": (
            "test_depth_and_disparity_become_inverse_depth",
            "test_sizes_must_agree",
            "test_masks_say_what_is_valid_and_what_is_hidden",
        ),
    },
    "sets/hd1k/test_dataset.py": {
        "HD1K.read": (
            "test_pairs_are_neighbours_of_one_sequence",
            "test_what_is_not_there_is_named",
        ),
    },
    "sets/srflow3d/test_dataset.py": {
        "SRFlow3D.read": (
            "test_a_sample_has_all_that_the_tree_has_per_metre",
            "test_maps_of_another_size_or_of_integers_are_named",
            "test_unknown_values_in_the_mask_stay_for_the_check_and_are_invalid_for_training",
        ),
        "SRFlow3D.camera_form": (
            "test_what_the_cameras_were_made_of_is_said",
            "test_what_the_cameras_were_made_of_is_said",
        ),
        "SRFlow3D.with_scale": (
            "test_another_scale_gives_the_same_samples_with_it",
            "test_wrong_options_are_named",
        ),
    },
    "sets/sintel/test_dataset.py": {
        "Sintel.read": (
            "test_a_sample_is_the_truth",
            "test_a_missing_file_is_missed_when_it_is_read",
        ),
    },
    "sets/spring/test_dataset.py": {
        "Spring.read": (
            "test_a_sample_forward_and_one_backward_are_the_truth",
            "test_a_file_of_another_size_is_named",
            "test_nan_has_no_truth_and_the_sky_is_infinitely_far",
        ),
        "Dataset.other_direction": ("test_the_directions_lead_to_each_other", "takes no argument"),
    },
    "sets/tartanair/test_dataset.py": {
        "TartanAir.read": ("test_a_sample_is_the_truth", "test_a_frame_without_a_pose_is_named"),
    },
    "sets/things/test_subset.py": {
        "FlyingThings3DSubset.read": (
            "test_a_sample_forward_and_one_backward_are_the_truth",
            "test_a_map_of_another_size_is_named",
            "test_a_flow_that_is_no_number_is_not_valid",
        ),
    },
    "sets/tartanair/test_dataset_v2.py": {
        "TartanAirV2.read": (
            "test_a_sample_is_the_truth",
            "test_what_is_missing_or_of_another_size_is_named",
        ),
    },
    "sets/vkitti2/test_dataset.py": {
        "VirtualKitti2.read": (
            "test_a_sample_is_the_truth",
            "test_a_frame_without_a_camera_is_named",
            "test_the_sky_has_no_surface_but_a_flow",
        ),
    },
    "sets/srflow3d/test_writer.py": {
        "SRFlow3DWriter.has": (
            "test_a_second_writer_goes_on_where_the_first_stopped",
            "takes names alone",
        ),
        "SRFlow3DWriter.write": (
            "test_what_is_written_is_read",
            "test_what_cannot_be_written_is_named_and_leaves_nothing",
            "test_an_inverse_depth_of_nearly_nothing_is_no_surface",
        ),
    },
    "evaluation/test_evaluate.py": {
        "evaluate": (
            "test_the_scores_of_a_folder_are_those_of_its_pixels",
            "test_wrong_arguments_are_refused_by_name",
            "test_estimates_that_are_not_finite_are_missing_and_in_no_mean",
        ),
    },
    "evaluation/test_problems.py": {
        "Problem.of": (
            "test_an_error_of_the_system_is_its_file_and_reason",
            "test_another_error_is_what_it_says",
        ),
    },
    "evaluation/test_submit.py": {
        "submit": (
            "test_a_whole_submission_to_kitti",
            "test_wrong_arguments_are_refused_by_name",
            "test_an_estimate_for_spring_is_finite_everywhere",
        ),
    },
    "cameras/test_of_images.py": {
        "read_image_cameras": (
            "test_images_of_a_transforms_file_keep_its_order",
            "test_the_error_is_that_of_the_form_that_the_file_has",
        ),
        "FormatError.ask_for": (
            "test_a_missing_size_is_an_argument_that_a_command_may_call_a_flag",
            "test_what_no_argument_can_mend_asks_for_none",
        ),
    },
    "test_pose_files.py": {
        "read_poses": (
            "test_arrays_and_every_form_of_text_are_read",
            "test_what_are_no_poses_is_named",
        ),
    },
    "test_lifting.py": {
        "lift_maps": (
            "test_every_pair_of_maps_gives_the_motion_and_comes_back",
            "test_wrong_arguments_are_named",
            "test_bad_pixels_are_zero_and_touch_no_other",
        ),
        "project_maps": (
            "test_every_pair_of_maps_gives_the_motion_and_comes_back",
            "test_wrong_arguments_are_named",
            "test_bad_pixels_are_zero_and_touch_no_other",
        ),
    },
    "test_scene_flow_npz.py": {
        "read_scene_flow_npz": (
            "test_maps_and_their_camera_come_back",
            "test_a_file_that_is_another_one_is_named",
        ),
        "write_scene_flow_npz": (
            "test_maps_and_their_camera_come_back",
            "test_a_camera_with_a_lens_is_refused",
        ),
    },
    "_files/test_files.py": {
        "write_bytes": (
            "test_a_link_stays_and_what_it_points_to_is_written",
            "test_a_missing_folder_is_named_and_not_the_temporary_file",
        ),
    },
    "test_closed_form.py": {
        "closed_form.deforming_scene": (
            "test_points_and_moved_points_project_to_the_pixels_and_the_flow",
            "takes a size, which the camera checks",
        ),
        "closed_form.next_image": (
            "test_the_next_image_shows_each_point_where_the_flow_takes_it",
            "takes a scene",
        ),
    },
}
