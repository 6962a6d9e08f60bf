"""`sf3d demo`: converts a scene known in closed form to 3D and back."""

import dataclasses
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sf3d_jax.cli._progress import say_if_slow
from sf3d_jax.cli.inputs import check_folder, make_folder

if TYPE_CHECKING:
    import jax
    import numpy as np

    from sf3d_jax.data.closed_form import ClosedFormScene

# Longer side, in pixels, of the images that the flow is fitted to.
_FITTED = 320


@dataclasses.dataclass(frozen=True)
class Demo:
    """Convert a moving scene known in closed form to 3D and back; needs no files."""

    size: tuple[int, int] = (768, 1024)
    """Height and width of the scene in pixels."""
    output: Path = Path(".")
    """Folder for the figure."""

    def run(self) -> None:
        """Prints the errors and the time, and draws the scene."""
        if min(self.size) < 16:
            got = f"{self.size[0]} x {self.size[1]}"
            raise ValueError(f"--size: expected at least 16 x 16, got {got}")
        check_folder(self.output)
        with make_folder(self.output):
            self._convert()
        self._fit()

    def _convert(self) -> None:
        """Converts the scene there and back; prints errors and times, and draws the figure."""
        import numpy as np

        import sf3d_jax as sf3d
        from sf3d_jax import data
        from sf3d_jax.data.closed_form import deforming_scene
        from sf3d_jax.views import percent, picture_sheet

        scene = deforming_scene(self.size)
        maps = [np.float32(x) for x in (scene.flow, scene.inv_depth, scene.inv_depth_change)]
        cameras = scene.camera, scene.next_camera
        with say_if_slow():
            vectors, valid = map(np.array, sf3d.scene_flow(*maps, *cameras))
            back = sf3d.image_motion(vectors, maps[1], *cameras)
            plain = np.array(_make_subtraction()(*maps, *_make_camera_arrays(scene)))
        use = valid & scene.valid
        length = np.linalg.norm(scene.vectors[use], axis=-1).max()
        worst = lambda a, b: float(np.abs(np.float64(a) - b)[use].max())
        print(f"Deforming surface before a wall, moving camera, {_format_size(self.size)}, float32")
        print(f"  valid                      {percent(valid.mean())}")
        print(f"  scene flow, longest        {1e3 * length:.1f} mm")
        print("Largest error against the closed form")
        ours, theirs = worst(vectors, scene.vectors), worst(plain, scene.vectors)
        print(f"  scene flow                 {ours:.1e} m ({ours / length:.1e} of the longest)")
        print(f"  subtracting two points     {theirs:.1e} m ({theirs / ours:.0f} times as much)")
        print(f"  flow, there and back       {worst(back.flow, scene.flow):.1e} px")
        change = worst(back.inv_depth_change, scene.inv_depth_change)
        print(f"  inverse-depth change       {change:.1e} /m")
        self._time(maps, scene)

        target = self.output / "sf3d_demo.png"
        shown = (maps[0], maps[1], vectors, valid)
        sheet = picture_sheet(
            *shown, image=scene.image, inv_depth_change=maps[2], camera_is_fixed=False
        )
        data.write_image(target, sheet)
        print(f"Figure: {target.resolve()}")

    def _fit(self) -> None:
        """Prints how well the flow is recovered from the two images alone."""
        import cv2
        import numpy as np

        from sf3d_jax import fit
        from sf3d_jax.data.closed_form import deforming_scene, next_image

        shrink = min(1.0, _FITTED / max(self.size))
        size = round(shrink * self.size[0]), round(shrink * self.size[1])
        scene = deforming_scene(size, camera_motion=2.0)
        images = scene.image, next_image(scene)
        ends = np.stack(np.meshgrid(*map(np.arange, size[::-1])), -1) + scene.flow
        use = scene.valid & ((ends >= 0) & (ends <= np.array(size[::-1]) - 1)).all(-1)
        mean = lambda flow: np.linalg.norm(flow - scene.flow, axis=-1)[use].mean()

        start = time.perf_counter()
        with say_if_slow():
            found = np.array(fit.flow(*(np.float32(x) / 255 for x in images)).flow)
        taken = time.perf_counter() - start
        one, two = (cv2.cvtColor(x, cv2.COLOR_RGB2GRAY) for x in images)
        # OpenCV's type stubs require an initial flow, which would change the method.
        peer: Any = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        dis = peer.calc(one, two, None)
        print(f"Flow fitted to the two images alone, {_format_size(size)}, mean end-point error")
        print(f"  zero flow                  {mean(np.zeros_like(scene.flow)):.3f} px")
        print(f"  fit.flow                   {mean(found):.3f} px ({taken:.1f} s with compilation)")
        print(f"  OpenCV DIS, medium         {mean(dis):.3f} px")

    def _time(self, maps: "list[np.ndarray]", scene: "ClosedFormScene") -> None:
        """Prints the time of the conversion and that of subtracting two points."""
        import jax

        import sf3d_jax as sf3d

        arrays = [jax.device_put(x) for x in maps]
        one = lambda: sf3d.scene_flow(*arrays, scene.camera)
        two = lambda: sf3d.scene_flow(*arrays, scene.camera, scene.next_camera)
        camera = _make_camera_arrays(scene)[:2]
        subtract = _make_subtraction()
        plain = lambda: subtract(*arrays, *camera)
        megapixels = self.size[0] * self.size[1] / 1e6
        ours, both, theirs = (t / megapixels for t in _measure_milliseconds([one, two, plain]))
        print(f"Time per megapixel on {jax.devices()[0].device_kind}")
        print(f"  scene flow, one camera     {ours:.2f} ms, with validity")
        print(f"  scene flow, two cameras    {both:.2f} ms, with validity")
        print(f"  subtracting two points     {theirs:.2f} ms, one camera, without validity")
        print(f"  ratio                      {theirs / ours:.2f}")


def _format_size(size: tuple[int, int]) -> str:
    return f"{size[1]} x {size[0]} px"


def _make_camera_arrays(scene: "ClosedFormScene") -> "tuple[np.ndarray, ...]":
    """Gets focal lengths, principal point and both poses in float32."""
    import numpy as np

    cameras = scene.camera, scene.next_camera
    intrinsics = [
        np.asarray(x, np.float32)[None, None]
        for x in (cameras[0].focal, cameras[0].principal_point)
    ]
    return (*intrinsics, *(np.float32(c.world_to_camera) for c in cameras))


def _make_subtraction() -> "Callable[..., jax.Array]":
    """Makes the naive conversion: the difference of two points lifted into the world."""
    import jax
    import jax.numpy as jnp

    import sf3d_jax as sf3d

    def lift(
        pixels: jax.Array,
        inv_depth: jax.Array,
        focal: jax.Array,
        centre: jax.Array,
        pose: jax.Array | None,
    ) -> jax.Array:
        rays = jnp.concatenate([(pixels - centre) / focal, jnp.ones_like(pixels[..., :1])], -1)
        points = rays / inv_depth[..., None]
        return points if pose is None else (points - pose[None, None, :, 3]) @ pose[:, :3]

    @jax.jit
    def subtract(
        flow: jax.Array,
        d: jax.Array,
        c: jax.Array,
        focal: jax.Array,
        centre: jax.Array,
        first: jax.Array | None = None,
        second: jax.Array | None = None,
    ) -> jax.Array:
        pixels = sf3d.pixel_grid(d.shape)
        end = lift(pixels + flow, d + c, focal, centre, second)
        vectors = end - lift(pixels, d, focal, centre, first)
        return vectors if first is None else vectors @ first[:, :3].T

    return subtract


def _measure_milliseconds(functions: list[Callable[[], object]], repeats: int = 15) -> list[float]:
    """Measures the median time of each function; they run in turn after one run to compile."""
    import jax

    times: list[list[float]] = [[] for _ in functions]
    for function in functions:
        jax.block_until_ready(function())
    for _ in range(repeats):
        for function, taken in zip(functions, times, strict=True):
            start = time.perf_counter()
            jax.block_until_ready(function())
            taken.append(1e3 * (time.perf_counter() - start))
    return [statistics.median(taken) for taken in times]
