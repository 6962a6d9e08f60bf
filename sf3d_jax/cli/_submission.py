"""The work of `sf3d submit`: which files a benchmark wants, and whether they are right."""

from pathlib import Path
from typing import Any

import numpy as np

from sf3d_jax import data
from sf3d_jax.cli._layouts import existing
from sf3d_jax.data._files import FormatError

# (height, width) of the images of KITTI 2015, and of those of Spring.
SIZES = {
    "kitti": {(375, 1242), (370, 1224), (374, 1238), (370, 1226), (376, 1241)},
    "spring": {(1080, 1920)},
}
_KITTI_IMAGES = 200
# The scenes of Spring's test set and how many frames each has.
_SPRING_SCENES = {3: 131, 19: 111, 28: 39, 29: 135, 31: 73, 34: 47, 35: 120, 40: 111}
_SPRING_SCENES |= {42: 116, 46: 117}

# Which kinds of files each task of a benchmark needs.
TASKS = {
    "kitti": {
        "stereo": ("disp_0",),
        "optical flow": ("flow",),
        "scene flow": ("disp_0", "disp_1", "flow"),
    },
    "spring": {
        "stereo": ("disp1",),
        "optical flow": ("flow",),
        "scene flow": ("disp1", "disp2", "flow"),
    },
}


def expected(benchmark: str) -> dict[str, list[Path]]:
    """The files of a whole submission.

    Args:
      benchmark: "kitti" or "spring".

    Returns:
      By kind, their paths inside the folder.
    """
    if benchmark == "kitti":
        names = [f"{i:06}_10.png" for i in range(_KITTI_IMAGES)]
        return {kind: [Path(kind, name) for name in names] for kind in ("disp_0", "disp_1", "flow")}
    files: dict[str, list[Path]] = {"disp1": [], "disp2": [], "flow": []}
    for scene, frames in _SPRING_SCENES.items():
        for side in ("left", "right"):
            add = lambda kind, folder, frame, ending, scene=scene: files[kind].append(
                Path(f"{scene:04}", folder, f"{folder}_{frame:04}{ending}")
            )
            for frame in range(1, frames + 1):
                add("disp1", f"disp1_{side}", frame, ".dsp5")
            # The last frame has no motion forwards, the first none backwards.
            for way, first in (("FW", 1), ("BW", 2)):
                for frame in range(first, first + frames - 1):
                    add("disp2", f"disp2_{way}_{side}", frame, ".dsp5")
                    add("flow", f"flow_{way}_{side}", frame, ".flo5")
    return files


def source(prediction: Path, kind: str, path: Path) -> Path:
    """The estimate for a file of a submission, in whatever format.

    Args:
      prediction: folder of the estimates.
      kind: as in `expected`.
      path: of the file, inside the folder.

    Returns:
      A path, of a file or not.
    """
    return existing(prediction / path.with_suffix(""), kind, path.suffix)


def unexpected(folder: Path, files: list[Path]) -> list[Path]:
    """The files in the folders of a kind that the submission has no place for.

    Args:
      folder: of the estimates, or of the submission.
      files: the submission's, of this kind.

    Returns:
      Paths.
    """
    wanted = {path.with_suffix("") for path in files}
    found = [
        path
        for inside in sorted({path.parent for path in files})
        if (folder / inside).is_dir()
        for path in sorted((folder / inside).iterdir())
    ]
    return [
        path
        for path in found
        if path.relative_to(folder).with_suffix("") not in wanted and path.name[0] != "."
    ]


def write(benchmark: str, kind: str, path: Path, target: Path) -> None:
    """Writes one file of a submission.

    Args:
      benchmark: "kitti" or "spring".
      kind: as in `expected`.
      path: of the estimate.
      target: of the file to write; its folder is made.

    Raises:
      ValueError: the estimate cannot be read, or has values that the format cannot hold.
      OSError: the file cannot be written.
    """
    values, known = read_estimate(kind, path)
    _check_size(path, benchmark, values.shape[:2])
    if benchmark == "spring" and not known.all():
        raise FormatError(path, "a number at every pixel", f"{(~known).sum()} pixels without one")
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if kind == "flow":
            data.write_flow(target, values, known)
        elif benchmark == "kitti":
            data.write_disparity(target, values, known)
        else:
            data.write_map(target, values, known)
    except FormatError:
        raise
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def check(benchmark: str, kind: str, target: Path, sizes: dict[str, Any]) -> None:
    """Reads a file of a submission again, as the benchmark will.

    Args:
      benchmark: "kitti" or "spring".
      kind: as in `expected`.
      target: the file.
      sizes: by name of the image the file that was read first, and its size; it is added to.

    Raises:
      ValueError: it has another format, bit depth or size, also than the image's other maps.
      OSError: it is missing.
    """
    values, known = read_estimate(kind, target)
    size = values.shape[:2]
    _check_size(target, benchmark, size)
    if not known.any():
        raise FormatError(target, "values", "none at any pixel")
    other, wanted = sizes.setdefault(target.name, (target, size))
    if wanted != size:
        found, right = (f"{w} x {h} pixels" for h, w in (size, wanted))
        raise FormatError(target, f"{right}, as {other} has", found)


def read_estimate(kind: str, path: Path) -> Any:
    """The values of an estimate, and where there are some.

    Args:
      kind: as in `expected`.
      path: of the file.

    Returns:
      (values, valid).

    Raises:
      ValueError: the file does not hold what it should.
      OSError: it is missing.
    """
    return tuple(data.read_flow(path)) if kind == "flow" else read_disparity(path)


def read_disparity(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """The disparity of a file, where 0 is infinitely far away, save in a PNG: there it is none.

    Args:
      path: of the file.

    Returns:
      (values, valid).

    Raises:
      ValueError: the file does not hold disparity.
      OSError: it is missing.
    """
    read = data.read_disparity if path.suffix.lower() == ".png" else data.read_map
    values, known = read(path)
    return np.abs(values), known


def _check_size(path: Path, benchmark: str, size: tuple[int, ...]) -> None:
    if size not in SIZES[benchmark]:
        choices = " or ".join(f"{w} x {h}" for h, w in sorted(SIZES[benchmark]))
        raise FormatError(path, f"{choices} pixels", f"{size[1]} x {size[0]}")
