"""`sf3d render`: renders a scene of 3D Gaussians from given cameras."""

import contextlib
import dataclasses
import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sf3d_jax.cli._progress import track
from sf3d_jax.cli.frame_names import name_frames
from sf3d_jax.cli.inputs import check_folder, check_writable, make_folder
from sf3d_jax.cli.record import NAME, add_frame, begin_record, hash_file, read_record

if TYPE_CHECKING:
    from sf3d_jax import Camera
    from sf3d_jax.gaussians import Gaussians

# Folder of each map, and the ending of its files.
_MAPS = {"colors": ".png", "inv_depth": ".npy", "alpha": ".png"}
_PICTURES = "inv_depth_colors"
# The largest number that the renderer can index.
_MOST_INTERSECTIONS = 2**30 - 1
# Its messages about a missing number are clearer than tyro's own for `tuple[int, int] | None`.
_SIZE = tyro.constructors.PrimitiveConstructorSpec(
    nargs=2,
    metavar="HEIGHT WIDTH",
    instance_from_str=lambda words: (int(words[0]), int(words[1])),
    is_instance=lambda x: x is None or isinstance(x, tuple),
    str_from_instance=lambda size: ["None"] if size is None else [*map(str, size)],
)


@dataclasses.dataclass(frozen=True)
class Render:
    """Render a scene of 3D Gaussians (.ply) from given cameras.

    Writes for each frame colors/NAME.png (8 bits), inv_depth/NAME.npy (per metre, 0 where empty),
    inv_depth_colors/NAME.png (dark blue is far, yellow is near, black is empty; one scale for all
    frames) and alpha/NAME.png (8 bits), replacing existing files. NAME is the name of the image in
    the camera file, or the number of the frame if it has none. If images share a name, all names
    include the folders: x_a for x/a.png. Names that are not allowed or occur twice are changed,
    with a note. Colours are written as trained. render.jsonl records the inputs, for --resume.
    """

    scene: tyro.conf.Positional[Path]
    """Scene of 3D Gaussian Splatting (.ply)."""
    camera: Path
    """Cameras in JSON: transforms.json, cameras.json of 3D Gaussian Splatting, or similar."""
    out: Path
    """Folder for the results."""
    size: Annotated[tuple[int, int] | None, _SIZE] = None
    """Height and width of the images, if not those in the camera file."""
    background: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Red, green and blue of the background, 0 to 1."""
    antialias: bool = False
    """For scenes trained with antialiasing: Gaussians smaller than a pixel fade."""
    resume: bool = False
    """Keep finished frames of this size, if scene, cameras and options are the same."""

    def run(self) -> None:
        """Reads everything, then draws and writes frame by frame."""
        self._check()
        cameras = self._read_cameras()
        gaussians = self._read_scene()
        with self._make_folders() as folders:
            self._draw(gaussians, cameras)
            print(f"{self.out}: {', '.join(folders)}")

    def _draw(self, gaussians: "Gaussians", cameras: "dict[str, Camera]") -> None:
        """Draws the unfinished frames, and records each when all its files are written."""
        done = self._find_done(cameras)
        import jax

        from sf3d_jax.gaussians import recenter

        print(f"{self.scene}: {len(gaussians.means)} Gaussians, {_count(cameras)}", flush=True)
        if done:
            print(
                f"  {_count(done)} already drawn, {len(cameras) - len(done)} to draw",
                flush=True,
            )
        with _check_memory(
            f"{self.scene}: {len(gaussians.means)} Gaussians do not fit into memory"
        ):
            near = recenter(gaussians, [*cameras.values()])
            gaussians = jax.device_put(near.gaussians)
            moved = dict(zip(cameras, near.cameras, strict=True))
            left = {name: camera for name, camera in moved.items() if name not in done}
            counts = self._count_intersections(gaussians, left)
        _say_unseen(counts)
        rooms = _share_room(counts, left)
        for name in track([*left], "frame"):
            self._write(name, gaussians, left[name], rooms[name])
            add_frame(self.out, name)
        self._color_inverse_depths(cameras)

    def _check(self) -> None:
        if self.size is not None and min(self.size) < 1:
            got = f"{self.size[0]} x {self.size[1]}"
            raise ValueError(f"--size: expected at least 1 x 1, got {got}")
        if not all(0 <= x <= 1 for x in self.background):
            got = " ".join(f"{x:g}" for x in self.background)
            raise ValueError(f"--background: expected three numbers from 0 to 1, got {got}")
        check_folder(self.out, "out")
        for name, path in (("SCENE", self.scene), ("--camera", self.camera)):
            if path.is_dir():
                raise ValueError(f"{name}: {path} is a folder; name a file")
        starts = [_read_start(path) for path in (self.scene, self.camera)]
        if starts[0][:1] in (b"{", b"[") and starts[1].startswith(b"ply"):
            raise ValueError(
                f"{self.scene} holds JSON and {self.camera} holds a scene; the two are swapped; "
                f"give {self.camera} --camera {self.scene}"
            )

    def _read_cameras(self) -> "dict[str, Camera]":
        """Reads the cameras by the names of their frames; raises if one has a lens."""
        from sf3d_jax import data
        from sf3d_jax.cli.reading import say_if_off_centre

        try:
            cameras = data.read_image_cameras(self.camera, size=self.size)
        except data.FormatError as error:
            raise error.ask_for("--size HEIGHT WIDTH") from None
        names, notes = name_frames([x.image for x in cameras])
        for note in notes:
            print(f"sf3d: {note}", file=sys.stderr)
        by_name = {name: x.camera for name, x in zip(names, cameras, strict=True)}
        say_if_off_centre(f"--camera {self.camera}", *by_name.values())
        for name, camera in by_name.items():
            if camera.model != "pinhole":
                raise ValueError(
                    f"{self.camera}: frame {name} has a lens ({camera.model}), but the renderer "
                    "draws only pinhole cameras; give the cameras of undistorted images"
                )
        return by_name

    def _read_scene(self) -> "Gaussians":
        from sf3d_jax import data

        gaussians = data.read_gaussian_ply(self.scene)
        if not len(gaussians.means):
            raise ValueError(f"{self.scene}: the scene has no Gaussians")
        return gaussians

    @contextlib.contextmanager
    def _make_folders(self) -> Iterator[list[str]]:
        """Makes the folders before any work is done; removes those that stay empty if it fails."""
        endings = {**_MAPS, _PICTURES: ".png"}
        folders = [self.out / name for name in endings]
        with contextlib.ExitStack() as stack:
            for folder in (self.out, *folders):
                stack.enter_context(make_folder(folder, "out"))
            record = self.out / NAME
            for path in (record, *(folder / "0000" for folder in folders)):
                check_writable("--out", path)
            is_new = not record.exists()
            try:
                yield [f"{name}/*{ending}" for name, ending in endings.items()]
            except BaseException:
                if is_new and not any(any(folder.iterdir()) for folder in folders):
                    record.unlink(missing_ok=True)
                raise

    def _files(self, name: str) -> dict[str, Path]:
        return {kind: self.out / kind / f"{name}{ending}" for kind, ending in _MAPS.items()}

    def _find_done(self, cameras: "dict[str, Camera]") -> set[str]:
        """Finds the frames that need not be drawn, and starts the record of this run.

        The size is not recorded, as it can be read from the files.
        """
        facts = {
            "scene": hash_file(self.scene),
            "camera": hash_file(self.camera),
            "background": [*self.background],
            "antialias": self.antialias,
        }
        if not self.resume:
            begin_record(self.out, facts)
            return set()
        drawn = read_record(self.out, facts)
        if drawn is None:
            there = [
                name for name in cameras if any(x.exists() for x in self._files(name).values())
            ]
            if there:
                raise ValueError(
                    f"--resume: frame {there[0]} is in {self.out}, but no {NAME} with its inputs; "
                    "use another folder, or drop --resume to draw it again"
                )
            begin_record(self.out, facts)
        return {
            name for name in drawn or () if name in cameras and self._is_done(name, cameras[name])
        }

    def _is_done(self, name: str, camera: "Camera") -> bool:
        """Whether all files of a frame exist and have the size of the camera."""
        files = self._files(name).values()
        return all(path.exists() and _read_size(path) == camera.size for path in files)

    def _count_intersections(
        self, gaussians: "Gaussians", cameras: "dict[str, Camera]"
    ) -> dict[str, int]:
        """Counts the tile intersections of every frame before any frame is drawn."""
        import jax

        from sf3d_jax.gaussians import intersections_needed

        needed = lambda camera: intersections_needed(gaussians, camera, antialias=self.antialias)
        frames = track([*cameras], "counted frame")
        return {name: int(jax.block_until_ready(needed(cameras[name]))) for name in frames}

    def _write(self, name: str, gaussians: "Gaussians", camera: "Camera", room: int) -> None:
        import jax
        import numpy as np

        from sf3d_jax import data
        from sf3d_jax.gaussians import render

        size = "{} x {}".format(*camera.size)
        too_large = (
            f"frame {name}: {size} with {room} intersections does not fit into memory; "
            "use a smaller --size"
        )
        if room > _MOST_INTERSECTIONS:
            raise ValueError(too_large)
        with _check_memory(too_large):
            drawn = render(
                gaussians,
                camera,
                background=np.float32(self.background),
                max_intersections=room,
                antialias=self.antialias,
            )
            # Without this, running out of memory would end the process in NumPy's copy.
            jax.block_until_ready(drawn)
            colors, inv_depth, alpha, overflow = map(
                np.array, (drawn.colors, drawn.inv_depth, drawn.alpha, drawn.overflow)
            )
        if overflow:
            raise ValueError(f"frame {name}: needs {overflow} more intersections than counted")
        files = self._files(name)
        eight_bits = lambda x: np.round(255 * np.clip(x, 0, 1)).astype(np.uint8)
        data.write_image(files["colors"], eight_bits(colors))
        data.write_map(files["inv_depth"], inv_depth)
        data.write_image(files["alpha"], eight_bits(alpha))

    def _color_inverse_depths(self, names: Collection[str]) -> None:
        """Colours the inverse depths with one scale: the 1st to 99th percentile of all frames."""
        import numpy as np

        from sf3d_jax import data, views

        maps = {name: self._files(name)["inv_depth"] for name in names}
        ends = []
        for path in maps.values():
            values = np.load(path)
            if (values > 0).any():
                ends.append(np.percentile(values[values > 0], (1, 99)))
        limits = (np.min(ends), np.max(ends)) if ends else (0.0, 1.0)
        for name, path in maps.items():
            values = np.load(path)
            picture = views.scalar_to_color(values, valid=values > 0, limits=limits)
            data.write_image(self.out / _PICTURES / f"{name}.png", picture)
        if ends:
            print(
                f"  {_PICTURES}: {limits[0]:.3g} (dark blue) to {limits[1]:.3g} (yellow) per metre"
            )


def _read_size(path: Path) -> tuple[int, ...]:
    """Reads the height and width in the header of a .png or .npy; () if there is none."""
    import numpy as np

    if path.suffix == ".npy":
        try:
            return np.load(path, mmap_mode="r").shape
        except (ValueError, EOFError):
            return ()
    with path.open("rb") as file:
        header = file.read(24)
    if not header.startswith(b"\x89PNG"):
        return ()
    width, height = (int.from_bytes(header[i : i + 4], "big") for i in (16, 20))
    return height, width


def _read_start(path: Path) -> bytes:
    """Reads the first bytes of a file, without leading white space; empty without a file."""
    try:
        with path.open("rb") as file:
            return file.read(256).removeprefix(b"\xef\xbb\xbf").lstrip()
    except OSError:  # reported when the file is read
        return b""


def _share_room(counts: dict[str, int], cameras: "dict[str, Camera]") -> dict[str, int]:
    """Gives all frames of one size the largest buffer that one of them needs: one program each."""
    from sf3d_jax.gaussians import room_for

    most: dict[tuple[int, int], int] = {}
    for name, count in counts.items():
        most[cameras[name].size] = max(count, most.get(cameras[name].size, 0))
    return {name: room_for(most[camera.size]) for name, camera in cameras.items()}


def _say_unseen(counts: dict[str, int]) -> None:
    """Prints a note on empty frames, with a likely reason if all frames are empty."""
    unseen = [name for name in counts if not counts[name]]
    if unseen and len(unseen) == len(counts):
        which = f"frame {unseen[0]}" if len(unseen) == 1 else f"all {len(unseen)} frames"
        note = "the cameras may have other axes or units than the scene"
        print(f"sf3d: {which}: no Gaussian is visible; {note}", file=sys.stderr)
        return
    for name in unseen:
        print(f"sf3d: frame {name}: no Gaussian is visible", file=sys.stderr)


@contextlib.contextmanager
def _check_memory(message: str) -> Iterator[None]:
    """Raises a ValueError with the message if the host or the device runs out of memory."""
    import jax

    try:
        yield
    except (MemoryError, jax.errors.JaxRuntimeError) as error:
        said = str(error)
        if not isinstance(error, MemoryError) and "RESOURCE_EXHAUSTED" not in said:
            raise
        raise ValueError(message) from None


def _count(frames: Collection[str]) -> str:
    return "1 frame" if len(frames) == 1 else f"{len(frames)} frames"
