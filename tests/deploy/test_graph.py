import pytest
import torch
from torch import nn

from hrformer_mm import to_deploy
from hrformer_mm.deploy.graph import to_graph_form, window_rows
from tests.deploy.networks import MICRO, error, net


@pytest.mark.parametrize(
    'options',
    [
        dict(),
        dict(with_rpe=False),
        dict(with_pad_mask=True),
        dict(norm_cfg=dict(type='GN', num_groups=2)),
        dict(arch=dict(MICRO, num_blocks=2), shift_windows=True),
    ],
)
def test_computes_the_same(options):
    model = net(**options)
    deployed = to_deploy(model)
    with torch.no_grad():
        for n, *size in ((1, 64, 64), (3, 45, 70), (2, 1, 1)):
            x = torch.randn(n, 3, *size)
            assert error(to_graph_form(deployed, x)(x), model(x)) < 1e-5


def test_rows_of_a_padded_map():
    """Check a row of 3 positions with 2 heads in windows of 2; one position pads the second window."""
    into, out = window_rows((1, 3), (1, 2), (0, 0), 2)
    assert into[:8].tolist() == [0, 6, 1, 7, 12, 18, 13, 19]  # queries: windows, heads, positions
    assert into[8:16].tolist() == [2, 8, 3, 9, 14, 20, 15, 21]  # keys
    assert out.tolist() == [0, 2, 1, 3, 4, 6]


def test_operators_of_an_exported_block():
    """Two gathers, one row of padding where sizes do not divide, and no arithmetic with shapes; permutations stand
    beside reshapes only, where engines merge them."""
    branch = to_deploy(net(window_sizes=7)).stage4[0].branches[0]
    for side, pads in ((7, 0), (8, 1)):
        x = torch.randn(1, 6, side, side)
        program = torch.export.export(to_graph_form(nn.Sequential(*branch), x), (x,), strict=False)
        names = [node.target.__name__ for node in program.graph.nodes if node.op == 'call_function']
        assert names.count('index_select.default') == 2 * len(branch)
        assert names.count('pad.default') == pads * len(branch)
        assert not {'arange.default', 'cat.default', 'clone.default', 'contiguous.default', 'roll.default'} & {*names}
