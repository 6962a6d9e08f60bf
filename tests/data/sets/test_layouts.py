"""Where the files of the benchmarks lie, by the names that their authors publish."""

from helpers.files import made

from sf3d_jax.data.sets.chairs import layout as chairs
from sf3d_jax.data.sets.hd1k import layout as hd1k
from sf3d_jax.data.sets.kitti import layout as kitti
from sf3d_jax.data.sets.kitti import layout_2012 as kitti2012
from sf3d_jax.data.sets.sintel import layout as sintel
from sf3d_jax.data.sets.spring import layout as spring
from sf3d_jax.data.sets.srflow3d import layout as srflow3d
from sf3d_jax.data.sets.tartanair import layout as tartanair
from sf3d_jax.data.sets.things import layout as things
from sf3d_jax.data.sets.vkitti2 import layout as vkitti2

FORWARD = vkitti2.get_motion_places("forward", 1)
NAMES = {
    "data/00006_img2.ppm": chairs.IMAGES["next_image"].path(6),
    "data/00006_flow.flo": chairs.FLOW.path(6),
    "flow_occ/000003_10.png": kitti.TRUTH["flow"].path(3),
    "disp_noc_1/000003_10.png": kitti.TRUTH_INSIDE["next_disparity"].path(3),
    "disp_0/000003_10.png": kitti.PREDICTIONS["disparity"].path(3),
    "image_2/000003_11.png": kitti.IMAGES["next_image"].path(3),
    "obj_map/000003_10.png": kitti.OBJECTS.path(3),
    "colored_0/000003_11.png": kitti2012.KINDS["next_image"][0].path(3),
    "disp_noc/000003_10.png": kitti2012.KINDS["disparity"][1].path(3),
    "calib/000003.txt": kitti2012.CALIBRATION.path(3),
    "hd1k_input/image_2/000035_0010.png": hd1k.get_kinds("training", "000035")["image"].path(10),
    "hd1k_challenge/image_2/000001_0011.png": hd1k.get_kinds("challenge", "000001")["image"].path(
        11
    ),
    "hd1k_flow_gt/flow_occ/000035_0010.png": hd1k.get_kinds("training", "000035")["flow"].path(10),
    "flow_BW_right/flow_BW_right_0002.flo5": spring.get_truth("backward", "right")["flow"].path(2),
    "disp1_left/disp1_left_0002.dsp5": spring.get_truth("forward", "left")["disparity"].path(2),
    "maps/matchmap_disp2_FW_left/matchmap_disp2_FW_left_0002.png": spring.get_match_map(
        spring.get_truth("forward", "left")["moved_disparity"]
    ).path(2),
    "maps/skymap_right/skymap_right_0002.png": spring.get_sky_map("right").path(2),
    "maps/rigidmap_BW_left/rigidmap_BW_left_0002.png": spring.get_rigid_map(
        "backward", "left"
    ).path(2),
    "optical_flow/into_past/right/OpticalFlowIntoPast_0006_R.pfm": things.get_truth(
        "backward", "right"
    )["flow"].path(6),
    "frames_finalpass_webp/left/0006.webp": things.get_image("frames_finalpass_webp", "left").path(
        6
    ),
    "flow/right/into_past/0000006.flo": things.get_subset_motion("backward", "right")["flow"].path(
        6
    ),
    "flow_occlusions/left/into_future/0000006.png": things.get_subset_motion("forward", "left")[
        "occlusion"
    ].path(6),
    "image_final/left/0000006.png": things.get_subset_image("final", "left").path(6),
    "scaled_inv_depth_CB/0006.npy": srflow3d.BACKWARD.change.path(6),
    "flow/0006.flo": srflow3d.FORWARD_ONLY.flow.path(6),
    "camdata_left/frame_0006.cam": sintel.KINDS["camera"].path(6),
    "forwardSceneFlow/Camera_1/sceneFlow_00006.png": FORWARD["vectors"].path(6),
    "flow/000006_000007_mask.npy": tartanair.KINDS["mask"].path(6),
    "depth_rcam_top/000006_rcam_top_depth.png": tartanair.get_kinds_v2("rcam_top")["depth"].path(6),
    "flow_lcam_front/000006_000007_flow.png": tartanair.get_kinds_v2("lcam_front")["flow"].path(6),
    "flow_lcam_left/000006_000007_lcam_left_flow.npz": tartanair.get_kinds_v2("lcam_left")[
        "computed"
    ].path(6),
}


def test_files_are_named_as_they_are_published():
    assert {name: path.as_posix() for name, path in NAMES.items()} == {n: n for n in NAMES}


def test_a_place_finds_its_frames(tmp_path):
    place = things.get_truth("forward", "left")["flow"]
    folder = "optical_flow/TRAIN/A/0000/into_future/left"
    for number in (6, 9):
        made(tmp_path / folder / f"OpticalFlowIntoFuture_{number:04d}_L.pfm").touch()
    frames = place.frames(tmp_path, "TRAIN/A/0000")
    assert frames.numbers == {6, 9}
    assert frames.file(9) == tmp_path / folder / "OpticalFlowIntoFuture_0009_L.pfm"
