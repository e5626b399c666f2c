"""The numbers of `explain` against attention computed by hand, gradients that are known, and the models themselves."""

import json

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure
from mmengine.config import Config

from hrformer_mm import HRFormer
from hrformer_mm.cli import main
from hrformer_mm.layers import HRFormerBlock
from hrformer_mm.tools.explain import MAX_SIDE, explain
from hrformer_mm.tools.explain.attention import attend, attention_of
from hrformer_mm.tools.explain.capture import find_blocks, last_streams, recording
from hrformer_mm.tools.explain.explanation import Field
from hrformer_mm.tools.explain.features import principal_components
from hrformer_mm.tools.explain.grid import Window, WindowGrid
from hrformer_mm.tools.explain.network import Picture, load_network, read_picture
from hrformer_mm.tools.explain.panels import draw_windows
from hrformer_mm.tools.explain.receptive_field import receptive_field, sides, without_dwconv

MICRO = dict(num_modules=(1, 1, 1, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4))


def make_block(window=(3, 5), **options):
    torch.manual_seed(0)
    block = HRFormerBlock(12, 3, window, 2, 0., dict(type='BN'), **options).eval()
    for name, value in block.named_parameters():
        torch.nn.init.normal_(value, std=0.5 if name.endswith(('bias', 'table')) else 0.3)
    return block


def cuts(size, window, shift):
    """Where windows begin and end along an axis of the padded map."""
    found = [0, *range(shift, size, window), size]
    return [(a, b) for a, b in zip(found, found[1:]) if b > a]


def by_hand(block, x, place):
    """One query: its window's products with and without the bias, the bias, and what is padded; (heads, h, w) each."""
    attention, (_, c, h, w) = block.attn['attn'], x.shape
    (high, wide), heads = attention.window_size, attention.num_heads
    above, before = -h % high // 2, -w % wide // 2
    tokens = torch.zeros(h + -h % high, w + -w % wide, c)
    tokens[above:above + h, before:before + w] = block.norm1(x[0].permute(1, 2, 0))
    real = torch.zeros(tokens.shape[:2], dtype=torch.bool)
    real[above:above + h, before:before + w] = True
    shift = attention.shift if h > high and w > wide else (0, 0)
    row, column = place[0] + above, place[1] + before
    top, bottom = next((a, b) for a, b in cuts(len(tokens), high, shift[0]) if a <= row < b)
    left, right = next((a, b) for a, b in cuts(tokens.shape[1], wide, shift[1]) if a <= column < b)
    q, k, _ = attention.qkv(tokens).unflatten(2, (3, heads, c // heads)).unbind(2)
    products = (q[row, column] * k[top:bottom, left:right]).sum(3).permute(2, 0, 1) * (c // heads)**-0.5
    bias = torch.zeros_like(products)
    for y in range(top, bottom):
        for z in range(left, right):
            index = (row - y + high - 1) * (2 * wide - 1) + column - z + wide - 1
            if attention.relative_position_bias_table is not None:
                bias[:, y - top, z - left] = attention.relative_position_bias_table[index]
    window = Window(top - above, bottom - above, left - before, right - before)
    return window, products, bias, ~real[top:bottom, left:right]


def softmax(values):
    return values.flatten(1).softmax(1).view_as(values)


@pytest.mark.parametrize('size, place', [((6, 10), (4, 7)), ((7, 11), (0, 10)), ((7, 11), (6, 0)), ((2, 3), (1, 1))])
@pytest.mark.parametrize('options', [dict(), dict(shifted=True), dict(with_rpe=False), dict(with_pad_mask=True)],
                         ids=['plain', 'shifted', 'no bias', 'masked'])
@torch.no_grad()
def test_attention_of_a_place(size, place, options):
    block, x = make_block(**options), torch.randn(1, 12, *size)
    grid = WindowGrid.of(block, size, 4)
    found = attention_of(block, x, grid, place)
    window, products, bias, padded = by_hand(block, x, place)
    blocked = padded if options.get('with_pad_mask') else torch.zeros_like(padded)
    assert found.window == window and torch.equal(found.padded, padded)
    torch.testing.assert_close(found.probabilities, softmax((products + bias).masked_fill(blocked, float('-inf'))))
    torch.testing.assert_close(found.without_bias, softmax(products.masked_fill(blocked, float('-inf'))))
    torch.testing.assert_close(found.probabilities.sum((1, 2)), torch.ones(3))
    if options.get('with_rpe', True):
        torch.testing.assert_close(found.bias, bias)
        assert (found.probabilities - found.without_bias).abs().max() > 1e-2
    else:
        assert found.bias is None
    assert found.difference <= 1e-5


@pytest.mark.parametrize('options', [dict(), dict(shifted=True), dict(with_rpe=False), dict(with_pad_mask=True)])
@torch.no_grad()
def test_attention_reproduces_the_modules_output(options):
    block, x = make_block(**options), torch.randn(1, 12, 8, 13)
    expected = block.attn['attn'](x.permute(0, 2, 3, 1), block.norm1)
    probabilities, out = attend(block.attn['attn'], block.norm1(x.permute(0, 2, 3, 1)), WindowGrid.of(block, (8, 13), 4))
    assert ((out - expected).norm() / expected.norm()).item() <= 1e-5
    torch.testing.assert_close(probabilities.sum(3), torch.ones(probabilities.shape[:3]))


@torch.no_grad()
def test_a_difference_is_noticed():
    """Attention that is not the formula's is told: `difference` compares with the module itself."""
    block, x = make_block(), torch.randn(1, 12, 6, 10)
    block.attn['attn'].relative_position_bias = lambda: torch.randn(3, 15, 15)  # another one at every call
    assert attention_of(block, x, WindowGrid.of(block, (6, 10), 4), (0, 0)).difference > 1e-2


@pytest.mark.parametrize('shifted', [False, True])
@pytest.mark.parametrize('size', [(6, 10), (7, 11), (1, 1), (3, 20), (20, 6)])
def test_windows_tile_the_padded_map(size, shifted):
    grid = WindowGrid.of(make_block(shifted=shifted), size, 8)
    (top, bottom, left, right), (h, w) = grid.padding, size
    assert (h + top + bottom) % 3 == 0 and (w + left + right) % 5 == 0
    count = np.zeros((h + top + bottom, w + left + right), int)
    for number, window in enumerate(grid.windows()):
        count[window.top + top:window.bottom + top, window.left + left:window.right + left] += 1
        assert window.bottom - window.top <= 3 and window.right - window.left <= 5
        for place in ((window.top, window.left), (window.bottom - 1, window.right - 1)):
            assert grid.window_of(place) == grid.windows()[number]
    assert (count == 1).all()


def test_the_windows_that_are_drawn():
    grid = WindowGrid((5, 8), (3, 3), (0, 0), 4)
    picture = Picture('a.png', (30, 18), np.zeros((18, 30, 3), np.uint8), (13, 2), (13, 2))
    result = type('Result', (), dict(grids=[grid], picture=picture))
    axes = Figure().add_subplot()
    draw_windows(axes, result, 0)
    lines = {(*start, *end) for collection in axes.collections for start, end in collection.get_segments()}
    # A map of 5x8 places of 4 pixels, with one row below and one column on the right.
    assert lines == {(0, y, 36, y) for y in (0, 12, 24)} | {(x, 0, x, 24) for x in (0, 12, 24, 36)}
    assert axes.get_xlim()[1] > 36 and axes.get_ylim()[0] > 24
    assert [patch.get_xy() for patch in axes.patches if patch.get_edgecolor() == to_rgba('#ff3355')] == [(12, 0)]


def test_the_place_that_touches_other_windows():
    grid = WindowGrid((7, 10), (3, 5), (0, 0), 4)  # a row of padding above and below: rows -1, 2, 5, 8
    assert grid.rows == [-1, 2, 5, 8] and grid.columns == [0, 5, 10]
    assert grid.place_of((39, 27)) == (6, 9)
    assert grid.corner_of((3, 3)) == (2, 4)
    assert grid.corner_of((0, 0)) == (1, 4) and grid.corner_of((6, 9)) == (5, 5)
    assert WindowGrid((2, 3), (3, 5), (0, 0), 4).corner_of((1, 1)) == (1, 1)


def test_receptive_field_of_a_convolution():
    conv = torch.nn.Conv2d(2, 3, 3, padding=1)
    field = receptive_field(conv, torch.randn(1, 2, 6, 7), (2, 4))
    expected = np.zeros((6, 7))
    expected[1:4, 3:6] = conv.weight.detach().sum(0).abs().mean(0).numpy()
    np.testing.assert_allclose(field, expected, rtol=1e-5, atol=1e-7)


def test_receptive_field_of_a_block():
    block, x = make_block((7, 7)), torch.randn(1, 12, 21, 21)
    grid = WindowGrid.of(block, (21, 21), 4)
    place = grid.corner_of((9, 12))
    assert place == (7, 13)
    without, fields = receptive_field(without_dwconv(block), x, place), receptive_field(block, x, place)
    own = np.zeros((21, 21), bool)
    own[7:14, 7:14] = True
    assert (without[own] > 0).all() and (without[~own] == 0).all()
    met = np.zeros((21, 21), bool)
    met[0:14, 7:21] = True
    assert (fields[met] > 0).all() and (fields[~met] == 0).all()
    about = Field(place, 4, place, {True: fields, False: without}).as_dict(grid)
    assert about['without_dwconv']['outside_window'] == 0 and about['without_dwconv']['inputs'] == 49
    outside = fields[~own].sum() / fields.sum()
    assert about['with_dwconv']['outside_window'] == pytest.approx(outside) and outside > 1e-4
    # Within the window, away from its border, the convolution alone reaches no other.
    assert (receptive_field(block, x, (10, 10))[~own] == 0).all()


def test_without_the_convolution_is_what_the_argument_builds():
    torch.manual_seed(0)
    model = HRFormer(MICRO).eval()
    built, made = HRFormer(MICRO, with_dwconv=False).eval(), without_dwconv(model)
    built.load_state_dict(made.state_dict())
    x = torch.randn(1, 3, 64, 96)
    with torch.no_grad():
        expected, found, own = built(x), made(x), model(x)
    assert all(torch.equal(a, b) for a, b in zip(expected, found))
    assert not torch.equal(own[0], found[0])  # and the model itself has kept its own


def test_squares():
    field = np.zeros((9, 9))
    field[4, 4], field[4, 6], field[0, 0] = 6, 3, 1
    assert sides(field, (4, 4), (0.5, 0.6, 0.9, 0.95)) == [1, 1, 5, 9]
    assert sides(np.zeros((3, 3)), (1, 1), (0.5, )) == [1]


def test_principal_components():
    generator = np.random.default_rng(0)
    factors, directions = generator.normal(size=(4, 30)) * [[9], [4], [2], [0.1]], np.linalg.qr(
        generator.normal(size=(8, 8)))[0][:, :4]
    x = torch.from_numpy(directions @ factors).view(8, 5, 6)
    colours, variance = principal_components(x)
    values = (directions @ factors) - (directions @ factors).mean(1, keepdims=True)
    u, s, v = np.linalg.svd(values, full_matrices=False)
    np.testing.assert_allclose(variance, (s**2 / (s**2).sum())[:3])
    for i in range(3):
        low, high = np.percentile(v[i], [1, 99])
        expected = ((v[i] - low) / (high - low)).clip(0, 1)
        sign = np.corrcoef(colours[..., i].ravel(), expected)[0, 1]
        np.testing.assert_allclose(colours[..., i].ravel(), expected if sign > 0 else 1 - expected, atol=1e-9)
    constant, variance = principal_components(torch.ones(8, 1, 1))
    assert (constant == 0.5).all() and variance == [0, 0, 0]


@torch.no_grad()
def test_streams_that_are_no_outputs():
    torch.manual_seed(0)
    model, x = HRFormer(MICRO, out_indices=(1, )).eval(), torch.randn(1, 3, 70, 50)
    module = model.stage4[-1]
    with recording({0: module}, inputs=False) as outputs:
        maps = last_streams(model, x)
    assert torch.equal(maps[1], outputs[0][0]) and torch.equal(maps[1], model(x)[0])
    first = [branch[0] for branch in module.branches]
    with recording(dict(enumerate(first)), inputs=True) as inputs:
        model(x)
    for i in (0, 2, 3):
        torch.testing.assert_close(maps[i], module.branches[i](inputs[i]))
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_compiled_backbone_is_looked_into():
    assert len(last_streams(HRFormer(MICRO, compile=True).eval(), torch.randn(1, 3, 32, 32))) == 4


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp('image') / 'a.png'
    cv2.imwrite(str(path), np.kron(np.random.default_rng(0).integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))))
    return str(path)


def check_pictures(folder, about):
    assert set(about['pictures']) == {'overview.png', 'features.png', 'windows.png', 'attention.png',
                                      'receptive_field.png'}
    for name, (width, height) in about['pictures'].items():
        assert cv2.imread(str(folder / name)).shape[:2] == (height, width) and width == 1800


def test_command(micro, image, tmp_path):
    command = ['explain', *micro['pose'], image, '-o', str(tmp_path), '--pixel', '70', '40', '--max-side', '96',
               '--stage', '4', '--stream', '1', '--device', 'cpu', '--json']
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    about = json.loads(result.stdout)
    assert about == json.loads((tmp_path / 'explanation.json').read_text()) and about['trained']
    check_pictures(tmp_path, about)
    assert about['image']['size'] == [128, 96] and about['image']['seen'] == [96, 72]
    assert about['image']['pixel'] == [70, 40] and about['image']['pixel_seen'] == [52, 30]
    assert [s['map'] for s in about['streams']] == [[18, 24], [9, 12], [5, 6], [3, 3]]
    assert [s['is_output'] for s in about['streams']] == [True, False, False, False]
    found, windows = about['attention'], about['windows'][1]
    assert found['place'] == [3, 6] and windows['window'] == [7, 7] and windows['windows'] == [2, 2]
    assert windows['padding'] == dict(top=2, bottom=3, left=1, right=1)
    assert found['window'] == dict(top=-2, bottom=5, left=6, right=13)
    probabilities = np.array(found['probabilities'])
    assert probabilities.shape == (2, 7, 7) and found['difference'] <= 1e-5
    np.testing.assert_allclose(probabilities.sum((1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(found['on_padding'], (probabilities * found['padded']).sum((1, 2)), atol=1e-4)
    field = about['receptive_field']
    assert field['block']['without_dwconv']['outside_window'] == 0 < field['block']['with_dwconv']['outside_window']
    assert field['block']['place'] == [4, 6] and field['backbone']['place'] == [3, 6]


def test_without_bias_and_convolution(micro, tmp_path):
    """Shifted windows, two blocks, no bias, no convolution, no checkpoint, and a picture high and narrow."""
    cfg = Config.fromfile(micro['cls'][0])
    cfg.model.backbone.update(with_rpe=False, with_dwconv=False, shift_windows=True)
    cfg.model.backbone.arch.num_blocks = 2
    cfg.dump(tmp_path / 'a.py')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((200, 40, 3), np.uint8))
    done = explain(str(tmp_path / 'a.py'), 'none', str(tmp_path / 'a.png'), str(tmp_path / 'out'), (0, 0), block=1,
                   device='cpu')
    about = json.loads((tmp_path / 'out/explanation.json').read_text())
    assert not about['trained'] and about['windows'][0]['shift'] == [3, 3]
    check_pictures(tmp_path / 'out', about)
    # The map of 10x50 has 2 and 3 places of padding before it; windows begin 3 places after the padded map does.
    assert about['attention']['window'] == dict(top=0, bottom=7, left=-2, right=1)
    assert about['attention']['bias'] is None and done.attention.difference <= 1e-5
    assert set(about['receptive_field']['block']) == {'place', 'cell', 'without_dwconv'}


@pytest.mark.parametrize('change, message', [
    (dict(pixel=(128, 0)), 'the pixel is 128 0, but .*a.png has 128 x 96 pixels: x must be 0 to 127, and y 0 to 95'),
    (dict(pixel=(0, -1)), 'the pixel is 0 -1'),
    (dict(stage=5), 'the stage is 5, but must be 2, 3 or 4'),
    (dict(stage=1), 'the stage is 1'),
    (dict(module=1), 'the module is 1, but must be 0: stage 4 has 1'),
    (dict(block=-1), 'the block is -1, but must be 0'),
    (dict(stage=3, stream=3), 'the stream is 3, but must be 0 to 2: stage 3 has 3'),
    (dict(image='none.png'), 'there is no picture none.png'),
    (dict(max_side=0), 'the longest side is 0'),
    (dict(config='none'), 'no config file none'),
    (dict(checkpoint='none.pth'), 'no checkpoint at none.pth'),
    (dict(device='cuda:99'), 'the device cuda:99 cannot be used'),
    (dict(folder='file/out'), 'file/out cannot be written to'),
])
def test_bad_arguments(micro, image, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    config, checkpoint = micro['cls']
    arguments = dict(config=config, checkpoint=checkpoint, image=image, folder='out', max_side=32, device='cpu')
    with pytest.raises((ValueError, OSError), match=message):
        explain(**{**arguments, **change})
    assert not (tmp_path / 'out').exists()


def test_a_model_without_hrformer(image, tmp_path):
    (tmp_path / 'a.py').write_text("default_scope = 'mmpretrain'\n"
                                   "model = dict(type='ImageClassifier', backbone=dict(type='LeNet5', num_classes=9))\n")
    message = "a.py: model.backbone is a LeNet5 of mmpretrain, but must be of type 'hrformer_mm.HRFormer'"
    with pytest.raises(ValueError, match=message):
        explain(str(tmp_path / 'a.py'), 'none', image, str(tmp_path / 'out'))


def test_untrained_weights_are_the_same_every_time(micro):
    a, b = (load_network(micro['cls'][0], 'none', 'cpu')[0].state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_images_go_in_as_the_model_wants_them(micro, image):
    """As the runner of each library feeds them: normalised by the config's numbers, in its order of channels."""
    picture = read_picture(image, MAX_SIDE)
    pixels = cv2.imread(image)[..., ::-1].astype(np.float32)
    expected = (pixels - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    for task in ('seg', 'pose', 'cls'):
        backbone, preprocessor = load_network(micro[task][0], 'none', 'cpu')
        found = picture.inputs(preprocessor)
        np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)
        assert find_blocks(backbone, 3, 0, 0)[2] is backbone.stage3[0].branches[2][0]


@pytest.mark.slow
def test_detection(image, tmp_path):
    """mmdet's preprocessor pads to multiples of 32, which the maps cover, and the picture does not."""
    cv2.imwrite(str(tmp_path / 'b.png'), cv2.imread(image)[:90, :100])
    explain('configs/fcos_hrformer-s_coco.py', 'none', str(tmp_path / 'b.png'), str(tmp_path), stage=2, device='cpu')
    about = json.loads((tmp_path / 'explanation.json').read_text())
    assert about['input_size'] == [128, 96] and about['windows'][0]['map'] == [24, 32]
    check_pictures(tmp_path, about)
