import pytest

from hrformer_mm.models.hrformer import HRFormer
from hrformer_mm.weights import describe_backbone

MICRO = dict(num_modules=(1, 1, 2, 1), channels=(6, 12, 18, 24), num_heads=(1, 2, 3, 4), num_blocks=1, mlp_ratio=2)


@pytest.mark.parametrize('arguments', [
    dict(arch=MICRO, window_sizes=(9, 7, 5, 3), out_indices=(0, 2)),
    dict(arch=dict(MICRO, num_modules=(1, 2, 1, 3), num_blocks=2, mlp_ratio=3), window_sizes=(7, 7, 7, 7),
         out_indices=(0, 1, 2, 3)),
])
def test_described(arguments):
    assert describe_backbone(HRFormer(**arguments).state_dict()) == arguments


def test_described_from_too_little():
    state = HRFormer(MICRO).state_dict()
    with pytest.raises(ValueError, match='the key stage4.0.branches.0.0.norm1.weight is missing'):
        describe_backbone({k: v for k, v in state.items() if 'stage4' not in k})
