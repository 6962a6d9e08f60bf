"""The frames and images that the objects of a list, or the rows of columns, are named after."""

from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.frames import Frame, frame_of_value
from sf3d_jax.data._files.json import Json, outline
from sf3d_jax.data.cameras.names import FRAME_NAMES, OTHER_NAMES, simple

# Keys of an image, as `simple` writes them.
_IMAGES = "filepath imagepath imagename imgname filename file image".split()


def named_frames(path: PathLike, items: list[dict[str, Json]]) -> list[Frame] | None:
    """The frames that objects of a list name by one of their values.

    Args:
      path: of the file, for the error.
      items: the objects.

    Returns:
      A frame for each, all different; None where they name none.

    Raises:
      FormatError: several say that they are the same frame, or only some say theirs.
    """
    complaint = None
    simplified = [{simple(key): x for key, x in item.items()} for item in items]
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


def image_names(path: PathLike, tree: Json, count: int) -> list[str | None]:
    """The images that the objects of a list of cameras name.

    Args:
      path: the file, for the error.
      tree: what is in the file; the list is the file itself, or stands under `frames`.
      count: how many cameras were read.

    Returns:
      An image, or None, for each camera in the order of the frames' numbers; None for all where
      there is no such list of as many objects.

    Raises:
      FormatError: as `named_frames`.
    """
    items = tree.get("frames") if isinstance(tree, dict) else tree
    if not isinstance(items, list) or len(items) != count:
        return [None] * count
    if not all(isinstance(item, dict) for item in items):
        return [None] * count
    order = [*range(count)]
    if (frames := named_frames(path, items)) is not None:
        order.sort(key=[frame.number for frame in frames].__getitem__)
    simplified = [{simple(key): x for key, x in items[i].items()} for i in order]
    return [
        next((item[key] for key in _IMAGES if isinstance(item.get(key), str)), None)
        for item in simplified
    ]


def labels(node: dict[str, Json]) -> list[Frame]:
    """The frames of columns, by a list of names or numbers beside them.

    Args:
      node: an object with the columns.

    Returns:
      The frames, all different; empty where there is no such list.
    """
    for key, value in node.items():
        if simple(key) in (*FRAME_NAMES, *OTHER_NAMES) and isinstance(value, list) and value:
            found = [frame for x in value if (frame := frame_of_value(x)) is not None]
            if len({frame.number for frame in found}) == len(value):
                return found
    return []
