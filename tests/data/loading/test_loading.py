"""The loader: order, batches, padding, processes, resuming; against plain loops."""

import dataclasses
import json

import jax
import numpy as np
import pytest

import sf3d_jax as sf3d
from sf3d_jax import Sample, Sequence, augment
from sf3d_jax.data import loader, stack

SIZE = (4, 6)
COUNT = 7


def sample(i, size=SIZE):
    rng = np.random.default_rng(i)
    return Sample(
        image=np.float32(rng.uniform(size=(*size, 3))),
        flow=np.float32(rng.normal(size=(*size, 2))),
        inv_depth=np.float32(rng.uniform(1, 2, size)),
        camera=sf3d.Camera.pinhole(*np.float32([5, 5, 2.5, 1.5]), size),
        name=f"walk/{i:04}",
    )


class Samples:
    def __init__(self, make=sample, count=COUNT):
        self.make, self.count = make, count

    def __len__(self):
        return self.count

    def __getitem__(self, i):
        if not -self.count <= i < self.count:
            raise IndexError(i)
        return self.make(i)


def noisy(key, x):
    """Every pixel of the image gets a number drawn for the sample."""
    return dataclasses.replace(x, image=x.image + jax.random.normal(key))


def rows(batches):
    """(name, arrays) of every sample of the batches that is none of padding."""
    for batch in batches:
        for i, name in enumerate(batch.name):
            if name:
                yield name, jax.tree.map(lambda x, i=i: x[i], batch)


def same(a, b):
    equal = jax.tree.map(np.array_equal, a, b)
    return all(jax.tree.leaves(equal))


def test_a_batch_is_its_samples_stacked():
    batch = next(iter(loader(Samples(), 3, 0, shuffle=False)))
    assert batch.name == ("walk/0000", "walk/0001", "walk/0002")
    for name, row in rows([batch]):
        one = sample(int(name[-1]))
        assert same(row, dataclasses.replace(one, valid=np.ones(SIZE, bool)))
    leaves = jax.tree.leaves(batch)
    assert all(type(x) is np.ndarray and x.dtype in (np.float32, bool) for x in leaves)


def test_every_epoch_has_every_sample_once_in_an_order_of_its_own():
    names = [name for name, _ in rows(loader(Samples(), 3, 5, epochs=4))]
    epochs = [tuple(names[i * COUNT : (i + 1) * COUNT]) for i in range(4)]
    assert all(sorted(epoch) == sorted(epochs[0]) for epoch in epochs)
    assert len(set(epochs[0])) == COUNT and len(set(epochs)) == 4
    assert names != [name for name, _ in rows(loader(Samples(), 3, 6, epochs=4))]


@pytest.mark.parametrize("count, batch_size", [(7, 3), (6, 3), (1, 4)])
@pytest.mark.parametrize("epochs", [1, 2])
def test_its_length_is_the_number_of_batches_in_an_epoch(count, batch_size, epochs):
    batches = loader(Samples(count=count), batch_size, 0, epochs=epochs)
    assert len(batches) == -(-count // batch_size) == len(list(batches)) / epochs
    assert len(loader(Samples(count=count), batch_size, 0)) == len(batches)


def test_the_length_of_all_processes_is_that_of_one(monkeypatch):
    monkeypatch.setattr(jax, "process_count", lambda *_: 2)
    assert len(loader(Samples(), 4, 0)) == 2


def test_samples_without_a_length_are_refused():
    with pytest.raises(TypeError, match="has no len"):
        loader(iter([sample(0)]), 3, 0)


def test_without_epochs_it_does_not_end():
    batches = iter(loader(Samples(), 4, 0))
    assert len([next(batches) for _ in range(50)]) == 50


def test_what_fills_up_the_last_batch_is_not_valid_anywhere():
    batches = list(loader(Samples(), 3, 0, epochs=2, shuffle=False))
    assert [batch.name[-1] for batch in batches] == ["walk/0002", "walk/0005", ""] * 2
    for batch in batches:
        padding = np.array([name == "" for name in batch.name])
        assert (batch.valid == ~padding[:, None, None]).all()
        assert batch.flow.shape == (3, *SIZE, 2)


@pytest.mark.parametrize("changes", [{"threads": 1}, {"threads": 5}, {"batch_size": 2}])
def test_a_sample_depends_on_seed_epoch_and_index_alone(changes):
    options = {"batch_size": 3, "seed": 3, "epochs": 2, "threads": 3, "transform": noisy}
    usual = list(rows(loader(Samples(), **options)))
    other = list(rows(loader(Samples(), **options | changes)))
    assert len(usual) == len(other) == 2 * COUNT
    for (name, a), (other_name, b) in zip(usual, other, strict=True):
        assert name == other_name and same(a, b)
    drawn = {float((a.image - sample(int(name[-1])).image).mean()) for name, a in usual}
    assert len(drawn) == 2 * COUNT


def test_processes_share_the_batches_of_one(monkeypatch):
    options = {"batch_size": 4, "seed": 1, "epochs": 3, "transform": noisy}
    alone = list(loader(Samples(), **options))
    shares = []
    for process in range(2):
        monkeypatch.setattr(jax, "process_count", lambda *_: 2)
        monkeypatch.setattr(jax, "process_index", lambda *_, p=process: p)
        shares.append(list(loader(Samples(), **options)))
    assert len(alone) == len(shares[0]) == len(shares[1])
    for batch, *parts in zip(alone, *shares, strict=True):
        assert all(len(part.name) == 2 for part in parts)
        together = dict(rows(parts))
        assert together.keys() == {name for name in batch.name if name}
        assert all(same(row, together[name]) for name, row in rows([batch]))
    with pytest.raises(ValueError, match="multiple of 2, the number of processes, got 3"):
        loader(Samples(), 3, 0)


@pytest.mark.parametrize("after", [0, 1, 3, 5])
def test_a_saved_state_goes_on_with_the_next_batch(after):
    make = lambda threads: iter(loader(Samples(), 2, 9, transform=noisy, threads=threads))
    batches = make(3)
    for _ in range(after):
        next(batches)
    state = json.dumps(batches.get_state())
    expected = [next(batches) for _ in range(6)]
    again = make(2)
    next(again)
    again.set_state(json.loads(state))
    for batch in expected:
        got = next(again)
        assert got.name == batch.name and same(got, batch)


def test_smaller_samples_are_padded_and_the_cameras_stay_with_their_pixels():
    sizes = Samples(lambda i: sample(i, (4 + i % 2, 6 - i % 3)))
    with pytest.raises(ValueError, match=r"walk/0000 and walk/0001 have .*; give size="):
        next(iter(loader(sizes, 3, 0, shuffle=False)))
    batch = next(iter(loader(sizes, 3, 0, shuffle=False, size=(8, 7))))
    assert batch.camera.size == (8, 7) and batch.image.shape == (3, 8, 7, 3)
    for i in range(3):
        one = sizes[i]
        height, width = one.flow.shape[:2]
        assert batch.valid[i, :height, :width].all() and batch.valid[i].sum() == height * width
        assert (batch.flow[i, :height, :width] == one.flow).all()
        assert (batch.camera.principal_point[i] == one.camera.principal_point).all()
    with pytest.raises(ValueError, match=r"sample walk/0001 is \(5, 5\).*, larger than"):
        list(loader(sizes, 1, 0, shuffle=False, epochs=1, size=(4, 8)))


def test_augment_changes_a_sample_as_it_does_outside():
    def transform(key, x):
        return augment.random_crop(key, x, (3, 4))

    seed, epoch = 2, 1
    batches = list(loader(Samples(), 7, seed, epochs=2, transform=transform))
    for name, row in rows(batches[epoch:]):
        index = int(name[-1])
        key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), epoch), index)
        expected = transform(key, sample(index))
        assert same(dataclasses.replace(row, valid=None), expected)


def test_a_missing_next_camera_and_next_depth_are_filled_up_and_nothing_else():
    full = dataclasses.replace(
        sample(0), next_camera=sample(0).camera, next_inv_depth=np.ones(SIZE, np.float32)
    )
    mixed = Samples(lambda i: sample(i) if i else full)
    batch = next(iter(loader(mixed, 2, 0, shuffle=False)))
    assert (batch.next_camera.focal == 5).all()
    assert (batch.next_inv_depth == np.float32([1, 0])[:, None, None]).all()
    mixed = Samples(lambda i: dataclasses.replace(sample(i), **{} if i else {"flow": None}))
    with pytest.raises(
        ValueError, match="only one of the samples walk/0000 and walk/0001 has flow"
    ):
        next(iter(loader(mixed, 2, 0, shuffle=False)))


def test_a_loader_of_others_stacks_the_samples_too():
    """As PyTorch's does: by length and number, each list of samples by the given function."""
    samples = Samples()
    numbers = [range(len(samples))[i : i + 3] for i in range(0, len(samples), 3)]
    check_batches([stack([samples[i] for i in batch]) for batch in numbers])
    with pytest.raises(ValueError, match="samples: expected at least one"):
        stack([])


def test_pytorch_loads_the_samples_too():
    torch_data = pytest.importorskip("torch.utils.data", reason="needs PyTorch")
    check_batches(list(torch_data.DataLoader(Samples(), batch_size=3, collate_fn=stack)))


def check_batches(batches):
    assert [len(batch.name) for batch in batches] == [3, 3, 1]
    assert same(batches[0], next(iter(loader(Samples(), 3, 0, shuffle=False))))


def test_lenses_of_a_batch_must_be_of_one_kind():
    def make(i):
        camera = sf3d.Camera.from_matrix(np.eye(3), SIZE, distortion=np.zeros(4 + i))
        return dataclasses.replace(sample(i), camera=camera)

    with pytest.raises(ValueError, match=r"camera of the .*opencv with 4 coeff.* with 5 coeff"):
        next(iter(loader(Samples(make), 2, 0, shuffle=False)))


def test_a_bad_file_is_named_by_the_batch_that_needs_it():
    def make(i):
        if i == 4:
            raise sf3d.data.FormatError("walk/0004.flo", "a .flo file", "nothing")
        return sample(i)

    batches = iter(loader(Samples(make), 2, 0, shuffle=False))
    assert [next(batches).name[0] for _ in range(2)] == ["walk/0000", "walk/0002"]
    with pytest.raises(sf3d.data.FormatError, match=r"walk/0004\.flo"):
        next(batches)
    with pytest.raises(RuntimeError, match="batch 2 failed; call set_state"):
        next(batches)
    batches.set_state({**batches.get_state(), "batch": 3})
    assert next(batches).name == ("walk/0006", "")


@pytest.mark.parametrize(
    "source, transform, says",
    [
        ("own", None, r"dataset: expected a data set, got the path 'own'; .*FolderPairs\('own'"),
        (["a.png"], None, "dataset: expected a Sample or a Sequence at 0, got str"),
        ([{}], None, "dataset: expected a Sample or a Sequence at 0, got dict"),
        (Samples(), "flip", r"transform: expected a function \(key, sample\) -> sample, got str"),
        (Samples(), lambda key, x: None, "transform: .* got NoneType"),
        (
            Samples(),
            lambda x, key: augment.random_flip(key, x),
            r"key: .*got Sample; the key comes first .*transform\(key, sample\)",
        ),
    ],
)
def test_what_gives_no_samples_is_named(source, transform, says):
    with pytest.raises(TypeError, match=says):
        next(iter(loader(source, 1, 0, shuffle=False, transform=transform)))


@pytest.mark.parametrize("error", [ValueError, ZeroDivisionError, KeyError])
def test_a_transform_that_raises_names_its_sample(error):
    def transform(key, x):
        if x.name == "walk/0004":
            raise error("as the transform says")
        return x

    batches = iter(loader(Samples(), 2, 0, shuffle=False, transform=transform))
    next(batches), next(batches)
    with pytest.raises(error, match="as the transform says") as raised:
        next(batches)
    assert "raised by the transform for sample 4, walk/0004, epoch 0" in raised.value.__notes__


def sequence(i, frames=3, size=SIZE):
    one = sample(i, size)
    cameras = jax.tree.map(lambda x: np.stack([x] * frames), one.camera)
    return Sequence(
        images=np.stack([one.image] * frames),
        flow=np.stack([one.flow] * (frames - 1)),
        inv_depth=np.stack([one.inv_depth] * frames),
        cameras=cameras,
        name=one.name,
    )


def test_numbers_that_all_frames_of_a_sequence_share_stay_with_their_sequence():
    def of_focal(focal, shared):
        one = sequence(0)
        numbers = np.float32(focal) if shared else np.full((3, 2), focal, np.float32)
        cameras = dataclasses.replace(
            one.cameras, focal=np.broadcast_to(numbers, (2,) if shared else (3, 2))
        )
        return dataclasses.replace(one, cameras=cameras)

    for shared in ((True,) * 3, (True, False, True)):
        batch = stack([of_focal(f, x) for f, x in zip((50, 500, 70), shared, strict=True)])
        for i in range(2):
            np.testing.assert_array_equal(
                batch.pair(i).camera.focal, [[50, 50], [500, 500], [70, 70]]
            )


def test_sequences_are_stacked_and_padded_with_their_cameras():
    sizes = Samples(lambda i: sequence(i, size=(4, 6 - i % 2)))
    batches = list(loader(sizes, 4, 0, shuffle=False, size=(5, 6), epochs=1))
    assert isinstance(batches[0], Sequence)
    assert batches[0].images.shape == (4, 3, 5, 6, 3) and batches[0].flow.shape == (4, 2, 5, 6, 2)
    assert batches[0].cameras.size == (5, 6) and batches[0].cameras.focal.shape == (4, 3, 2)
    assert batches[1].name == ("walk/0004", "walk/0005", "walk/0006", "")
    assert not batches[1].valid[-1].any()
    for i, (name, row) in enumerate(rows(batches)):
        one = sequence(i, size=(4, 6 - i % 2))
        width = one.flow.shape[-2]
        assert name == one.name and row.valid.sum() == row.valid[:, :4, :width].sum() == 8 * width
        assert (row.flow[:, :4, :width] == one.flow).all()
        assert (row.inv_depth[:, :4, :width] == one.inv_depth).all()


def test_sequences_of_other_lengths_and_samples_are_no_batch_together():
    with pytest.raises(ValueError, match="of the samples walk/0000 and walk/0001 have the shapes"):
        stack([sequence(0), sequence(1, frames=4)])
    with pytest.raises(TypeError, match="walk/0000 and walk/0001 are a Sequence and a Sample"):
        stack([sequence(0), sample(1)])


def test_a_state_of_other_batches_is_refused_and_that_of_other_processes_is_not(monkeypatch):
    batches = iter(loader(Samples(), 4, 1))
    next(batches)
    state = batches.get_state()
    expected = next(batches)
    for changes in (
        {"batch_size": 2},
        {"seed": 2},
        {"shuffle": False},
        {"dataset": Samples(count=6)},
    ):
        options = {"dataset": Samples(), "batch_size": 4, "seed": 1} | changes
        with pytest.raises(ValueError, match=r"state: expected one with \{'"):
            iter(loader(**options)).set_state(state)
    monkeypatch.setattr(jax, "process_count", lambda *_: 2)
    shares = []
    for process in range(2):
        monkeypatch.setattr(jax, "process_index", lambda *_, p=process: p)
        part = iter(loader(Samples(), 4, 1, threads=1))
        part.set_state(state)
        shares.append(next(part))
    assert {n for part in shares for n in part.name} == set(expected.name)


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"batch_size": 0}, "batch_size: expected at least 1, got 0"),
        ({"seed": -1}, "seed: expected"),
        ({"seed": 2**32}, "seed: expected"),
        ({"epochs": 0}, "epochs: expected at least 1"),
        ({"threads": 0}, "threads: expected at least 1"),
        ({"size": (4,)}, "size: expected two integers"),
        ({"dataset": Samples(count=0)}, "dataset: expected at least one sample"),
    ],
)
def test_arguments_out_of_range_are_named(changes, says):
    options = {"dataset": Samples(), "batch_size": 2, "seed": 0}
    with pytest.raises(ValueError, match=says):
        loader(**options | changes)
