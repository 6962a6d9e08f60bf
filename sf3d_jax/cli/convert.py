"""`sf3d convert`: files of image motion to 3D scene flow, and back."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sf3d_jax.cli._errors import describe
from sf3d_jax.cli._progress import say, track
from sf3d_jax.cli.files import expand, find_partners
from sf3d_jax.cli.inputs import (
    CameraFlags,
    MovingCameraFlags,
    check_folder,
    check_names,
    check_png_scale,
    check_positive,
    each_flag,
    flag,
    new_folder,
)

Paths = tuple[Path, ...]


@dataclasses.dataclass(frozen=True)
class Convert:
    """Convert flow and depth to 3D scene flow (.npz), or back with --inverse.

    Without --next-pose, --next-calibration or --cameras the camera is taken as fixed, as in KITTI:
    its own motion is part of the scene flow. Every second map lies on the grid of the first image.
    Each flag takes a file for each of --flow, or a folder, of which files of unknown endings are
    left out; the numbers in the names say which belong together.
    """

    flow: Paths = ()
    """Optical flow: .flo, KITTI .png, .pfm, .npy, .npz or .flo5."""
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
    camera: CameraFlags = dataclasses.field(default_factory=CameraFlags)
    moving: MovingCameraFlags = dataclasses.field(default_factory=MovingCameraFlags)
    baseline: float | None = None
    """Distance of the stereo cameras in metres; goes before that of the calibration."""
    image: Paths = ()
    """First images, for --picture."""
    picture: bool = False
    """Also draw image, flow, inverse depth and scene flow into a .png beside the result."""
    inverse: bool = False
    """Read results (--input) and write flow and disparities, or depths where the result holds no
    baseline. Camera and baseline are those of the conversion, which the result holds."""
    input: Paths = ()
    """Results of an earlier conversion, .npz; with --inverse."""
    format: Literal["kitti", "flo", "pfm", "npy"] | None = None
    """Format of the files written by --inverse: kitti with a baseline, which rounds flow to 1/64
    px, and else npy, which keeps all digits."""
    output: Path = Path(".")
    """A folder, or the .npz of a single conversion."""

    def run(self) -> None:
        """Converts every input; goes on after a bad one, and lists the bad ones at the end."""
        self._check_direction()
        if self.inverse:
            self._run_back()
            return

        maps = self._maps()
        flows = maps["flow"]
        targets = self._targets(flows)
        from sf3d_jax.cli.cameras import find_cameras
        from sf3d_jax.cli.conversion import convert_files

        cameras = find_cameras(self.camera, self.moving, self.baseline, flows, self.flow)
        one = lambda i: convert_files(
            {name: paths[i] for name, paths in maps.items()},
            targets[i],
            cameras=lambda size: cameras(i, size),
            depth_unit=self.depth_unit,
            png_scale=self.png_scale,
            picture=self.picture,
        )
        with new_folder(targets[0].parent):
            self._each(flows, one)

    def _run_back(self) -> None:
        inputs = expand("input", self.input)
        if not inputs:
            raise ValueError("--inverse: give results of a conversion with --input FILE.npz")
        check_names("input", inputs)
        check_folder(self.output)
        from sf3d_jax.cli.conversion import convert_back

        with new_folder(self.output):
            self._each(inputs, lambda i: convert_back(inputs[i], self.output, self.format))

    def _check_direction(self) -> None:
        """Raises for a flag that belongs to the other direction, and would do nothing."""
        back = {"input", "format"}
        for name, is_given in each_flag(self):
            if name not in ("inverse", "output") and is_given and (name in back) != self.inverse:
                which = "does not go" if self.inverse else "goes only"
                raise ValueError(f"{flag(name)} {which} with --inverse")

    def _maps(self) -> dict[str, list[Path]]:
        """The files of each flag; raises where they do not say one geometry for every flow."""
        if not self.flow:
            raise ValueError("--flow: give at least one file of optical flow")
        from sf3d_jax.data import GEOMETRIES

        names = sorted({name for pair in GEOMETRIES for name in pair})
        given = {name for name in names if getattr(self, name)}
        if given not in [set(pair) for pair in GEOMETRIES]:
            choices = "; ".join(" ".join(map(flag, pair)) for pair in GEOMETRIES)
            got = " ".join(map(flag, sorted(given))) or "none"
            raise ValueError(f"give exactly one pair of maps beside --flow, got {got}: {choices}")
        self._check_camera()
        if self.image and not self.picture:
            raise ValueError("--image is for --picture; give both, or neither")
        flows = expand("flow", self.flow)
        wanted = [*sorted(given), *(["image"] if self.image else [])]
        maps = {name: find_partners(name, getattr(self, name), flows, self.flow) for name in wanted}
        scaled = [path for x in given for path in maps[x] if not x.endswith("disparity")]
        check_png_scale(self.png_scale, scaled)
        return {"flow": flows} | maps

    def _check_camera(self) -> None:
        self.moving.check(self.camera)
        if self.moving.cameras is None:
            self.camera.check()
        if self.disparity and self.camera.calibration is None and self.baseline is None:
            raise ValueError(
                "--disparity needs --baseline METRES or a --calibration with both cameras"
            )
        check_positive(baseline=self.baseline, png_scale=self.png_scale)
        if self.depth_unit != "m" and not self.depth:
            raise ValueError("--depth-unit is for --depth; inverse depths are per metre")

    def _targets(self, flows: list[Path]) -> list[Path]:
        """Where each result goes."""
        if self.output.suffix.lower() == ".npz" and not self.output.is_dir():
            if len(flows) > 1:
                raise ValueError(f"--output: {len(flows)} conversions need a folder")
            check_folder(self.output.parent)
            return [self.output]
        try:
            check_folder(self.output)
        except ValueError as error:
            raise ValueError(f"{error}, or a .npz file") from None
        check_names("flow", flows)
        return [self.output / f"{path.stem}.npz" for path in flows]

    def _each(self, inputs: list[Path], one: Callable[[int], str]) -> None:
        if len(inputs) == 1:
            print(one(0))
            return
        bad = []
        for i in track(range(len(inputs)), "file", lambda i: inputs[i].name):
            try:
                say(one(i))
            except (ValueError, OSError) as error:
                bad.append(describe(error))
        if bad:
            listed = "".join(f"\n  {message}" for message in bad)
            print(f"not converted:{listed}", flush=True)
            raise ValueError(f"{len(bad)} of {len(inputs)} inputs could not be converted")
