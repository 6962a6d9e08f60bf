"""In each package a changed line makes a test of the default run fail.

The tests that are asked compile little. They run on a copy of the checkout, in another process.
"""

import shutil
import subprocess
import sys
from typing import NamedTuple

import pytest
from helpers.house import PACKAGE, ROOT

pytestmark = pytest.mark.thorough


class Mutant(NamedTuple):
    """A change of one line, and the test that is to notice it.

    Attributes:
      file: below the package.
      line: a part of a line that stands there once.
      changed: what takes its place.
      test: below tests/.
    """

    file: str
    line: str
    changed: str
    test: str


MUTANTS = {
    "_numerics": Mutant(
        "_numerics/__init__.py",
        "-(result * result) * tangents[0]",
        "(result * result) * tangents[0]",
        "_numerics/test_numerics.py::test_a_reciprocal_is_within_one_unit_in_the_last_place[0]",
    ),
    "augment": Mutant(
        "augment/geometry.py",
        "c.crop(top, left, size)",
        "c.crop(left, top, size)",
        "augment/test_augment.py::test_a_crop_is_a_slice_and_reaches_every_place",
    ),
    "camera": Mutant(
        "camera/__init__.py",
        "(point + half) * point_scale - half",
        "(point + half) * point_scale + half",
        "camera/test_camera.py::test_edits_compose_and_undo",
    ),
    "cli": Mutant(
        "cli/_errors.py",
        "sys.exit(BAD_INPUT)",
        "sys.exit(BAD_INPUT - 1)",
        "cli/test_convert.py::test_half_a_camera_is_refused",
    ),
    "conversion": Mutant(
        "conversion/depth_change/channels.py",
        "(e0 / fb, (e1 - e0) / fb)\n",
        "(e0 / fb, (e0 - e1) / fb)\n",
        "conversion/test_depth_change.py::"
        "test_matches_the_definition_in_float64_and_inverts[disparities]",
    ),
    "data._files": Mutant(
        "data/_files/__init__.py",
        "Path(os.path.realpath(path)) if path.is_symlink() else path",
        "path",
        "data/_files/test_files.py::test_a_link_stays_and_what_it_points_to_is_written",
    ),
    "data.cameras": Mutant(
        "data/cameras/poses.py",
        "r[..., k, j] - r[..., j, k]",
        "r[..., k, j] + r[..., j, k]",
        "data/cameras/test_colmap.py::test_quaternions_are_as_scipys",
    ),
    "data.checking": Mutant(
        "data/checking/evidence/within.py",
        "float((values < 0).mean())",
        "float((values > 0).mean())",
        "data/checking/test_sample.py::test_a_fault_is_named_first[head-negative disparities]",
    ),
    "data.evaluation": Mutant(
        "data/evaluation/submission.py",
        "self.expected - len(self.missing) - len(self.wrong)",
        "self.expected - len(self.missing)",
        "data/evaluation/test_submit.py::test_what_is_missing_wrong_or_unknown_is_told_by_kind",
    ),
    "data.loading": Mutant(
        "data/loading/stacking.py",
        "np.zeros(sample.valid.shape, depths[0].dtype)",
        "np.ones(sample.valid.shape, depths[0].dtype)",
        "data/loading/test_loading.py::"
        "test_a_missing_next_camera_and_next_depth_are_filled_up_and_nothing_else",
    ),
    "data.maps": Mutant(
        "data/maps/kitti_png.py",
        "np.maximum(codes, 1)",
        "np.maximum(codes, 0)",
        "data/maps/test_kitti_png.py::"
        "test_disparity_is_written_rounded_and_a_small_one_stays_valid",
    ),
    "data.meshes": Mutant(
        "data/meshes/glb/scene.py",
        "to_scene = to_scene @ _read_transform(node)",
        "to_scene = _read_transform(node) @ to_scene",
        "data/meshes/glb/test_reading.py::test_nodes_move_turn_and_scale_their_meshes",
    ),
    "data.sets": Mutant(
        "data/sets/_reading.py",
        "return by_frame[numbers[0]], by_frame[numbers[1]]",
        "return by_frame[numbers[1]], by_frame[numbers[0]]",
        "data/sets/test_reading.py::test_the_frame_that_a_file_lacks_is_named",
    ),
    "fit": Mutant(
        "fit/_refine.py",
        "better = now < least",
        "better = ~(now > least)",
        "fit/test_refine.py::test_the_values_are_those_of_the_least_loss_that_is_finite",
    ),
    "gaussians": Mutant(
        "gaussians/origin.py",
        "translation[:, 0] + rotation @ origin",
        "translation[:, 0] - rotation @ origin",
        "gaussians/test_origin.py::test_cameras_see_every_mean_at_its_place_in_float32[1000.0]",
    ),
    "head": Mutant(
        "head/carrying.py",
        "subtract(scale(2, second), first)",
        "subtract(scale(2, second), second)",
        "head/test_carrying.py::test_the_gaussians_are_those_of_the_formula",
    ),
    "losses": Mutant(
        "losses/penalties.py",
        "_penalty(jnp.square, x)",
        "_penalty(absolute, x)",
        "losses/test_losses.py::test_the_values_are_those_of_the_formula[l2]",
    ),
    "making": Mutant(
        "making/running/manifest.py",
        "if _hash(out / path) != entry:",
        "if _hash(out / path)[0] != entry[0]:",
        "making/running/test_job.py::test_verify_names_missing_changed_and_additional_files",
    ),
    "metrics": Mutant(
        "metrics/motion.py",
        "_LARGEST = math.log(2)",
        "_LARGEST = math.log(3)",
        "metrics/test_scene.py::test_motion_in_depth_is_clipped_and_averaged_as_papers_do",
    ),
    "se3": Mutant(
        "se3/transforms.py",
        "rows += [(*zeros, *a) for a in rotation]",
        "rows += [(*a, *zeros) for a in rotation]",
        "se3/test_se3.py::test_matches_jaxlie[adjoint]",
    ),
    "views": Mutant(
        "views/colors.py",
        "np.arctan2(-vectors[..., 1], -vectors[..., 0])",
        "np.arctan2(vectors[..., 1], -vectors[..., 0])",
        "views/test_colors.py::test_flow_has_the_published_colors",
    ),
    "warping": Mutant(
        "warping/sampling.py",
        "first = jnp.where(between, 1 - f,",
        "first = jnp.where(between, f,",
        "warping/test_sampling.py::test_a_shift_by_whole_pixels_is_a_shift[bilinear]",
    ),
}


def run_tests(folder, *tests):
    command = [sys.executable, "-m", "pytest", "-n", "0"]
    command += [f"tests/{test}" for test in tests]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True)


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    """A copy in which all these tests pass."""
    folder = tmp_path_factory.mktemp("mutants")
    for name in ("sf3d_jax", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    run = run_tests(folder, *(mutant.test for mutant in MUTANTS.values()))
    assert run.returncode == 0, run.stdout
    return folder


def test_every_package_has_a_mutant():
    folders = [*PACKAGE.iterdir(), *(PACKAGE / "data").iterdir()]
    packages = {path.relative_to(PACKAGE) for path in folders if (path / "__init__.py").exists()}
    assert {".".join(path.parts) for path in packages} - {"data"} == set(MUTANTS)


@pytest.mark.parametrize("name", MUTANTS)
def test_a_mutant_is_noticed(checkout, name):
    mutant = MUTANTS[name]
    path = checkout / "sf3d_jax" / mutant.file
    source = path.read_text()
    assert source.count(mutant.line) == 1, f"{path}: write another mutant"
    path.write_text(source.replace(mutant.line, mutant.changed))
    try:
        run = run_tests(checkout, mutant.test)
    finally:
        path.write_text(source)
    assert run.returncode == 1 and f"FAILED tests/{mutant.test}" in run.stdout, run.stdout
