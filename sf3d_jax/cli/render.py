"""`sf3d render`: pictures of a scene of 3D Gaussians from given cameras."""

import dataclasses
import re
from pathlib import Path
from typing import Any

import tyro

from sf3d_jax.cli.inputs import check_folder, check_writable

# The folder of each map, and the ending of its files.
_MAPS = {"colors": ".png", "inv_depth": ".npy", "alpha": ".png"}


@dataclasses.dataclass(frozen=True)
class Render:
    """Draw a scene of 3D Gaussians (.ply) from given cameras.

    Writes for every frame colors/NAME.png (8 bits), inv_depth/NAME.npy (per metre, 0 where nothing
    is) and alpha/NAME.png (8 bits), with the names of the images in the camera file, or 0000, 0001
    and so on. Files of the same names are replaced. Colours are written as they were trained.
    """

    scene: tyro.conf.Positional[Path]
    """The .ply of 3D Gaussian Splatting."""
    camera: Path
    """Cameras in JSON: transforms.json, cameras.json of 3D Gaussian Splatting, or other ones."""
    out: Path
    """Folder for the results."""
    size: tuple[int, int] | None = None
    """Height and width of the pictures, if not those in the camera file."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Red, green and blue where nothing is, 0 to 1."""
    antialias: bool = False
    """For scenes that were trained so: a Gaussian smaller than a pixel fades."""
    resume: bool = False
    """Leave the frames whose files are there, of a run that was interrupted."""

    def run(self) -> None:
        """Reads everything, draws, and writes frame by frame."""
        self._check()
        cameras = self._read_cameras()
        gaussians = self._read_scene()
        folders = self._make_folders()
        from tqdm import tqdm

        is_there = lambda name: all(path.exists() for path in self._files(name).values())
        left = [name for name in cameras if not (self.resume and is_there(name))]
        print(f"{self.scene}: {len(gaussians.means)} Gaussians, {_count(cameras)}", flush=True)
        if len(left) < len(cameras):
            print(f"  {_count(cameras.keys() - left)} there already, {len(left)} to draw")
        gaussians, cameras = _near_origin(gaussians, cameras)
        for name in tqdm(left, unit="frame", leave=False):
            self._write(name, gaussians, cameras[name])
        print(f"{self.out}: {', '.join(folders)}")

    def _check(self) -> None:
        if self.size is not None and min(self.size) < 1:
            raise ValueError(f"--size: at least 1 x 1, got {self.size[0]} x {self.size[1]}")
        if not all(0 <= x <= 1 for x in self.background):
            got = " ".join(f"{x:g}" for x in self.background)
            raise ValueError(f"--background: expected three numbers from 0 to 1, got {got}")
        check_folder(self.out, "out")

    def _read_cameras(self) -> dict[str, Any]:
        """The cameras by the names of their frames; raises for what is no pinhole."""
        from sf3d_jax import data

        try:
            frames = data.read_transforms(self.camera, size=self.size)
            names: list[str | None] = [_stem(frame.image) for frame in frames]
            cameras = [frame.camera for frame in frames]
        except data.FormatError:
            # Of another form, or broken: then this says in which way.
            others = data.read_json_cameras(self.camera, size=self.size)
            names = [frame.frame for frame in others]
            cameras = [frame.camera for frame in others]
        if len({name.casefold() for name in names if name}) < len(names):
            names = [f"{i:04d}" for i in range(len(names))]
        by_name = {str(name): camera for name, camera in zip(names, cameras, strict=True)}
        for name, camera in by_name.items():
            if camera.model != "pinhole":
                raise ValueError(
                    f"{self.camera}: frame {name} has a lens, {camera.model}, and the renderer "
                    "draws pinholes; give cameras of undistorted images"
                )
        return by_name

    def _read_scene(self) -> Any:
        from sf3d_jax import data

        gaussians = data.read_gaussian_ply(self.scene)
        if not len(gaussians.means):
            raise ValueError(f"{self.scene}: holds no Gaussians")
        return gaussians

    def _make_folders(self) -> list[str]:
        """Before the work, so that it is not lost."""
        for folder in _MAPS:
            try:
                (self.out / folder).mkdir(parents=True, exist_ok=True)
            except OSError as error:
                reason = f"no folder can be made at {self.out / folder}: {error.strerror}"
                raise ValueError(f"--out: {reason}") from None
        for path in self._files("0000").values():
            check_writable("--out", path)
        return [f"{folder}/*{ending}" for folder, ending in _MAPS.items()]

    def _files(self, name: str) -> dict[str, Path]:
        return {kind: self.out / kind / f"{name}{ending}" for kind, ending in _MAPS.items()}

    def _write(self, name: str, gaussians: Any, camera: Any) -> None:
        import numpy as np

        from sf3d_jax import data
        from sf3d_jax.gaussians import render

        drawn = render(
            gaussians,
            camera,
            background=np.float32(self.background),
            antialias=self.antialias,
        )
        files = self._files(name)
        eight_bits = lambda x: np.round(255 * np.clip(np.array(x), 0, 1)).astype(np.uint8)
        data.write_image(files["colors"], eight_bits(drawn.colors))
        data.write_map(files["inv_depth"], np.array(drawn.inv_depth))
        data.write_image(files["alpha"], eight_bits(drawn.alpha))


def _stem(image: str | None) -> str | None:
    """The name of an image without folders and ending, if files can have it."""
    name = re.split(r"[/\\]", image or "")[-1]
    name = re.sub(r"\.[A-Za-z]\w*$", "", name)
    return name if re.fullmatch(r"\w[\w .+-]{0,99}", name) else None


def _count(frames: Any) -> str:
    return "1 frame" if len(frames) == 1 else f"{len(frames)} frames"


def _near_origin(gaussians: Any, cameras: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The world moved to the first camera in float64, for what is drawn is drawn in float32.

    It is not turned, as colours go by directions in the axes of the world.
    """
    import jax
    import numpy as np

    rotation, translation = np.split(next(iter(cameras.values())).world_to_camera, [3], axis=1)
    origin = -(rotation.T @ translation)[:, 0]
    near = dataclasses.replace(gaussians, means=np.float32(np.float64(gaussians.means) - origin))
    moved = {}
    for name, camera in cameras.items():
        turn, shift = np.split(np.float64(camera.world_to_camera), [3], axis=1)
        moved[name] = dataclasses.replace(
            camera,
            focal=np.float32(camera.focal),
            principal_point=np.float32(camera.principal_point),
            world_to_camera=np.float32(np.c_[turn, shift[:, 0] + turn @ origin]),
        )
    return jax.device_put(near), moved
