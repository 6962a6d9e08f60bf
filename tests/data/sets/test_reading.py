"""The files of one sample: sizes, what is missing, and what a file has for both frames."""

import numpy as np
import pytest

from sf3d_jax.data import FormatError, ScalarMap
from sf3d_jax.data.sets._dataset import Entry
from sf3d_jax.data.sets._reading import Files, get_both_frames, invert_depth, subtract

SMALL, LARGE = np.zeros((2, 3)), np.zeros((4, 6, 2))


def read(path):
    return {"small": SMALL, "large": LARGE, "pair": ScalarMap(SMALL, SMALL > 0)}[path.name]


def entry(tmp_path, **files):
    return Entry("scene", "0007", "0008", {kind: tmp_path / name for kind, name in files.items()})


def test_a_kind_without_a_file_is_none(tmp_path):
    files = Files(entry(tmp_path, image="small"))
    assert files.read("flow", read) is None
    assert files.both("image", read) == (SMALL, None)
    assert files.kinds == ("image",)
    assert files.size() == (2, 3)


def test_the_map_of_another_size_is_named_and_pairs_have_that_of_their_values(tmp_path):
    files = Files(entry(tmp_path, depth="pair", image="small", flow="large"))
    for kind in ("depth", "image", "flow"):
        files.read(kind, read)
    with pytest.raises(FormatError, match=r"large: .*3 x 2 pixels, as in .*pair.* 6 x 4"):
        files.size()


@pytest.mark.parametrize("names, found", [({}, "none"), ({"cameras": "a", "poses": "b"}, ".*, p")])
def test_an_entry_without_a_map_has_no_size(tmp_path, names, found):
    with pytest.raises(ValueError, match=f"entry: expected .* an image or a map, got {found}"):
        Files(entry(tmp_path, **names)).size()


def test_the_frame_that_a_file_lacks_is_named(tmp_path):
    refuse = lambda frame: FormatError(tmp_path, f"frame {frame}", "none")
    assert get_both_frames(entry(tmp_path), {6: "a", 7: "b", 8: "c"}, refuse) == ("b", "c")
    for lacking, has in ((8, {7: "b"}), (7, {8: "c"})):
        with pytest.raises(FormatError, match=f"frame {lacking}"):
            get_both_frames(entry(tmp_path), has, refuse)


def test_what_is_missing_stays_missing():
    assert invert_depth(None) is None
    assert subtract(SMALL, None) is None
    assert subtract(None, SMALL) is None


def test_no_surface_is_0_and_an_unknown_depth_is_nan():
    values = np.float32([[2.0, 0.0, -1.0, 0.0]])
    found = invert_depth(ScalarMap(values, np.array([[True, True, True, False]])))
    np.testing.assert_array_equal(found, np.float32([[0.5, 0, 0, np.nan]]))
