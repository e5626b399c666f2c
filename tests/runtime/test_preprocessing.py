"""Preprocessing agrees with mmcv, mmpretrain and PyTorch."""

import numpy as np
import pytest
import torch
from mmcv import transforms
from mmpretrain.datasets import ResizeEdge

from hrformer_mm.commands.export.pipeline import _describe
from hrformer_mm.runtime.images import convert_channels
from hrformer_mm.runtime.preprocessing import run_steps
from hrformer_mm.runtime.resampling import resize_maps


@pytest.mark.parametrize(
    'transform',
    [
        transforms.Resize(scale=(70, 31)),
        transforms.Resize(scale=(70, 31), keep_ratio=True, interpolation='bicubic'),
        transforms.Resize(scale_factor=1.3, keep_ratio=True),
        transforms.Resize(scale_factor=(0.5, 0.8), interpolation='area'),
        transforms.Resize(scale=(40, 40), keep_ratio=True, backend='pillow', interpolation='lanczos'),
        *(ResizeEdge(37, edge=edge) for edge in ('short', 'long', 'width', 'height')),
        transforms.CenterCrop((21, 34)),
        transforms.CenterCrop((50, 61)),
        transforms.CenterCrop((50, 61), auto_pad=True, pad_cfg=dict(type='Pad', pad_val=dict(img=5))),
        transforms.Pad(size=(64, 80), pad_val=7),
        transforms.Pad(size=(64, 20), pad_val=dict(img=(1, 2, 3))),
        transforms.Pad(size_divisor=32, padding_mode='reflect'),
        transforms.Pad(pad_to_square=True, size_divisor=16),
    ],
    ids=repr,
)
@pytest.mark.parametrize('shape', [(53, 40, 3), (40, 55, 3)])
def test_steps(transform, shape):
    image = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    expected = transform(dict(img=image.copy(), img_shape=shape[:2]))['img']
    np.testing.assert_array_equal(run_steps(image, [_describe(transform)]), expected)


@pytest.mark.parametrize('align_corners', [True, False])
@pytest.mark.parametrize('size', [(120, 160), (13, 9), (30, 1)])
def test_resized_maps_agree_with_pytorch(align_corners, size):
    maps = np.random.default_rng(0).standard_normal((5, 30, 41), dtype=np.float32)
    expected = torch.nn.functional.interpolate(
        torch.from_numpy(maps)[None], size, mode='bilinear', align_corners=align_corners
    )[0]
    np.testing.assert_allclose(resize_maps(maps, size, align_corners), expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize('shape, channels', [((4, 5), 3), ((4, 5, 3), 1), ((4, 5, 4), 3), ((4, 5), 1)])
def test_channels(shape, channels):
    assert convert_channels(np.zeros(shape, np.uint8), channels).shape == (4, 5, channels)


@pytest.mark.parametrize(
    'image, message',
    [
        (np.zeros((4, 5, 3), np.uint8), 'has 3 channels, but the model takes 4'),
        (np.zeros((4, 5, 3)), 'is of float64'),
        (None, 'is of NoneType'),
        (np.zeros((0, 5, 3), np.uint8), 'has the shape'),
    ],
)
def test_images_that_cannot_be_used(image, message):
    with pytest.raises((TypeError, ValueError), match=message):
        convert_channels(image, 4)
