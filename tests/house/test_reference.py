"""The reference of the site has a place for every public name, and signatures that can be read."""

import importlib
import inspect
import re

import pytest
from helpers.house import ROOT, STUBS, stub_names

import sf3d_jax as sf3d


@pytest.fixture(scope="module")
def reference():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(ROOT / ".docs")
        yield importlib.import_module("reference")


@pytest.fixture(scope="module")
def pages(reference):
    return reference.list_pages()


def test_every_name_of_a_stub_is_on_one_page(reference, pages):
    paths = [name.path for names in pages.values() for name in names]
    assert len(set(paths)) == len(paths)
    named = {name.path for name in reference.list_names() if inspect.ismodule(name.value)}
    assert sum(len(stub_names(stub)) for stub in STUBS) == len(
        [path for path in paths if "closed_form" not in path]
    ) + len(named)
    assert {"sf3d_jax.scene_flow", "sf3d_jax.losses.ssim", "sf3d_jax.data.SRFlow3D"} <= {*paths}
    assert "sf3d_jax.data.closed_form.deforming_scene" in paths
    for path in paths:
        assert path.split(".")[-1] in dir(reference.Name(*path.rpartition(".")[::2], "").owner)


def test_signatures_can_be_read(reference, pages):
    places = reference.link_targets(pages)
    for names in pages.values():
        for name in names:
            if callable(name.value) and not inspect.isclass(name.value):
                text = reference.signature_of(inspect.unwrap(name.value), places)
                assert not re.search(r" at 0x|<|numpy|\bUnion\b|\b_[A-Z]", text), (
                    f"{name.path}{text}"
                )


def test_a_shared_word_is_not_taken_for_a_public_type(reference, pages):
    places = reference.link_targets(pages)
    text = reference.signature_of(sf3d.data.stack, places)
    assert text == "(samples: Sequence[sf3d_jax.Sample]) -> sf3d_jax.Sample"


def test_code_and_links_are_marked_up(reference):
    places = {"sf3d_jax.scene_flow", "sf3d_jax.losses.ssim"}
    mark_up = lambda text: reference.mark_up(text, "sf3d_jax.losses", places)
    assert mark_up("`ssim` of (*b, H)") == r":py:obj:`ssim <sf3d_jax.losses.ssim>` of (\*b, H)"
    assert mark_up("`scene_flow` and `jit`s") == (
        r":py:obj:`scene_flow <sf3d_jax.scene_flow>` and ``jit``\ s"
    )
    assert mark_up("a_ |x|") == r"a\_ \|x\|"
    assert reference.render_text("With\n\n    c = d\n\nand", "sf3d_jax", places) == [
        *("With", "", "::", "", "    c = d", "", "and", "")
    ]
