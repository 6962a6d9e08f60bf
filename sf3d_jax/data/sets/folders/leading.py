"""The frames that flows begin and end in, told by names."""

from collections import defaultdict
from collections.abc import Hashable, Sequence
from pathlib import Path

from sf3d_jax.data._files import PathLike
from sf3d_jax.data.sets.folders.pairing import pair_files, step_of_names
from sf3d_jax.data.sets.folders.sequences import Chain, find_step, follow, read_sequences


def pair_frames(
    flows: Sequence[PathLike],
    frames: Sequence[PathLike],
    *,
    times: Sequence[tuple[int, Hashable]] | None = None,
) -> tuple[tuple[Path, Path | None], ...]:
    """The frame that each flow begins in, and the one that it leads to, told by the names.

    The first one is that of `pair_files`. Names of flows such as 0003_0005 say how far the other
    is; else it is the commonest difference of the frames' numbers. Frames of several cameras, such
    as 0001_cam1 and 0001_cam2, are followed within their camera.

    Args:
      flows: the files of flow.
      frames: files, or names, of frames; none needs to exist.
      times: for each frame its number and its camera, if that is known; else the names say it.

    Returns:
      For each flow its frames; None where there is no frame that it leads to.

    Raises:
      FileNotFoundError: flows have no frame; they are listed.
      ValueError: two frames stand for the same, or the names do not say which frame a flow begins
        in, or which of their numbers is that of the frame.
    """
    listed = [Path(x) for x in frames]
    firsts = pair_files(flows, frames).files
    names = [x.stem for x in listed]
    step = step_of_names([Path(x).stem for x in flows], names)
    place = {path: i for i, path in enumerate(listed)}
    if times is None:
        begins = {place[x] for x in firsts}
        try:
            chains = read_sequences(names, begins, step, is_partial=True)
        except ValueError as error:
            hint = "give the frames of one camera alone, or names such as frame1_cam2"
            raise ValueError(f"{error}; {hint}") from None
    else:
        chains = _split_cameras(times)
    after = follow(chains, step or find_step(chains))
    return tuple((x, listed[after[place[x]]] if place[x] in after else None) for x in firsts)


def _split_cameras(times: Sequence[tuple[int, Hashable]]) -> list[Chain]:
    chains: dict[Hashable, Chain] = defaultdict(dict)
    for i, (number, camera) in enumerate(times):
        chains[camera][number] = i
    return [*chains.values()]
