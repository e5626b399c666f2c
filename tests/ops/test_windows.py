import pytest
import torch

from hrformer_mm.ops import Padding, centred_padding, merge_windows, partition_windows


@pytest.mark.parametrize('size, window, expected', [(7, 7, (0, 0)), (8, 7, (3, 3)), (9, 7, (2, 3)), (1, 7, (3, 3)),
                                                    (12, 5, (1, 2))])
def test_padding_is_centred_and_the_odd_place_goes_last(size, window, expected):
    assert centred_padding((size, 8), (window, 4)) == (*expected, 0, 0)
    assert centred_padding((4, size), (2, window)) == (0, 0, *expected)


def test_pad_and_crop():
    x, value = torch.randn(2, 3, 4, 5), torch.randn(5)
    padding = Padding(1, 2, 3, 0)
    padded = padding.pad(x, value)
    assert padded.shape == (2, 6, 7, 5) and torch.equal(padding.crop(padded), x)
    assert torch.equal(padded[:, 1:4, 3:], x)
    assert sum(border.numel() for border in padding.borders(padded)) == padded.numel() - x.numel()
    assert all((border == value).all() for border in padding.borders(padded))
    assert Padding(0, 0, 0, 0).pad(x, value) is x


@pytest.mark.parametrize('window', [(1, 1), (2, 3), (4, 6)])
def test_partition_takes_windows_in_reading_order(window):
    x = torch.arange(2 * 8 * 12 * 12).view(2, 8, 12, 12)
    windows = partition_windows(x, window, parts=3, heads=2)
    h, w = window
    tiles = [x[n, i:i + h, j:j + w].reshape(h * w, 3, 2, 2) for n in range(2) for i in range(0, 8, h)
             for j in range(0, 12, w)]
    for part in range(3):
        for head in range(2):
            assert torch.equal(windows[part, :, head], torch.stack([tile[:, part, head] for tile in tiles]))
        assert torch.equal(merge_windows(windows[part:part + 1], window, (8, 12)), x[..., 4 * part:4 * part + 4])
    assert torch.equal(merge_windows(windows, window, (8, 12)), x)


def test_no_images():
    windows = partition_windows(torch.zeros(0, 8, 8, 6), (4, 4), 3, 2)
    assert windows.shape == (3, 0, 2, 16, 1)
    assert merge_windows(windows[:1], (4, 4), (8, 8)).shape == (0, 8, 8, 2)
