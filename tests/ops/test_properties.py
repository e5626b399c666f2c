"""Properties of windows, of the relative position index and of bias tables, over many shapes."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hrformer_mm.ops import (
    Padding,
    centred_padding,
    merge_windows,
    partition_windows,
    relative_position_index,
    resize_bias_table,
    shift_mask,
    square_window,
)

few = settings(max_examples=40, deadline=None, derandomize=True)
windows = st.tuples(st.integers(1, 6), st.integers(1, 6))
counts = st.integers(1, 3)


def tensor(*shape):
    return torch.arange(math.prod(shape), dtype=torch.float64).view(shape)


@few
@given(window=windows, n=st.integers(0, 2), rows=counts, columns=counts, parts=counts, heads=counts, depth=counts)
def test_merging_inverts_partitioning(window, n, rows, columns, parts, heads, depth):
    (height, width), size = window, (rows * window[0], columns * window[1])
    x = tensor(n, *size, parts * heads * depth)
    cut = partition_windows(x, window, parts, heads)
    assert cut.shape == (parts, n * rows * columns, heads, height * width, depth) and cut.is_contiguous()
    merged = [merge_windows(part, window, size) for part in cut]
    assert torch.equal(torch.cat(merged, -1), x)
    for _ in range(10 if n else 0):  # of any entry, where it is
        i, y, z, c = (int(torch.randint(side, ())) for side in x.shape)
        entry = cut[
            c // (heads * depth),
            (i * rows + y // height) * columns + z // width,
            c // depth % heads,
            y % height * width + z % width,
            c % depth,
        ]
        assert entry == x[i, y, z, c]


@few
@given(window=windows, size=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_centred_padding(window, size):
    padding = centred_padding(size, window)
    for before, after, own, side in (
        (padding.top, padding.bottom, size[0], window[0]),
        (padding.left, padding.right, size[1], window[1]),
    ):
        assert (before + own + after) % side == 0 and before + after < side and after - before in (0, 1)


@few
@given(sides=st.tuples(*[st.integers(0, 3)] * 4), size=st.tuples(st.integers(1, 5), st.integers(1, 5)))
def test_pad_and_crop(sides, size):
    padding, x = Padding(*sides), tensor(1, *size, 2) + 1
    padded = padding.pad(x)
    assert padded.shape[1:3] == (size[0] + sides[0] + sides[1], size[1] + sides[2] + sides[3])
    assert torch.equal(padding.crop(padded), x) and padded.count_nonzero() == x.numel()


@few
@given(window=windows, size=st.tuples(st.integers(1, 3), st.integers(1, 3)), data=st.data())
def test_shift_mask(window, size, data):
    size = (size[0] * window[0], size[1] * window[1])
    shift = tuple(data.draw(st.integers(0, side - 1)) for side in window)
    mask = shift_mask(size, window, shift, torch.device('cpu'))[:, 0]
    # Where each position of the rolled map was: before `shift` it came from the other end of the map.
    rows, columns = (torch.arange(side).roll(-moved) < moved for side, moved in zip(size, shift))
    came = torch.stack(torch.meshgrid(rows, columns, indexing='ij'), -1)[None].long()
    came = partition_windows(came, window)[0, :, 0]
    assert torch.equal(mask, (came[:, :, None] != came[:, None]).any(-1))


@few
@given(window=windows)
def test_relative_position_index(window):
    """Brute force: one row of the table for every offset, counted in reading order."""
    height, width = window
    offsets = [(dy, dx) for dy in range(1 - height, height) for dx in range(1 - width, width)]
    positions = [(y, x) for y in range(height) for x in range(width)]
    expected = [[offsets.index((a - c, b - d)) for c, d in positions] for a, b in positions]
    index = relative_position_index(window)
    assert index.tolist() == expected and index.dtype == torch.int64
    assert sorted(set(index.flatten().tolist())) == list(range(len(offsets)))


def cubic(t):
    """The kernel of bicubic interpolation with a = -0.75, which PyTorch and OpenCV use."""
    t, a = abs(t), -0.75
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def along(grid, new):
    """(L, …) to (new, …), position by position; beyond the ends the last value is repeated."""
    old, out = len(grid), []
    for i in range(new):
        at = (i + 0.5) * old / new - 0.5
        first = math.floor(at) - 1
        out.append(sum(grid[min(max(j, 0), old - 1)] * cubic(at - j) for j in range(first, first + 4)))
    return torch.stack(out)


@few
@given(old=windows, new=windows, heads=counts)
def test_resizing_is_bicubic_interpolation(old, new, heads):
    table = torch.randn((2 * old[0] - 1) * (2 * old[1] - 1), heads)
    grid = table.double().view(2 * old[0] - 1, 2 * old[1] - 1, heads)
    expected = along(along(grid, 2 * new[0] - 1).transpose(0, 1), 2 * new[1] - 1).transpose(0, 1)
    resized = resize_bias_table(table, old, new)
    assert resized.dtype == table.dtype and resized.is_contiguous()
    torch.testing.assert_close(resized.double(), expected.reshape(-1, heads), rtol=0, atol=1e-5)
    if old == new:
        torch.testing.assert_close(resized, table)


@few
@given(side=st.integers(1, 60))
def test_square_window(side):
    assert square_window(torch.empty((2 * side - 1) ** 2, 1)) == side
