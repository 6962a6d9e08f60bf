"""Which cases of a test the default run asks, and which `pytest -m thorough` alone."""

import pytest


def parametrize(names, cases, *, default):
    """Like pytest's parametrize, with all cases but the default ones marked as thorough."""
    cases, default = list(cases), list(default)
    missing = [case for case in default if case not in cases]
    assert not missing, f"{names}: {missing} are not among the cases"
    several = "," in names
    return pytest.mark.parametrize(
        names,
        [
            pytest.param(*(case if several else [case]), marks=_marks(case not in default))
            for case in cases
        ],
    )


def _marks(is_thorough):
    return [pytest.mark.thorough] if is_thorough else []
