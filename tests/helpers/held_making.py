"""Which tests hold what of the functions that run `sf3d make`: see `held`."""

_JOB = "making/running/test_job.py"
_SHARES = "making/running/test_shares.py"
_INSTRUCTIONS = "making/running/test_instructions.py"

# Functions: the tests of value and of wrong arguments.
RUNNING = {
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
