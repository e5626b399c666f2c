"""Projections with what goes along by kernels, see conftest.py."""

import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.kernels import linear, triton_linear

pytest.importorskip('triton')
DEVICE = 'cuda' if torch.cuda.is_available() else 'cpu'
TOLERANCE = {torch.float32: 1e-5, torch.float16: 1e-2, torch.bfloat16: 1e-2}
OPTIONS = ('bias', 'norm', 'norm_bias', 'gelu', 'residual')
ALL = set(OPTIONS)


@pytest.fixture(autouse=True)
def few(monkeypatch):
    """Programs are what takes time in the interpreter: large ones."""
    monkeypatch.setattr(linear, 'PROGRAMS', 4)


def make(shape, outputs, dtype, options):
    """Arguments of the function."""
    channels = shape[-1]

    def draw(*shape, scale=1.0, offset=0.0):
        return (torch.randn(*shape, device=DEVICE) * scale + offset).to(dtype)

    arguments = dict(x=draw(*shape), weight=draw(outputs, channels, scale=channels**-0.5), gelu='gelu' in options)
    if 'bias' in options:
        arguments['bias'] = draw(outputs)
    if 'norm' in options:
        arguments['norm_weight'] = draw(channels, scale=0.2, offset=1)
    if 'norm_bias' in options:
        arguments['norm_bias'] = draw(channels, scale=0.2)
    if 'residual' in options:
        arguments['residual'] = draw(*shape[:-1], outputs)
    return arguments


def exact(x, weight, bias=None, norm_weight=None, norm_bias=None, eps=1e-6, gelu=False, residual=None):
    """The formula, in float64."""
    x, weight, bias, norm_weight, norm_bias, residual = (
        None if t is None else t.double() for t in (x, weight, bias, norm_weight, norm_bias, residual))
    if norm_weight is not None:
        x = F.layer_norm(x, x.shape[-1:], norm_weight, norm_bias, eps)
    y = F.linear(x, weight, bias)
    y = F.gelu(y) if gelu else y
    return y if residual is None else residual + y


def check(arguments):
    out, expected = triton_linear(**arguments), exact(**arguments)
    dtype = arguments['x'].dtype
    assert out.dtype == dtype and out.shape == expected.shape and out.is_contiguous()
    if out.numel():
        error = ((out.double() - expected).abs().max() / expected.abs().max()).item()
        assert error <= TOLERANCE[dtype], error
    return out


@pytest.mark.parametrize('channels, outputs', [(80, 78), (78, 312), (312, 78), (156, 36), (18, 72), (36, 18),
                                               (1, 1), (17, 3)])
@pytest.mark.parametrize('dtype', TOLERANCE)
def test_with_everything(channels, outputs, dtype):
    check(make((2, 19, channels), outputs, dtype, ALL))


@pytest.mark.parametrize('channels', [624, 2496])
@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_long_rows(channels, dtype):
    check(make((5, channels), 17, dtype, ALL))


@pytest.mark.parametrize('channels', [18, 78, 160])
@pytest.mark.parametrize('option', [*OPTIONS, 'none'])
def test_each_alone_and_left_out(option, channels):
    """In float32, where both kernels are met; and in bfloat16."""
    for options in ({option} | ({'norm'} if option == 'norm_bias' else set()),
                    ALL - {option} - ({'norm_bias'} if option == 'norm' else set())):
        for dtype in (torch.float32, torch.bfloat16):
            check(make((21, channels), 20, dtype, options))


@pytest.mark.parametrize('rows, programs', [(1, 8), (32, 1), (33, 8), (130, 1),
                                            pytest.param(130, 20, marks=pytest.mark.slow)])
def test_rows_and_programs(monkeypatch, rows, programs):
    """One program works on many rows and outputs, or there are many."""
    monkeypatch.setattr(linear, 'PROGRAMS', programs)
    for dtype, channels in ((torch.float32, 40), (torch.bfloat16, 40), (torch.bfloat16, 288)):
        check(make((rows, channels), 140 if programs == 1 else 100, dtype, ALL))


@pytest.mark.parametrize('channels', [24, 78, 624])
@pytest.mark.parametrize('dtype', TOLERANCE)
def test_means_that_are_a_thousand_times_the_deviation(channels, dtype):
    arguments = make((9, channels), 16, dtype, {'norm', 'norm_bias', 'bias'})
    arguments['x'] = (torch.randn(9, channels, device=DEVICE) + 1000 * torch.randn(9, 1, device=DEVICE)).to(dtype)
    check(arguments)


def test_rows_that_are_constant():
    """Their deviation is zero, and eps alone is divided by."""
    arguments = make((4, 78), 16, torch.float32, {'norm', 'norm_bias'})
    arguments['x'] = torch.tensor([0.0, 3.0, -1e4, 0.1], device=DEVICE)[:, None].expand(4, 78)
    check(arguments)


def test_eps():
    arguments = make((4, 20), 16, torch.float32, ALL)
    arguments['x'] *= 1e-3
    check(dict(arguments, eps=1e-3))


@pytest.mark.parametrize('shape', [(0, 18), (3, 0, 5, 18), (18, ), (2, 3, 4, 18)])
def test_shapes(shape):
    check(make(shape, 7, torch.float32, ALL))


def test_no_outputs():
    check(make((3, 18), 0, torch.float32, set()))


def test_what_is_not_contiguous():
    arguments = make((2, 3, 5, 18), 20, torch.float32, ALL)
    x, residual = arguments['x'].transpose(1, 2), arguments['residual'].transpose(1, 2)
    strided = dict(arguments, x=x, residual=residual, weight=arguments['weight'].t().contiguous().t(),
                   bias=torch.stack([arguments['bias']] * 2, 1)[:, 0])
    torch.testing.assert_close(check(strided), triton_linear(**arguments).transpose(1, 2))
    odd = torch.randn(5, 37, device=DEVICE)[:, 1:]  # from an address that 8 bytes do not divide
    check(dict(make((5, 36), 8, torch.float32, ALL), x=odd))
    flat = torch.randn(5 * 36 + 1, device=DEVICE).bfloat16()[1:].view(5, 36)
    check(dict(make((5, 36), 8, torch.bfloat16, ALL), x=flat))


def test_vectors_of_float32_with_maps_of_sixteen_bits():
    arguments = make((7, 36), 20, torch.bfloat16, ALL)
    check({k: v.float() if k in ('bias', 'norm_weight', 'norm_bias') else v for k, v in arguments.items()})


def test_nan_and_inf_stay_in_their_row():
    arguments = make((20, 40), 20, torch.float32, {'norm', 'bias', 'gelu'})
    expected = triton_linear(**arguments)
    arguments['x'][3, 5], arguments['x'][7, 0] = float('nan'), float('inf')
    out = triton_linear(**arguments)
    assert out[[3, 7]].isnan().all()
    others = [i for i in range(20) if i not in (3, 7)]
    assert torch.equal(out[others], expected[others])


@pytest.mark.parametrize('options', [set(), ALL])
def test_operator_is_well_defined(options):
    a = make((3, 18), 20, torch.float32, options)
    norm = a.get('norm_weight'), a.get('norm_bias'), 1e-6
    torch.library.opcheck(torch.ops.hrformer_mm.linear,
                          (a['x'], a['weight'], a.get('bias'), *norm, a['gelu'], a.get('residual')))


def test_there_is_no_gradient():
    arguments = make((3, 18), 20, torch.float32, ALL)
    arguments['weight'].requires_grad_()
    with pytest.raises(RuntimeError, match='no gradient of projections: take'):
        triton_linear(**arguments).sum().backward()


@pytest.mark.parametrize('changes, kind, match', [
    (dict(x=torch.zeros(3, 18).double()), TypeError, 'dtype is torch.float64, but must be one of .*take'),
    (dict(weight=torch.zeros(20, 18).half()), TypeError, 'weight is of torch.float16, but must be of torch.float32'),
    (dict(weight=torch.zeros(20, 17)), ValueError, r'weight is \(20, 17\), but must be \(20, 18\)'),
    (dict(bias=torch.zeros(19)), ValueError, r'bias is \(19,\), but must be \(20,\)'),
    (dict(norm_weight=None), ValueError, 'norm_bias is given without norm_weight'),
    (dict(residual=torch.zeros(20)), ValueError, r'residual is \(20,\), but must be \(3, 20\) for x of \(3, 18\)'),
    (dict(x=torch.zeros(3, 0)), ValueError, 'without a channel'),
])
def test_what_does_not_go_together(changes, kind, match):
    changes = {k: v if v is None else v.to(DEVICE) for k, v in changes.items()}
    with pytest.raises(kind, match=match):
        triton_linear(**{**make((3, 18), 20, torch.float32, ALL), **changes})


@pytest.mark.parametrize('rows, channels, outputs', [(2**40, 16, 16), (1, 2**16, 2**15), (2**12, 1, 2**25)])
def test_more_than_one_launch_takes(rows, channels, outputs):
    x, weight = torch.empty(rows, channels, device='meta'), torch.empty(outputs, channels, device='meta')
    match = f'{rows} rows of {outputs} outputs of {channels} channels are more than one launch takes; take'
    with pytest.raises(ValueError, match=match):
        linear._linear(x, weight, None, None, None, 1e-6, False, None)


@pytest.mark.parametrize('rows', [3072, 768, 192, 48])
def test_small_maps_have_programs_enough(rows, monkeypatch):
    """One image of 256x192: about one for each multiprocessor, or tiles that are as small as is worth it."""
    monkeypatch.undo()
    channels = 78 * int((3072 // rows)**0.5)
    for dtype in (torch.float32, torch.bfloat16):
        for k, o, norm in ((channels, 3 * channels, True), (channels, channels, False), (channels, 4 * channels, True),
                           (4 * channels, channels, False)):
            _, programs, options = linear.tiles(rows, k, o, dtype, norm)
            smallest = options['ROWS'] == options['COLUMNS'] == 32
            assert programs >= linear.PROGRAMS or smallest, (programs, options)
