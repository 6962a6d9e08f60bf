"""FlyingChairs: chairs flying in front of photographs, with dense flow only.

Dosovitskiy et al., "FlowNet: Learning Optical Flow with Convolutional Networks" (ICCV 2015).
"""

from collections.abc import Iterator
from pathlib import Path

from sf3d_jax._checks import check_choice
from sf3d_jax.data._files import FormatError, PathLike
from sf3d_jax.data._files.text import read_rows
from sf3d_jax.data.maps import read_flow
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._reading import Files, combine_valid, get_flow_vectors
from sf3d_jax.data.sets.chairs import layout
from sf3d_jax.samples import Sample

# The word in the list for each split.
_WORDS = {"train": "1", "val": "2"}


class FlyingChairs(Dataset):
    """Pairs of images of FlyingChairs.

        FlyingChairs_release/
          FlyingChairs_train_val.txt        one line per pair: 1 for train, 2 for val
          data/
            00001_img1.ppm                  the first image of a pair
            00001_img2.ppm                  the second image
            00001_flow.flo

    A sample has these fields if their files exist: the two images, `flow` and `valid`.

    The list is a separate download on the page of the data set,
    lmb.informatik.uni-freiburg.de/resources/datasets/FlyingChairs.en.html, and is identical to
    RAFT's chairs_split.txt. Line n describes pair n, even if some pairs are missing.
    """

    def __init__(
        self,
        root: PathLike,
        split: str = "train",
        *,
        split_list: PathLike | None = None,
    ) -> None:
        """Lists the files.

        Args:
          root: folder FlyingChairs_release, its parent, or the folder of the images.
          split: "train" or "val", which need the list, or "all".
          split_list: path of the list; if None, FlyingChairs_train_val.txt or chairs_split.txt in
            the folder of the release or of the images.

        Raises:
          FileNotFoundError: no files are found, or the given list is missing.
          FormatError: the list is malformed, or lacks a line for a pair.
          ValueError: the split is unknown, or needs a list and none is found.
        """
        check_choice("split", split, layout.SPLITS)
        self.root, self.split = Path(root), split
        self._list = None if split_list is None else Path(split_list)
        super().__init__(root, list(self._list_entries()))

    def _describe_missing(self) -> str:
        other = layout.describe_other(self.root)
        of = "" if self.split == "all" else f" of the split {self.split!r}"
        return f"found no data/00001_img1.ppm{of} (expected in FlyingChairs){other}"

    def _list_entries(self) -> Iterator[Entry]:
        kinds = layout.find_pairs(self.root)
        numbers = sorted(set().union(*(frames.numbers for frames in kinds.values())))
        if numbers and self.split != "all":
            numbers = self._choose(numbers, kinds[next(iter(kinds))].folder.path)
        for number in numbers:
            files = {kind: frames.file(number) for kind, frames in kinds.items()}
            yield Entry(f"{number:05d}", "1", "2", files)

    def _choose(self, numbers: list[int], folder: Path) -> list[int]:
        """Selects the pairs of the split."""
        path = self._list or layout.find_list(self.root, folder)
        if path is None:
            raise ValueError(
                f"{folder.parent}: found no {layout.LISTS[0]}, which lists the pairs of "
                f"{self.split!r}: download it from the page of FlyingChairs (it is RAFT's "
                f"{layout.LISTS[1]}), pass it as split_list=, or use the split 'all'"
            )
        words = [" ".join(row) for row in read_rows(path)]
        for i, word in enumerate(words, 1):
            if word not in _WORDS.values():
                raise FormatError(path, f"1 or 2 in line {i}", repr(word[:60]))
        if not 1 <= numbers[0] <= numbers[-1] <= len(words):
            beyond = numbers[0] if numbers[0] < 1 else numbers[-1]
            raise FormatError(path, f"a line for pair {beyond:05d}", f"{len(words)} lines")
        return [n for n in numbers if words[n - 1] == _WORDS[self.split]]

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; pixels that the file marks as unknown are not valid.

        Raises:
          FormatError: a file is malformed.
          OSError: a file is missing.
        """
        files = Files(entry)
        image, next_image = files.both("image", read_unit_image)
        flow = files.read("flow", read_flow)
        files.size()  # checks that the sizes agree
        return Sample(
            image=image,
            next_image=next_image,
            flow=get_flow_vectors(flow),
            valid=combine_valid(flow),
            name=entry.name,
        )
