"""Where the files of Virtual KITTI 2 lie; see `VirtualKitti2` for the folder tree."""

from sf3d_jax.data.sets._listing import Place
from sf3d_jax.data.sets._sequences import Direction

# The numbers of the left and the right camera.
CAMERAS = (0, 1)
FRAMES = "frames"
CAMERA_FILES = {name: f"{name}.txt" for name in ("intrinsic", "extrinsic")}

_OF_FRAME = {"image": ("rgb", "rgb", ".jpg"), "depth": ("depth", "depth", ".png")}
_OF_MOTION: dict[Direction, dict[str, tuple[str, str, str]]] = {
    "forward": {
        "flow": ("forwardFlow", "flow", ".png"),
        "vectors": ("forwardSceneFlow", "sceneFlow", ".png"),
    },
    "backward": {
        "flow": ("backwardFlow", "backwardFlow", ".png"),
        "vectors": ("backwardSceneFlow", "backwardSceneFlow", ".png"),
    },
}


def get_frame_places(camera: int) -> dict[str, Place]:
    """Returns where the files of a frame lie, by kind, below `FRAMES`."""
    return _make_places(_OF_FRAME, camera)


def get_motion_places(direction: Direction, camera: int) -> dict[str, Place]:
    """Returns where the files of a motion lie, by kind, below `FRAMES`."""
    return _make_places(_OF_MOTION[direction], camera)


def _make_places(kinds: dict[str, tuple[str, str, str]], camera: int) -> dict[str, Place]:
    inside = f"Camera_{camera}"
    return {
        kind: Place(folder, f"{name}_{{:05d}}", ending, inside)
        for kind, (folder, name, ending) in kinds.items()
    }


# Subfolders of `FRAMES` by which a scene is recognised.
MARKS = {
    place.folder
    for kinds in (
        get_frame_places(0),
        get_motion_places("forward", 0),
        get_motion_places("backward", 0),
    )
    for place in kinds.values()
}
