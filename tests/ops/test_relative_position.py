import pytest
import torch

from hrformer_mm.ops import resize_bias_table, square_window


def test_resizing_preserves_constants_center_and_point_symmetry():
    table = torch.randn(13, 13, 2)
    table[..., 1] = 3
    table[..., 0] -= table[..., 0].flip(0, 1)
    resized = resize_bias_table(table.view(169, 2), (7, 7), (15, 15)).view(29, 29, 2)
    assert torch.allclose(resized[..., 1], torch.tensor(3.0), atol=1e-5)
    assert torch.allclose(resized[14, 14], table[6, 6], atol=1e-6)
    assert torch.allclose(resized[..., 0], -resized[..., 0].flip(0, 1), atol=1e-5)


def test_resizing_does_not_mix_axes_or_heads():
    table = torch.zeros(13, 13, 2)
    table[6, :, 0] = 1  # head 0: all keys of the query's own row
    resized = resize_bias_table(table.view(169, 2), (7, 7), (9, 5)).view(17, 9, 2)
    assert resized[8, :, 0].min() > 0.8 and resized[:4, :, 0].abs().max() < 0.2 and not resized[..., 1].any()


def test_square_window():
    assert square_window(torch.zeros(169, 1)) == 7 and square_window(torch.zeros(1, 1)) == 1
    for rows in (168, 100):
        with pytest.raises(ValueError, match=f'{rows} rows'):
            square_window(torch.zeros(rows, 1))
