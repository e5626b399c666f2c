"""Invalid configs raise errors that name the key, its value and the allowed values.

pytest -s tests/models/test_arguments.py    # prints every message
"""

import pytest
import torch

import hrformer_mm  # noqa: F401  (its repairs come before the host libraries)
from hrformer_mm import HRFormer, to_deploy
from hrformer_mm.models import ClassificationNeck, CrossEntropyLoss

ARCH = dict(num_modules=(1, 1, 1, 1), channels=(8, 16, 24, 32), num_heads=(1, 2, 3, 4))
STAGES = {
    f'stage{n}': dict(
        num_modules=1,
        num_branches=n,
        block='HRFORMERBLOCK',
        num_blocks=(1,) * n,
        num_channels=(8, 16, 24, 32)[:n],
        num_heads=(1, 2, 3, 4)[:n],
        mlp_ratios=(4,) * n,
        window_sizes=(7,) * n,
    )
    for n in (2, 3, 4)
}
EXTRA = dict(
    stage1=dict(num_modules=1, num_branches=1, block='BOTTLENECK', num_blocks=(1,), num_channels=(16,)), **STAGES
)


def backbone(**changes):
    return HRFormer(**{**dict(arch=ARCH), **changes})


def arch(**changes):
    return HRFormer(arch={**ARCH, **changes})


def extra(stage='', **changes):
    return HRFormer(extra={**EXTRA, stage: {**EXTRA[stage], **changes}} if stage else {**EXTRA, **changes})


def deploy(**changes):
    return to_deploy(backbone(), **changes)


def ocr(**changes):
    pytest.importorskip('mmseg')
    from hrformer_mm.models.ocr_head import OCRHead

    return OCRHead(**{**dict(in_channels=[6, 12], num_classes=5, channels=16, key_channels=8), **changes})


def heatmap(**changes):
    pytest.importorskip('mmpose')
    from hrformer_mm.models.heatmap_head import TopdownHeatmapHead

    return TopdownHeatmapHead(**{**dict(in_channels=18, out_channels=17), **changes})


def neck(**changes):
    return ClassificationNeck(**{**dict(in_channels=(4, 6, 8, 10), channels=(2, 3, 4, 5), out_channels=12), **changes})


loss = CrossEntropyLoss
NORMS = ['norm_cfg', "dict(type='BN')"]
SAMPLER = 'OHEMPixelSampler'

# Class, arguments, and parts of the message: the key, the value and the allowed values.
WRONG = [
    (backbone, dict(arch='larg'), ['arch', "'larg'", 'tiny, small, base']),
    (backbone, dict(arch=['tiny']), ['arch', "['tiny']", 'tiny, small, base, or a dict']),
    (backbone, dict(arch=7), ['arch', '7', 'tiny, small, base, or a dict']),
    (backbone, dict(arch=None, extra=7), ['extra', '7', 'dict']),
    (backbone, dict(arch=None, extra=EXTRA, window_sizes=7), ['window_sizes', '7', 'leave out one']),
    (backbone, dict(extra=EXTRA), ['arch', 'extra', 'leave out one']),
    (arch, dict(num_modules=(1, 1, 1)), ['num_modules', '(1, 1, 1)', '4 entries, not 3']),
    (arch, dict(num_modules=(1, 1, 1, 1, 1)), ['num_modules', '(1, 1, 1, 1, 1)', '4 entries, not 5']),
    (arch, dict(num_modules=(1, 0, 1, 1)), ['num_modules[1]', '0', 'at least 1']),
    (arch, dict(num_modules=(2, 1, 1, 1)), ['num_modules[0]', '2', 'always 1']),
    (arch, dict(num_modules=(1, 1, 1, 1.5)), ['num_modules[3]', '1.5', 'integer']),
    (arch, dict(num_modules='1111'), ['num_modules', "'1111'", 'list of 4']),
    (arch, dict(channels=(8, 16, 24)), ['channels', '(8, 16, 24)', '4 entries, not 3']),
    (arch, dict(channels={8, 16, 24, 32}), ['channels', str({8, 16, 24, 32}), 'list of 4']),
    (arch, dict(channels=(8, 16, 24, -32)), ['channels[3]', '-32', 'at least 1']),
    (arch, dict(num_heads=(1, 2, 3)), ['num_heads', '(1, 2, 3)', '4 entries, not 3']),
    (arch, dict(num_heads=(3, 2, 3, 4)), ['num_heads[0]', '3', 'divide the 8 channels']),
    (arch, dict(num_heads=(True, 2, 3, 4)), ['num_heads[0]', 'True', 'integer']),
    (arch, dict(num_heads=(1, 2, 3, None)), ['num_heads[3]', 'None', 'integer']),
    (arch, dict(num_blocks=0), ['num_blocks', '0', 'at least 1']),
    (arch, dict(num_blocks=(2, 2)), ['num_blocks', '(2, 2)', 'integer']),
    (arch, dict(num_head=1), ['arch', "'num_head'", 'num_heads']),
    (arch, dict(mlp_ratio=0), ['mlp_ratio', '0', 'above 0']),
    (arch, dict(mlp_ratio=-4), ['mlp_ratio', '-4', 'above 0']),
    (arch, dict(mlp_ratio='4'), ['mlp_ratio', "'4'", 'number above 0']),
    (arch, dict(mlp_ratio=0.1), ['mlp_ratio', '0.1', 'at least 1 / 8']),
    (arch, dict(mlp_ratio=[4, 4]), ['mlp_ratio', '[4, 4]', 'number above 0']),
    (arch, dict(drop_path_rate=1), ['drop_path_rate', '1', '[0, 1)']),
    (arch, dict(drop_path_rate=-0.1), ['drop_path_rate', '-0.1', '[0, 1)']),
    (arch, dict(drop_path_rate=True), ['drop_path_rate', 'True', '[0, 1)']),
    (backbone, dict(arch={k: v for k, v in ARCH.items() if k != 'channels'}), ['arch', "'channels'", 'it needs']),
    (backbone, dict(window_sizes=0), ['window_sizes', '0', 'at least 1']),
    (backbone, dict(window_sizes=-7), ['window_sizes', '-7', 'at least 1']),
    (backbone, dict(window_sizes=(7, 0)), ['window_sizes[1]', '0', 'at least 1']),
    (backbone, dict(window_sizes=(7, (7, 7))), ['window_sizes[1]', '(7, 7)', 'integer']),
    (backbone, dict(window_sizes=7.0), ['window_sizes', '7.0', 'integer']),
    (backbone, dict(window_sizes='7'), ['window_sizes', "'7'", 'integer']),
    (backbone, dict(window_sizes=True), ['window_sizes', 'True', 'integer']),
    (backbone, dict(window_sizes=(7, 7, 7)), ['window_sizes', '(7, 7, 7)', '4 entries, not 3']),
    (backbone, dict(window_sizes=(7,) * 5), ['window_sizes', '(7, 7, 7, 7, 7)', '4 entries, not 5']),
    (backbone, dict(window_sizes=(7, 7, (7, 7, 7), 7)), ['window_sizes[2]', '(7, 7, 7)', '2 entries, not 3']),
    (backbone, dict(window_sizes=(7, 7, (7, 0), 7)), ['window_sizes[2][1]', '0', 'at least 1']),
    (backbone, dict(window_sizes=(7, 7, (7, 'x'), 7)), ['window_sizes[2][1]', "'x'", 'integer']),
    (backbone, dict(drop_path_rate=1.5), ['drop_path_rate', '1.5', '[0, 1)']),
    (backbone, dict(drop_path_rate=float('nan')), ['drop_path_rate', 'nan', '[0, 1)']),
    (backbone, dict(out_indices=(-1,)), ['out_indices', '-1', 'at least 0']),
    (backbone, dict(out_indices=(0, 4)), ['out_indices', '(0, 4)', '0 to 3']),
    (backbone, dict(out_indices=(1, 1)), ['out_indices', '(1, 1)', 'each once']),
    (backbone, dict(out_indices=(1, 0)), ['out_indices', '(1, 0)', 'ascending order']),
    (backbone, dict(out_indices=0), ['out_indices', '0', 'a list']),
    (backbone, dict(out_indices=()), ['out_indices', '()', 'at least one']),
    (backbone, dict(out_indices='0'), ['out_indices', "'0'", 'a list']),
    (backbone, dict(in_channels=0), ['in_channels', '0', 'at least 1']),
    (backbone, dict(in_channels=True), ['in_channels', 'True', 'integer']),
    (backbone, dict(norm_cfg='BN'), [*NORMS, "'BN'"]),
    (backbone, dict(norm_cfg=None), [*NORMS, 'None']),
    (backbone, dict(norm_cfg=dict(type='BM')), [*NORMS, "'BM'"]),
    (backbone, dict(norm_cfg=dict(type='ReLU')), [*NORMS, "'ReLU'"]),
    (backbone, dict(norm_cfg=dict(type='LN')), [*NORMS, "'LN'", 'norm of maps']),
    (backbone, dict(norm_cfg=dict(type='BN1d')), [*NORMS, "'BN1d'", 'norm of maps']),
    (backbone, dict(norm_cfg=dict(type='GN')), [*NORMS, "'GN'", 'num_groups']),
    (backbone, dict(norm_cfg=dict(type='GN', num_groups=5)), [*NORMS, "'num_groups': 5", 'divisible']),
    (backbone, dict(norm_cfg=dict(type='BN', momentun=0.1)), [*NORMS, "'momentun': 0.1"]),
    (backbone, dict(norm_cfg=dict(type='BN', momentum=-1)), ['norm_cfg.momentum', '-1', '[0, 1)']),
    (backbone, dict(norm_cfg=dict(type='BN', eps='1e-5')), ['norm_cfg.eps', "'1e-5'", 'number above 0']),
    (backbone, dict(with_cp='yes'), ['with_cp', "'yes'", 'False, True, cheap']),
    (backbone, dict(with_cp=1), ['with_cp', '1', 'False, True, cheap']),
    (backbone, dict(compile='yes'), ['compile', "'yes'", 'True, False or a dict']),
    (backbone, dict(compile=dict(fast=True)), ['compile', "'fast': True", 'torch.compile']),
    (backbone, dict(compile=dict(mode='fast')), ['compile', "'mode': 'fast'", 'max-autotune']),
    (backbone, dict(compile=dict(backend='fast')), ['compile', "'backend': 'fast'", 'list_backends']),
    (backbone, dict(compile=True, with_cp='cheap'), ['with_cp', "'cheap'", 'leave out one']),
    (backbone, dict(frozen_stages=5), ['frozen_stages', '5', '-1, 0, 1, 2, 3, 4']),
    (backbone, dict(frozen_stages=True), ['frozen_stages', 'True', '-1, 0, 1, 2, 3, 4']),
    (backbone, dict(norm_eval=0), ['norm_eval', '0', 'True or False']),
    (backbone, dict(with_rpe='no'), ['with_rpe', "'no'", 'True or False']),
    (backbone, dict(with_dwconv='no'), ['with_dwconv', "'no'", 'True or False']),
    (backbone, dict(shift_windows=3), ['shift_windows', '3', 'True or False']),
    (backbone, dict(shift_windows=True, with_pad_mask=True), ['shift_windows', 'with_pad_mask=True', 'leave out one']),
    (backbone, dict(fuse_upsample='bicubic'), ['fuse_upsample', "'bicubic'", 'nearest, bilinear']),
    (backbone, dict(init_cfg='weights.pth'), ['init_cfg', "'weights.pth'", "dict(type='Pretrained', checkpoint=FILE)"]),
    (backbone, dict(init_cfg=dict(type='Pretraind', checkpoint='a')), ['init_cfg.type', "'Pretraind'", 'Pretrained']),
    (backbone, dict(init_cfg=dict(type='Pretrained', file='a')), ['init_cfg', "'file'", 'checkpoint']),
    (extra, dict(stage5={}), ['extra', "'stage5'", 'stage1, stage2, stage3, stage4']),
    (extra, dict(stage3=None), ['extra.stage3', 'None', 'dict']),
    (lambda: HRFormer(extra=STAGES), {}, ['extra', "'stage1'", 'it needs']),
    (extra, dict(stage='stage1', num_modules=2), ['extra.stage1.num_modules', '2', '1']),
    (extra, dict(stage='stage3', num_branches=2), ['extra.stage3.num_branches', '2', '3']),
    (extra, dict(stage='stage2', block='HRFORMER'), ['extra.stage2.block', "'HRFORMER'", "'HRFORMERBLOCK'"]),
    (extra, dict(stage='stage4', num_modules=0), ['extra.stage4.num_modules', '0', 'at least 1']),
    (
        extra,
        dict(stage='stage4', num_blocks=(2, 2, 2, 1)),
        ['stage4.num_blocks', '(2, 2, 2, 1)', 'same number of blocks'],
    ),
    (extra, dict(upsample='bilinear'), ['extra.upsample', "'bilinear'", "dict(mode='bilinear'"]),
    (extra, dict(upsample=dict(mode='bilinear', align_corners=True)), ['align_corners', 'True', 'False, None']),
    (extra, dict(stage='stage2', num_blocks=(1,)), ['extra.stage2.num_blocks', '(1,)', '2 entries, not 1']),
    (extra, dict(stage='stage3', mlp_ratios=(4, 4)), ['extra.stage3.mlp_ratios', '(4, 4)', '3 entries, not 2']),
    (extra, dict(stage='stage3', window_size=7), ['extra.stage3', "'window_size'", 'window_sizes']),
    (extra, dict(stage='stage4', num_channels=(8, 16, 24, 33)), ['extra.stage4', '33', 'divide']),
    (extra, dict(stage='stage4', multiscale_output='no'), ['multiscale_output', "'no'", 'True or False']),
    (extra, dict(stage='stage2', multiscale_output=False), ['stage2.multiscale_output', 'False', 'True']),
    (extra, dict(with_rpe=1), ['extra.with_rpe', '1', 'True or False']),
    (extra, dict(upsample=dict(mode='area')), ['extra.upsample.mode', "'area'", 'nearest, bilinear']),
    (deploy, dict(compile='yes'), ['compile', "'yes'", 'True, False or a dict']),
    (ocr, dict(in_channels=6), ['in_channels', '6', 'list']),
    (ocr, dict(in_channels=[]), ['in_channels', '()', 'at least one']),
    (ocr, dict(in_channels=[6, 0]), ['in_channels[1]', '0', 'at least 1']),
    (ocr, dict(num_classes=0), ['num_classes', '0', 'at least 1']),
    (ocr, dict(num_classes='5'), ['num_classes', "'5'", 'integer']),
    (ocr, dict(channels=0), ['channels', '0', 'at least 1']),
    (ocr, dict(channels=1.5), ['channels', '1.5', 'integer']),
    (ocr, dict(key_channels=-8), ['key_channels', '-8', 'at least 1']),
    (ocr, dict(version='v4'), ['version', "'v4'", 'v2, v3']),
    (ocr, dict(version=2), ['version', '2', 'v2, v3']),
    (ocr, dict(in_index=(0,)), ['in_index', '(0,)', 'as many entries as in_channels']),
    (ocr, dict(in_index=(0, -1)), ['in_index[1]', '-1', 'at least 0']),
    (ocr, dict(in_index=(1, 0)), ['in_index', '(1, 0)', 'ascending order']),
    (ocr, dict(in_index=0), ['in_index', '0', 'list']),
    (ocr, dict(dropout_ratio=-0.5), ['dropout_ratio', '-0.5', '[0, 1)']),
    (ocr, dict(dropout_ratio='a'), ['dropout_ratio', "'a'", '[0, 1)']),
    (ocr, dict(align_corners='yes'), ['align_corners', "'yes'", 'True or False']),
    (ocr, dict(norm_cfg=dict(type='BM')), [*NORMS, "'BM'"]),
    (ocr, dict(ignore_index='255'), ['ignore_index', "'255'", 'integer']),
    (ocr, dict(loss_auxiliary=None), ['loss_auxiliary', 'None', 'CrossEntropyLoss']),
    (
        ocr,
        dict(loss_auxiliary=dict(type='CrossEntropy')),
        ['loss_auxiliary.type', "'CrossEntropy'", 'CrossEntropyLoss'],
    ),
    (ocr, dict(loss_decode=None), ['loss_decode', 'None', 'CrossEntropyLoss']),
    (
        ocr,
        dict(loss_decode=dict(type='CrossEntropyLoss', class_wieght=[1])),
        ['loss_decode', "'class_wieght'", 'class_weight'],
    ),
    (
        ocr,
        dict(loss_decode=dict(type='CrossEntropyLoss', class_weight=[1.0, 2])),
        ['loss_decode.class_weight', '[1.0, 2]', 'one entry per class, 5'],
    ),
    (
        ocr,
        dict(loss_auxiliary=dict(type='hrformer_mm.CrossEntropyLoss', class_weight=[1])),
        ['loss_auxiliary.class_weight', '[1]', 'one entry per class, 5'],
    ),
    (ocr, dict(sampler='ohem'), ['sampler', "'ohem'", SAMPLER]),
    (ocr, dict(sampler=dict(type='OHEM')), ['sampler.type', "'OHEM'", SAMPLER]),
    (ocr, dict(sampler=dict(type=SAMPLER, treshold=0.9)), ['sampler', "'treshold'", 'thresh']),
    (ocr, dict(sampler=dict(type=SAMPLER, thresh=1.5)), ['sampler.thresh', '1.5', '[0, 1)']),
    (ocr, dict(sampler=dict(type=SAMPLER, thresh='0.9')), ['sampler.thresh', "'0.9'", '[0, 1)']),
    (ocr, dict(sampler=dict(type=SAMPLER, min_kept=0)), ['sampler.min_kept', '0', 'at least 2']),
    (heatmap, dict(in_channels=0), ['in_channels', '0', 'at least 1']),
    (heatmap, dict(in_channels=[18]), ['in_channels', '[18]', 'integer']),
    (heatmap, dict(out_channels=0), ['out_channels', '0', 'at least 1']),
    (heatmap, dict(in_index=-1), ['in_index', '-1', 'at least 0']),
    (heatmap, dict(in_index='0'), ['in_index', "'0'", 'integer']),
    (heatmap, dict(loss=dict(type='MSE')), ['loss.type', "'MSE'", 'KeypointMSELoss']),
    (heatmap, dict(decoder='MSRAHeatmap'), ['decoder', "'MSRAHeatmap'", 'dict']),
    (heatmap, dict(decoder=dict(type='MSRA')), ['decoder.type', "'MSRA'", 'MSRAHeatmap']),
    (
        heatmap,
        dict(decoder=dict(type='MSRAHeatmap', input_size=(64, 96), heatmap_size=(16, 24))),
        ['decoder', "'sigma'", 'it needs'],
    ),
    (neck, dict(in_channels=4), ['in_channels', '4', 'list']),
    (neck, dict(in_channels=(4, 6)), ['in_channels', '(4, 6)', '4 entries']),
    (neck, dict(in_channels=(4, 6, 8, 0)), ['in_channels[3]', '0', 'at least 1']),
    (neck, dict(channels=(2, 3, 4, '5')), ['channels[3]', "'5'", 'integer']),
    (neck, dict(channels=()), ['channels', '()', 'at least one']),
    (neck, dict(out_channels=0), ['out_channels', '0', 'at least 1']),
    (neck, dict(norm_cfg=dict(type='BM')), [*NORMS, "'BM'"]),
    (loss, dict(class_weight=3), ['class_weight', '3', 'list']),
    (loss, dict(class_weight=[]), ['class_weight', '()', 'at least one']),
    (loss, dict(class_weight=[1, -1]), ['class_weight[1]', '-1', 'at least 0']),
    (loss, dict(class_weight=[1, float('nan')]), ['class_weight[1]', 'nan', 'finite']),
    (loss, dict(class_weight=[1, '2']), ['class_weight[1]', "'2'", 'number']),
    (loss, dict(class_weight=[0, 0]), ['class_weight', '[0, 0]', 'above 0']),
    (loss, dict(loss_weight=-1), ['loss_weight', '-1', 'at least 0']),
    (loss, dict(loss_weight='1'), ['loss_weight', "'1'", 'number']),
    (loss, dict(loss_name='ce'), ['loss_name', "'ce'", "'loss'"]),
]


@pytest.mark.parametrize('build, changes, told', WRONG, ids=lambda value: getattr(value, '__name__', None))
def test_wrong_config(build, changes, told):
    with pytest.raises((TypeError, ValueError)) as caught:
        build(**changes)
    print(f'\n{build.__name__}: {caught.type.__name__}: {caught.value}', end='')
    for part in told:
        assert part in str(caught.value)


@pytest.mark.parametrize('build', [backbone, extra, ocr, heatmap, neck, loss])
def test_unknown_keyword(build):
    with pytest.raises((TypeError, ValueError), match='window_size'):
        build(window_size=7)


@pytest.mark.parametrize('build', [backbone, arch, extra, deploy, ocr, heatmap, neck, loss])
def test_valid_config(build):
    assert isinstance(build(), torch.nn.Module)


@pytest.mark.parametrize(
    'changes',
    [
        dict(norm_cfg=dict(type='SyncBN', momentum=1, requires_grad=False)),
        dict(norm_cfg=dict(type=torch.nn.BatchNorm2d)),
        dict(norm_cfg=dict(type='BN', momentum=None)),
        dict(norm_cfg=dict(type='IN', affine=True)),
        dict(out_indices=range(2)),
        dict(init_cfg=[dict(type='Constant', val=0, layer='Conv2d')]),
        dict(window_sizes=[[7, 5], 7, 5, [3, 4]]),
    ],
)
def test_unusual_valid_values(changes):
    assert isinstance(backbone(**changes), HRFormer)


def test_configs_of_other_libraries():
    """Accept the keys that mmengine adds to inherited configs, and classes of other scopes."""
    assert ocr(loss_auxiliary=dict(type='CrossEntropyLoss', _scope_='mmseg')).loss_auxiliary.loss_weight == 1
    assert isinstance(ocr(loss_decode=dict(type='hrformer_mm.CrossEntropyLoss')).loss_decode, loss)
    assert isinstance(ocr(loss_decode=dict(type='CrossEntropyLoss', _scope_='hrformer_mm')).loss_decode, loss)


def test_integer_class_weights():
    """PyTorch's loss rejects an integer tensor of class weights."""
    logits, labels = torch.randn(1, 2, 3, 3), torch.randint(0, 2, (1, 3, 3))
    assert torch.equal(loss([1, 3])(logits, labels), loss([1.0, 3.0])(logits, labels))
