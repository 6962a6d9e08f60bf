"""`making.json`: what a data set is made with, so that all processes make the same one.

It holds the options as they were given, the SHA-256 of the files that they name, the versions of
the packages that decide about bytes, JAX's back end and the instruction set. Nothing in it depends
on the time, the machine's name or the process, so all processes write the same bytes.
"""

import dataclasses
import hashlib
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import jax
import jaxlib.version
import numpy as np

from sf3d_jax._version import __version__
from sf3d_jax.data._files import FormatError, write_bytes
from sf3d_jax.data._files.json import Json, read_json
from sf3d_jax.data.opencv import import_cv2
from sf3d_jax.making.options import PROCEDURAL, Options
from sf3d_jax.making.planning import plan
from sf3d_jax.making.running.instructions import LEVELS, find_level
from sf3d_jax.making.running.locks import FOLDER, hold

NAME = "making.json"
FORMAT = 1
# Options that may name a file.
_FILES = ("head", "motion", "texture")
# What frames and manifests lie in: folder, then subject.
_PLACES = ("train/*/{}/*", "test/*/{}/*", "manifest/*/{}.json")
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.json")
# Seconds for which other processes may compare and write the record.
_PATIENCE = 60.0


def settle(out: Path, options: Options) -> None:
    """Writes the record, or compares it with the one that is there.

    One process at a time does so. More subjects than before replace their number.

    Args:
      out: folder of the data set, which exists.
      options: options of this process.

    Raises:
      ValueError: the data set was made with other options, files, versions or another back end; the
        message names both values. Or it has frames, but no record.
    """
    tree = describe(options)
    path = out / NAME
    with hold(out / FOLDER / "options", patience=_PATIENCE):
        for left in out.iterdir():
            if _TEMPORARY.fullmatch(left.name):  # a killed process was writing the record
                left.unlink(missing_ok=True)
        if path.exists():
            found = _read(path)
            _compare(path, found, tree)
            if found["options"]["subjects"] == tree["options"]["subjects"]:
                return
            # The level and the paths stay those of the first subjects.
            tree["isa"] = found["isa"]
            for name in tree["files"]:
                tree["options"][name] = found["options"][name]
        else:
            refuse_frames(out, options)
        write_bytes(path, (json.dumps(tree, indent=1) + "\n").encode())


def refuse_frames(out: Path, options: Options) -> None:
    """Refuses frames that no record tells the options of, as others would get mixed with them.

    Args:
      out: folder of the data set, which need not exist.
      options: options of this process.

    Raises:
      FileExistsError: there is no record, but files of subjects that the options plan, in either
        split.
    """
    for subject in plan(options).subjects:
        for place in _PLACES:
            for path in out.glob(place.format(subject.name)):
                # Looked for last, as other processes write it before their frames, and in the list
                # of the folder, as network file systems may remember that there was none.
                if NAME in os.listdir(out):
                    return
                raise FileExistsError(
                    f"{path}: was made before, but {out} has no {NAME} that tells with which "
                    "options; put it back, remove train, test and manifest, or name another folder"
                )


def check(out: Path, options: Options) -> None:
    """Refuses to make a data set with other options, versions or another back end than before.

    Args:
      out: folder of the data set, which has a record.
      options: options of this process.

    Raises:
      ValueError: they differ; the message names both values.
    """
    _compare(out / NAME, _read(out / NAME), describe(options))


def check_options(out: Path, options: Options) -> None:
    """Refuses other options or files than before; unlike `check`, it does not start JAX.

    Args:
      out: folder of the data set, which need not exist.
      options: options of this process.

    Raises:
      ValueError: they differ; the message names both values.
      FileExistsError: there are frames, but no record.
    """
    path = out / NAME
    if path.exists():
        _compare_options(path, _read(path), _list_options(options))
    else:
        refuse_frames(out, options)


def describe(options: Options) -> dict[str, Json]:
    """Lists what decides about the bytes of a data set.

    Args:
      options: options of the data set.

    Returns:
      The content of the record.

    Raises:
      OSError: a file that the options name cannot be read.
    """
    return {
        "format": FORMAT,
        **_list_options(options),
        "versions": {
            "sf3d_jax": __version__,
            "jax": jax.__version__,
            "jaxlib": jaxlib.version.__version__,
            "numpy": np.__version__,
            "opencv": import_cv2().__version__,
        },
        "backend": jax.default_backend(),
        "isa": find_level(),
    }


def list_files(options: Options) -> dict[str, str]:
    """Lists the options that name files, and their paths."""
    paths = {name: getattr(options, name) for name in _FILES}
    return {name: path for name, path in paths.items() if path not in (None, PROCEDURAL)}


def hash_files(options: Options) -> dict[str, str]:
    """Hashes the files that the options name, so that a changed file is noticed.

    Args:
      options: options of the data set.

    Returns:
      The SHA-256 of each file, by the name of its option.

    Raises:
      OSError: a file cannot be read; the message names its option.
    """
    digests = {}
    for name, path in list_files(options).items():
        try:
            with Path(path).open("rb") as file:
                digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            reason = "there is no file" if isinstance(error, FileNotFoundError) else "cannot read"
            raise OSError(f"{name}: {reason} {path}") from None
    return digests


def read_options(out: Path) -> Options:
    """Reads the options that a data set was made with.

    Args:
      out: folder of the data set.

    Returns:
      The options.

    Raises:
      FileNotFoundError: the folder has no record.
      FormatError: the file is not a record.
    """
    path = out / NAME
    if not path.exists():
        raise FileNotFoundError(f"{out}: there is no {NAME}; name a folder that sf3d make wrote")
    options = _read(path)["options"]
    values: dict[str, Any] = {
        key: tuple(x) if isinstance(x, list) else x for key, x in options.items()
    }
    try:
        return Options(**values)
    except (TypeError, ValueError) as error:
        raise FormatError(path, "the options of sf3d make", str(error)) from None


def read_level(out: Path) -> str:
    """Reads the instruction set that a data set is made with.

    Args:
      out: folder of the data set, which has a record.

    Returns:
      One of `instructions.LEVELS`, or the kind of a processor without levels.
    """
    return _read(out / NAME)["isa"]


def warn_of_level(out: Path) -> None:
    """Warns if a data set was made with another instruction set than that of this process.

    Args:
      out: folder of the data set, which need not exist.
    """
    path = out / NAME
    if not path.exists():
        return
    before, now = read_level(out), find_level()
    if before != now:
        advice = f"; sf3d make --isa {before} makes them agree" if before in LEVELS else ""
        warnings.warn(
            f"{path} was made with the instruction set {before}, and this process has {now}, which "
            f"may round differently{advice}",
            stacklevel=2,
        )


def _compare(path: Path, found: dict[str, Json], tree: dict[str, Json]) -> None:
    """Refuses another record than the one found at a path, except for more subjects."""
    _compare_options(path, found, tree)
    for name, before, now in (
        *((key, found["versions"].get(key), x) for key, x in tree["versions"].items()),
        ("back end", found["backend"], tree["backend"]),
    ):
        if before != now:
            raise ValueError(
                f"{path} was made with {name} {before}, and this process has {now}, which may "
                "round differently; use the same, or another folder"
            )


def _compare_options(path: Path, found: dict[str, Json], tree: dict[str, Json]) -> None:
    old, new = found["options"], tree["options"]
    # A file may have moved.
    same = {name for name, digest in tree["files"].items() if found["files"].get(name) == digest}
    may_differ = {"subjects", *same}
    differing = [name for name in new if old.get(name) != new[name] and name not in may_differ]
    if differing:
        before, now = (" and ".join(_say(x.get(name)) for name in differing) for x in (old, new))
        raise ValueError(
            f"{', '.join(differing)}: {path} was made with {before}, got {now}; give the same, or "
            f"another folder{_advise_removal(path)}"
        )
    if new["subjects"] < old["subjects"]:
        raise ValueError(
            f"subjects: {path} was made with {old['subjects']}, got {new['subjects']}; subjects "
            "can be added, but not taken away"
        )
    for name, digest in tree["files"].items():
        if found["files"].get(name) != digest:
            raise ValueError(
                f"{name}: {path} was made with another content of {new[name]}: its SHA-256 was "
                f"{found['files'].get(name)}, and is {digest}{_advise_removal(path)}"
            )


def _advise_removal(path: Path) -> str:
    """Says that a record may go if nothing was made with it."""
    folder = path.parent
    if any(file for place in _PLACES for file in folder.glob(place.format("*"))):
        return ""
    return f"; no frame is made yet, so {path} may also be removed if no other process works there"


def _read(path: Path) -> dict[str, Any]:
    tree = read_json(path)
    kinds = {"options": dict, "files": dict, "versions": dict, "backend": str, "isa": str}
    if not isinstance(tree, dict) or tree.get("format") != FORMAT:
        found = tree.get("format") if isinstance(tree, dict) else type(tree).__name__
        raise FormatError(path, f"a record of sf3d make in format {FORMAT}", f"{found!r}")
    for key, kind in kinds.items():
        if not isinstance(tree.get(key), kind):
            raise FormatError(path, f"{key} in the record of sf3d make", f"{tree.get(key)!r}")
    if not isinstance(tree["options"].get("subjects"), int):
        raise FormatError(path, "the number of subjects", f"{tree['options'].get('subjects')!r}")
    return tree


def _list_options(options: Options) -> dict[str, Json]:
    tree = json.loads(json.dumps(dataclasses.asdict(options)))
    return {"options": tree, "files": hash_files(options)}


def _say(value: Json) -> str:
    """Formats an option as it is typed."""
    if isinstance(value, list):
        return " ".join(map(_say, value))
    return f"{value:g}" if isinstance(value, float) and not isinstance(value, bool) else f"{value}"
