"""Where the files of HD1K lie; `HD1K` shows the folders.

All sequences lie in one folder: the number of a sequence and that of a frame name a file.
"""

from sf3d_jax.data.sets._listing import Place

SPLITS = ("training", "challenge")
# The folders of the images of the splits.
INPUTS = {"training": "hd1k_input", "challenge": "hd1k_challenge"}
TRUTH = "hd1k_flow_gt"

# A folder with one of these is HD1K.
MARKS = {*INPUTS.values(), TRUTH}


def kinds(split: str, sequence: str) -> dict[str, Place]:
    """The kinds of files of a sequence: its images and, in the training set, its flow.

    Args:
      split: one of `SPLITS`.
      sequence: its number, as the files have it.
    """
    of_folder = lambda folder: Place(folder, f"{sequence}_{{:04d}}", ".png")
    images = {"image": of_folder(f"{INPUTS[split]}/image_2")}
    return images if split == "challenge" else {**images, "flow": of_folder(f"{TRUTH}/flow_occ")}
