import pytest
import torch

from hrformer_mm.ops import merge_windows, padding, partition_windows


@pytest.mark.parametrize('size, window, expected', [(7, 7, (0, 0)), (8, 7, (3, 3)), (9, 7, (2, 3)), (1, 7, (3, 3)),
                                                    (12, 5, (1, 2))])
def test_padding_is_centred_and_the_odd_place_goes_last(size, window, expected):
    assert padding(size, window) == expected


@pytest.mark.parametrize('window', [(1, 1), (2, 3), (4, 6)])
def test_partition_takes_windows_in_reading_order(window):
    x = torch.arange(2 * 8 * 12 * 3).view(2, 8, 12, 3)
    windows = partition_windows(x, window)
    h, w = window
    expected = [x[n, i:i + h, j:j + w].reshape(h * w, 3) for n in range(2) for i in range(0, 8, h)
                for j in range(0, 12, w)]
    assert torch.equal(windows, torch.stack(expected))
    assert torch.equal(merge_windows(windows, window, (8, 12)), x)


def test_no_images():
    windows = partition_windows(torch.zeros(0, 8, 8, 3), (4, 4))
    assert windows.shape == (0, 16, 3)
    assert merge_windows(windows, (4, 4), (8, 8)).shape == (0, 8, 8, 3)
