"""Arrays of face models, with the names of FLAME."""

import io
import pickle

import numpy as np
import pytest
import scipy.sparse

from sf3d_jax import data

V, S, J, T = 7, 4, 3, 5
RNG = np.random.default_rng(0)
WEIGHTS = RNG.uniform(0.1, 1, (V, J))
ARRAYS = {
    "v_template": RNG.normal(size=(V, 3)),
    "shapedirs": RNG.normal(size=(V, 3, S)),
    "posedirs": RNG.normal(size=(V, 3, 9 * (J - 1))),
    "J_regressor": np.where(RNG.uniform(size=(J, V)) < 0.5, 0, RNG.uniform(size=(J, V))),
    "weights": WEIGHTS / WEIGHTS.sum(1, keepdims=True),
    "kintree_table": np.array([[2**32 - 1, 0, 1], [0, 1, 2]], np.uint32),
    "f": RNG.integers(0, V, (T, 3)).astype(np.uint32),
}


@pytest.fixture
def read(tmp_path):
    def read(**changed):
        arrays = {name: x for name, x in (ARRAYS | changed).items() if x is not None}
        np.savez(tmp_path / "a.npz", **arrays)
        return data.read_face_model(tmp_path / "a.npz")

    return read


def check(model):
    for field, name in (
        ("template", "v_template"),
        ("shapes", "shapedirs"),
        ("weights", "weights"),
    ):
        np.testing.assert_array_equal(getattr(model, field), ARRAYS[name])
        assert getattr(model, field).dtype == np.float64
    np.testing.assert_array_equal(model.pose_shapes, ARRAYS["posedirs"])
    np.testing.assert_allclose(model.regressor, ARRAYS["J_regressor"], rtol=1e-15)
    assert model.parents.tolist() == [-1, 0, 1] and model.parents.dtype == np.int32
    np.testing.assert_array_equal(model.faces, ARRAYS["f"])
    assert model.faces.dtype == np.int32


def test_the_names_of_flame_are_read(read):
    check(read())
    check(
        read(J=np.zeros((J, 3)), bs_type=np.array("lrotmin"), vt=np.zeros((9, 2)), ft=ARRAYS["f"])
    )


def test_the_names_of_its_layers_are_read(read):
    """As in FLAME_PyTorch, where posedirs is reshaped to [-1, 9 (J - 1)] and transposed."""
    posedirs = ARRAYS["posedirs"].reshape(-1, 9 * (J - 1)).T
    parents = np.array([-1, 0, 1])
    renamed = {"lbs_weights": ARRAYS["weights"], "faces": ARRAYS["f"], "parents": parents}
    check(read(posedirs=posedirs, **renamed, weights=None, f=None, kintree_table=None))


def test_a_sparse_regressor_is_read(read):
    sparse = scipy.sparse.csr_matrix(ARRAYS["J_regressor"])
    parts = {f"J_regressor_{name}": getattr(sparse, name) for name in ("data", "indices", "indptr")}
    check(read(J_regressor=None, **parts))


def test_a_model_without_shapes_of_poses_is_read(read):
    assert read(posedirs=None).pose_shapes is None


def test_a_pickle_is_refused_with_lines_that_convert_it(tmp_path):
    """Of a model as FLAME's, in which the regressor is a sparse matrix."""
    path = tmp_path / "a.pkl"
    model = ARRAYS | {
        "J_regressor": scipy.sparse.csc_matrix(ARRAYS["J_regressor"]),
        "bs_style": "lbs",
    }
    path.write_bytes(pickle.dumps(model))
    with pytest.raises(data.FormatError, match="a pickle, which may run any code") as error:
        data.read_face_model(path)
    _, _, lines = str(error.value).partition("\n")
    exec(lines, {})
    check(data.read_face_model(tmp_path / "a.npz"))


SPARSE = {
    "J_regressor": None,
    "J_regressor_data": np.ones(2),
    "J_regressor_indices": np.array([0, 1]),
    "J_regressor_indptr": np.array([0, 1, 1, 2]),
}


@pytest.mark.parametrize(
    "changed, said",
    [
        ({"v_template": None}, "the arrays of a face model, found no v_template, but shapedirs"),
        ({"weights": None}, "found no weights or lbs_weights"),
        ({"faces": ARRAYS["f"]}, "one array of f and faces, found both"),
        ({"expressions": np.ones(3)}, "expressions, whose effect is unknown; leave it out"),
        ({"v_template": np.ones((V, 2))}, f"the shape [{V}, 3] of v_template, found [{V}, 2]"),
        ({"v_template": np.full((V, 3), np.nan)}, "numbers up to 1e+09 in v_template, found nan"),
        ({"shapedirs": np.ones((V + 1, 3, S))}, f"the shape [{V}, 3, {S}] of shapedirs"),
        ({"shapedirs": np.ones((V, 3))}, "numbers of 3 axes in shapedirs"),
        ({"posedirs": np.ones((V, 3, 9 * J))}, f"the shape [{V}, 3, {9 * (J - 1)}] of posedirs"),
        ({"J_regressor": np.ones((V, J))}, f"the shape [{J}, {V}] of J_regressor"),
        ({"weights": ARRAYS["weights"] * 2}, "weights of each vertex that add up to 1 in weights"),
        ({"weights": ARRAYS["weights"][1:]}, f"the shape [{V}, {J}] of weights"),
        ({"kintree_table": np.array([-1, 0, 2])}, "parents that come before their joints"),
        ({"kintree_table": np.array([0, 0, 1])}, "and -1 for the first, found [0.0, 0.0, 1.0]"),
        ({"kintree_table": np.array([-1, 0])}, f"the shape [{J}] of kintree_table"),
        ({"kintree_table": np.array([-1, 0, 0.5])}, "whole numbers from 0 to 2 in kintree_table"),
        ({"f": ARRAYS["f"] + V}, f"whole numbers from 0 to {V - 1} in f"),
        ({"f": ARRAYS["f"][:, :2]}, f"the shape [{T}, 3] of f"),
        ({"f": np.array(["a"])}, "real numbers in f"),
        (SPARSE | {"J_regressor": np.ones((J, V))}, "J_regressor, or J_regressor_data"),
        (SPARSE | {"J_regressor_data": None}, "J_regressor, or J_regressor_data"),
        (SPARSE | {"J_regressor_data": np.ones(3)}, "the shape [3] of J_regressor_indices"),
        (SPARSE | {"J_regressor_indices": np.array([0, V])}, f"whole numbers from 0 to {V - 1}"),
        (SPARSE | {"J_regressor_indptr": np.array([0, 2, 1, 2])}, "numbers that rise from 0 to 2"),
        (SPARSE | {"J_regressor_indptr": np.array([0, 1, 1, 1])}, "numbers that rise from 0 to 2"),
        (SPARSE | {"J_regressor_indptr": np.array([0, 2])}, f"the shape [{J + 1}] of"),
    ],
)
def test_arrays_that_do_not_fit_are_named(read, changed, said):
    with pytest.raises(data.FormatError, match=r"a\.npz: expected ") as error:
        read(**changed)
    assert said in str(error.value)


def test_another_file_is_named(tmp_path):
    with pytest.raises(data.FormatError, match=r"a face model in an .npz, found the ending '.glb'"):
        data.read_face_model(tmp_path / "a.glb")
    with pytest.raises(FileNotFoundError):
        data.read_face_model(tmp_path / "a.npz")
    (tmp_path / "a.npz").write_bytes(pickle.dumps(ARRAYS))
    with pytest.raises(data.FormatError, match="a damaged archive, or another file"):
        data.read_face_model(tmp_path / "a.npz")


def test_objects_are_not_loaded(tmp_path):
    """A pickle inside of an archive would run code."""
    stream = io.BytesIO()
    np.savez(stream, **ARRAYS | {"weights": np.array([{}], object)})
    (tmp_path / "a.npz").write_bytes(stream.getvalue())
    with pytest.raises(data.FormatError, match=r"real numbers in weights, found the dtype .O"):
        data.read_face_model(tmp_path / "a.npz")
