"""Models accept inputs of any size, batch size, memory layout and dtype, or raise a clear error."""

from copy import deepcopy
from functools import lru_cache

import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

import hrformer_mm  # noqa: F401  (its repairs come before the host libraries)
from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.models import ClassificationNeck

CHANNELS = (6, 12, 18, 24)
MICRO = dict(num_modules=(1, 1, 1, 1), channels=CHANNELS, num_heads=(1, 2, 3, 4), num_blocks=1)
OPTIONS = {
    'windows 7': dict(),
    'windows 1, 2, 3, 5, bilinear': dict(window_sizes=(1, 2, 3, 5), fuse_upsample='bilinear'),
    'oblong windows, pad mask': dict(window_sizes=((3, 8), (7, 2), 4, 9), with_pad_mask=True),
    'shifted windows': dict(arch=dict(MICRO, num_blocks=2), window_sizes=4, with_dwconv=False, shift_windows=True),
}
few = settings(max_examples=8, deadline=None, derandomize=True)
many = settings(max_examples=100, deadline=None, derandomize=True)
side = st.integers(1, 70)


def stir(model):
    """Set running statistics that differ from 0 and 1, which would hide errors."""
    for name, value in model.state_dict().items():
        if name.endswith('running_var'):
            value.uniform_(0.5, 1.5)
        elif name.endswith(('running_mean', 'bias_table')):
            value.normal_(0, 0.2)
    return model.eval()


@lru_cache(None)
def backbones(name):
    """Return the backbone, its deployment form, and a copy in float64."""
    torch.manual_seed(0)
    model = stir(HRFormer(**{**dict(arch=MICRO), **OPTIONS[name]}))
    return model, to_deploy(model), deepcopy(model).double()


@lru_cache(None)
def head(kind):
    torch.manual_seed(0)
    if kind == 'neck':
        return stir(ClassificationNeck(CHANNELS, channels=(2, 3, 4, 5), out_channels=12))
    if kind == 'heatmap':
        pytest.importorskip('mmpose')
        from hrformer_mm.models.heatmap_head import TopdownHeatmapHead

        return stir(TopdownHeatmapHead(6, 17))
    pytest.importorskip('mmseg')
    from hrformer_mm.models.ocr_head import OCRHead

    return stir(OCRHead(CHANNELS, num_classes=5, channels=16, key_channels=8, version=kind))


HEADS = ['v2', 'v3', 'heatmap', 'neck']


def branches(h=9, w=7, n=2, **options):
    return [torch.randn(n, c, -(-h // 2**i), -(-w // 2**i), **options) for i, c in enumerate(CHANNELS)]


def tensors(out):
    return out if isinstance(out, tuple) else (out,)


def error(out, expected):
    return max(((a.double() - b).norm() / b.norm()).item() for a, b in zip(out, expected))


def check_size(name, h, w, n, figure):
    model, deployed, exact = backbones(name)
    x = torch.randn(n, 3, h, w)
    with torch.no_grad():
        expected = exact(x.double())
        for form, net in (('backbone', model), ('deployment form', deployed)):
            out = net(x)
            assert [tuple(y.shape) for y in out] == [
                (n, c, -(-h // s), -(-w // s)) for c, s in zip(CHANNELS, (4, 8, 16, 32))
            ]
            figure(f'{form}, sizes 1 to 70, against plain float64: {name}', error(out, expected), 1e-5)


@pytest.mark.parametrize('name', OPTIONS)
@few
@given(h=side, w=side, n=st.integers(1, 2))
@example(h=1, w=1, n=1)
@example(h=1, w=70, n=1)
@example(h=70, w=1, n=2)
def test_any_size(name, h, w, n, figure):
    check_size(name, h, w, n, figure)


@pytest.mark.slow
@pytest.mark.parametrize('name', OPTIONS)
@many
@given(h=side, w=side, n=st.integers(1, 2))
def test_many_sizes(name, h, w, n, figure):
    check_size(name, h, w, n, figure)


@pytest.mark.parametrize('kind', HEADS)
@few
@given(h=side, w=side)
def test_any_size_of_heads(kind, h, w, figure):
    h, w = -(-h // 4), -(-w // 4)
    layer, maps = head(kind), branches(h, w)
    exact = deepcopy(layer).double()
    with torch.no_grad():
        expected = tensors(exact([m.double() for m in maps]))
        out = tensors(layer(maps))
        assert [y.shape for y in out] == [y.shape for y in expected]
        figure(f'{kind} head, sizes 1 to 70, against float64', error(out, expected), 1e-5)


@pytest.mark.parametrize('kind', HEADS)
def test_empty_batch_of_heads(kind):
    assert all(y.shape[0] == 0 for y in tensors(head(kind)(branches(n=0))))


def layouts(x):
    """Return the same values in channels-last memory, in a strided view, and with transposed memory."""
    wide = torch.full((x.shape[0], x.shape[1], 2 * x.shape[2], 2 * x.shape[3]), float('nan'))
    wide[:, :, ::2, ::2] = x
    return (
        x.contiguous(memory_format=torch.channels_last),
        wide[:, :, ::2, ::2],
        x.transpose(2, 3).contiguous().transpose(2, 3),
    )


def test_layout_does_not_matter(figure):
    x = torch.randn(2, 3, 45, 38)
    maps = branches()
    with torch.no_grad():
        for net in backbones('windows 7')[:2]:
            expected = net(x)
            for other in layouts(x):
                figure('memory layouts, backbone', error(net(other), [y.double() for y in expected]), 1e-6)
            grey = torch.randn(2, 1, 45, 38).expand(-1, 3, -1, -1)
            figure('memory layouts, backbone', error(net(grey), [y.double() for y in net(grey.clone())]), 1e-6)
        for kind in HEADS:
            expected = tensors(head(kind)(maps))
            for other in zip(*(layouts(m) for m in maps)):
                figure('memory layouts, heads', error(tensors(head(kind)(other)), [y.double() for y in expected]), 1e-6)


@pytest.mark.parametrize('bad', [float('nan'), float('inf'), float('-inf')])
def test_non_finite_values_propagate_within_their_image_only(bad):
    x = torch.randn(2, 3, 64, 48)
    spoilt, maps = x.clone(), branches()
    spoilt[1, :, 30, 20] = bad
    spoilt_maps = [m.clone() for m in maps]
    for m in spoilt_maps:
        m[1, :, 0, 0] = bad
    runs = [(net, x, spoilt) for net in backbones('windows 7')[:2]]
    runs += [(head(kind), maps, spoilt_maps) for kind in HEADS]
    with torch.no_grad():
        for net, good, other in runs:
            for a, b in zip(tensors(net(good)), tensors(net(other))):
                assert torch.allclose(a[0], b[0], atol=1e-6) and not b[1].isfinite().all()


IMAGES = [
    (torch.zeros(1, 1, 8, 8), ValueError, ['(1, 1, 8, 8)', '(N, 3, H, W)', 'expand', 'in_channels=1']),
    (torch.zeros(1, 4, 8, 8), ValueError, ['(1, 4, 8, 8)', '(N, 3, H, W)', 'in_channels=3']),
    (torch.zeros(3, 8, 8), ValueError, ['(3, 8, 8)', '(N, 3, H, W)', 'x[None]']),
    (torch.zeros(1, 1, 3, 8, 8), ValueError, ['(1, 1, 3, 8, 8)', '(N, 3, H, W)']),
    (torch.zeros(1, 3, 0, 8), ValueError, ['(1, 3, 0, 8)', 'at least 1']),
    (torch.zeros(1, 3, 8, 8, dtype=torch.uint8), TypeError, ['torch.uint8', 'normalize', 'x.float()']),
    (torch.zeros(1, 3, 8, 8).double(), TypeError, ['torch.float64', 'torch.float32', 'x.to']),
    (torch.zeros(1, 3, 8, 8).half(), TypeError, ['torch.float16', 'torch.float32', 'x.to']),
    ([torch.zeros(3, 8, 8)], TypeError, ['list', '(N, 3, H, W)']),
]


@pytest.mark.parametrize('x, kind, told', IMAGES, ids=lambda value: getattr(value, '__name__', None))
@pytest.mark.parametrize('form', [0, 1], ids=['backbone', 'deployed'])
def test_wrong_images(form, x, kind, told):
    with pytest.raises(kind) as caught:
        backbones('windows 7')[form](x)
    assert all(part in str(caught.value) for part in told), caught.value


def test_float32_images_for_other_weights():
    model = deepcopy(backbones('windows 7')[0])
    x = torch.randn(1, 3, 20, 20)
    for dtype in (torch.float64, torch.bfloat16):
        with pytest.raises(TypeError, match=f'torch.float32, but the weights have {dtype}'):
            model.to(dtype)(x)
    with torch.autocast('cpu', torch.bfloat16):
        assert all(y.isfinite().all() for y in model.to(torch.float32)(x.bfloat16()))
        with pytest.raises(TypeError, match='torch.float64'):  # autocast does not change it
            model(x.double())


def spoil(index, change):
    def run():
        maps = branches()
        maps[index] = change(maps[index])
        return maps

    return run


MAPS = [
    (list, ValueError, ['0', 'out_indices']),
    (lambda: torch.randn(2, 6, 9, 7), TypeError, ['Tensor', 'tuple of maps']),
    (spoil(0, lambda m: m.repeat(1, 2, 1, 1)), ValueError, ['branch 0', '(2, 12, 9, 7)', '(N, 6, H, W)', 'in_ch']),
    (spoil(0, lambda m: m[0]), ValueError, ['branch 0', '(6, 9, 7)', '(N, 6, H, W)']),
    (spoil(0, lambda m: m[None]), ValueError, ['branch 0', '(1, 2, 6, 9, 7)']),
    (spoil(0, lambda m: m[:, :, :0]), ValueError, ['branch 0', '(2, 6, 0, 7)', 'at least 1']),
    (spoil(0, lambda m: m.double()), TypeError, ['branch 0', 'torch.float64', 'torch.float32', 'x.to']),
    (spoil(0, lambda m: m.to(torch.uint8)), TypeError, ['branch 0', 'torch.uint8', 'x.float()']),
    (spoil(0, lambda m: m.numpy()), TypeError, ['branch 0', 'ndarray', '(N, 6, H, W)']),
]
LATER = [  # of other branches than the first, which the heatmap head ignores
    (lambda: branches()[:3], ValueError, ['3', 'out_indices']),
    (spoil(3, lambda m: m[:, 1:]), ValueError, ['branch 3', '(2, 23, 2, 1)', '(N, 24, H, W)', 'in_channels']),
    (spoil(3, lambda m: m[:1]), ValueError, ['branch 3', '(1, 24, 2, 1)', 'as many images']),
    (spoil(2, lambda m: m.half()), TypeError, ['branch 2', 'torch.float16', 'torch.float32']),
]


@pytest.mark.parametrize(
    'kind, maps, error_kind, told',
    [(kind, *row) for kind in HEADS for row in MAPS + (LATER if kind != 'heatmap' else [])],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_wrong_maps(kind, maps, error_kind, told):
    with pytest.raises(error_kind) as caught:
        head(kind)(maps())
    assert all(part in str(caught.value) for part in told), caught.value


@pytest.mark.parametrize('size', [(1, 1), (5, 5)])
def test_branches_of_wrong_sizes(size):
    """A map of one position would be broadcast to all positions of the finer one."""
    maps = branches(17, 9)
    maps[2] = torch.randn(2, 18, *size)
    with pytest.raises(ValueError, match=r'branch 2 has the shape .*, but its size must be \(5, 3\)'):
        head('neck')(maps)
