import copy

import pytest

from hrformer_mm.models.arch import ARCHS, from_arch, from_extra
from hrformer_mm.models.hrformer import HRFormer

GOOD = dict(num_modules=(1, 1, 1, 1), channels=(8, 16, 24, 32), num_heads=(1, 2, 3, 4))


def extra():
    stage = dict(num_modules=1, block='HRFORMERBLOCK')

    def rest(n):
        return dict(num_branches=n, num_blocks=(2, ) * n, num_channels=(8, 16, 24, 32)[:n], num_heads=[1, 2, 3, 4][:n],
                    mlp_ratios=[4] * n, window_sizes=[7] * n)

    return dict(
        drop_path_rate=0.1,
        stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(2, ), num_channels=(64, )),
        stage2=dict(stage, **rest(2)), stage3=dict(stage, **rest(3)), stage4=dict(stage, **rest(4)))


def test_names_and_dicts_mean_the_same():
    assert from_arch('small', 7) == from_arch(ARCHS['small'], (7, (7, 7), 7, 7))


def test_windows_by_stream():
    stages = from_arch('tiny', (9, (7, 5), 5, 3)).stages
    assert stages[0].window_sizes == ((9, 9), (7, 5)) and stages[2].window_sizes[3] == (3, 3)
    assert from_arch('tiny', [8, 6]).stages[2].window_sizes == ((8, 6), ) * 4
    assert from_arch('tiny', ((8, 6), 7, 7, 7)).stages[2].window_sizes == ((8, 6), (7, 7), (7, 7), (7, 7))


def test_extra_is_read_as_the_same_variant_and_is_not_changed():
    given = extra()
    before = copy.deepcopy(given)
    assert from_extra(given)[0] == from_arch(dict(GOOD, drop_path_rate=0.1), 7)
    HRFormer(extra=given)
    assert given == before


@pytest.mark.parametrize('arch, error, message', [
    ('large', ValueError, "arch is 'large'.*tiny, small, base"),
    (7, TypeError, 'arch must be one of tiny.*7'),
    (dict(GOOD, depth=3), ValueError, "unknown key 'depth': allowed are num_modules"),
    (dict(channels=(8, 16, 24, 32), num_heads=1), ValueError, "lacks the key 'num_modules'"),
    (dict(GOOD, num_modules=(1, 1, 1)), ValueError, r'arch.num_modules is \(1, 1, 1\).*4 entries, not 3'),
    (dict(GOOD, num_modules=(1, 1, 0, 1)), ValueError, r'arch.num_modules\[2\] is 0.*at least 1'),
    (dict(GOOD, num_modules=(2, 1, 1, 1)), ValueError, r'arch.num_modules\[0\] is 2'),
    (dict(GOOD, num_modules=4), TypeError, 'arch.num_modules must be a list of 4, but is 4'),
    (dict(GOOD, channels=(8, 16, 24, 32.5)), TypeError, r'arch.channels\[3\] must be a whole number.*32.5'),
    (dict(GOOD, channels=(8, 16, 24, -1)), ValueError, r'arch.channels\[3\] is -1'),
    (dict(GOOD, num_heads=(1, 2, 5, 4)), ValueError, r'num_heads\[2\] is 5, but must divide the 24 channels'),
    (dict(GOOD, num_heads=(True, 2, 3, 4)), TypeError, r'arch.num_heads\[0\].*True'),
    (dict(GOOD, num_blocks=0), ValueError, 'arch.num_blocks is 0'),
    (dict(GOOD, mlp_ratio=0), ValueError, 'arch.mlp_ratio is 0'),
    (dict(GOOD, mlp_ratio='4'), TypeError, "arch.mlp_ratio.*'4'"),
    (dict(GOOD, drop_path_rate=1), ValueError, r'arch.drop_path_rate is 1, but must be in \[0, 1\)'),
    (dict(GOOD, drop_path_rate=float('nan')), ValueError, 'arch.drop_path_rate is nan'),
])
def test_wrong_arch(arch, error, message):
    with pytest.raises(error, match=message):
        HRFormer(arch)


@pytest.mark.parametrize('arguments, error, message', [
    (dict(window_sizes=0), ValueError, 'window_sizes is 0, but must be at least 1'),
    (dict(window_sizes=(7, 7, 7)), ValueError, 'window_sizes is.*4 entries, not 3'),
    (dict(window_sizes=(7, 7, 7, (7, 7, 7))), ValueError, r'window_sizes\[3\].*2 entries, not 3'),
    (dict(window_sizes=(7, 0)), ValueError, r'window_sizes\[1\] is 0'),
    (dict(window_sizes=(7, (7, 7))), TypeError, r'window_sizes\[1\] must be a whole number'),
    (dict(window_sizes=7.5), TypeError, 'window_sizes must be a whole number, or a list of 4, but is 7.5'),
    (dict(window_sizes='7'), TypeError, "window_sizes must be a whole number, or a list of 4, but is '7'"),
    (dict(drop_path_rate=1.5), ValueError, 'drop_path_rate is 1.5'),
    (dict(drop_path_rate='0.1'), TypeError, "drop_path_rate must be a number.*'0.1'"),
    (dict(out_indices=(0, 4)), ValueError, r'out_indices is \(0, 4\), but streams are 0, 1, 2 and 3'),
    (dict(out_indices=(-1, )), ValueError, 'out_indices'),
    (dict(out_indices=()), ValueError, 'at least one stream'),
    (dict(out_indices=(1, 0)), ValueError, 'rising order'),
    (dict(out_indices=(0, 0)), ValueError, 'each once'),
    (dict(out_indices=0), TypeError, 'out_indices must be a list of streams'),
    (dict(fuse_upsample='bicubic'), ValueError, "fuse_upsample is 'bicubic'.*nearest, bilinear"),
    (dict(frozen_stages=5), ValueError, 'frozen_stages is 5'),
    (dict(in_channels=0), ValueError, 'in_channels is 0'),
    (dict(norm_cfg='BN'), TypeError, "norm_cfg must be a dict.*'BN'"),
    (dict(norm_cfg=dict()), TypeError, "norm_cfg must be a dict with a 'type'"),
    (dict(with_cp='yes'), ValueError, "with_cp is 'yes', but must be one of False, True, cheap"),
    (dict(with_cp=1), ValueError, "with_cp is 1, but must be one of False, True, cheap"),
    (dict(with_rpe=1), TypeError, 'with_rpe must be True or False, but is 1'),
    (dict(with_dwconv='no'), TypeError, "with_dwconv must be True or False, but is 'no'"),
    (dict(shift_windows=3), TypeError, 'shift_windows must be True or False, but is 3'),
    (dict(shift_windows=True, with_pad_mask=True), ValueError, 'shift_windows is True.*with_pad_mask=True.*leave out'),
    (dict(extra=extra(), arch='base'), ValueError, "arch is 'base', but extra is given too"),
    (dict(extra=extra(), window_sizes=7), ValueError, 'window_sizes is 7, but extra is given too'),
])
def test_wrong_arguments(arguments, error, message):
    if 'extra' not in arguments:
        arguments = dict(arch=GOOD, **arguments)
    with pytest.raises(error, match=message):
        HRFormer(**arguments)


@pytest.mark.parametrize('path, value, error, message', [
    ('stage5', dict(), ValueError, "extra has the unknown key 'stage5'"),
    ('stage3', None, TypeError, 'extra.stage3 must be a dict'),
    ('stage3.window_size', 7, ValueError, "extra.stage3 has the unknown key 'window_size'"),
    ('stage3.num_branches', 2, ValueError, 'extra.stage3.num_branches is 2, but must be 3'),
    ('stage2.block', 'HRFORMER', ValueError, "extra.stage2.block is 'HRFORMER', but must be 'HRFORMERBLOCK'"),
    ('stage4.num_modules', 0, ValueError, 'extra.stage4.num_modules is 0'),
    ('stage4.num_blocks', (2, 2, 2, 1), ValueError, 'all streams of a stage must have as many blocks'),
    ('stage4.num_blocks', (2, 2), ValueError, 'extra.stage4.num_blocks is.*4 entries, not 2'),
    ('stage2.mlp_ratios', [4, -1], ValueError, r'extra.stage2.mlp_ratios\[1\] is -1'),
    ('stage1.num_modules', 2, ValueError, 'extra.stage1.num_modules is 2'),
    ('upsample', 'bilinear', TypeError, "extra.upsample must be a dict.*'bilinear'"),
    ('upsample', dict(mode='bilinear', align_corners=True), ValueError, 'extra.upsample.align_corners is True'),
    ('upsample', dict(mode='bicubic'), ValueError, "extra.upsample.mode is 'bicubic'"),
])
def test_wrong_extra(path, value, error, message):
    given = extra()
    *parents, leaf = path.split('.')
    target = given
    for parent in parents:
        target = target[parent]
    target[leaf] = value
    with pytest.raises(error, match=message):
        HRFormer(extra=given)
    with pytest.raises(TypeError, match='extra must be a dict'):
        from_extra([])


def test_extra_without_a_stage():
    given = extra()
    del given['stage4']
    with pytest.raises(ValueError, match="extra lacks the key 'stage4'"):
        HRFormer(extra=given)
