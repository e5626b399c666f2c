import pytest
import torch
import torch.nn.functional as F

from hrformer_mm.layers import WindowAttention


@pytest.mark.parametrize('size', [(14, 21), (10, 9), (1, 1)])
def test_projecting_first_equals_the_authors_padding_before_the_projections(size):
    """Section 3.1 as the authors run it: pad the normalised map with zeros, project, attend, cut."""
    layer = WindowAttention(18, 2, (7, 7)).eval()
    x = torch.randn(2, *size, 18)
    h, w = size
    pad_h, pad_w = -h % 7, -w % 7
    padded = F.pad(x, (0, 0, pad_w // 2, pad_w - pad_w // 2, pad_h // 2, pad_h - pad_h // 2))
    expected = layer(padded)[:, pad_h // 2:pad_h // 2 + h, pad_w // 2:pad_w // 2 + w]
    assert torch.allclose(layer(x), expected, atol=1e-6)


def test_tables_start_as_the_papers():
    table = WindowAttention(640, 64, (15, 15)).relative_position_bias_table
    assert table.shape == (29 * 29, 64)
    assert abs(table.std() - 0.02) < 1e-3 and abs(table.mean()) < 1e-3 and table.abs().max() <= 2


def test_without_the_bias_there_is_no_table():
    names = WindowAttention(18, 1, (7, 7), with_rpe=False).state_dict()
    assert set(names) == {'qkv.weight', 'qkv.bias', 'proj.weight', 'proj.bias'}


def test_a_zero_table_is_no_bias():
    with_table = WindowAttention(18, 2, (5, 3))
    without = WindowAttention(18, 2, (5, 3), with_rpe=False)
    with_table.relative_position_bias_table.data.zero_()
    without.load_state_dict(with_table.state_dict(), strict=False)
    x = torch.randn(1, 9, 8, 18)
    assert torch.allclose(with_table(x), without(x), atol=1e-6)
