"""Micro models of each task as a user has them: a config, and a checkpoint beside it."""
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope

ROOT = Path(__file__).parents[2]
ARCH = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
CONFIGS = dict(
    seg=('ocr_hrformer-s_custom.py', dict(decode_head=dict(in_channels=[18, 36, 64, 78], channels=32, key_channels=16))),
    pose=('demo/td-hm_hrformer-t_synthetic.py', dict(head=dict(in_channels=18))),
    cls=('hrformer-t_imagenet.py', dict(neck=[
        dict(type='hrformer_mm.ClassificationNeck', in_channels=(18, 36, 64, 78)), dict(type='GlobalAveragePooling')])))


@pytest.fixture(scope='session')
def micro(tmp_path_factory):
    """`micro[task]` is the config's and the checkpoint's path."""
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
