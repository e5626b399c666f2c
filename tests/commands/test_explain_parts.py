"""Attention against one query by hand, gradients that are known, windows, components, and what hooks take."""

import numpy as np
import pytest
import torch
from matplotlib.colors import to_rgba
from matplotlib.figure import Figure

from hrformer_mm import HRFormer
from hrformer_mm.layers import HRFormerBlock
from hrformer_mm.commands.explain.attention import attend, attention_of
from hrformer_mm.commands.explain.capture import last_streams, recording
from hrformer_mm.commands.explain.explanation import Field
from hrformer_mm.commands.explain.features import principal_components
from hrformer_mm.commands.explain.grid import Window, WindowGrid
from hrformer_mm.commands.explain.network import Picture
from hrformer_mm.commands.explain.panels import draw_windows
from hrformer_mm.commands.explain.receptive_field import receptive_field, sides, without_dwconv

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
    grid = WindowGrid.of(block, (8, 13), 4)
    probabilities, out = attend(block.attn['attn'], block.norm1(x.permute(0, 2, 3, 1)), grid)
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
