"""Attention with and without padding in all implementations equals attention computed window by window."""

import pytest
import torch

from hrformer_mm.deploy.blocks import DeployAttention
from hrformer_mm.layers import LocalWindowAttention
from hrformer_mm.ops import centred_padding
from hrformer_mm.ops.attention import IMPLEMENTATIONS

WINDOWS = {'square': (4, 4), 'odd': (7, 7), 'wide': (3, 5), 'tall': (6, 2)}
PADDED = {'none': (0, 0), 'height': (-1, 0), 'width': (0, -1), 'both': (2, 1)}  # positions beyond whole windows


def layer(window, **options):
    torch.manual_seed(0)
    module = LocalWindowAttention(12, 3, window, **options)
    for name, value in module.named_parameters():
        torch.nn.init.normal_(value, std=0.5 if name.endswith(('bias', 'table')) else 0.3)
    return module


def window_by_window(module, x):
    """x (N, H, W, C). Windows lie on a grid whose surplus is halved, the odd position below and right. Without
    the mask a position beyond the map holds zeros before the projections; with it there is no such position."""
    (n, h, w, c), (height, width), heads = x.shape, module.window_size, module.attn.num_heads
    out = torch.zeros_like(x)
    for image in range(n):
        for top in range(-((-h % height) // 2), h, height):
            for left in range(-((-w % width) // 2), w, width):
                positions = [(y, z) for y in range(top, top + height) for z in range(left, left + width)]
                inside = [0 <= y < h and 0 <= z < w for y, z in positions]
                kept = [p for p, i in zip(positions, inside) if i or not module.with_pad_mask]
                tokens = torch.stack([x[image, y, z] if 0 <= y < h and 0 <= z < w else x.new_zeros(c) for y, z in kept])
                q, k, v = (t.view(len(kept), heads, c // heads) for t in module.attn.qkv(tokens).chunk(3, 1))
                attended = []
                for head in range(heads):
                    scores = q[:, head] @ k[:, head].t() / (c // heads) ** 0.5
                    if module.attn.relative_position_bias_table is not None:
                        rows = [
                            [(y - a + height - 1) * (2 * width - 1) + z - b + width - 1 for a, b in kept]
                            for y, z in kept
                        ]
                        scores = scores + module.attn.relative_position_bias_table[torch.tensor(rows), head]
                    attended.append(scores.softmax(1) @ v[:, head])
                result = module.attn.proj(torch.cat(attended, 1))
                for (y, z), value in zip(kept, result):
                    if 0 <= y < h and 0 <= z < w:
                        out[image, y, z] = value
    return out


@pytest.mark.parametrize('padded', PADDED)
@pytest.mark.parametrize('window', WINDOWS)
@pytest.mark.parametrize('with_pad_mask', [False, True])
def test_window_by_window(padded, window, with_pad_mask, figure):
    (height, width), with_rpe = WINDOWS[window], window != 'tall'
    module = layer((height, width), with_pad_mask=with_pad_mask, with_rpe=with_rpe)
    x = torch.randn(2, 2 * height + PADDED[padded][0], 2 * width + PADDED[padded][1], 12)
    assert [bool(side) for side in centred_padding(x.shape[1:3], (height, width))[1::2]] == [
        side != 0 for side in PADDED[padded]
    ]
    exact = layer((height, width), with_pad_mask=with_pad_mask, with_rpe=with_rpe).double()
    leaves = [x.double().requires_grad_(), *exact.parameters()]
    expected = window_by_window(exact, leaves[0])
    weight = torch.randn_like(expected)
    wanted = torch.autograd.grad((expected * weight).sum(), leaves)

    def compare(form, out, reference):
        kind = 'with' if with_pad_mask else 'without'
        figure(
            f'attention {kind} pad mask against window by window: {form}',
            ((out.double() - reference).norm() / reference.norm()).item(),
            1e-6,
        )

    own = [x.clone().requires_grad_(), *module.parameters()]
    for module.attn.implementation in IMPLEMENTATIONS:
        out = module(own[0])
        compare(module.attn.implementation, out, expected)
        for grad, reference in zip(torch.autograd.grad((out * weight.float()).sum(), own), wanted):
            compare(f'gradients, {module.attn.implementation}', grad, reference)
    with torch.no_grad():
        for module.attn.implementation in (None, 'sdpa'):
            compare('deployment form', DeployAttention(module)(x), expected)
        if window == 'odd':
            exported = torch.export.export(module.eval(), (x,)).module()
            compare('exported', exported(x), expected)
