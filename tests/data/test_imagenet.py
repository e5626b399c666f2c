"""Generated animals: read by mmpretrain's own class, with and without annotation files."""
from pathlib import Path

import cv2
import numpy as np
import pytest

import hrformer_mm.compat  # noqa: F401  (lets the host library import with mmcv-lite)
from hrformer_mm.data.imagenet import CLASSES


@pytest.mark.parametrize('split, count', [('train', 300), ('val', 50)])
def test_imagenet_dataset(data: Path, split: str, count: int) -> None:
    from mmpretrain.datasets import ImageNet
    from mmpretrain.datasets.categories import IMAGENET_CATEGORIES
    root = f'{data}/imagenet'
    dataset = ImageNet(data_root=root, split=split)
    assert np.bincount(dataset.get_gt_labels()).tolist() == [count // 10] * 10
    assert all(cv2.imread(item['img_path']).shape == (96, 96, 3) for item in dataset)
    for label, name in enumerate(CLASSES.values()):
        assert IMAGENET_CATEGORIES[label].split(',')[0] == name

    # Without annotation files, labels follow the order of the folders.
    folders = ImageNet(data_root=root, data_prefix=split, classes=f'{root}/meta/classes.txt')
    samples = {item['img_path']: item['gt_label'] for item in dataset}
    assert {item['img_path']: item['gt_label'] for item in folders} == samples
