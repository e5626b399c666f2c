"""The log says how many samples were left out, and which classes the model lacks; tests/checks has whole trainings."""
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
from mmengine.dataset import BaseDataset, ConcatDataset, RepeatDataset

from hrformer_mm.hooks import Safeguard
from hrformer_mm.hooks.bad_data import warn_of_classes


class Pictures(BaseDataset):

    def load_data_list(self):
        return [dict(img_path=f'{self.data_root}/{i}.png') for i in range(6)]


@pytest.fixture
def make(tmp_path):
    pytest.importorskip('mmcv.transforms')

    def make(name, bad=(), ignore_empty=True):
        folder = tmp_path / name
        folder.mkdir()
        for i in range(6):
            cv2.imwrite(str(folder / f'{i}.png'), np.zeros((4, 4, 3), np.uint8))
        for i in bad:
            (folder / f'{i}.png').write_bytes(b'')
        return Pictures(data_root=str(folder), pipeline=[dict(type='LoadImageFromFile', ignore_empty=ignore_empty)])

    return make


def log_of(dataset):
    lines = []
    Safeguard().after_train(SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset),
                                            logger=SimpleNamespace(warning=lines.append)))
    return lines


def test_what_is_left_out_is_counted(make):
    one, none, three = make('one', [2]), make('none'), make('three', [0, 1, 5])
    dataset = ConcatDataset([one, none, three])
    assert log_of(dataset) == []  # nothing was loaded yet
    for _ in range(2):  # each is counted once
        assert all('img' in dataset[i] for i in range(18))
        lines = log_of(dataset)
        assert len(lines) == 2 and '/one/): 1 of 6 samples were bad' in lines[0] and '/three/): 3 of 6' in lines[1]
    assert len(log_of(RepeatDataset(one, times=2))) == 1


def test_nothing_is_said_of_good_data(make):
    assert log_of(make('good')) == [] and log_of(make('strict', ignore_empty=False)) == []
    assert log_of(['any other data set']) == []


@pytest.mark.parametrize('model, lacks', [
    (dict(head=dict(num_classes=2)), True), (dict(decode_head=[dict(num_classes=9), dict(num_classes=2)]), True),
    (dict(bbox_head=dict(num_classes=3)), False), (dict(decode_head=dict(num_classes=4)), False),
    (dict(head=dict(out_channels=2)), False), ({}, False),
])
def test_classes_that_the_head_lacks(make, model, lacks):
    dataset = make('classes')
    dataset._metainfo['classes'] = ('a', 'b', 'c')
    lines = []
    warn_of_classes(SimpleNamespace(cfg=dict(model=model), logger=SimpleNamespace(warning=lines.append),
                                    train_dataloader=SimpleNamespace(dataset=RepeatDataset(dataset, 2))))
    assert len(lines) == lacks and all('has 3 classes, but the head has num_classes=2' in line for line in lines)
