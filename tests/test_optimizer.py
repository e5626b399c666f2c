"""Weight decay and learning rate of each parameter in one config of each family, compared with the recipe."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import MODELS, DefaultScope
from torch import nn

import hrformer_mm  # noqa: F401

CONFIGS = Path(__file__).parents[1] / 'configs'
NORMS = (nn.LayerNorm, nn.GroupNorm, nn.modules.batchnorm._BatchNorm)


def groups(name):
    """Return the optimizer of a config, and the module, name, weight decay and learning rate of each parameter."""
    cfg = Config.fromfile(CONFIGS / f'{name}.py')
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        with torch.device('meta'):
            model = MODELS.build(cfg.model)
        wrapper = build_optim_wrapper(model, cfg.optim_wrapper)
    settings = {
        id(p): (group['weight_decay'], group['lr']) for group in wrapper.optimizer.param_groups for p in group['params']
    }
    rows = {
        f'{path}.{leaf}': (module, leaf, *settings.pop(id(p)))
        for path, module in model.named_modules()
        for leaf, p in module.named_parameters(recurse=False)
    }
    assert not settings and len(rows) == sum(1 for _ in model.parameters())
    return wrapper, rows


def check(name, lr, decay, spared):
    """All parameters have the rate `lr`; those for which `spared` is true have no weight decay, the others `decay`."""
    wrapper, rows = groups(name)
    optimizer = wrapper.optimizer
    assert type(optimizer) is torch.optim.AdamW and optimizer.defaults['betas'] == (0.9, 0.999)
    kinds = set()
    for path, (module, leaf, own_decay, own_lr) in rows.items():
        kind = (
            'table'
            if leaf == 'relative_position_bias_table'
            else 'norm'
            if isinstance(module, NORMS)
            else 'bias'
            if leaf == 'bias'
            else 'weight'
        )
        kinds.add(kind)
        assert own_lr == lr, path
        assert own_decay == (0 if kind in spared else decay), path
    assert kinds == {'table', 'norm', 'bias', 'weight'}
    return wrapper


@pytest.mark.parametrize(
    'name',
    [
        'ocr_hrformer-s_cityscapes',
        'ocr_hrformer-s_pascal-context-59',
        'ocr_hrformer-s_coco-stuff10k',
        'ocr_hrformer-b-w13_ade20k',
        'ocr_hrformer-s_custom',
        'ablations/ocr_hrformer-b-w21-17-13-9_pascal-context-59',
    ],
)
def test_segmentation(name):
    check(name, 1e-4, 0.01, spared=('norm', 'table', 'bias'))


@pytest.mark.parametrize(
    'name',
    ['td-hm_hrformer-t_coco-256x192', 'td-hm_hrformer-b_udp-coco-384x288', 'td-hm_hrformer-b_coco-wholebody-256x192'],
)
def test_pose(name):
    check(name, 5e-4, 0.01, spared=('table',))


def test_imagenet():
    """5e-4 for a batch of 512, hence 1e-3 for 1024; gradients are clipped at a norm of 5."""
    wrapper = check('hrformer-s_imagenet', 1e-3, 0.05, spared=('norm', 'table', 'bias'))
    assert wrapper.clip_grad_kwargs == dict(max_norm=5.0)


def test_detection():
    check('fcos_hrformer-s_coco', 1e-4, 0.05, spared=('norm', 'table'))
