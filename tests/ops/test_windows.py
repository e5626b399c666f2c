import pytest
import torch

from hrformer_mm.ops import merge_windows, padding, partition_windows


@pytest.mark.parametrize('size, window, expected', [(7, 7, (0, 0)), (8, 7, (3, 3)), (9, 7, (2, 3)), (1, 7, (3, 3)),
                                                    (12, 5, (1, 2))])
def test_padding_is_centred_and_the_odd_place_goes_last(size, window, expected):
    assert padding(size, window) == expected


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
        assert torch.equal(merge_windows(windows[part], window, (8, 12)), x[..., 4 * part:4 * part + 4])


def test_no_images():
    windows = partition_windows(torch.zeros(0, 8, 8, 6), (4, 4), 3, 2)
    assert windows.shape == (3, 0, 2, 16, 1)
    assert merge_windows(windows[0], (4, 4), (8, 8)).shape == (0, 8, 8, 2)
