"""Virtual KITTI 2, with 16-bit PNGs by OpenCV and cameras written by hand."""

import cv2
import numpy as np
import pytest
from helpers import trees

import sf3d_jax as sf3d
from sf3d_jax import data
from sf3d_jax.data.sets.vkitti2.dataset import VirtualKitti2


@pytest.mark.parametrize("direction", ["forward", "backward"])
def test_a_sample_is_the_truth(tmp_path, direction):
    forward, backward = trees.virtualkitti2(tmp_path, sky=False)
    film = VirtualKitti2(tmp_path, direction=direction)
    truth, index, frames = (
        (forward, 0, ("00000", "00001"))
        if direction == "forward"
        else (backward, -1, ("00002", "00001"))
    )
    assert len(film) == 2
    sample, entry = film[index], film.entries[index]
    assert (entry.frame, entry.next_frame) == frames
    assert sample.name == f"Scene01/clone/Camera_0/{frames[0]}"
    trees.check_cameras(sample, truth)
    # Half a code: half a centimetre of depth, from 3 m on; 20/65535/2 m of its change.
    trees.check_truth(sample, truth, flow=4e-4, inv_depth=0.005 / 3**2, vectors=8e-3)
    centimetre = 0.005 / 2.5**2
    np.testing.assert_allclose(sample.next_inv_depth, forward.next_inv_depth, atol=centimetre)
    assert sample.scene_flow is None and sample.valid.all()
    assert sample.image.dtype == np.float32 and sample.image.shape == (*trees.SIZE, 3)


def test_the_sky_has_no_surface_but_a_flow(tmp_path):
    trees.virtualkitti2(tmp_path)
    sample = VirtualKitti2(tmp_path)[0]
    assert sample.inv_depth[0, 0] == sample.inv_depth_change[0, 0] == 0
    assert sample.next_inv_depth[0, 0] == 0
    assert sample.valid.all() and (sample.inv_depth > 0).sum() == sample.valid.size - 1
    _, valid = sf3d.scene_flow(
        sample.flow, sample.inv_depth, sample.inv_depth_change, sample.camera, sample.next_camera
    )
    assert not valid[0, 0] and valid.sum() == valid.size - 1


def test_a_scene_flow_that_is_clipped_is_not_known(tmp_path):
    trees.virtualkitti2(tmp_path)
    path = tmp_path / "Scene01/clone/frames/forwardSceneFlow/Camera_0/sceneFlow_00000.png"
    codes = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    codes[2, 3, 0] = 65535
    assert cv2.imwrite(str(path), codes)
    sample = VirtualKitti2(tmp_path)[0]
    assert not sample.valid[2, 3] and sample.valid.sum() == sample.valid.size - 1


def test_scenes_variations_and_cameras_are_chosen(tmp_path):
    for name in ("Scene01/clone", "Scene01/rain", "Scene20/clone"):
        trees.virtualkitti2(tmp_path, name)
    names = lambda film: sorted({e.sequence.removesuffix("/Camera_0") for e in film.entries})
    assert names(VirtualKitti2(tmp_path)) == ["Scene01/clone", "Scene01/rain", "Scene20/clone"]
    clone = VirtualKitti2(tmp_path, variations=["clone"], direction="backward")
    assert names(clone) == ["Scene01/clone", "Scene20/clone"]
    assert names(clone.other_direction()) == names(clone)
    assert names(VirtualKitti2(tmp_path, scenes=["Scene01"])) == ["Scene01/clone", "Scene01/rain"]
    with pytest.raises(FileNotFoundError, match="found no fog, only"):
        VirtualKitti2(tmp_path, variations=["fog"])
    with pytest.raises(FileNotFoundError, match=r"no Scene01/clone/frames/rgb/Camera_1/rgb_00000"):
        VirtualKitti2(tmp_path, camera=1)
    with pytest.raises(ValueError, match="camera: expected 0 or 1, got 2"):
        VirtualKitti2(tmp_path, camera=2)


def test_kinds_that_are_not_there_are_none(tmp_path):
    trees.virtualkitti2(tmp_path)
    top = tmp_path / "Scene01/clone"
    for kind in ("forwardSceneFlow", "backwardSceneFlow", "backwardFlow"):
        (top / "frames" / kind).rename(tmp_path / kind)
    film = VirtualKitti2(tmp_path)
    assert film.other_direction() is None
    assert film[0].inv_depth_change is None and film[0].flow is not None
    for name in ("intrinsic", "extrinsic"):
        (top / f"{name}.txt").rename(tmp_path / f"{name}.txt")
    assert VirtualKitti2(tmp_path)[0].camera is None


def test_a_frame_without_a_camera_is_named(tmp_path):
    trees.virtualkitti2(tmp_path)
    for name in ("intrinsic", "extrinsic"):
        path = tmp_path / f"Scene01/clone/{name}.txt"
        path.write_text("\n".join(path.read_text().splitlines()[:-2]) + "\n")
    film = VirtualKitti2(tmp_path)
    assert film[0].camera is not None
    with pytest.raises(data.FormatError, match=r"extrinsic\.txt: expected camera 0 in frame 2"):
        film[1]


@pytest.mark.parametrize("name", ["intrinsic", "extrinsic"])
def test_half_of_the_cameras_is_missed(tmp_path, name):
    trees.virtualkitti2(tmp_path)
    (tmp_path / f"Scene01/clone/{name}.txt").unlink()
    with pytest.raises(FileNotFoundError, match=rf"Scene01/clone/{name}\.txt"):
        VirtualKitti2(tmp_path)[0]
