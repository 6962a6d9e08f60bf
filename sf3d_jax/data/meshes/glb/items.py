"""Objects of a JSON tree whose values are checked when they are taken."""

from typing import Any

import numpy as np

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files import json as json_files

_LARGEST = 2**53


class Item:
    """An object of a JSON tree.

    Attributes:
      path: file path used in error messages.
      where: place in the tree, such as "accessors[3]".
    """

    def __init__(self, path: PathLike, where: str, values: object) -> None:
        """Checks that the values are those of an object."""
        self.path, self.where = path, where
        if not isinstance(values, dict):
            raise self.error("", "an object", values)
        self._values: dict[str, Any] = values

    def error(self, key: str, expected: str, found: object) -> FormatError:
        """Makes the error about the value of a key."""
        place = ".".join(filter(None, [self.where, key]))
        outline = found if isinstance(found, _Words) else json_files.outline(found)
        return FormatError(self.path, f"{expected} in {place or 'the JSON'}", str(outline)[:200])

    def refuse(self, key: str, expected: str, found: str) -> FormatError:
        """Makes the error about the value of a key, with words for what was found."""
        return self.error(key, expected, _Words(found))

    def __contains__(self, key: str) -> bool:
        """Whether there is a value."""
        return key in self._values

    def integer(self, key: str, default: int | None = None) -> int:
        """A whole number, not negative."""
        value = self._values.get(key, default)
        if isinstance(value, (int, float)) and not isinstance(value, bool):
            if 0 <= value < _LARGEST and value == int(value):
                return int(value)
        raise self.error(key, "a whole number, not negative,", value)

    def integers(self, key: str) -> list[int]:
        """A list of whole numbers; empty if there is none."""
        values = self._list(key)
        return [Item(self.path, self.where, {key: value}).integer(key) for value in values]

    def numbers(self, key: str, default: list[float]) -> np.ndarray:
        """Finite numbers, as many as in the default."""
        value = self._values.get(key, default)
        return json_files.matrix(self.path, f"{self.where}.{key}", value, (len(default),))

    def flag(self, key: str) -> bool:
        """True or False; False if there is none."""
        value = self._values.get(key, False)
        if not isinstance(value, bool):
            raise self.error(key, "true or false", value)
        return value

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        value = self._values.get(key, default)
        return float(json_files.matrix(self.path, f"{self.where}.{key}", value, ()))

    def text(self, key: str) -> str:
        """A text; empty if there is none."""
        value = self._values.get(key, "")
        if not isinstance(value, str):
            raise self.error(key, "a text", value)
        return value

    def texts(self, key: str) -> list[str]:
        """A list of texts; empty if there is none."""
        values = self._list(key)
        if not all(isinstance(value, str) for value in values):
            raise self.error(key, "a list of texts", values)
        return values

    def has_object(self, key: str) -> bool:
        """Whether there is an object."""
        return isinstance(self._values.get(key), dict)

    def item(self, key: str) -> "Item":
        """An object; an empty one if there is none."""
        return Item(self.path, f"{self.where}.{key}".strip("."), self._values.get(key, {}))

    def items(self, key: str) -> list["Item"]:
        """A list of objects; empty if there is none."""
        where = f"{self.where}.{key}".strip(".")
        return [Item(self.path, f"{where}[{i}]", x) for i, x in enumerate(self._list(key))]

    def keys(self) -> list[str]:
        """The keys that are there."""
        return [*self._values]

    def _list(self, key: str) -> list[Any]:
        value = self._values.get(key, [])
        if not isinstance(value, list):
            raise self.error(key, "a list", value)
        return value


class _Words(str):
    """Words for an error message, which are not outlined as a value."""
