"""Which tests hold what of the functions that plan, draw and run `sf3d make`: see `held`."""

_PLAN = "making/test_planning.py"
_DRAWING = "making/test_drawing.py"
_JOB = "making/running/test_job.py"
_SHARES = "making/running/test_shares.py"
_INSTRUCTIONS = "making/running/test_instructions.py"

# Functions: the tests of value and of wrong arguments.
RUNNING = {
    "plan": (
        f"{_PLAN}::test_more_subjects_keep_the_earlier_ones",
        f"{_PLAN}::test_a_wrong_argument_is_named",
    ),
    "SubjectPlan.draw_from": (
        f"{_PLAN}::test_the_numbers_are_those_of_numpys_seed_sequence",
        f"{_PLAN}::test_a_wrong_argument_is_named",
    ),
    "open_subject": (
        f"{_DRAWING}::test_another_subject_and_another_seed_move_otherwise",
        f"{_DRAWING}::test_arguments_of_another_type_are_named",
    ),
    "Subject.camera": (
        "making/test_cameras.py::test_the_target_stays_in_the_middle_and_the_head_fills_the_image[0]",
        f"{_DRAWING}::test_a_frame_that_does_not_exist_is_refused",
    ),
    "Subject.vertices": (
        "making/heads/test_mesh.py::test_targets_move_by_their_weights_and_the_head_turns",
        f"{_DRAWING}::test_a_frame_that_does_not_exist_is_refused",
    ),
    "Subject.draw": (
        f"{_DRAWING}::test_sure_pixels_have_the_motion_of_the_mesh",
        f"{_DRAWING}::test_a_frame_that_does_not_exist_is_refused",
    ),
    "draw_contact_sheet": (
        "making/test_contact_sheet.py::test_the_people_are_the_first_of_the_data_set",
        "making/test_contact_sheet.py::test_what_makes_no_sheet_is_named",
    ),
    "find_level": (
        f"{_INSTRUCTIONS}::test_the_level_is_the_newest_that_the_processor_has",
        f"{_INSTRUCTIONS}::test_without_flags_the_kind_of_processor_is_the_level",
    ),
    "limit_level": (
        f"{_INSTRUCTIONS}::test_a_process_is_limited_before_numpy_is_imported",
        f"{_INSTRUCTIONS}::test_a_level_that_cannot_be_is_named",
    ),
    "make": (
        f"{_JOB}::test_the_readers_of_srflow3d_read_it",
        f"{_JOB}::test_a_wrong_argument_is_named",
    ),
    "verify": (
        f"{_JOB}::test_verify_names_missing_changed_and_additional_files",
        f"{_JOB}::test_a_folder_that_is_no_data_set_is_not_verified",
    ),
    "measure_needs": (
        f"{_JOB}::test_the_bytes_needed_are_those_that_are_written",
        f"{_JOB}::test_a_wrong_argument_is_named",
    ),
    "format_bytes": (f"{_JOB}::test_bytes_are_formatted_with_three_digits", "takes one number"),
    "find_share": (
        f"{_SHARES}::test_schedulers_number_their_processes",
        f"{_SHARES}::test_what_is_not_a_share_is_named",
    ),
}
