"""With the same `extra` and weights, outputs and gradients equal those of mmpose's HRFormer."""

import copy
from importlib import resources

import pytest
import torch
from mmengine.config import Config

import hrformer_mm  # noqa: F401  (its repairs come before the host library)
from hrformer_mm.models.hrformer import HRFormer

mmpose_models = pytest.importorskip('mmpose.models')


def stock_extra(arch):
    folder = resources.files('mmpose') / '.mim/configs/body_2d_keypoint/topdown_heatmap/coco'
    config = Config.fromfile(str(folder / f'td-hm_hrformer-{arch}_8xb32-210e_coco-256x192.py'))
    return config.model.backbone.extra.to_dict()


def pair(extra):
    theirs = mmpose_models.backbones.HRFormer(copy.deepcopy(extra))
    for name, value in theirs.state_dict().items():
        if name.endswith(('bias_table', 'running_mean')):
            value.normal_()
        elif name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif value.is_floating_point():
            value.copy_(
                torch.randn_like(value) * (value[0].numel() ** -0.5 if value.dim() > 1 else 0.2)
                + (value.dim() == 1 and name.endswith('weight'))
            )
    ours = HRFormer(extra=extra)
    assert sorted(ours.state_dict()) == sorted(theirs.state_dict())
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def close(a, b):
    return (a - b).norm() <= 1e-5 * b.norm()


@pytest.mark.parametrize('arch, size', [('small', (64, 96)), ('small', (256, 192)), ('base', (96, 64))])
def test_stock_configs(arch, size):
    ours, theirs = pair(stock_extra(arch))
    ours.eval()
    theirs.eval()  # returns None
    x = torch.randn(1, 3, *size)
    out, expected = ours(x), theirs(x)
    assert len(out) == len(expected) == 1 and close(out[0], expected[0])
    for maps in (out, expected):
        (maps[0] * torch.linspace(-1, 1, maps[0].numel()).view_as(maps[0])).sum().backward()
    expected = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert close(parameter.grad, expected[name].grad), name


def test_training_mode_and_other_settings():
    """Check all four maps, nearest upsampling, windows per branch, no bias, and gradients through batch statistics."""
    extra = stock_extra('small')
    extra.update(drop_path_rate=0.0, with_rpe=False, upsample=dict(mode='nearest', align_corners=None))
    extra['stage4'].update(multiscale_output=True, window_sizes=[9, 7, 5, 3], num_modules=1)
    extra['stage3'].update(num_modules=1)
    ours, theirs = pair(extra)
    ours.double().train()
    theirs.double().train()
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64)
    out, expected = ours(x), theirs(x)
    assert len(out) == 4 and all(close(a, b) for a, b in zip(out, expected))
    for maps in (out, expected):
        sum((m**2).mean() for m in maps).backward()
    grads = dict(theirs.named_parameters())
    for name, parameter in ours.named_parameters():
        assert torch.allclose(parameter.grad, grads[name].grad, rtol=1e-5, atol=1e-10), name
    buffers = dict(theirs.named_buffers())
    assert all(torch.allclose(v, buffers[k]) for k, v in ours.named_buffers())


def test_extra_that_mmpose_has_modified():
    extra = stock_extra('small')
    mmpose_models.backbones.HRFormer(extra)
    assert 'drop_path_rates' in extra['stage2'] and 'upsample' in extra
    assert HRFormer(extra=extra).state_dict().keys() == HRFormer(extra=stock_extra('small')).state_dict().keys()


def test_mmposes_own_hrformer_is_unchanged():
    from mmpose.registry import MODELS

    import hrformer_mm.registry  # noqa: F401

    assert MODELS.get('HRFormer') is mmpose_models.backbones.HRFormer
    assert MODELS.get('hrformer_mm.HRFormer') is HRFormer
