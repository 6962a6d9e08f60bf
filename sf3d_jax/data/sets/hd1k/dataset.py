"""HD1K: high-resolution street scenes with sparse flow.

The flow has the format of KITTI's PNGs. The maps of its uncertainty are not read, and there are
neither depths nor cameras.

Kondermann et al., "The HCI Benchmark Suite: Stereo and Flow Ground Truth With Uncertainties for
Urban Autonomous Driving" (CVPR Workshops 2016).
"""

from collections.abc import Collection, Iterator
from pathlib import Path

from sf3d_jax._checks import check_choice
from sf3d_jax.data._files import PathLike
from sf3d_jax.data.maps import read_flow
from sf3d_jax.data.maps.images import read_unit_image
from sf3d_jax.data.sets._dataset import Dataset, Entry
from sf3d_jax.data.sets._listing import Folder, FrameFiles
from sf3d_jax.data.sets._reading import Files, combine_valid, get_flow_vectors
from sf3d_jax.data.sets._sequences import choose, list_pairs
from sf3d_jax.data.sets.hd1k import layout
from sf3d_jax.samples import Sample


class HD1K(Dataset):
    """Pairs of frames of HD1K.

        hd1k_input/
          image_2/000000_0010.png                images: sequence 0, frame 10
        hd1k_flow_gt/
          flow_occ/000000_0010.png               flow to the next frame
        hd1k_flow_uncertainty/                   not read
        hd1k_challenge/
          image_2/000000_0010.png                images of the test set

    A pair consists of frames n and n + 1 of one sequence, from its first to its last flow. A sample
    has the two images, `flow`, and `valid` where the flow is known.
    """

    def __init__(
        self,
        root: PathLike,
        split: str = "training",
        *,
        sequences: Collection[str] | None = None,
        frames: int = 2,
    ) -> None:
        """Lists the files.

        Args:
          root: folder that contains hd1k_input and hd1k_flow_gt.
          split: "training", or "challenge", which only has images.
          sequences: sequences to read, such as "000007"; all if None.
          frames: frames per sample; above 2, a sample is a `Sequence`.

        Raises:
          FileNotFoundError: no files are found, or a sequence is missing.
          ValueError: the split is unknown.
        """
        check_choice("split", split, layout.SPLITS)
        self.split, self.sequences = split, sequences
        super().__init__(root, list(self._list_entries(Path(root))), frames=frames)

    def _describe_missing(self) -> str:
        return f"found no {layout.INPUTS[self.split]}/image_2/000000_0010.png (expected in HD1K)"

    def _list_entries(self, root: Path) -> Iterator[Entry]:
        places = layout.get_kinds(self.split, "")
        folders = {
            kind: Folder(root / place.folder, place.ending) for kind, place in places.items()
        }
        folders = {kind: folder for kind, folder in folders.items() if folder}
        stems = set().union(*(folder.stems for folder in folders.values()))
        numbers = {stem.rpartition("_")[0] for stem in stems}
        found = {f"{int(number):06d}" for number in numbers if number.isdecimal()}
        for sequence in choose(found, self.sequences, root):
            of = layout.get_kinds(self.split, sequence)
            frames = {kind: FrameFiles(folder, of[kind].stem) for kind, folder in folders.items()}
            flows = frames["flow"].numbers if "flow" in frames else frozenset[int]()
            for entry in list_pairs(sequence, frames, ("image",), digits=4):
                if not flows or min(flows) <= int(entry.frame) <= max(flows):
                    yield entry

    def read(self, entry: Entry) -> Sample:
        """Reads one sample as stored in its files.

        Args:
          entry: one of `entries`.

        Returns:
          The sample; pixels without ground truth are not valid.

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
