import pytest
import torch

from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.layers import HRFormerBlock, strips


@pytest.mark.parametrize('shape', [(1, 30, 11, 4), (3, 8, 5, 4), (7, 2, 2, 4)])
@pytest.mark.parametrize('rows, offset', [(1, 0), (7, 0), (7, 3)])
@pytest.mark.parametrize('budget', [1, 1000, 10**9])
def test_every_place_once_and_whole_windows(monkeypatch, shape, rows, offset, budget):
    monkeypatch.setattr(strips, 'STRIP_BYTES', budget)
    seen = torch.zeros(shape)
    for images, part in strips.strips(seen, 16, rows, offset):
        seen[images, part] += 1
        assert part.start == 0 or (part.start + offset) % rows == 0
        size = (images.stop - images.start) * (part.stop - part.start) * shape[2] * 16 * 4
        assert size <= budget or (part.stop - part.start <= rows and images.stop - images.start == 1)
    assert (seen == 1).all()


@pytest.mark.parametrize('options', [
    dict(), dict(with_pad_mask=True), dict(with_rpe=False), dict(with_dwconv=False), dict(shift_windows=True)])
@pytest.mark.parametrize('deploy', [False, True])
def test_strips_change_nothing(monkeypatch, options, deploy):
    arch = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2))
    model = HRFormer(arch=arch, window_sizes=(7, (5, 3), 4, 3), **options).eval()
    for name, buffer in model.named_buffers():
        if name.endswith('running_var'):
            buffer.uniform_(0.5, 1.5)
    model = to_deploy(model) if deploy else model
    for size in ((96, 72), (130, 33), (45, 70)):
        x = torch.randn(2, 3, *size)
        with torch.no_grad():
            monkeypatch.setattr(strips, 'STRIP_BYTES', 10**9)
            expected = model(x)
            for budget in (1, 20_000):
                monkeypatch.setattr(strips, 'STRIP_BYTES', budget)
                for a, b in zip(model(x), expected):
                    assert (a - b).norm() <= 2e-6 * b.norm()


def test_norms_over_the_whole_map_are_not_cut(monkeypatch):
    monkeypatch.setattr(strips, 'STRIP_BYTES', 1)
    block = HRFormerBlock(12, 2, (3, 3), 4, 0., dict(type='GN', num_groups=2)).eval()
    x = torch.randn(1, 12, 9, 9)
    with torch.no_grad():
        out = block(x)
    assert torch.allclose(out, block(x), atol=1e-6)  # with gradients there are no strips
