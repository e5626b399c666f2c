"""Micro models of each task: configs and checkpoints."""

import copy
import itertools
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

from hrformer_mm.commands.export.network import Network
from hrformer_mm.commands.model import build_model
from hrformer_mm.data import synthesize

ROOT = Path(__file__).parents[2]
ARCH = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
CONFIGS = dict(
    seg=(
        'ocr_hrformer-s_custom.py',
        dict(decode_head=dict(in_channels=[18, 36, 64, 78], channels=32, key_channels=16)),
    ),
    pose=('demo/td-hm_hrformer-t_synthetic.py', dict(head=dict(in_channels=18))),
    cls=(
        'hrformer-t_imagenet.py',
        dict(
            neck=[
                dict(type='hrformer_mm.ClassificationNeck', in_channels=(18, 36, 64, 78)),
                dict(type='GlobalAveragePooling'),
            ]
        ),
    ),
)
LAST = dict(mmseg='decode_head.conv_seg', mmpose='head.final_layer', mmpretrain='head.fc')
# Changes to the configs for generated data.
TESTED = dict(
    seg={'test_dataloader.dataset.pipeline.1': dict(scale=(96, 64), keep_ratio=False)},
    pose={'test_dataloader.dataset.bbox_file': None, 'test_evaluator': dict(_delete_=True, type='EPE')},
    cls={
        'test_dataloader.dataset.pipeline.1.scale': 72,
        'test_dataloader.dataset.pipeline.2.crop_size': 64,
        'test_evaluator': dict(_delete_=True, type='Accuracy', topk=(200, 600)),
    },
)
FOLDERS = dict(seg='custom', pose='coco', cls='imagenet')


@pytest.fixture(scope='session')
def micro(tmp_path_factory):
    """Return the paths of a config and a checkpoint as `micro[task]`."""
    folder = tmp_path_factory.mktemp('micro')
    made = {}
    for task, (base, rest) in CONFIGS.items():
        config = folder / f'{task}.py'
        cfg = Config.fromfile(ROOT / 'configs' / base)
        cfg.merge_from_dict(dict(model=rest))
        cfg.model.backbone.update(arch=ARCH, drop_path_rate=0.0)
        cfg.dump(config)
        torch.manual_seed(1)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(cfg.model)
        for norm in (m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)):
            norm.running_mean.uniform_(-0.1, 0.1)
            norm.running_var.uniform_(0.8, 1.2)
        torch.save(dict(state_dict=model.state_dict()), folder / f'{task}.pth')
        made[task] = (str(config), str(folder / f'{task}.pth'))
    return made


@pytest.fixture
def variant(micro, tmp_path):
    """`variant(task, changes, …)` writes a config and a checkpoint of a micro model with distinct results."""
    number = itertools.count()

    def make(task, changes=(), pipeline=None, meta=None):
        cfg = Config.fromfile(micro[task][0])
        cfg.merge_from_dict(dict(changes))
        if pipeline:
            cfg.test_dataloader.dataset.pipeline = pipeline
        name = tmp_path / f'{task}{next(number)}'
        cfg.dump(f'{name}.py')
        torch.manual_seed(0)
        model = build_model(cfg)
        last = model.get_submodule(LAST[cfg.default_scope])
        torch.nn.init.normal_(last.weight, std=1.0)
        torch.nn.init.zeros_(last.bias)
        if task == 'seg':  # several classes occur
            coarse = torch.randn(2, cfg.model.backbone.get('in_channels', 3), 6, 8)
            images = torch.nn.functional.interpolate(coarse, scale_factor=12, mode='bicubic')
            with torch.no_grad():
                last.bias -= Network(model, 'mmseg')(images).mean((0, 2, 3))
        torch.save(dict(state_dict=model.state_dict(), meta=dict(dataset_meta=meta or {})), f'{name}.pth')
        return f'{name}.py', f'{name}.pth'

    return make


@pytest.fixture(scope='session')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    synthesize(folder, list(FOLDERS.values()), train=3, val=3, size=(96, 80))
    return folder


@pytest.fixture
def trained(variant, data):
    """`trained(task)` writes a config with three generated images, and a checkpoint with distinct results."""

    def make(task):
        config, checkpoint = variant(task)
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(copy.deepcopy(TESTED[task]))
        for split in ('train', 'test'):
            cfg.merge_from_dict({f'{split}_dataloader': dict(num_workers=0, persistent_workers=False, batch_size=3)})
            cfg[f'{split}_dataloader'].dataset.data_root = str(data / FOLDERS[task])
        cfg.dump(config)
        return config, checkpoint

    return make
