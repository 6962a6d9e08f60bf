"""Where the files of HD1K lie; see `HD1K` for the folder tree.

All sequences lie in one folder: a file name has the number of the sequence and that of the frame.
"""

from sf3d_jax.data.sets._listing import Place

SPLITS = ("training", "challenge")
# The folders of the images, by split.
INPUTS = {"training": "hd1k_input", "challenge": "hd1k_challenge"}
TRUTH = "hd1k_flow_gt"

# A folder with one of these is HD1K.
MARKS = {*INPUTS.values(), TRUTH}


def get_kinds(split: str, sequence: str) -> dict[str, Place]:
    """Returns where a sequence has its images and, in the training set, its flow.

    Args:
      split: one of `SPLITS`.
      sequence: number of the sequence, as in the file names.
    """
    of_folder = lambda folder: Place(folder, f"{sequence}_{{:04d}}", ".png")
    images = {"image": of_folder(f"{INPUTS[split]}/image_2")}
    return images if split == "challenge" else {**images, "flow": of_folder(f"{TRUTH}/flow_occ")}
