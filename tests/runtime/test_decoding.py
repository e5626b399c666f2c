"""Decoding agrees with mmpose's codecs."""

import cv2
import numpy as np
import pytest

import hrformer_mm  # noqa: F401  isort: skip  (mmpose needs its repairs)
from mmpose.codecs import MSRAHeatmap, UDPHeatmap
from mmpose.models.utils.tta import flip_heatmaps
from torch import from_numpy

from hrformer_mm.runtime.decoding import decode
from hrformer_mm.runtime.pose import _unflip

SIZES = dict(input_size=(96, 128), heatmap_size=(24, 32))


@pytest.fixture
def heatmaps():
    """Return smooth maps with peaks inside and on every border, and without a peak."""
    maps = np.random.default_rng(0).random((60, 32, 24), dtype=np.float32)
    maps = np.stack([cv2.GaussianBlur(single, (7, 7), 0) for single in maps])
    for k, (x, y) in enumerate([(0, 0), (23, 31), (1, 5), (22, 30), (12, 0), (0, 9), (2, 2), (21, 29)]):
        maps[k, y, x] = 2
    maps[8] *= -1
    return maps


@pytest.mark.parametrize(
    'codec',
    [
        MSRAHeatmap(sigma=1.5, **SIZES),
        MSRAHeatmap(sigma=1.5, unbiased=True, blur_kernel_size=7, **SIZES),
        UDPHeatmap(sigma=1.5, **SIZES),
        UDPHeatmap(heatmap_type='combined', blur_kernel_size=3, **SIZES),
    ],
    ids=['MSRA', 'DARK', 'UDP', 'UDP, offsets'],
)
def test_points_agree_with_mmpose(heatmaps, codec):
    about = {key: value for key, value in vars(codec).items() if key != 'scale_factor'}
    points, scores = decode(heatmaps.copy(), dict(about, type=type(codec).__name__))
    expected, expected_scores = codec.decode(heatmaps.copy())
    np.testing.assert_allclose(points, expected[0], rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(scores, expected_scores[0], rtol=1e-5)


@pytest.mark.parametrize('shift', [True, False])
def test_flipped_heatmaps_agree_with_mmpose(heatmaps, shift):
    indices = np.random.default_rng(0).permutation(60).tolist()
    expected = flip_heatmaps(from_numpy(heatmaps[None]), indices, 'heatmap', shift)[0]
    np.testing.assert_array_equal(_unflip(heatmaps, True, 'heatmap', shift, indices), expected)
