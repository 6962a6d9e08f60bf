"""`sf3d fit`: optical flow between two images, or scene flow if depths are given."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import tyro

from sf3d_jax.cli._progress import say_if_slow
from sf3d_jax.cli.inputs import (
    CameraFlags,
    check_folder,
    check_no_folder,
    check_png_scale,
    check_positive,
    make_folder,
)

if TYPE_CHECKING:
    import numpy as np

    from sf3d_jax.cli.reading import StereoCamera

    # (values, mask of known values)
    Map = tuple[np.ndarray, np.ndarray]


@dataclasses.dataclass(frozen=True)
class Fit:
    """Estimate the motion between two images, without a network.

    Writes flow.flo and a figure, sheet.png. With both depths and a camera it also writes
    scene_flow.npz, which holds what `sf3d convert` writes and a mask of the pixels seen in both
    images. The camera is taken as fixed.
    """

    images: tyro.conf.Positional[tuple[Path, Path]]
    """First and second image."""
    out: Path
    """Folder for the results."""
    depth0: Path | None = None
    """Depth of the first image, along the optical axis: .npy, .pfm or .png."""
    depth1: Path | None = None
    """Depth of the second image, on its own pixel grid."""
    depth_unit: Literal["m", "cm", "mm"] = "m"
    """Unit of the depth files."""
    png_scale: float | None = None
    """Divide the codes of 16-bit .png depths by this."""
    camera: CameraFlags = dataclasses.field(default_factory=CameraFlags)
    smoothness: float = 1.0
    """Factor on the default smoothness: more for noisy images, less for fine detail."""
    reach: float = 0.3
    """Largest motion to search for, as a fraction of width and height."""

    def run(self) -> None:
        """Reads everything, fits, and writes the results."""
        import numpy as np

        self._check()
        images, depths, stereo = self._read()
        with make_folder(self.out, "out"):
            height, width = images[0].shape[:2]
            print(f"Fitting the flow of two images of {width} x {height} pixels", flush=True)
            start = time.perf_counter()
            with say_if_slow():
                result = self._fit(images, depths, stereo)
            print(f"  done in {time.perf_counter() - start:.1f} s, compilation included")
            self._write(result, [np.rint(255 * x).astype(np.uint8) for x in images], stereo)

    def _check(self) -> None:
        """Raises for flags that do not go together, before any file is read."""
        if (self.depth0 is None) != (self.depth1 is None):
            raise ValueError("give both --depth0 and --depth1, or neither")
        if self.depth0 is None and (self.camera.is_given or self.png_scale is not None):
            raise ValueError("a camera and --png-scale need --depth0 and --depth1")
        if self.depth0 is None and self.depth_unit != "m":
            raise ValueError("--depth-unit needs --depth0 and --depth1")
        if self.depth0 is not None:
            self.camera.check()
        check_positive(png_scale=self.png_scale, smoothness=self.smoothness)
        check_png_scale(self.png_scale, [x for x in (self.depth0, self.depth1) if x is not None])
        if not 0 <= self.reach <= 1:
            raise ValueError(f"--reach: expected a fraction from 0 to 1, got {self.reach}")
        check_folder(self.out, "out")
        for name in ("depth0", "depth1"):
            check_no_folder(name, getattr(self, name))

    def _read(self) -> "tuple[list[np.ndarray], list[Map], StereoCamera | None]":
        """Reads the images and, if given, their depths and the camera."""
        from sf3d_jax import data
        from sf3d_jax.cli.reading import check_same_size, read_camera, read_map, say_if_off_centre

        first = self.images[0]
        images = [data.read_unit_image(path) for path in self.images]
        size = images[0].shape[:2]
        check_same_size(self.images[1], images[1].shape[:2], first, size, "image")
        if self.depth0 is None or self.depth1 is None:
            return images, [], None
        depths = []
        for path in (self.depth0, self.depth1):
            depths.append(read_map("depth", path, self.depth_unit, self.png_scale))
            check_same_size(path, depths[-1][0].shape, first, size, "image")
            if not depths[-1][1].any():
                raise ValueError(f"{path}: no pixel has a depth: all are invalid or NaN")
        stereo = read_camera(self.camera, size)
        say_if_off_centre(self.camera.point_flags, stereo.camera)
        return images, depths, stereo

    def _fit(
        self, images: "list[np.ndarray]", depths: "list[Map]", stereo: "StereoCamera | None"
    ) -> "dict[str, np.ndarray]":
        """Fits the motion and returns the maps of the result by name."""
        import numpy as np

        from sf3d_jax import data, depth_change, fit

        options = {"smoothness": self.smoothness, "reach": self.reach}
        if stereo is None:
            found = fit.flow(*images, **options)
            return {"flow": np.array(found.flow), "seen": np.array(found.valid)}
        inverse = [
            np.array(depth_change.from_depths(*[np.where(known, z, 0)] * 2).inv_depth)
            for z, known in depths
        ]
        motion = fit.scene_flow(*images, *inverse, stereo.camera, **options)
        maps = {"inverse_depth": inverse[0], "inverse_depth_change": motion.inv_depth_change}
        result = data.lift_maps(motion.flow, maps, stereo.camera)
        return result | {"seen": np.array(motion.valid)}

    def _write(
        self,
        result: "dict[str, np.ndarray]",
        images: "list[np.ndarray]",
        stereo: "StereoCamera | None",
    ) -> None:
        import numpy as np

        from sf3d_jax import data
        from sf3d_jax.cli.reading import describe_scene_flow
        from sf3d_jax.views import percent, picture_sheet

        flow, seen = result["flow"], result["seen"]
        data.write_flow(self.out / "flow.flo", flow)
        length = np.linalg.norm(flow[seen], axis=-1)
        median = "no pixel is determined by the images"
        if seen.any():
            median = f"median {np.median(length):.3g} px over pixels matched in both images"
        print(f"{self.out / 'flow.flo'}: {median}")
        share = percent(seen.mean())
        print(f"  {share} of the pixels are matched in both images; the rest is filled in")
        shown = {"image": images[0], "next_image": images[1]}
        if stereo is None:
            sheet = picture_sheet(flow, None, None, seen, **shown)
        else:
            target = self.out / "scene_flow.npz"
            data.write_scene_flow_npz(target, result, stereo.camera, baseline=stereo.baseline)
            print(describe_scene_flow(target, result, is_fixed=True))
            maps = (result[name] for name in ("flow", "inv_depth", "vectors"))
            known = result["valid"] & seen
            shown["inv_depth_change"] = result["inv_depth_change"]
            sheet = picture_sheet(*maps, known, **shown, camera_is_fixed=True)
        data.write_image(self.out / "sheet.png", sheet)
        print(f"{self.out / 'sheet.png'}: figure of the results")
