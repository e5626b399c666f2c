"""How the kernels are launched, and where they are not."""

import pytest
import torch

from hrformer_mm.kernels import attention as kernels
from hrformer_mm.kernels import support
from hrformer_mm.ops import attention, set_attention_backend, window_attention
from hrformer_mm.ops.windows import Padding

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'


@pytest.fixture(autouse=True)
def backend():
    previous = set_attention_backend('triton')
    yield
    set_attention_backend(previous)


def projections(d, dtype=torch.float32):
    """A map of a 3x3 window and the padding's value, of one head."""
    return (torch.randn(shape).to(DEVICE, dtype) for shape in ((1, 3, 3, 3 * d), (3 * d, )))


def test_float32_is_not_rounded_to_tf32(monkeypatch):
    """Unless torch's own switch says so."""
    asked = []
    monkeypatch.setattr(kernels._Launch, '__call__',
                        lambda self, *_, **__: asked.append(self.options['PRECISION']))
    switch = torch.backends.cuda.matmul
    before = switch.allow_tf32
    try:
        for switch.allow_tf32 in (False, True):
            window_attention(*projections(8), 1, (3, 3))
    finally:
        switch.allow_tf32 = before
    assert asked == ['ieee', 'tf32']


class Launches:
    """In a kernel's place: notes grids."""

    def __init__(self):
        self.grids = []

    def __getitem__(self, grid):
        self.grids.append(grid)
        return lambda *_, **__: None


@pytest.mark.parametrize('window, dtype', [((7, 7), torch.bfloat16), ((15, 15), torch.bfloat16),
                                           ((7, 7), torch.float32)])
def test_grids_have_one_axis(monkeypatch, window, dtype):
    """The others end at 65,535, and here are 90,000 windows of 4 heads; nothing is computed."""
    monkeypatch.setattr(kernels, 'shared_memory', lambda device: kernels.SHARED)
    from hrformer_mm.kernels import attention_backward, attention_forward
    launches = Launches()
    monkeypatch.setattr(attention_forward, 'forward', launches)
    for name in ('whole', 'queries', 'keys', 'bias'):
        monkeypatch.setattr(attention_backward, f'backward_{name}', launches)
    size, places = (300 * window[0], 300 * window[1]), window[0] * window[1]
    qkv, bias = (torch.empty(shape, dtype=dtype, device='meta') for shape in ((1, *size, 48), (4, places, places)))
    settings = 4, window, (0, 0, 0, 0), False, 0.5
    out, lse = kernels._forward(qkv, qkv[0, 0, 0], bias, *settings)
    kernels._backward(out, qkv, qkv[0, 0, 0], bias, out, lse, *settings)
    assert all(len(grid) == 1 and type(grid[0]) is int for grid in launches.grids)
    forward, *backward = (grid[0] for grid in launches.grids)
    parts = {(7, torch.bfloat16): 1, (15, torch.bfloat16): 2, (7, torch.float32): 2}[window[0], dtype]
    assert forward == 90_000 * 4 * parts
    assert len(backward) == (1 if dtype == torch.bfloat16 else 3) and min(backward) > 0


def test_maps_that_are_too_large():
    huge = torch.empty(1, 2, 2**25, 48, device='meta')
    with pytest.raises(ValueError, match=r'a row of windows of the map, .*, has 2\*\*31 elements or more; take'):
        kernels.triton_attention(huge, huge[0, 0, 0], None, 2, (2, 2), Padding(0, 0, 0, 0), False, 1)
    many = torch.empty(2**16, 2**8, 2**8, 3, device='meta')
    with pytest.raises(ValueError, match='4294967296 windows of 1 heads are more than one launch takes'):
        kernels._forward(many, many[0, 0, 0], None, 1, (1, 1), (0, 0, 0, 0), False, 1)


def test_what_the_kernels_are_not_made_for():
    cases = (torch.float64, 8, 'dtype is torch.float64'), (torch.float32, 65, 'heads have 65 channels')
    for dtype, d, match in cases:
        with pytest.raises(ValueError, match=f"'triton': .*{match}.*take 'auto'"):
            window_attention(*projections(d, dtype), 1, (3, 3))


@pytest.mark.parametrize('device, capability, installed, interpreted, name, reason', [
    ('cuda:0', (9, 0), True, False, 'triton', None),
    ('cuda:0', (8, 0), True, False, 'triton', None),
    ('cuda:0', (7, 5), True, False, 'fused', r'cuda:0 has compute capability \(7, 5\)'),
    ('cuda:0', (9, 0), False, False, 'fused', r'triton is not installed \(pip install triton\)'),
    ('cpu', None, True, True, 'triton', None),
    ('cpu', None, True, False, 'fused', "they need CUDA, and the device is 'cpu'"),
    ('cpu', None, False, False, 'fused', 'triton is not installed'),
])
def test_devices(monkeypatch, recwarn, device, capability, installed, interpreted, name, reason):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: capability)
    monkeypatch.setattr(support, 'available', lambda: installed)
    monkeypatch.setattr(support, 'interpreted', lambda: interpreted)
    monkeypatch.setattr(support, '_usable', {})
    device = torch.device(device)
    if reason is not None:
        with pytest.warns(UserWarning, match=f"take the place of Triton's kernels: {reason}"):
            attention._choose(device, False)
    recwarn.clear()
    assert attention._choose(device, False) == name
    assert not recwarn, 'it is said once'
    assert attention._choose(device, True) == 'fused'
    set_attention_backend('auto')
    assert attention._choose(device, False) == ('batched' if device.type == 'cpu' else 'fused')


def test_without_triton(run_python):
    """The package works, and asked for the kernels it says once that another way is taken."""
    print(run_python('''
import sys
sys.modules['triton'] = None
import warnings
import torch
from hrformer_mm.ops import set_attention_backend, window_attention
qkv, value = torch.randn(1, 5, 5, 24), torch.randn(24)
expected = window_attention(qkv, value, 1, (3, 3))
set_attention_backend('triton')
with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter('always')
    for _ in range(2):
        assert torch.allclose(window_attention(qkv, value, 1, (3, 3)), expected, atol=1e-6)
assert len(said) == 1 and 'triton is not installed' in str(said[0].message), said
'''))
