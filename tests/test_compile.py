import copy

import pytest
import torch

import hrformer_mm
from hrformer_mm import HRFormer, to_deploy

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(18, 36, 64, 78), num_heads=(1, 2, 2, 2), num_blocks=1)
SHIFTED = dict(arch=dict(MICRO, num_blocks=2), window_sizes=3, with_dwconv=False, shift_windows=True)
TRACE = dict(backend='eager', fullgraph=True, dynamic=False)  # fails at graph breaks


@pytest.fixture(autouse=True)
def forget():
    torch.compiler.reset()
    yield
    torch.compiler.reset()


def error(out, expected):
    return max(((a - b).norm() / b.norm()).item() for a, b in zip(out, expected))


@pytest.mark.parametrize(
    'train, options',
    [
        (False, dict()),
        pytest.param(True, dict(), marks=pytest.mark.slow),
        pytest.param(True, SHIFTED, marks=pytest.mark.slow),
    ],
)
def test_one_graph_for_several_sizes(train, options):
    options = dict(dict(arch=MICRO), **options)
    model, compiled = HRFormer(**options).train(train), HRFormer(**options, compile=TRACE).train(train)
    assert list(compiled.state_dict()) == list(model.state_dict())
    compiled.load_state_dict(model.state_dict())
    for size in ((64, 64), (45, 70)):
        x = torch.randn(2, 3, *size)
        with torch.set_grad_enabled(train):
            assert error(compiled(x), model(x)) < (1e-4 if train else 1e-5)


@pytest.mark.parametrize('options', [dict(), pytest.param(SHIFTED, marks=pytest.mark.slow)])
def test_deployment_form_is_one_graph(options):
    model = HRFormer(**dict(dict(arch=MICRO), **options)).eval()
    deployed = to_deploy(model, compile=TRACE)
    with torch.no_grad():
        for size in ((64, 64), (45, 70)):
            x = torch.randn(1, 3, *size)
            assert error(deployed(x), model(x)) < 1e-5


@pytest.mark.slow
def test_copy_uses_its_own_weights():
    """An example is the moving average of the weights."""
    model = HRFormer(arch=MICRO, compile=dict(backend='eager')).eval()
    other, x = copy.deepcopy(model), torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        before = model(x)
        for p in other.parameters():
            p.zero_()
        assert all((y == 0).all() for y in other(x)) and error(model(x), before) < 1e-6


@pytest.mark.slow
def test_whole_segmentor_is_one_graph():
    pytest.importorskip('mmseg')
    from mmseg.registry import MODELS

    head = dict(type='hrformer_mm.OCRHead', in_channels=[18, 36, 64, 78], channels=16, key_channels=8, num_classes=3)
    model = MODELS.build(
        dict(type='EncoderDecoder', backbone=dict(type='hrformer_mm.HRFormer', arch=MICRO), decode_head=head)
    ).eval()
    compiled = torch.compile(lambda x: model.decode_head(model.extract_feat(x)), **TRACE)
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        assert error([compiled(x)], [model.decode_head(model.extract_feat(x))]) < 1e-5


@pytest.mark.parametrize(
    'options, kind, match',
    [
        (dict(compile='yes'), TypeError, "compile must be True, False or a dict .* 'yes'"),
        (dict(compile=True, with_cp=True), ValueError, 'with_cp is True, but is incompatible with compile'),
    ],
)
def test_wrong_options(options, kind, match):
    with pytest.raises(kind, match=match):
        HRFormer(arch=MICRO, **options)


@pytest.mark.slow
def test_inductor_computes_the_same():
    model = HRFormer(arch=MICRO).eval()
    x = torch.randn(1, 3, 45, 70)
    with torch.no_grad():
        assert error(to_deploy(model, compile=True)(x), model(x)) < 1e-4


@pytest.mark.parametrize('options', [dict(), pytest.param(SHIFTED, marks=pytest.mark.slow)])
def test_is_exported(options):
    model = hrformer_mm.HRFormer(**dict(dict(arch=MICRO), **options)).eval()
    x = torch.randn(1, 3, 45, 70)
    with torch.no_grad():
        assert error(torch.export.export(model, (x,)).module()(x), model(x)) < 1e-6
