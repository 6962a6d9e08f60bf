"""`sf3d convert`: files of image motion to 3D scene flow, and back."""

import dataclasses
import functools
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from sf3d_jax.cli._errors import describe
from sf3d_jax.cli._progress import say, say_if_slow, track
from sf3d_jax.cli.files import expand, find_partners
from sf3d_jax.cli.inputs import (
    CameraFlags,
    MovingCameraFlags,
    check_folder,
    check_names,
    check_png_scale,
    check_positive,
    flag,
    iterate_flags,
    make_folder,
)

Paths = tuple[Path, ...]


@dataclasses.dataclass(frozen=True)
class Convert:
    """Convert flow and depth to 3D scene flow (.npz), or back with --inverse.

    Without --next-pose, --next-calibration or --cameras the camera is taken as fixed, as in KITTI:
    its own motion is part of the scene flow. All maps lie on the pixel grid of the first image.
    Each flag takes one file per file of --flow, or a folder. Files are matched by the numbers in
    their names; files of a folder with other endings are skipped.
    """

    flow: Paths = ()
    """Optical flow: .flo, KITTI .png, .pfm, .npy, .npz or .flo5."""
    disparity: Paths = ()
    """Disparity of the first image in pixels; needs a baseline."""
    next_disparity: Paths = ()
    """Disparity of the same points in the second image (KITTI's disp_1)."""
    depth: Paths = ()
    """Depth of the first image, along the optical axis."""
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
    """Divide the codes of 16-bit .png maps by this; not for flow and disparity."""
    camera: CameraFlags = dataclasses.field(default_factory=CameraFlags)
    moving: MovingCameraFlags = dataclasses.field(default_factory=MovingCameraFlags)
    baseline: float | None = None
    """Distance of the stereo cameras in metres; overrides that of the calibration."""
    image: Paths = ()
    """First images, for --picture."""
    picture: bool = False
    """Also draw image, flow, inverse depth and scene flow to a .png beside each result."""
    ego: bool = False
    """Also print the camera's motion, and write which pixels are static (_static.png: white; black
    ones move, dark grey ones are unknown) and the scene flow that is left without it
    (_residual.npz). The flow alone, or with one depth, is enough to find it; then nothing else is
    converted."""
    inverse: bool = False
    """Convert results (--input) back to flow and disparities, or depths without a baseline."""
    input: Paths = ()
    """Results of earlier conversions (.npz), for --inverse; they hold camera and baseline."""
    format: Literal["kitti", "flo", "pfm", "npy"] | None = None
    """Format for --inverse: kitti (rounds flow to 1/64 px) if there is a baseline, else npy."""
    output: Path = Path(".")
    """Folder for the results, or the .npz file of a single conversion."""

    def run(self) -> None:
        """Converts every input; continues after a bad one and lists the bad ones at the end."""
        self._check_direction()
        if self.inverse:
            self._run_back()
            return

        maps = self._maps()
        flows = maps["flow"]
        targets = self._choose_targets(flows)
        from sf3d_jax.cli.cameras import find_cameras
        from sf3d_jax.cli.conversion import convert_files, find_motion

        cameras = find_cameras(self.camera, self.moving, self.baseline, flows, self.flow)
        has_both_depths = len(maps.keys() - {"flow", "image"}) == 2
        convert = functools.partial(convert_files, picture=self.picture, ego=self.ego)
        one = lambda i: (convert if has_both_depths else find_motion)(
            {name: paths[i] for name, paths in maps.items()},
            targets[i],
            cameras=lambda size: cameras(i, size),
            depth_unit=self.depth_unit,
            png_scale=self.png_scale,
        )
        with make_folder(targets[0].parent):
            self._convert_each(flows, one)

    def _run_back(self) -> None:
        inputs = expand("input", self.input)
        if not inputs:
            raise ValueError("--inverse: give the results to convert with --input FILE.npz")
        check_names("input", inputs)
        check_folder(self.output)
        from sf3d_jax.cli.conversion import convert_back

        with make_folder(self.output):
            self._convert_each(inputs, lambda i: convert_back(inputs[i], self.output, self.format))

    def _check_direction(self) -> None:
        """Raises for a flag that belongs to the other direction and would have no effect."""
        back = {"input", "format"}
        for name, is_given in iterate_flags(self):
            if name not in ("inverse", "output") and is_given and (name in back) != self.inverse:
                which = "cannot be used" if self.inverse else "can only be used"
                raise ValueError(f"{flag(name)} {which} with --inverse")

    def _maps(self) -> dict[str, list[Path]]:
        """Finds the files of each flag; raises unless they give one geometry for every flow."""
        if not self.flow:
            raise ValueError("--flow: give at least one file of optical flow")
        flows = expand("flow", self.flow)
        from sf3d_jax.data import GEOMETRIES

        names = sorted({name for pair in GEOMETRIES for name in pair})
        given = {name for name in names if getattr(self, name)}
        if self.ego and given in [set(), *({pair[0]} for pair in GEOMETRIES)]:
            self._check_motion_only(given)
        elif given not in [set(pair) for pair in GEOMETRIES]:
            if missing := next((path for path in flows if not path.exists()), None):
                raise ValueError(f"--flow: there is no file {missing}")
            choices = "; ".join(" and ".join(map(flag, pair)) for pair in GEOMETRIES)
            got = " and ".join(map(flag, sorted(given))) or "none"
            raise ValueError(
                f"besides --flow, give exactly one of these pairs: {choices}; got {got}"
                f"{'; --ego needs none, or the first of a pair' if self.ego else ''}"
            )
        self._check_camera()
        if self.image and not self.picture:
            raise ValueError("--image needs --picture")
        wanted = [*sorted(given), *(["image"] if self.image else [])]
        maps = {name: find_partners(name, getattr(self, name), flows, self.flow) for name in wanted}
        scaled = [path for x in given for path in maps[x] if not x.endswith("disparity")]
        check_png_scale(self.png_scale, scaled)
        return {"flow": flows} | maps

    def _check_motion_only(self, given: set[str]) -> None:
        """Refuses what needs a scene flow, which follows from depths in both images only."""
        if self.picture:
            raise ValueError("--picture needs the depths in both images; --ego alone does not")
        if self.output.suffix.lower() == ".npz" and not self.output.is_dir():
            have = " and ".join([flag("flow"), *map(flag, given)])
            raise ValueError(f"--output: expected a folder: there is no .npz of {have} alone")

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
            raise ValueError("--depth-unit needs --depth; inverse depths are per metre")

    def _choose_targets(self, flows: list[Path]) -> list[Path]:
        """Chooses the file of each result."""
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

    def _convert_each(self, inputs: list[Path], one: Callable[[int], str]) -> None:
        if len(inputs) == 1:
            with say_if_slow():
                line = one(0)
            print(line)
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
