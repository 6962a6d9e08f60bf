"""Which subjects a process makes, by flags and by the environments of schedulers."""

import pytest

from sf3d_jax.making import find_share


def slurm(task, first, last, count, step=1):
    names = ("ID", "MIN", "MAX", "COUNT", "STEP")
    values = (task, first, last, count, step)
    return {
        f"SLURM_ARRAY_TASK_{name}": str(value)
        for name, value in zip(names, values, strict=True)
        if value is not None
    }


@pytest.mark.parametrize(
    "environment, processes, share",
    [
        ({}, None, ((0, 1), "")),
        (slurm(3, 0, 9, 10), None, ((3, 10), "SLURM_ARRAY_TASK_ID")),
        (slurm(1, 1, 4, 4), None, ((0, 4), "SLURM_ARRAY_TASK_ID")),  # --array=1-4
        (slurm(15, 3, 15, 5, 3), None, ((4, 5), "SLURM_ARRAY_TASK_ID")),  # --array=3-15:3
        (slurm(12, 3, 12, 4, 3), None, ((3, 4), "SLURM_ARRAY_TASK_ID")),  # --array=3-14:3
        (slurm(7, 7, 7, 1, None), None, ((0, 1), "SLURM_ARRAY_TASK_ID")),
        ({"JOB_COMPLETION_INDEX": "2"}, 5, ((2, 5), "JOB_COMPLETION_INDEX")),
        ({"SLURM_ARRAY_TASK_ID": "", "JOB_COMPLETION_INDEX": ""}, None, ((0, 1), "")),
    ],
)
def test_schedulers_number_their_processes(environment, processes, share):
    assert find_share(None, processes, environment) == share


def test_the_flag_wins():
    for environment in (slurm(3, 0, 9, 10), slurm(4, 0, 9, 2), {"JOB_COMPLETION_INDEX": "2"}):
        assert find_share("1/3", None, environment) == ((1, 3), "--process")


def test_the_tasks_of_an_array_have_all_shares_once():
    for first, step, count in ((0, 1, 4), (1, 1, 3), (5, 4, 6), (10, 7, 1)):
        last = first + step * (count - 1)
        shares = [
            find_share(None, None, slurm(task, first, last, count, step))
            for task in range(first, last + 1, step)
        ]
        assert [share.process for share in shares] == [(i, count) for i in range(count)]


@pytest.mark.parametrize(
    "process, processes, environment, said",
    [
        ("4/4", None, {}, "process: expected I/N with I from 0 to N - 1, got 4/4"),
        ("0/0", None, {}, "process: expected I/N with"),
        ("1", None, {}, "process: expected I/N, such as 0/4, got 1"),
        ("-1/4", None, {}, "process: expected I/N, such as 0/4, got -1/4"),
        ("1/4", 4, {}, "process, processes: give one of them"),
        (None, 4, {}, "processes: expected JOB_COMPLETION_INDEX in the environment"),
        (
            None,
            None,
            {"JOB_COMPLETION_INDEX": "2"},
            "processes: .* is 2, but .* give --processes N",
        ),
        (None, 2, {"JOB_COMPLETION_INDEX": "2"}, "JOB_COMPLETION_INDEX, processes: .* got 2/2"),
        (None, 2, {"JOB_COMPLETION_INDEX": "two"}, "JOB_COMPLETION_INDEX: expected a number"),
        (None, 3, slurm(0, 0, 2, 3), "processes: SLURM_ARRAY_TASK_ID is set"),
        (None, None, slurm(7, 1, 7, 3), "SLURM_ARRAY_TASK_ID: task 7 has no place among 3"),
        (None, None, slurm(4, 0, 9, 4, 3), "SLURM_ARRAY_TASK_ID: task 4 has no place"),
        (None, None, slurm(0, 0, 9, None), "SLURM_ARRAY_TASK_COUNT: expected a number"),
        (None, None, slurm("x", 0, 9, 10), "SLURM_ARRAY_TASK_ID: expected a number .*'x'"),
    ],
)
def test_what_is_not_a_share_is_named(process, processes, environment, said):
    with pytest.raises(ValueError, match=f"^{said}"):
        find_share(process, processes, environment)
