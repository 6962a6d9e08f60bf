"""data/FORMATS.md names every format that maps are read from, every camera model of COLMAP, the
formats of meshes, and the arrays and functions of this package."""

import re

import pytest
from helpers.house import PACKAGE

from sf3d_jax import data
from sf3d_jax.data.cameras.colmap.models import MODELS, OTHERS
from sf3d_jax.data.meshes import face_models
from sf3d_jax.data.meshes.formats import READERS

TEXT = (PACKAGE / "data/FORMATS.md").read_text()


@pytest.mark.parametrize("read", [data.read_flow, data.read_disparity, data.read_map])
def test_every_format_of_maps_is_described(read):
    options = {"scale": 1.0} if read is data.read_map else {}
    with pytest.raises(data.FormatError) as error:
        read("map.unknown", **options)
    listed, _, formats = str(error.value).partition(", found")[0].partition("format=")
    endings, named = re.findall(r"'(\.\w+)'", listed), re.findall(r"'(\w+)'", formats)
    assert len(endings) >= 5 and len(named) >= 5
    assert not [ending for ending in endings if f"`{ending}`" not in TEXT]
    for name in {"vkitti2", "tartanair"} & {*named}:  # no ending tells these
        assert f'format="{name}"' in TEXT


@pytest.mark.parametrize("name", MODELS)
def test_colmaps_models_have_their_numbers_and_parameters(name):
    model = MODELS[name]
    (row,) = re.findall(rf"^\| (\d+) \| {name} \| ([^|]*) \| (\w+) \|$", TEXT, re.MULTILINE)
    assert (int(row[0]), len(row[1].split()), row[2]) == (
        model.number,
        model.parameters,
        model.ours,
    )


def test_what_is_refused_is_named():
    for number, name in OTHERS.items():
        assert f"{name} ({number})" in TEXT


def test_every_format_of_meshes_is_described():
    assert not [ending for ending in READERS if f"`{ending}`" not in TEXT]
    arrays = {name for names in face_models.NAMES.values() for name in names}
    arrays |= {*face_models.SPARSE, *face_models.IGNORED}
    assert not [name for name in arrays if f"`{name}`" not in TEXT]


def test_the_functions_that_it_names_are_there():
    for name in set(re.findall(r"`((?:read|write)_\w+)`", TEXT)):
        assert hasattr(data, name), name
