import copy

import pytest
import torch
import torch.nn.functional as F
from torch.utils.flop_counter import FlopCounterMode

from hrformer_mm.layers import PointwiseConv, PointwiseLinear, WindowAttention


def test_bias_tables_are_initialized_as_in_swin():
    table = WindowAttention(640, 64, (15, 15)).relative_position_bias_table
    assert table.shape == (29 * 29, 64)
    assert abs(table.std() - 0.02) < 1e-3 and abs(table.mean()) < 1e-3 and table.abs().max() <= 2


def test_no_bias_table_without_rpe():
    names = WindowAttention(18, 1, (7, 7), with_rpe=False).state_dict()
    assert set(names) == {'qkv.weight', 'qkv.bias', 'proj.weight', 'proj.bias'}


def test_zero_table_equals_no_bias():
    with_table, without = WindowAttention(18, 2, (5, 3)), WindowAttention(18, 2, (5, 3), with_rpe=False)
    with_table.relative_position_bias_table.data.zero_()
    without.load_state_dict(with_table.state_dict(), strict=False)
    x = torch.randn(1, 10, 9, 18)
    assert torch.allclose(with_table(x), without(x), atol=1e-6)


def test_linear_is_a_linear_layer_in_every_dtype():
    layer, x = PointwiseLinear(6, 10), torch.randn(2, 3, 4, 6)
    expected = F.linear(x, layer.weight, layer.bias)
    torch.testing.assert_close(layer(x), expected)
    torch.testing.assert_close(copy.deepcopy(layer).double()(x.double()).float(), expected)
    torch.testing.assert_close(copy.deepcopy(layer).bfloat16()(x.bfloat16()).float(), expected, rtol=0, atol=3e-2)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_pointwise_convolution_on_accelerators(dtype):
    """Use the meta device as an accelerator: with 16 bits the convolution is a matrix product."""
    layer, x = PointwiseConv(6, 10, 1).to('meta', dtype), torch.empty(2, 6, 3, 4, device='meta', dtype=dtype)
    with FlopCounterMode(display=False) as counter:
        out = layer(x.contiguous(memory_format=torch.channels_last))
    expected = torch.ops.aten.addmm if dtype == torch.bfloat16 else torch.ops.aten.convolution
    assert out.shape == (2, 10, 3, 4) and list(counter.get_flop_counts()['Global']) == [expected]
