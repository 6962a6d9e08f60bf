"""Which cases of a test the default run asks, and which `pytest -m thorough` alone."""

import pytest


def thorough_except(cases, *default):
    """Cases for parametrize, of which all but the default ones are marked as thorough.

    Args:
      cases: values of one or several arguments, in the order of the test.
      default: cases of the default run; of several arguments, the first one will do.
    """
    return [_mark(case, default) for case in cases]


def _mark(case, default):
    values = case if isinstance(case, tuple) else (case,)
    unknown = case not in default and values[0] not in default
    return pytest.param(*values, marks=pytest.mark.thorough if unknown else ())
