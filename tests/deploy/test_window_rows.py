import math

import pytest
import torch

from hrformer_mm.deploy.window_rows import gather_windows, scatter_windows, window_rows
from hrformer_mm.ops import Padding, centred_padding, merge_windows, partition_windows


def test_rows_of_a_padded_map():
    """A row of 3 positions in windows of 2, of 2 heads: one position pads the second window."""
    rows = window_rows((1, 3), (1, 2), Padding(0, 0, 0, 1), (0, 0), 2)
    assert rows.into[0].tolist() == [0, 6, 1, 7, 12, 12, 13, 13]  # queries: windows, heads, positions
    assert rows.into[1].tolist() == [2, 8, 3, 9, 14, 14, 15, 15]  # keys
    assert rows.padded.tolist() == [5, 7] and rows.padded_heads.tolist() == [0, 1]
    assert rows.out.tolist() == [0, 2, 1, 3, 4, 6]


@pytest.mark.parametrize('n', [1, 3])
@pytest.mark.parametrize('size, shift', [((6, 8), (0, 0)), ((5, 7), (0, 0)), ((7, 9), (1, 2)), ((1, 1), (0, 0))])
def test_windows_equal_those_of_the_operators(n, size, shift):
    window, heads, channels = (3, 4), 2, 8
    padding = centred_padding(size, window)
    rows = window_rows(size, window, padding, shift, heads)
    qkv, bias = torch.randn(n, *size, 3 * heads * channels), torch.randn(3 * heads * channels)

    padded = padding.pad(qkv - bias) + bias
    expected = partition_windows(padded.roll((-shift[0], -shift[1]), (1, 2)), window, 3, heads)
    windows = gather_windows(qkv, bias, rows)
    torch.testing.assert_close(windows.view(expected.shape), expected)

    query = expected[0].contiguous()
    merged = padding.crop(merge_windows(query, window, padded.shape[1:3]).roll(shift, (1, 2)))
    by_rows = scatter_windows(query.view(n, -1, channels), rows, size)
    assert torch.equal(by_rows, merged)
    assert math.prod(by_rows.shape) == n * math.prod(size) * heads * channels
