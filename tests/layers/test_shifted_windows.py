"""Shifted windows equal attention computed window by window and mmpretrain's, also in the backbone."""

import pytest
import torch

from hrformer_mm import HRFormer
from hrformer_mm.deploy.blocks import DeployAttention
from hrformer_mm.layers import LocalWindowAttention
from hrformer_mm.ops.attention import IMPLEMENTATIONS

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4))


def attention(window, **options):
    torch.manual_seed(0)
    module = LocalWindowAttention(12, 3, window, shifted=True, **options).double()
    for name, value in module.named_parameters():
        torch.nn.init.normal_(value, std=0.5 if name.endswith(('bias', 'table')) else 0.3)
    return module


def bounds(size, window, shift):
    """Return the bounds of windows along one axis: whole windows after `shift` positions, and the remainder."""
    cuts = [0, *range(shift, size, window), size]
    return [(a, b) for a, b in zip(cuts, cuts[1:]) if b > a]


def window_by_window(module, x):
    """Pad x (N, H, W, C) with zeros, project it, and apply attention to each window separately."""
    (n, h, w, c), (height, width), heads = x.shape, module.window_size, module.attn.num_heads
    rows, columns = -h % height, -w % width
    padded = torch.zeros(n, h + rows, w + columns, c, dtype=x.dtype)
    padded[:, rows // 2 : rows // 2 + h, columns // 2 : columns // 2 + w] = x
    moved = h > height and w > width
    out = torch.zeros_like(padded)
    for top, bottom in bounds(h + rows, height, height // 2 if moved else 0):
        for left, right in bounds(w + columns, width, width // 2 if moved else 0):
            positions = [(y, z) for y in range(top, bottom) for z in range(left, right)]
            tokens = padded[:, top:bottom, left:right].flatten(1, 2)
            q, k, v = (t.unflatten(2, (heads, c // heads)).transpose(1, 2) for t in module.attn.qkv(tokens).chunk(3, 2))
            scores = q @ k.transpose(2, 3) * (c // heads) ** -0.5
            if module.attn.relative_position_bias_table is not None:
                index = [
                    [(a - e + height - 1) * (2 * width - 1) + b - f + width - 1 for e, f in positions]
                    for a, b in positions
                ]
                scores = scores + module.attn.relative_position_bias_table[torch.tensor(index)].permute(2, 0, 1)
            result = module.attn.proj((scores.softmax(-1) @ v).transpose(1, 2).flatten(2))
            out[:, top:bottom, left:right] = result.unflatten(1, (bottom - top, right - left))
    return out[:, rows // 2 : rows // 2 + h, columns // 2 : columns // 2 + w]


@pytest.mark.parametrize('window', [(4, 4), (3, 5), (7, 7)])
@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
@pytest.mark.parametrize('with_rpe', [True, False])
def test_window_by_window(window, implementation, with_rpe):
    module = attention(window, with_rpe=with_rpe, implementation=implementation)
    # Whole windows; padded below and right, on all sides; one window along an axis; less than a window.
    for size in (
        (2 * window[0], 3 * window[1]),
        (2 * window[0] + 1, 2 * window[1] - 1),
        (window[0] + 2, window[1] + 3),
        (window[0], 2 * window[1]),
        (1, 2),
    ):
        x = torch.randn(2, *size, 12, dtype=torch.float64, requires_grad=True)
        expected = window_by_window(module, x)
        weight = torch.randn_like(expected)
        inputs = [x, *module.parameters()]
        grads = torch.autograd.grad((expected * weight).sum(), inputs)
        out = module(x)
        torch.testing.assert_close(out, expected)
        for own, other in zip(torch.autograd.grad((out * weight).sum(), inputs), grads):
            torch.testing.assert_close(own, other)
        with torch.no_grad():
            torch.testing.assert_close(DeployAttention(module)(x), expected)


def test_equals_mmpretrain():
    utils = pytest.importorskip('mmpretrain.models.utils')
    theirs = utils.ShiftWindowMSA(12, 3, 7, shift_size=3).double().eval()
    ours = attention((7, 7))
    theirs.w_msa.load_state_dict(
        {name: value for name, value in ours.attn.state_dict().items() if name != 'relative_position_index'},
        strict=False,
    )
    x = torch.randn(2, 21, 28, 12, dtype=torch.float64)
    torch.testing.assert_close(ours(x), theirs(x.flatten(1, 2), (21, 28)).view_as(x))


def reach(**options):
    """Return whether the lower windows of branch 0 depend on the upper windows after two blocks."""
    torch.manual_seed(0)
    model = HRFormer(arch=MICRO, window_sizes=4, **options).eval()
    x = torch.randn(1, 6, 8, 8)
    branch = model.stage2[0].branches[0]
    other = x.clone()
    other[:, :, 3] += torch.randn(6, 8)  # the last row of the upper windows
    before, after = branch(x), branch(other)
    return not torch.allclose(before[:, :, 4:], after[:, :, 4:], atol=1e-6)


def test_information_exchange_across_windows():
    """Only the depth-wise convolution and the shift exchange information across windows, each of them alone."""
    assert reach() and reach(with_dwconv=False, shift_windows=True) and not reach(with_dwconv=False)


def test_every_other_block_is_shifted():
    model = HRFormer(arch=dict(MICRO, num_blocks=3), window_sizes=(7, (5, 3), 4, 4), shift_windows=True)
    branch = model.stage3[0].branches[1]
    assert [block.attn.shift for block in branch] == [(0, 0), (2, 1), (0, 0)]
    assert list(model.state_dict()) == list(HRFormer(arch=dict(MICRO, num_blocks=3)).state_dict())


def test_shift_requires_two_blocks():
    with pytest.raises(ValueError, match='shift_windows is True.*num_blocks=2 or more'):
        HRFormer(arch=dict(MICRO, num_blocks=1), shift_windows=True)
