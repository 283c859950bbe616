"""The `digits` data set: counts, repeatability, and no leak from training to test."""

import numpy as np
import pytest

import data

pytest.importorskip("sklearn")
import digits


def test_it_has_the_shape_of_mnist():
    made = digits.make(seed=1, train_images=3000, test_images=600)
    assert made["train_images"].shape == (3000, 28, 28)
    assert made["test_labels"].shape == (600,)
    assert set(np.unique(made["test_labels"])) == set(range(10))
    assert made["train_images"].max() > 200
    # A digit lies within a black border, as MNIST's do.
    assert made["train_images"][:, [0, -1]].mean() < 1


def test_a_seed_repeats_and_another_does_not():
    first, again, other = (digits.make(seed, 500, 100) for seed in (1, 1, 2))
    for name in data.FILES:
        assert np.array_equal(first[name], again[name])
    assert not np.array_equal(first["train_images"], other["train_images"])


def test_every_original_is_on_one_side_only_and_each_digit_on_both():
    _, labels = digits.originals()
    train, test = digits.split(labels, seed=3)
    assert sorted([*train, *test]) == list(range(len(labels)))
    for digit in range(10):
        share = (labels[test] == digit).sum() / (labels == digit).sum()
        assert share == pytest.approx(digits.TEST_SHARE, abs=0.01)


def test_no_test_image_is_a_variation_of_a_training_original(monkeypatch):
    # Without turning and shifting, each made image is its original and can be told.
    monkeypatch.setattr(digits, "vary", lambda images, draw: np.rint(images * 255).astype(np.uint8))
    made = digits.make(seed=4, train_images=6000, test_images=1200)
    train, test = (
        {image.tobytes() for image in made[f"{split}_images"]} for split in ("train", "test")
    )
    images, _ = digits.originals()
    assert len(train | test) == len({image.tobytes() for image in np.rint(images * 255)})
    assert not train & test


def test_images_keep_their_labels(monkeypatch):
    monkeypatch.setattr(digits, "vary", lambda images, draw: np.rint(images * 255).astype(np.uint8))
    images, labels = digits.originals()
    label_of = {
        np.rint(image * 255).astype(np.uint8).tobytes(): label
        for image, label in zip(images, labels, strict=True)
    }
    made = digits.make(seed=4, train_images=2000, test_images=400)
    for image, label in zip(made["train_images"], made["train_labels"], strict=True):
        assert label_of[image.tobytes()] == label


def test_variations_of_one_original_differ_but_resemble_it():
    images, _ = digits.originals()
    varied = digits.vary(np.repeat(images[:1], 20, axis=0), np.random.default_rng(0))
    assert len(np.unique(varied, axis=0)) == 20
    ink = images[0].sum() * 255
    assert all(image.sum() == pytest.approx(ink, rel=0.05) for image in varied)


def test_turning_by_nothing_changes_nothing():
    images, _ = digits.originals()
    nothing = np.zeros(5, np.float32)
    turned = digits._turn(images[:5], nothing, np.zeros((2, 5), np.float32))
    assert np.array_equal(turned, np.rint(images[:5] * 255).astype(np.uint8))


def test_a_failure_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr(
        digits, "make", lambda seed: {"train_images": np.zeros((1, 28, 28)), "other": None}
    )
    with pytest.raises(KeyError):
        digits.write(tmp_path / "digits", seed=1)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_in_use_is_not_replaced(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(data.DataError, match="not an empty folder"):
        digits.write(tmp_path, seed=1)
    assert (tmp_path / "notes.txt").read_text() == "mine"


def test_the_host_gets_four_readable_files_of_mnists_counts(tmp_path):
    events = []
    data.make_digits({"output": str(tmp_path / "new" / "digits"), "seed": 42}, events.append)
    images = data.load(tmp_path / "new" / "digits")
    assert images.summary()["train_images"] == 60_000
    assert images.summary()["test_images"] == 10_000
    assert events[-1]["event"] == "result"
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["digits"]
