"""Checks of a runner's data sets and their log messages; tests/checks has whole trainings."""

from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.dataset import BaseDataset, Compose, ConcatDataset, RepeatDataset
from mmengine.registry import DATASETS
from mmengine.structures import BaseDataElement

from hrformer_mm.checks import CheckedPipeline, DataError, check_start
from hrformer_mm.hooks import Safeguard
from hrformer_mm.hooks.datasets import warn_of_classes


@DATASETS.register_module()
class Pictures(BaseDataset):
    def load_data_list(self):
        return [dict(img_path=f'{self.data_root}/{i}.png', label=i % 2) for i in range(6)]

    def __getitem__(self, index):
        data = super().__getitem__(index)
        sample = BaseDataElement(metainfo=dict(label=data['label']))
        return dict(inputs=torch.from_numpy(data['img']).permute(2, 0, 1), data_samples=sample)


@pytest.fixture
def folder(tmp_path):
    def make(name, bad=()):
        folder = tmp_path / name
        folder.mkdir()
        for i in range(6):
            cv2.imwrite(str(folder / f'{i}.png'), np.zeros((4, 4, 3), np.uint8))
        for i in bad:
            (folder / f'{i}.png').write_bytes(b'')
        return str(folder)

    return make


@pytest.fixture
def make(folder):
    pytest.importorskip('mmcv.transforms')

    def make(name, bad=(), ignore_empty=True):
        dataset = Pictures(
            data_root=folder(name, bad), pipeline=[dict(type='LoadImageFromFile', ignore_empty=ignore_empty)]
        )
        check_start(dataset)
        return dataset

    return make


def log_of(dataset):
    lines = []
    Safeguard().after_train(
        SimpleNamespace(train_dataloader=SimpleNamespace(dataset=dataset), logger=SimpleNamespace(warning=lines.append))
    )
    return lines


def test_skipped_samples_are_counted(make):
    one, none, three = make('one', [2]), make('none'), make('three', [0, 1, 5])
    dataset = ConcatDataset([one, none, three])
    for _ in range(2):  # each is counted once
        assert all('inputs' in dataset[i] for i in range(18))
        lines = log_of(dataset)
        assert len(lines) == 2 and '/one/): 1 of 6 samples were bad' in lines[0] and '/three/): 3 of 6' in lines[1]
    assert len(log_of(RepeatDataset(one, times=2))) == 1


def test_valid_data_is_not_logged(make):
    assert log_of(make('good')) == [] and log_of(make('strict', ignore_empty=False)) == []
    assert log_of(['any other data set']) == []


@pytest.mark.parametrize(
    'model, lacks',
    [
        (dict(head=dict(num_classes=2)), True),
        (dict(decode_head=[dict(num_classes=9), dict(num_classes=2)]), True),
        (dict(bbox_head=dict(num_classes=3)), False),
        (dict(decode_head=dict(num_classes=4)), False),
        (dict(head=dict(out_channels=2)), False),
        ({}, False),
    ],
)
def test_more_classes_than_the_head(make, model, lacks):
    dataset = make('classes')
    dataset._metainfo['classes'] = ('a', 'b', 'c')
    lines = []
    warn_of_classes(
        SimpleNamespace(
            cfg=dict(model=model),
            logger=SimpleNamespace(warning=lines.append),
            train_dataloader=SimpleNamespace(dataset=RepeatDataset(dataset, 2)),
        )
    )
    assert len(lines) == lacks and all('has 3 classes, but the head has num_classes=2' in line for line in lines)


@pytest.mark.parametrize('by_epoch', [False, True], ids=['iterations', 'epochs'])
@pytest.mark.parametrize('workers', [0, pytest.param(2, marks=pytest.mark.slow)])
def test_all_data_sets_of_a_run_are_checked(training, tmp_path, folder, by_epoch, workers):
    """Data sets within wrappers and of the validation are checked; workers use the checked pipelines."""
    inner = dict(
        type='Pictures', data_root=folder('train'), pipeline=[dict(type='LoadImageFromFile')], serialize_data=False
    )  # else mmengine collects all garbage, which takes a while
    train = dict(type='ConcatDataset', datasets=[dict(type='RepeatDataset', dataset=inner, times=2), inner])
    sampler = dict(type='DefaultSampler' if by_epoch else 'InfiniteSampler', shuffle=False)
    loader = dict(batch_size=2, num_workers=workers, persistent_workers=workers > 0, sampler=sampler)
    val = dict(
        batch_size=2, sampler=dict(type='DefaultSampler', shuffle=False), dataset=dict(inner, data_root=folder('val'))
    )

    def run(**others):
        runner = training.runner(
            tmp_path / 'work',
            2,
            by_epoch,
            validate=True,
            val_dataloader=val,
            train_dataloader=dict(loader, dataset=train, num_batch_per_epoch=2),
            **others,
        )
        runner.train()
        return runner

    runner = run()
    repeated, alone = runner.train_dataloader.dataset._dataset.datasets
    for dataset in (repeated.dataset, alone, runner.val_dataloader.dataset):
        assert isinstance(dataset.pipeline, CheckedPipeline)
    plain = run(custom_hooks=[])
    assert type(plain.train_dataloader.dataset._dataset.datasets[1].pipeline) is Compose
    (tmp_path / 'val/5.png').write_bytes(b'')
    with pytest.raises(DataError, match='val/5.png is a file of 0 bytes'):
        run()
