"""Filtering pictures with given kernels: the worked example's numbers, any leading axes, and refused kernels."""

from __future__ import annotations

import numpy as np
import pytest

import slopes as sl
from slopes.errors import ArgumentError, ShapeError

IMAGE = np.array([
    [255, 128, 128, 240, 1, 128, 24, 255], [255, 128, 245, 240, 1, 128, 24, 255], [245, 128, 245, 240, 1, 128, 128, 128],
    [24, 24, 24, 255, 255, 0, 0, 0], [0] * 8, [245, 245, 128, 128, 128, 128, 245, 245], [245, 245, 245, 240, 240, 240, 255, 240],
    [255, 240, 128, 240, 240, 128, 240, 255]], np.float32)


@pytest.mark.parametrize("kernel, first_row", [
    ("smooth", [178.417, 204.75, 171.75, 92.5, 78.917, 105.833]), ("vertical edges", [137, -336, 615, 336, -173, -254])])
@pytest.mark.parametrize("wrap", [lambda f: f, sl.compile], ids=["eager", "compiled"])
def test_the_worked_example_has_other_numbers(kernel, first_row, wrap):
    found = wrap(lambda image: sl.filter_image(image, kernel))(sl.tensor(IMAGE)).numpy()
    assert found.shape == (6, 6) and found[0].tolist() == pytest.approx(first_row, abs=6e-4)


@pytest.mark.parametrize("name", sl.image_kernels())
def test_a_kernel_gives_what_its_sum_says_on_an_even_picture(name):
    total = float(sl.image_kernels()[name].sum())
    assert total == pytest.approx({"laplace": 0}.get(name, 0 if "edge" in name or "sobel" in name else 1), abs=1e-6)
    assert np.allclose(sl.filter_image(np.full((5, 6), 7.0), name).numpy(), 7 * total, atol=1e-5)


def test_every_channel_is_filtered_by_itself():
    stack = np.stack([[IMAGE, IMAGE.T], [2 * IMAGE, IMAGE[::-1]], [0 * IMAGE, 1 - IMAGE]])
    found = sl.filter_image(stack, "sobel x", padding="same").numpy()
    assert found.shape == (3, 2, 8, 8)
    np.testing.assert_allclose(found[0, 1], sl.filter_image(IMAGE.T, "sobel x", padding="same").numpy(), rtol=1e-6)


def test_what_is_no_picture_or_no_kernel_is_refused():
    with pytest.raises(ArgumentError, match="no kernel is called 'blur'"):
        sl.filter_image(IMAGE, "blur")
    with pytest.raises(ShapeError, match="a kernel has two axes"):
        sl.filter_image(IMAGE, [1.0, 2.0])
    with pytest.raises(ShapeError, match="height and width"):
        sl.filter_image([1.0, 2.0], "mean")
