"""Window attention by kernels, see conftest.py."""

import pytest
import torch
from torch.utils.checkpoint import checkpoint

from hrformer_mm import HRFormer
from hrformer_mm.kernels import attention as kernels
from hrformer_mm.ops import centred_padding, set_attention_backend, window_attention
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


HEADS = (1, 16, 17, 18, 32, 39, 48, 64)
SMALL = ((1, 1), (2, 3), (3, 3), (7, 2), (1, 9), (5, 5))  # a block of 32 or 64 places at most
MEDIUM = ((7, 7), (8, 8), (9, 7), (11, 11))  # in float32 of several


def grid(windows, every=1):
    """Head sizes with windows; dtypes, paddings and whether there is one head or two go round, and meet them all."""
    pairs = [(d, window) for window in windows for d in HEADS]
    for i, (d, window) in enumerate(pairs[::every]):
        dtype, padding = list(TOLERANCE)[i % 3], list(PADDING)[i % 5]
        name = f"{d}-{window[0]}x{window[1]}-{str(dtype)[6:]}-{padding}"
        yield pytest.param(1 + (i % 7 > 2), d, window, dtype, padding, id=name)


ARGUMENTS = 'heads, d, window, dtype, padding'


@pytest.mark.parametrize(ARGUMENTS, [*grid(SMALL, 2), *grid(MEDIUM[:1], 3)])
def test_small_windows(heads, d, window, dtype, padding):
    check(heads, d, window, map_size(window, padding), dtype=dtype, mask=padding == 'masked')


@pytest.mark.slow
@pytest.mark.parametrize(ARGUMENTS, [*grid(SMALL[1::2]), *grid(MEDIUM)])
def test_grid(heads, d, window, dtype, padding):
    check(heads, d, window, map_size(window, padding), dtype=dtype, mask=padding == 'masked')


@pytest.mark.slow
@pytest.mark.parametrize(ARGUMENTS, [
    (2, 39, (15, 15), torch.bfloat16, 'both'), (1, 32, (15, 15), torch.float16, 'masked'),
    (1, 18, (13, 13), torch.float32, 'none'), (2, 17, (15, 9), torch.bfloat16, 'height'),
    (1, 64, (16, 16), torch.bfloat16, 'width'), (1, 16, (21, 21), torch.bfloat16, 'none'),
    (2, 39, (3, 32), torch.float16, 'both'), (1, 8, (9, 15), torch.float32, 'masked')])
def test_large_windows(heads, d, window, dtype, padding):
    check(heads, d, window, map_size(window, padding), dtype=dtype, mask=padding == 'masked')


@pytest.mark.parametrize('size', [(7, 7), (14, 7), (4, 3), (1, 1), (9, 15)])
def test_heads_of_odd_size_are_read_in_pairs(size):
    """With a channel of the head beside, which takes no part."""
    check(2, 39, (7, 7), size, dtype=torch.bfloat16)
    check(4, 5, (3, 4), size)


@pytest.mark.parametrize('dtype, window, padding', [
    (torch.bfloat16, (9, 8), 'both'), (torch.float16, (5, 17), 'masked'), (torch.bfloat16, (10, 7), 'none'),
    (torch.float32, (7, 5), 'both')])
@pytest.mark.parametrize('shared', [0, kernels.SHARED])
def test_windows_of_several_blocks(monkeypatch, shared, dtype, window, padding):
    """On cards that hold all queries of a window at a time, and on others."""
    monkeypatch.setattr(kernels, 'shared_memory', lambda device: shared)
    check(2, 9, window, map_size(window, padding), dtype=dtype, mask=padding == 'masked')


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


@pytest.mark.parametrize('window, size', [((2, 2), (6, 9)), ((9, 8), (17, 10))])
def test_gradients_are_the_same_at_every_call(monkeypatch, window, size):
    """Of many windows that share a program, too; deterministic algorithms are demanded here, see above."""
    monkeypatch.setattr(kernels, 'PROGRAMS_OF_LARGE_WINDOWS', 2)
    inputs = make(1, 8, window, size, dtype=torch.bfloat16)
    grad = torch.randn(1, *size, 8, device=DEVICE)
    first, second = (run(inputs, 1, window, grad=grad) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, second))


@pytest.mark.parametrize('window, dtype', [((3, 3), torch.float32), ((5, 7), torch.float32),
                                           ((9, 8), torch.bfloat16)])
def test_windows_that_share_a_program(monkeypatch, window, dtype):
    monkeypatch.setattr(kernels, 'PROGRAMS', 2)
    monkeypatch.setattr(kernels, 'PROGRAMS_OF_LARGE_WINDOWS', 2)
    check(2, 8, window, (9, 20), dtype=dtype)


@pytest.mark.parametrize('size, bias', [((2, 3), False), ((3, 5), True)])
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
    model = HRFormer(arch=MICRO, window_sizes=4).to(DEVICE).eval()
    x, results = torch.randn(1, 3, 32, 24, device=DEVICE), []
    for name in ('triton', 'plain'):
        set_attention_backend(name)
        model.zero_grad()
        outs = model(x)
        sum(y.square().mean() for y in outs).backward()
        results.append([y.detach() for y in outs] + [p.grad for p in model.parameters()])
    least = 1e-3 * max(b.norm() for b in results[1])  # a bias of keys has no gradient but rounding's
    assert max((a - b).norm() / torch.maximum(b.norm(), least) for a, b in zip(*results)) < 1e-4


def test_shifted_windows_are_the_formulas():
    qkv, value = torch.randn(1, 7, 9, 24, device=DEVICE), torch.randn(24, device=DEVICE)
    results = []
    for name in ('triton', 'plain'):
        set_attention_backend(name)
        results.append(window_attention(qkv, value, 1, (4, 4), shift=(2, 2)))
    torch.testing.assert_close(*results)
