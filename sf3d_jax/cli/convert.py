"""`sf3d convert`: files of image motion to 3D scene flow, and back."""

import dataclasses
import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Literal

Paths = tuple[Path, ...]

# Which two files say where the surface is in both images.
GEOMETRIES = (
    ("disparity", "next_disparity"),
    ("depth", "next_depth"),
    ("inverse_depth", "inverse_depth_change"),
    ("depth", "inverse_depth_change"),
    ("inverse_depth", "motion_in_depth"),
    ("depth", "motion_in_depth"),
    ("disparity", "motion_in_depth"),
)


@dataclasses.dataclass(frozen=True)
class Convert:
    """Convert flow and depth to 3D scene flow (.npz), or back with --inverse.

    The camera is taken as fixed, as in KITTI: its own motion is part of the scene flow. Every
    second map lies on the grid of the first image. Each flag takes as many files as --flow, or
    a folder.
    """

    flow: Paths = ()
    """Optical flow: .flo, KITTI .png, .pfm or .npy."""
    disparity: Paths = ()
    """Disparity of the first image, pixels; needs a baseline."""
    next_disparity: Paths = ()
    """Disparity of the same points in the second image (KITTI's disp_1)."""
    depth: Paths = ()
    """Depth of the first image, along the axis."""
    next_depth: Paths = ()
    """Depth of the same points in the second camera."""
    inverse_depth: Paths = ()
    """1 / depth of the first image, per metre."""
    inverse_depth_change: Paths = ()
    """Change of the inverse depth of the same points, per metre."""
    motion_in_depth: Paths = ()
    """Second depth / first depth of the same points."""
    depth_unit: Literal["m", "cm", "mm"] = "m"
    """Unit of the depth files."""
    png_scale: float | None = None
    """Value of a 16-bit .png = code / this; for all maps but flow and disparity."""
    calibration: Path | None = None
    """KITTI calibration: P2 and P3, or P_rect_02 and P_rect_03."""
    fx: float | None = None
    """Focal length along rows, pixels; with --fy, --cx, --cy instead of --calibration."""
    fy: float | None = None
    """Focal length along columns, pixels."""
    cx: float | None = None
    """Column of the principal point; integers are pixel centres."""
    cy: float | None = None
    """Row of the principal point."""
    baseline: float | None = None
    """Distance of the stereo cameras in metres; goes before that of the calibration."""
    image: Paths = ()
    """First images, for the picture."""
    picture: bool = False
    """Also draw image, flow, inverse depth and scene flow into a .png beside the result."""
    inverse: bool = False
    """Read results (--input) and write flow and disparities, or depths without a baseline."""
    input: Paths = ()
    """Results of an earlier conversion, .npz; with --inverse."""
    format: Literal["kitti", "flo", "pfm", "npy"] = "kitti"
    """Format of the files written by --inverse."""
    output: Path = Path(".")
    """A folder, or the .npz of a single conversion."""

    def run(self) -> None:
        """Converts every input; goes on after a bad one, and lists the bad ones at the end."""
        if self.inverse:
            from sf3d_jax.cli.files import convert_back

            inputs = expand("input", self.input)
            if not inputs:
                raise ValueError("--inverse: give results of a conversion with --input FILE.npz")
            self._each(inputs, lambda i: convert_back(inputs[i], self.output, self.format))
            return

        from sf3d_jax.cli.files import convert_files

        maps = self._maps()
        flows = maps["flow"]
        targets = self._targets(flows)
        one = lambda i: convert_files(
            {name: paths[i] for name, paths in maps.items()}, targets[i], self
        )
        self._each(flows, one)

    def _maps(self) -> dict[str, list[Path]]:
        """The files of each flag; raises where they do not say one geometry for every flow."""
        if not self.flow:
            raise ValueError("--flow: give at least one file of optical flow")
        names = sorted({name for pair in GEOMETRIES for name in pair})
        given = {name for name in names if getattr(self, name)}
        if given not in [set(pair) for pair in GEOMETRIES]:
            choices = "; ".join(" ".join(map(flag, pair)) for pair in GEOMETRIES)
            got = " ".join(map(flag, sorted(given))) or "none"
            raise ValueError(f"give exactly one pair of maps beside --flow, got {got}: {choices}")
        wanted = ["flow", *sorted(given), *(["image"] if self.image else [])]
        maps = {name: expand(name, getattr(self, name)) for name in wanted}
        for name, paths in maps.items():
            if len(paths) != len(maps["flow"]):
                raise ValueError(
                    f"{flag(name)}: {len(paths)} files for {len(maps['flow'])} files of --flow"
                )
        self._check_camera()
        return maps

    def _check_camera(self) -> None:
        numbers = [self.fx, self.fy, self.cx, self.cy]
        if self.calibration is None and None in numbers:
            raise ValueError("give --calibration FILE, or all of --fx --fy --cx --cy")
        sizes = {"fx": self.fx, "fy": self.fy, "baseline": self.baseline}
        for name, value in sizes.items():
            if value is not None and not 0 < value < math.inf:
                raise ValueError(f"{flag(name)}: expected a positive number, got {value}")
        for name, value in {"cx": self.cx, "cy": self.cy}.items():
            if value is not None and not math.isfinite(value):
                raise ValueError(f"{flag(name)}: expected a finite number, got {value}")
        if self.calibration is not None and any(x is not None for x in numbers):
            raise ValueError("give either --calibration or --fx --fy --cx --cy, not both")
        if self.disparity and self.calibration is None and self.baseline is None:
            raise ValueError(
                "--disparity needs --baseline METRES or a --calibration with both cameras"
            )

    def _targets(self, flows: list[Path]) -> list[Path]:
        """Where each result goes."""
        if len(flows) == 1 and self.output.suffix == ".npz":
            return [self.output]
        if self.output.suffix == ".npz":
            raise ValueError(f"--output: {len(flows)} conversions need a folder, got {self.output}")
        names = [f"{path.stem}.npz" for path in flows]
        if len(set(names)) < len(names):
            raise ValueError("--flow: two files have one name; convert them into different folders")
        return [self.output / name for name in names]

    def _each(self, inputs: list[Path], one: Callable[[int], str]) -> None:
        bad = []
        for i in progress(range(len(inputs)), len(inputs)):
            try:
                print(one(i))
            except (ValueError, OSError) as error:
                if len(inputs) == 1:
                    raise
                bad.append(str(error))
        if bad:
            listed = "".join(f"\n  {message}" for message in bad)
            print(f"not converted:{listed}", flush=True)
            raise ValueError(f"{len(bad)} of {len(inputs)} inputs could not be converted")


def flag(name: str) -> str:
    """The flag of a field.

    Args:
      name: of the field.

    Returns:
      The flag as typed.
    """
    return "--" + name.replace("_", "-")


def expand(name: str, paths: Iterable[Path]) -> list[Path]:
    """The files meant by a flag: a folder stands for its files in order.

    Args:
      name: of the field, for the message.
      paths: files and folders.

    Returns:
      Files.

    Raises:
      FileNotFoundError: one of them does not exist.
    """
    files: list[Path] = []
    for path in paths:
        if not path.exists():
            raise FileNotFoundError(f"{flag(name)}: there is no file {path}")
        if path.is_dir():
            files += sorted(p for p in path.iterdir() if p.is_file() and p.name[0] != ".")
        else:
            files.append(path)
    return files


def progress(items: range, total: int) -> Iterable[int]:
    """The items, with a progress bar where there is more than one.

    Args:
      items: what is done one by one.
      total: how many.

    Returns:
      The same items.
    """
    if total == 1:
        return items
    from tqdm import tqdm

    return tqdm(items, unit="file", leave=False)
