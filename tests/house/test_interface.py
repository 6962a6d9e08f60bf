"""What a user meets: public names, their docstrings and options, the cost of importing."""

import functools
import importlib
import inspect
import itertools
import json
import re
import statistics
import subprocess
import sys
import tomllib

import pytest
from helpers.house import ROOT, STUBS, module_of, public_functions, stub_names

import sf3d_jax as sf3d
from sf3d_jax import _lazy

# What the published contract has otherwise.
POSITIONAL_OPTIONS = {("Camera.stride", "offset")}

FUNCTIONS = public_functions()
each_stub = pytest.mark.parametrize("path", STUBS, ids=module_of)


def test_what_is_public_was_found():
    wanted = {
        "scene_flow",
        "Camera.from_matrix",
        "Camera.stride",
        "depth_change.to_scaled",
        "depth_change.optical_expansion",
        "data.read_flow",
        "views.flow_to_color",
    }
    assert wanted <= set(FUNCTIONS)
    public_checks = {"data.check", "data.check_dataset"}
    assert {name for name in FUNCTIONS if "check" in name} == public_checks


# The time of this process alone: on a busy machine the clock on the wall runs for others too.
IMPORT = """
import json, sys, time, types
import jax
before, start = set(sys.modules), time.process_time()
import sf3d_jax
sf3d_jax.scene_flow, sf3d_jax.camera, sf3d_jax.depth_change
seconds, modules = time.process_time() - start, sorted(set(sys.modules) - before)
import sf3d_jax.conversion.scene_flow
kept = type(sf3d_jax) is types.ModuleType and callable(sf3d_jax.scene_flow)
print(json.dumps([seconds, modules, kept]))
"""


def fresh_python(code):
    return subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout


@pytest.fixture(scope="module")
def imports():
    """What three fresh processes say of the import: seconds, modules, and the name kept."""
    return [json.loads(fresh_python(IMPORT)) for _ in range(3)]


def test_the_import_costs_little_more_than_jax(imports):
    modules = set().union(*(names for _, names, _ in imports))
    assert "sf3d_jax.conversion.scene_flow" in modules
    heavy = {"cv2", "h5py", "scipy", "tyro", "tqdm"}
    assert not [name for name in modules if name.split(".")[0] in heavy]
    assert statistics.median(seconds for seconds, *_ in imports) < 0.3


def test_a_module_does_not_take_the_name_of_its_function(imports):
    assert all(kept for *_, kept in imports)


def test_the_package_alone_waits_for_its_first_name():
    assert fresh_python("import sf3d_jax, sys; print('jax' in sys.modules)").strip() == "False"


def test_docstrings_name_every_argument_and_the_result():
    for name, function in FUNCTIONS.items():
        signature, text = inspect.signature(function), inspect.getdoc(function) or ""
        for argument in signature.parameters:
            if argument not in ("self", "cls"):
                found = re.search(rf"^  +\**{argument}: ", text, re.MULTILINE)
                assert found, f"{name}: no line for {argument}"
        if signature.return_annotation not in (None, "None"):
            assert "\nReturns:\n" in text, f"{name}: no section Returns"


def test_options_are_keyword_only():
    for name, function in FUNCTIONS.items():
        for p in inspect.signature(function).parameters.values():
            if p.default not in (p.empty, None) and (name, p.name) not in POSITIONAL_OPTIONS:
                assert p.kind is p.KEYWORD_ONLY, f"{name}: {p.name}"


@each_stub
def test_every_name_of_a_stub_is_there(path):
    package, names = importlib.import_module(module_of(path)), stub_names(path)
    assert set(package.__all__) - {"__version__"} == set(names)
    assert set(package.__all__) - {"__version__"} <= set(dir(package))
    for name, module in names.items():
        value = getattr(package, name)
        if module != package.__name__:
            value_at_home = getattr(importlib.import_module(module), name)
            assert value is value_at_home
    with pytest.raises(AttributeError, match="no_such_name"):
        package.no_such_name  # noqa: B018


# Public modules, by the path that a user writes.
MODULES = ["", "augment", "data", "data.closed_form", "depth_change", "fit", "gaussians", "head"]
MODULES += ["losses", "making", "metrics", "se3", "tracks", "views"]


def module_at(path):
    return functools.reduce(getattr, filter(None, path.split(".")), sf3d)


def test_all_public_modules_are_known():
    found = {name for name in sf3d.__all__ if inspect.ismodule(getattr(sf3d, name))}
    found |= {
        f"{name}.{x}"
        for name in found
        for x in getattr(sf3d, name).__all__
        if inspect.ismodule(getattr(module_at(name), x))
    }
    assert found == set(MODULES) - {""}


@pytest.mark.parametrize("path", MODULES)
def test_a_module_lists_what_it_offers_and_nothing_else(path):
    module = module_at(path)
    assert sorted(dir(module)) == sorted(module.__all__)
    for name in set(module.__all__) - {"__version__"}:
        value = getattr(module, name)
        assert name[0] != "_", name
        assert not inspect.ismodule(value) or f"{path}.{name}".lstrip(".") in MODULES, name


MEANT = {
    "warp": "backward_warp",
    "epe": "losses.end_point_error",
    "losses.epe": "losses.end_point_error",
    "flow_to_image": "views.flow_to_color",
    "disparity_to_depth": "depth_change.from_disparities",
    "resize": "resize_image",
    "bilinear_sampler": "sample",
    "coords_grid": "pixel_grid",
    "flow_warp": "backward_warp",
    "losses.backward_warp": "backward_warp",
    "KittiSceneFlow": "metrics.KittiSceneFlow",
    "data.SRFlow3d": "data.SRFlow3D",
    "metrics.SRFlow3d": "metrics.SRFlow3D",
    "SSIMLoss": "losses.ssim",
    "forward_splatt": "forward_splat",
    "losses.charbonier": "losses.charbonnier",
}


@pytest.mark.parametrize("path", MEANT)
def test_a_name_that_is_not_there_is_answered_with_the_one_that_is_meant(path):
    with pytest.raises(AttributeError, match=rf"; did you mean sf3d_jax\.{MEANT[path]}\?$"):
        module_at(path)


def test_synonyms_mean_what_is_there_and_are_no_names_themselves():
    words = [word for words in _lazy._SYNONYMS.values() for word in words.split()]
    assert len(set(words)) == len(words)
    for path in _lazy._SYNONYMS:
        assert module_at(path) is not None
    squeezed = {_lazy._squeeze(path.split(".")[-1]) for path in _lazy._list_places()}
    assert not {word for word in words if word in squeezed or word.endswith("loss")}


def test_a_name_that_means_nothing_here_gets_no_advice():
    with pytest.raises(AttributeError, match=r"has no attribute 'quaternion_slerp'$"):
        sf3d.quaternion_slerp  # noqa: B018


# Three lines of a terminal and a half.
LONGEST_SIGNATURE = 400


def test_help_says_what_a_function_takes_in_a_few_lines():
    for name, function in FUNCTIONS.items():
        text = str(inspect.signature(function))
        assert len(text) <= LONGEST_SIGNATURE, f"{name}: {text}"
        assert "numpy._typing" not in text, f"{name}: {text}"
        assert not re.search(r"=<| object at 0x|PjitFunction", text), f"{name}: {text}"


def test_the_top_level_is_tidy():
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("needs git and a checkout, to tell files of the repository from others")
    top = {line.split("/")[0] for line in listed.stdout.splitlines()}
    expected = {"pyproject.toml", "sf3d_jax", "benchmarks", "tests"}
    expected |= {"README.md", "LICENSE", "CHANGELOG.md"}
    assert {name for name in top if not name.startswith(".")} <= expected


def test_the_dependencies_are_five_and_have_no_upper_caps():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    name = lambda requirement: re.split(r"[^\w-]", requirement)[0]
    five = ["jax", "jaxlib", "numpy", "chex", "optax"]
    assert [name(r) for r in project["dependencies"]] == five
    listed = [project["dependencies"], *project["optional-dependencies"].values()]
    for requirement in [*itertools.chain(*listed), f"python{project['requires-python']}"]:
        assert not re.search("[<~!]|==", requirement), requirement
