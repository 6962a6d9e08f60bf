"""Nothing asks which back end the process has: a program may be for another one."""

from helpers.house import FILES, PACKAGE

# Says on what a data set was made.
RECORD = PACKAGE / "making" / "running" / "record.py"


def test_no_program_depends_on_the_back_end_of_the_process():
    asking = [path for path in FILES if "default_backend" in path.read_text()]
    assert asking == [RECORD]
