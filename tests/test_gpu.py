"""The backbone on a CUDA GPU; skipped on machines without one."""

import pytest
import torch

from hrformer_mm.models import HRFormer

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a CUDA GPU')]


def test_computes_what_the_cpu_computes(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, 'allow_tf32', False)
    model = HRFormer('tiny').eval()
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected = model(x)
        maps = model.cuda()(x.cuda())
    for actual, reference in zip(maps, expected, strict=True):
        torch.testing.assert_close(actual.cpu(), reference, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16], ids=str)
def test_mixed_precision_trains(dtype):
    model = HRFormer('tiny').cuda()
    with torch.autocast('cuda', dtype):
        sum(output.float().mean() for output in model(torch.randn(2, 3, 64, 96, device='cuda'))).backward()
    assert all(p.grad.isfinite().all() for p in model.parameters() if p.grad is not None)
