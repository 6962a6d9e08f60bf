"""Frame and image names for the objects of a list, or for the rows of columns."""

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.frames import Frame, frame_of_value
from sf3d_jax.data._files.json import Json, outline
from sf3d_jax.data.cameras.names import FRAME_NAMES, OTHER_NAMES, simplify

# Keys of an image, in the form of `simplify`.
_IMAGES = "filepath imagepath imagename imgname filename file image".split()


def find_named_frames(path: PathLike, items: list[dict[str, Json]]) -> list[Frame] | None:
    """Finds the frame that each object of a list names in one of its values.

    Args:
      path: file named in error messages.
      items: the objects.

    Returns:
      One frame per object, all different; None if they name no frames.

    Raises:
      FormatError: several objects name the same frame, or only some name one.
    """
    complaint = None
    simplified = [{simplify(key): x for key, x in item.items()} for item in items]
    for name in (*FRAME_NAMES, *OTHER_NAMES):
        found = [frame_of_value(item.get(name)) for item in simplified]
        frames = [frame for frame in found if frame is not None]
        if len({frame.number for frame in frames}) == len(items):
            return frames
        if not frames or name in OTHER_NAMES:
            continue
        if len(frames) == len(items):
            complaint = f"another {name} in each camera", outline(items)
        elif complaint is None:
            missing = found.index(None)
            complaint = f"a frame as {name} of each camera", f"none in number {missing} of the list"
    if complaint is not None:
        raise FormatError(path, *complaint)
    return None


def find_image_names(path: PathLike, tree: Json, count: int) -> list[str | None]:
    """Finds the image that each object of a list of cameras names.

    Args:
      path: file named in error messages.
      tree: contents of the file; the list is the root, or stands under `frames`.
      count: number of cameras that were read.

    Returns:
      An image or None per camera, ordered by frame number; all None unless there is a list of
      `count` objects.

    Raises:
      FormatError: several objects name the same frame, or only some name one.
    """
    items = tree.get("frames") if isinstance(tree, dict) else tree
    if not isinstance(items, list) or len(items) != count:
        return [None] * count
    if not all(isinstance(item, dict) for item in items):
        return [None] * count
    order = [*range(count)]
    if (frames := find_named_frames(path, items)) is not None:
        order.sort(key=[frame.number for frame in frames].__getitem__)
    simplified = [{simplify(key): x for key, x in items[i].items()} for i in order]
    return [
        next((item[key] for key in _IMAGES if isinstance(item.get(key), str)), None)
        for item in simplified
    ]


def find_labels(node: dict[str, Json]) -> list[Frame]:
    """Finds the frames of columns in a list of names or numbers beside them.

    Args:
      node: object that holds the columns.

    Returns:
      The frames, all different; empty if there is no such list.
    """
    for key, value in node.items():
        if simplify(key) in (*FRAME_NAMES, *OTHER_NAMES) and isinstance(value, list) and value:
            found = [frame for x in value if (frame := frame_of_value(x)) is not None]
            if len({frame.number for frame in found}) == len(value):
                return found
    return []
