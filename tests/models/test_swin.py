"""Swin with HRFormer's FFN: mmpretrain's Swin in all but the FFN, and that the FFN's formula on maps."""

import pytest
import torch
from torch import nn

from hrformer_mm.registry import MODELS

backbones = pytest.importorskip('mmpretrain.models.backbones')  # after hrformer_mm, which works around mmcv-lite

TINY = dict(
    arch=dict(embed_dims=8, depths=[1, 2, 1, 1], num_heads=[1, 2, 2, 4]),
    img_size=64,
    drop_path_rate=0.0,
    pad_small_map=True,
)


def net(**options):
    torch.manual_seed(0)
    return MODELS.build(dict(type='DepthwiseSwinTransformer', **{**TINY, **options}))


class PlainFFN(nn.Module):
    """mmpretrain's FFN in a block with a depth-wise FFN."""

    def __init__(self, ffn):
        super().__init__()
        self.ffn = ffn

    def forward(self, x):
        return self.ffn(x.permute(0, 2, 3, 1), identity=0).permute(0, 3, 1, 2)


@pytest.mark.parametrize('options', [dict(), dict(stage_cfgs=dict(block_cfgs=dict(shift=False)))])
def test_equals_swin_except_for_the_ffn(options):
    theirs, ours = backbones.SwinTransformer(**TINY, **options), net(**options)
    theirs.eval()  # which gives None, in mmpretrain's Swin
    ours.eval()
    for stage, other in zip(ours.stages, theirs.stages):
        for block, theirs_block in zip(stage.blocks, other.blocks):
            block.ffn = PlainFFN(theirs_block.ffn)
    plain = {name.replace('.ffn.', '.ffn.ffn.'): value for name, value in theirs.state_dict().items()}
    ours.load_state_dict(plain)
    x = torch.randn(2, 3, 64, 96)
    for out, expected in zip(ours(x), theirs(x)):
        torch.testing.assert_close(out, expected)


def test_block_equals_the_formula():
    block = net().stages[1].blocks[1].eval()
    x = torch.randn(2, 6 * 9, 16)
    y = x + block.attn(block.norm1(x), (6, 9))
    maps = block.norm2(y).transpose(1, 2).reshape(2, 16, 6, 9)
    expected = y + block.ffn(maps).flatten(2).transpose(1, 2)
    torch.testing.assert_close(block(x, (6, 9)), expected)
    assert {name.split('.')[0] for name in block.ffn.state_dict()} == {'fc1', 'norm1', 'dw3x3', 'norm2', 'fc2', 'norm3'}


def test_checkpointing_changes_no_gradient():
    x = torch.randn(2, 3, 64, 64)
    grads = []
    for with_cp in (False, True):
        model = net(with_cp=with_cp)
        model.train()
        sum(y.square().mean() for y in model(x)).backward()
        grads.append({name: p.grad for name, p in model.named_parameters() if p.grad is not None})
    assert grads[0].keys() == grads[1].keys() and len(grads[0]) > 50
    for name, grad in grads[0].items():
        torch.testing.assert_close(grads[1][name], grad)


def test_frozen_stages():
    model = net(frozen_stages=1)
    model.train()
    assert not any(p.requires_grad for p in model.stages[1].parameters())
    assert all(p.requires_grad for p in model.stages[2].parameters())
    assert not model.stages[0].blocks[0].ffn.norm1.training
