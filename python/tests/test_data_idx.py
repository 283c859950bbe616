"""Reading IDX files: what is kept, and what is refused with which words."""

import gzip
import shutil

import numpy as np
import pytest

import data


@pytest.fixture
def folder(small_data, tmp_path):
    """A copy of the small data set that a test may damage."""
    return shutil.copytree(small_data, tmp_path / "data")


def rewrite(path, change):
    """Replaces a gzipped file's content by `change` of it."""
    path.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))


def test_images_become_float32_between_0_and_1_in_nhwc(small_data, small_images):
    images = data.load(small_data)
    assert images.train_images.shape == (700, 28, 28, 1)
    assert images.train_images.dtype == np.float32
    assert np.array_equal(
        images.train_images[..., 0], small_images["train_images"] / np.float32(255)
    )
    assert images.test_labels.dtype == np.int32
    assert np.array_equal(images.test_labels, small_images["test_labels"])


def test_255_is_exactly_1():
    assert data.scale(np.full((1, 28, 28), 255, np.uint8)).max() == 1.0


def test_only_the_first_images_are_used(small_data, small_images):
    images = data.load(small_data, train_samples=33, test_samples=7)
    assert images.summary()["train_images"] == 33
    assert np.array_equal(images.train_labels, small_images["train_labels"][:33])
    assert np.array_equal(images.test_labels, small_images["test_labels"][:7])


def test_the_checksum_tells_of_what_was_used(small_data, folder):
    whole = data.load(small_data).sha256
    assert data.load(small_data).sha256 == whole
    assert data.load(small_data, train_samples=699).sha256 != whole
    labels = folder / data.FILES["test_labels"]
    rewrite(labels, lambda content: content[:-1] + bytes([(content[-1] + 1) % 10]))
    assert data.load(folder).sha256 != whole


def test_more_samples_than_there_are_name_the_flag(small_data):
    with pytest.raises(data.DataError, match="--test-samples asks for 201"):
        data.load(small_data, test_samples=201)


def test_a_missing_file_is_named_with_the_flag_to_set(folder):
    (folder / data.FILES["train_labels"]).unlink()
    with pytest.raises(data.DataError, match=r"train-labels-idx1-ubyte\.gz.*--data-dir"):
        data.load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda content: b"\0\0\x08\x01" + content[4:], "00 00 08 01"),
        (lambda content: content[:-1], "548799 values"),
        (lambda content: content + b"\0", "548801 values"),
        (lambda content: content[:9], "within its header"),
        (lambda content: content[:11] + b"\x1b" + content[12:], r"holds \(700, 27, 28\)"),
    ],
    ids=["magic", "cut short", "too long", "cut in the header", "dimensions"],
)
def test_a_damaged_images_file_is_refused(folder, change, message):
    rewrite(folder / data.FILES["train_images"], change)
    with pytest.raises(data.DataError, match=message):
        data.load(folder)


def test_a_gzip_file_cut_short_is_refused(folder):
    path = folder / data.FILES["train_images"]
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(data.DataError, match="not a whole gzip file"):
        data.load(folder)


def test_a_file_that_is_not_gzip_is_refused(folder):
    (folder / data.FILES["test_labels"]).write_text("<html>moved</html>")
    with pytest.raises(data.DataError, match=r"t10k-labels.*not a whole gzip file"):
        data.load(folder)


def test_a_label_above_9_is_refused(folder):
    rewrite(folder / data.FILES["train_labels"], lambda content: content[:-1] + b"\x0a")
    with pytest.raises(data.DataError, match="label 10"):
        data.load(folder)


def test_images_without_as_many_labels_are_refused(folder):
    shutil.copy(folder / data.FILES["test_labels"], folder / data.FILES["train_labels"])
    with pytest.raises(data.DataError, match=r"700 images but .* 200 labels"):
        data.load(folder)
