import pytest
import torch

from hrformer_mm.ops import Padding, centred_padding, merge_windows, partition_windows


@pytest.mark.parametrize(
    'size, window, expected', [(7, 7, (0, 0)), (8, 7, (3, 3)), (9, 7, (2, 3)), (1, 7, (3, 3)), (12, 5, (1, 2))]
)
def test_padding_is_centered_and_the_odd_position_is_last(size, window, expected):
    assert centred_padding((size, 8), (window, 4)) == (*expected, 0, 0)
    assert centred_padding((4, size), (2, window)) == (0, 0, *expected)


def test_pad_and_crop():
    x = torch.randn(2, 3, 4, 5)
    padding = Padding(1, 2, 3, 0)
    padded = padding.pad(x)
    assert padded.shape == (2, 6, 7, 5) and torch.equal(padding.crop(padded), x)
    assert torch.equal(padded[:, 1:4, 3:], x) and padded.count_nonzero() == x.count_nonzero()
    assert Padding(0, 0, 0, 0).pad(x) is x


@pytest.mark.parametrize('window', [(1, 1), (2, 3), (4, 6)])
def test_windows_are_in_row_major_order(window):
    x = torch.arange(2 * 8 * 12 * 12).view(2, 8, 12, 12)
    windows = partition_windows(x, window, parts=3, heads=2)
    h, w = window
    tiles = [
        x[n, i : i + h, j : j + w].reshape(h * w, 3, 2, 2)
        for n in range(2)
        for i in range(0, 8, h)
        for j in range(0, 12, w)
    ]
    for part in range(3):
        for head in range(2):
            assert torch.equal(windows[part, :, head], torch.stack([tile[:, part, head] for tile in tiles]))
        assert torch.equal(merge_windows(windows[part], window, (8, 12)), x[..., 4 * part : 4 * part + 4])


def test_heads_are_padded_with_zeros():
    x = torch.randn(2, 4, 6, 3 * 2 * 5)
    windows = partition_windows(x, (2, 3), 3, 2, head_multiple=8)
    assert windows.shape == (3, 8, 2, 6, 8) and windows.is_contiguous() and not windows[..., 5:].any()
    assert torch.equal(windows[..., :5], partition_windows(x, (2, 3), 3, 2))
    assert torch.equal(partition_windows(x, (2, 3), 3, 2, head_multiple=5), partition_windows(x, (2, 3), 3, 2))


def test_empty_batch():
    windows = partition_windows(torch.zeros(0, 8, 8, 6), (4, 4), 3, 2)
    assert windows.shape == (3, 0, 2, 16, 1)
    assert merge_windows(windows[0], (4, 4), (8, 8)).shape == (0, 8, 8, 2)
