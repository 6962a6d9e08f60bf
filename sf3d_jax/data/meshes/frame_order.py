"""The order of the meshes of a folder, by the numbers in their names."""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from sf3d_jax.data._files import FormatError

_DIGITS = re.compile(r"([0-9]+)")
_NUMBER = re.compile(r"([0-9]+(?:\.[0-9]+)?)")
_DECIMALS = re.compile(r"[0-9]\.([0-9]+)")


def order_frames(folder: Path, paths: list[Path]) -> list[Path]:
    """Sorts the files of a sequence by the one number in their names that varies.

    Digits after a point are decimals, as in the time 12.050, if all names have equally many of
    them, and numbers of their own otherwise, as in head.9 and head.10.

    Args:
      folder: folder of the files, used in error messages.
      paths: the files.

    Returns:
      The files in the order of their frames; in that of their names if no name has digits.

    Raises:
      FormatError: names differ in more than one number, two have the same number, or a frame is
        missing between others, which is not known of times.
    """
    if not any(_DIGITS.search(path.stem) for path in paths):
        return sorted(paths)
    decimals = {len(x) for path in paths for x in _DECIMALS.findall(path.stem)}
    numbers = _find_numbers(sorted(paths), _NUMBER if len(decimals) == 1 else _DIGITS)
    _check_frames(folder, sorted(numbers.values()))
    return sorted(paths, key=numbers.__getitem__)


def _find_numbers(paths: list[Path], pattern: re.Pattern[str]) -> dict[Path, float]:
    """Finds the number of each file, and refuses names that differ elsewhere."""
    parts = [pattern.split(path.stem) for path in paths]
    texts = [tuple(split[::2]) for split in parts]
    [(most, _)] = Counter(texts).most_common(1)
    usual = paths[texts.index(most)]
    expected = f"a name that differs from {usual.name} in one number alone, as frames do"
    for path, text in zip(paths, texts, strict=True):
        if text != most:
            raise FormatError(path, expected, f"{path.name}; move it elsewhere")
    columns = [*zip(*(map(_parse, split[1::2]) for split in parts), strict=True)]
    varying = [column for column in columns if len({*column}) > 1] or columns[-1:]
    if len(varying) > 1:
        place = next(i for i, x in enumerate(varying[0]) if x != varying[0][0])
        raise FormatError(paths[place], expected, f"{len(varying)} numbers that vary")
    return dict(zip(paths, varying[0], strict=True))


def _parse(digits: str) -> float:
    return float(digits) if "." in digits else int(digits)


def _check_frames(folder: Path, numbers: list[float]) -> None:
    """Refuses frames of one number, and frames that are missing between others."""
    steps = np.diff(numbers)
    is_uneven = all(isinstance(x, int) for x in numbers) and (steps != steps[:1]).any()
    if len(steps) and (is_uneven or not steps.all()):
        place = int(np.argmax(steps != (steps.min() or 1)) if steps.all() else np.argmin(steps))
        found = f"frames {numbers[place]} and {numbers[place + 1]} one after the other"
        raise FormatError(folder, "frames of the same distance, each once", found)
