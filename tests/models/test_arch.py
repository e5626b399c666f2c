import copy

from hrformer_mm.models.arch import ARCHS, from_arch, from_extra
from hrformer_mm.models.hrformer import HRFormer

GOOD = dict(num_modules=(1, 1, 1, 1), channels=(8, 16, 24, 32), num_heads=(1, 2, 3, 4))


def extra():
    stage = dict(num_modules=1, block='HRFORMERBLOCK')

    def rest(n):
        return dict(
            num_branches=n,
            num_blocks=(2,) * n,
            num_channels=(8, 16, 24, 32)[:n],
            num_heads=[1, 2, 3, 4][:n],
            mlp_ratios=[4] * n,
            window_sizes=[7] * n,
        )

    return dict(
        drop_path_rate=0.1,
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2,), num_channels=(64,)),
        stage2=dict(stage, **rest(2)),
        stage3=dict(stage, **rest(3)),
        stage4=dict(stage, **rest(4)),
    )


def test_names_and_dicts_are_equivalent():
    assert from_arch('small', 7) == from_arch(ARCHS['small'], (7, (7, 7), 7, 7))


def test_windows_per_branch():
    stages = from_arch('tiny', (9, (7, 5), 5, 3)).stages
    assert stages[0].window_sizes == ((9, 9), (7, 5)) and stages[2].window_sizes[3] == (3, 3)
    assert from_arch('tiny', [8, 6]).stages[2].window_sizes == ((8, 6),) * 4
    assert from_arch('tiny', ((8, 6), 7, 7, 7)).stages[2].window_sizes == ((8, 6), (7, 7), (7, 7), (7, 7))


def test_extra_is_equivalent_and_not_modified():
    given = extra()
    before = copy.deepcopy(given)
    assert from_extra(given)[0] == from_arch(dict(GOOD, drop_path_rate=0.1), 7)
    HRFormer(extra=given)
    assert given == before
