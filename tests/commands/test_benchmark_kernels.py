import pytest
import torch

from hrformer_mm.ops import set_attention_backend, set_block_backend
from hrformer_mm.commands.benchmark import kernels

DEVICE = torch.device('cuda' if torch.cuda.is_available() else 'cpu')


@pytest.fixture(autouse=True)
def backends():
    yield
    assert set_attention_backend('auto') == set_block_backend('auto') == 'auto', 'the backends are set back'


@pytest.mark.parametrize('usable, error, backend, reason', [
    (True, 1e-3, 'triton', 'error 1.0e-03'), (True, 3, 'auto', 'wrong by 3.0e+00'),
    (True, float('nan'), 'auto', 'wrong by nan'), (True, ValueError('no card'), 'auto', 'ValueError: no card'),
    (False, 0, 'auto', 'do not run here')])
def test_kernels_that_do_not_work_are_not_timed(monkeypatch, usable, error, backend, reason):

    def measure(*_):
        if isinstance(error, Exception):
            raise error
        return error

    monkeypatch.setattr(torch.cuda, 'current_device', lambda: 0)
    monkeypatch.setattr(kernels, 'usable', lambda device: usable)
    for name in ('attention_error', 'block_error'):
        monkeypatch.setattr(kernels, name, measure)
    found = kernels.choose_backends('cuda')
    assert set(found) == {'attention', 'blocks'}
    assert all(name == backend and reason in why for name, why in found.values())


def test_error_of_attention():
    pytest.importorskip('triton')
    assert 1e-4 < kernels.attention_error(DEVICE, 3) < kernels.BOUND


@pytest.mark.slow
def test_error_of_blocks(rounded):
    """Kernels round less often than operators do, and are not exact."""
    pytest.importorskip('triton')
    assert 0.1 < kernels.block_error(DEVICE, (32, 40)) < kernels.WORSE
