import pytest
import torch
from torch import nn

from hrformer_mm import to_deploy
from hrformer_mm.deploy.graph import to_graph_form
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


def test_movements_of_an_exported_block():
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
