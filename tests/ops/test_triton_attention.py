"""Triton's kernels: on the GPU where there is one, else in Triton's interpreter, see conftest.py."""

import numpy as np
import pytest
import torch
from torch.utils.checkpoint import checkpoint

from hrformer_mm import HRFormer
from hrformer_mm.ops import attention, centred_padding, set_attention_backend, triton_attention, window_attention
from hrformer_mm.ops.windows import Padding

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-2}
MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
PADDING = {'none': (0, 0), 'height': (1, 0), 'width': (0, 1), 'both': (1, 1), 'masked': (1, 1)}


@pytest.fixture(autouse=True)
def backend():
    previous = set_attention_backend('triton')
    yield
    set_attention_backend(previous)


@pytest.fixture(autouse=True)
def poisoned():
    """Memory that is not written holds NaN."""
    torch.use_deterministic_algorithms(True, warn_only=True)
    assert torch.empty(3).isnan().all() and torch.zeros(3).new_empty(3).isnan().all()
    yield
    torch.use_deterministic_algorithms(False)


@pytest.fixture(autouse=True)
def rounded(monkeypatch):
    """The interpreter cuts float32 off where it makes bfloat16; GPUs round to the nearest, and to even."""
    if DEVICE == 'cuda':
        return
    from triton import language as tl
    from triton.runtime import interpreter
    convert = interpreter._convert_float

    def convert_float(x, source, target, mode):
        if (source, target) != (tl.float32, tl.bfloat16):
            return convert(x, source, target, mode)
        bits = np.ascontiguousarray(x).view(np.uint32)
        return ((bits + 0x7fff + ((bits >> 16) & 1)) >> 16).astype(np.uint16)

    monkeypatch.setattr(interpreter, '_convert_float', convert_float)


def map_size(window, padding):
    """Two rows and columns of windows at most, less a few places where they are to be padded."""
    return tuple(max(2 * own - own // 2 - 1, 1) if short else own for own, short in zip(window, PADDING[padding]))


def make(heads, d, window, size, batch=1, dtype=torch.float32, bias=True):
    places = window[0] * window[1]
    inputs = [torch.randn(batch, *size, 3 * heads * d).to(dtype), torch.randn(3 * heads * d).to(dtype)]
    return [x.to(DEVICE) for x in inputs + ([torch.randn(heads, places, places)] if bias else [])]


def run(inputs, heads, window, mask=False, grad=None, padding=None):
    """Output and the gradients of all inputs."""
    inputs = [x.detach().clone().requires_grad_() for x in inputs]
    bias = inputs[2] if len(inputs) > 2 else None
    out = window_attention(inputs[0], inputs[1], heads, window, bias, mask, padding=padding)
    out.backward(grad.to(out))
    return [out.detach()] + [torch.zeros_like(x) if x.grad is None else x.grad for x in inputs]


def worst(found, expected):
    """The largest error over the largest value, of all tensors."""
    assert len(found) == len(expected)
    assert all(a.isfinite().all() and a.shape == b.shape for a, b in zip(found, expected))
    return max(((a.double() - b).abs().max() / b.abs().max().clamp_min(1e-30)).item()
               for a, b in zip(found, expected) if b.numel())


def check(heads, d, window, size, batch=1, dtype=torch.float32, mask=False, bias=True, padding=None):
    """Against the formula, in float64, on the same inputs."""
    inputs = make(heads, d, window, size, batch, dtype, bias)
    grad = torch.randn(batch, *size, heads * d, device=DEVICE).to(dtype)
    found = run(inputs, heads, window, mask, grad, padding)
    assert [x.dtype for x in found] == [dtype] * 3 + [torch.float32] * bias
    set_attention_backend('plain')
    expected = run([x.double() for x in inputs], heads, window, mask, grad, padding)
    assert worst(found, expected) <= TOLERANCE[dtype]


@pytest.mark.parametrize('padding', PADDING)
@pytest.mark.parametrize('d, window', [(18, (7, 7)), (32, (5, 9)), (39, (7, 7)), (39, (1, 1))])
def test_float32(d, window, padding):
    check(1, d, window, map_size(window, padding), mask=padding == 'masked')


@pytest.mark.parametrize('dtype', [torch.float16, torch.bfloat16])
@pytest.mark.parametrize('padding', ['none', 'both', 'masked'])
@pytest.mark.parametrize('d', [18, 39])
def test_sixteen_bits(d, padding, dtype):
    check(2, d, (7, 7), map_size((7, 7), padding), dtype=dtype, mask=padding == 'masked')


@pytest.mark.parametrize('dtype, window, padding', [(torch.float32, (9, 8), 'both'), (torch.bfloat16, (15, 15), 'none'),
                                                    (torch.float16, (15, 15), 'both'),
                                                    (torch.bfloat16, (5, 17), 'masked')])
def test_windows_of_several_blocks(dtype, window, padding):
    check(1, 18, window, map_size(window, padding), dtype=dtype, mask=padding == 'masked')


@pytest.mark.slow
@pytest.mark.parametrize('dtype', TOLERANCE)
@pytest.mark.parametrize('padding', ['none', 'both', 'masked'])
@pytest.mark.parametrize('d, window', [(39, (15, 15)), (18, (21, 21)), (32, (3, 21))])
def test_large_windows(d, window, padding, dtype):
    check(1, d, window, map_size(window, padding), dtype=dtype, mask=padding == 'masked')


@pytest.mark.parametrize('d, bias', [(1, True), (8, False), (16, True), (33, False), (64, True)])
def test_any_head_size(d, bias):
    check(2, d, (3, 4), (4, 6), bias=bias)


@pytest.mark.parametrize('window', [(3, 3), (9, 8)])
@pytest.mark.parametrize('batch, bias', [(0, True), (0, False), (2, False)])
def test_batch(batch, bias, window):
    check(1, 8, window, (9, 10), batch=batch, bias=bias)


@pytest.mark.parametrize('mask', [False, True])
def test_part_of_a_larger_map(mask):
    """The padding that a strip of the map is given, and some that fills whole windows."""
    check(1, 8, (4, 3), (6, 5), padding=Padding(0, 2, 1, 0), mask=mask)
    check(1, 8, (2, 2), (4, 4), padding=Padding(4, 2, 0, 0))


def test_maps_that_are_not_contiguous():
    qkv, value, bias = make(2, 8, (3, 3), (4, 5), batch=2)
    out = window_attention(qkv.transpose(1, 2), value, 2, (3, 3), bias.transpose(1, 2))
    expected = window_attention(qkv.transpose(1, 2).contiguous(), value, 2, (3, 3), bias.transpose(1, 2).contiguous())
    assert torch.equal(out, expected)


def test_other_scale_and_float32_parameters_with_maps_of_sixteen_bits():
    """As autocast and the deployment form call it."""
    qkv, value, bias = make(1, 18, (3, 3), (4, 5))
    found = window_attention(qkv.bfloat16(), value, 1, (3, 3), bias, scale=0.5)
    set_attention_backend('plain')
    expected = window_attention(qkv.bfloat16().double(), value.double(), 1, (3, 3), bias.double(), scale=0.5)
    assert found.dtype == torch.bfloat16 and worst([found], [expected]) <= 1e-2


def test_gradients_are_the_same_at_every_call():
    """Of many windows that share a program, too."""
    inputs, grad = make(1, 8, (2, 2), (6, 9)), torch.randn(1, 6, 9, 8, device=DEVICE)
    first, second = (run(inputs, 1, (2, 2), grad=grad) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second))


@pytest.mark.parametrize('window', [(3, 3), (5, 7)])
def test_windows_that_share_a_program(monkeypatch, window):
    monkeypatch.setattr(triton_attention, 'PROGRAMS', 2)
    check(1, 8, window, (5, 14))


@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('size', [(3, 4), (4, 5)])
def test_operators_are_well_defined(bias, size):
    qkv, value, *rest = make(2, 8, (3, 4), size, bias=bias)
    settings = 2, (3, 4), centred_padding(size, (3, 4)), False, 0.3
    inputs = [x.requires_grad_() for x in (qkv, value, *rest)] + [None] * (not bias)
    torch.library.opcheck(torch.ops.hrformer_mm.window_attention, (*inputs, *settings))
    with torch.no_grad():
        out, lse = torch.ops.hrformer_mm.window_attention(*inputs, *settings)
    inputs = [x if x is None else x.detach() for x in inputs]
    torch.library.opcheck(torch.ops.hrformer_mm.window_attention_backward,
                          (torch.randn_like(out), *inputs, out, lse, *settings))


@pytest.mark.parametrize('dynamic', [False, True])
def test_compiles_as_one_graph(dynamic):
    torch.compiler.reset()
    inputs = [x.requires_grad_() for x in make(2, 8, (3, 3), (4, 5))]

    def step(qkv, value, bias):
        return window_attention(qkv * 2, value, 2, (3, 3), bias)

    compiled = torch.compile(step, backend='aot_eager', fullgraph=True, dynamic=dynamic)
    for size in ((4, 5), (6, 6)):
        inputs[0] = torch.randn(1, *size, 48, device=DEVICE, requires_grad=True)
        results = []
        for function in (step, compiled):
            out = function(*inputs)
            results.append([out, *torch.autograd.grad(out.square().sum(), inputs, allow_unused=size == (6, 6))])
        assert all(a is b is None or torch.allclose(a, b, atol=1e-5) for a, b in zip(*results))
    torch.compiler.reset()


def test_export_and_checkpointing():
    qkv, value, bias = make(2, 8, (3, 3), (4, 5))

    class Attention(torch.nn.Module):

        def forward(self, qkv, value, bias):
            return window_attention(qkv, value, 2, (3, 3), bias)

    program = torch.export.export(Attention(), (qkv, value, bias))
    assert any(node.target is torch.ops.hrformer_mm.window_attention.default for node in program.graph.nodes)
    expected = Attention()(qkv, value, bias)
    assert torch.equal(program.module()(qkv, value, bias), expected)

    inputs = [x.clone().requires_grad_() for x in (qkv, value, bias)]
    direct = torch.autograd.grad(Attention()(*inputs).sum(), inputs)
    again = torch.autograd.grad(checkpoint(Attention(), *inputs, use_reentrant=False).sum(), inputs)
    assert all(torch.equal(a, b) for a, b in zip(direct, again))


def test_no_second_derivative():
    qkv, value, bias = (x.requires_grad_() for x in make(1, 8, (3, 3), (3, 3)))
    grad, = torch.autograd.grad(window_attention(qkv, value, 1, (3, 3), bias).square().sum(), qkv, create_graph=True)
    with pytest.raises(RuntimeError, match="no second derivative: take 'plain'"):
        grad.sum().backward()


def test_model_equals_the_formula():
    model = HRFormer(arch=MICRO).to(DEVICE).eval()
    x, results = torch.randn(1, 3, 32, 40, device=DEVICE), []
    for name in ('triton', 'plain'):
        set_attention_backend(name)
        model.zero_grad()
        outs = model(x)
        sum(y.square().mean() for y in outs).backward()
        results.append([y.detach() for y in outs] + [p.grad for p in model.parameters()])
    least = 1e-3 * max(b.norm() for b in results[1])  # a bias of keys has no gradient but rounding's
    assert max((a - b).norm() / torch.maximum(b.norm(), least) for a, b in zip(*results)) < 1e-4


def test_what_the_kernels_are_not_made_for():
    for dtype, d, match in ((torch.float64, 8, 'dtype is torch.float64'), (torch.float32, 65, 'heads have 65 channels')):
        with pytest.raises(ValueError, match=f"'triton': .*{match}.*take 'auto'"):
            window_attention(*(x.to(dtype) for x in make(1, d, (3, 3), (3, 3), bias=False)), 1, (3, 3))


@pytest.mark.parametrize('capability, installed, name, reason', [
    ((9, 0), True, 'triton', None),
    ((8, 0), True, 'triton', None),
    ((7, 5), True, 'fused', r'compute capability \(7, 5\)'),
    ((9, 0), False, 'fused', 'triton is not installed'),
])
def test_cards(monkeypatch, recwarn, capability, installed, name, reason):
    monkeypatch.setattr(torch.cuda, 'get_device_capability', lambda device: capability)
    monkeypatch.setattr(triton_attention, 'available', lambda: installed)
    monkeypatch.setattr(triton_attention, '_usable', {})
    set_attention_backend('triton')
    card = torch.device('cuda', 0)
    if reason is not None:
        with pytest.warns(UserWarning, match=reason):
            attention._choose(card, False)
    recwarn.clear()
    assert attention._choose(card, False) == name
    assert not recwarn, 'it is said once'
    assert attention._choose(card, True) == 'fused'
    set_attention_backend('auto')
    assert attention._choose(card, False) == 'fused' and attention._choose(torch.device('cpu'), False) == 'batched'


def test_shifted_windows_are_the_formulas():
    qkv, value = torch.randn(1, 7, 9, 24, device=DEVICE), torch.randn(24, device=DEVICE)
    results = []
    for name in ('triton', 'plain'):
        set_attention_backend(name)
        results.append(window_attention(qkv, value, 1, (4, 4), shift=(2, 2)))
    torch.testing.assert_close(*results)


def test_without_triton(monkeypatch):
    monkeypatch.setattr(attention, 'available', lambda: False)
    with pytest.raises(ImportError, match="'triton', which is not installed: pip install triton"):
        set_attention_backend('triton')


@pytest.mark.skipif(torch.cuda.is_available(), reason='the kernels run on the GPU')
def test_the_package_needs_no_triton(run_python):
    print(run_python('''
import sys
sys.modules['triton'] = None
import torch
from hrformer_mm.ops import window_attention
window_attention(torch.randn(1, 5, 5, 24), torch.randn(24), 1, (3, 3))
'''))
