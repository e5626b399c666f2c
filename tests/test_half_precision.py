"""Forward and backward passes in float16 and bfloat16 are finite at an input scale of 1000."""

from contextlib import nullcontext
from copy import deepcopy

import pytest
import torch
from torch import nn

import hrformer_mm  # noqa: F401  (its repairs come before the host libraries)
from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.layers import DepthwiseFFN, HRFormerBlock, LocalWindowAttention
from hrformer_mm.ops.attention import IMPLEMENTATIONS

SCALE = 1e3
BN = dict(type='BN')
ARCH = dict(num_modules=(1, 1, 1, 1), channels=(16, 32, 48, 64), num_heads=(1, 2, 3, 4), num_blocks=1)


class Maps(nn.Module):
    """Head that is called with one argument per branch."""

    def __init__(self, head):
        super().__init__()
        self.head = head

    def forward(self, *maps):
        return self.head(maps)


def object_attention():
    pytest.importorskip('mmseg')
    from hrformer_mm.models.ocr_head import ObjectAttention

    return ObjectAttention(256, 128, BN), [torch.randn(2, 256, 9, 9).relu(), torch.randn(2, 256, 19, 1).relu()]


def ocr_head():
    pytest.importorskip('mmseg')
    from hrformer_mm.models.ocr_head import OCRHead

    head = OCRHead(ARCH['channels'], num_classes=19, channels=64, key_channels=64)
    return Maps(head), [torch.randn(2, c, 8 // 2**i, 8 // 2**i).relu() for i, c in enumerate(ARCH['channels'])]


def attention(**options):
    return lambda: (LocalWindowAttention(64, 2, (7, 7), **options), [torch.randn(2, 16, 12, 64)])


PARTS = {
    'attention': attention(),
    'attention, sdpa': attention(implementation='sdpa'),
    'attention, pad mask': attention(with_pad_mask=True),
    'attention, shifted windows': attention(shifted=True),
    'FFN': lambda: (DepthwiseFFN(64, 256, BN), [torch.randn(2, 64, 12, 12)]),
    'block': lambda: (HRFormerBlock(64, 2, (7, 7), 4, 0.0, BN), [torch.randn(2, 64, 12, 12)]),
    'backbone': lambda: (HRFormer(ARCH), [torch.randn(2, 3, 48, 48)]),
    'OCR attention': object_attention,
    'OCR head': ocr_head,
}


def run(model, inputs, dtype, autocast):
    """Return the outputs, and the gradients of inputs and parameters."""
    model = deepcopy(model) if autocast else deepcopy(model).to(dtype)
    inputs = [(SCALE * x).to(torch.float32 if autocast else dtype).requires_grad_() for x in inputs]
    with torch.autocast('cpu', dtype) if autocast else nullcontext():
        out = model(*inputs)
    out = out if isinstance(out, tuple) else (out,)
    sum(y.float().mean() for y in out).backward()
    return [*out, *(x.grad for x in inputs), *(p.grad for p in model.parameters() if p.grad is not None)]


@pytest.mark.parametrize('name', PARTS)
@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('autocast', [False, True])
def test_finite(name, dtype, autocast, figure):
    model, inputs = PARTS[name]()
    for train in (True, False):
        results = run(model.train(train), inputs, dtype, autocast)
        bad = sum(int((~value.isfinite()).sum()) for value in results)
        figure(f'NaN and inf at scale {SCALE:g}, {dtype}, {"autocast" if autocast else "the weights too"}', bad, 0)
    with torch.no_grad():
        for form in (model, to_deploy(model)) if name == 'backbone' else (model,):
            with torch.autocast('cpu', dtype) if autocast else nullcontext():
                form = form if autocast else deepcopy(form).to(dtype)
                out = form(*((SCALE * x).to(torch.float32 if autocast else dtype) for x in inputs))
            assert all(y.isfinite().all() for y in (out if isinstance(out, tuple) else (out,)))


@pytest.mark.parametrize('implementation', IMPLEMENTATIONS)
def test_precision_of_float16_attention(implementation, figure):
    """Products are computed in float32, so that only the rounding of inputs and outputs causes errors."""
    model = LocalWindowAttention(64, 2, (7, 7), implementation=implementation).half()
    x = torch.randn(2, 16, 12, 64).half()
    exact, weight = deepcopy(model).double(), torch.randn(2, 16, 12, 64).half()
    results = []
    for net, y in ((model, x), (exact, x.double())):
        y = y.clone().requires_grad_()
        out = net(y)
        out.backward(weight.to(out.dtype))
        results.append({'out': out.detach(), 'x': y.grad, **{n: p.grad for n, p in net.named_parameters()}})
    for name, b in results[1].items():
        deviation = (results[0][name].double() - b).norm() / b.norm()
        figure(f'float16 attention and its gradients against float64, {implementation}', deviation.item(), 2e-3)
