"""Outputs of the authors' code, reproduced by converted checkpoint, config and library model, and its deployment form.

`golden/` holds what the authors' code computes from weights that `deterministic.py` fills in under its key names.
"""

import importlib.util
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from mmengine.runner import load_checkpoint

from hrformer_mm import to_deploy
from hrformer_mm.commands.convert import convert
from hrformer_mm.weights import read_tensors

ROOT = Path(__file__).parents[1]
_spec = importlib.util.spec_from_file_location('deterministic', ROOT / 'tests/golden/deterministic.py')
golden = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(golden)


def relative_error(out, expected):
    return ((out - expected).norm() / expected.norm()).item()


@pytest.fixture
def converted_model(tmp_path):
    """Build the model of a config and load a golden case from the same files that users have."""

    def build(case, config, deploy=False, **options):
        torch.save(golden.state_dict(case), tmp_path / 'theirs.pth')
        done = convert(tmp_path / 'theirs.pth', tmp_path / 'ours.pth')
        cfg = Config.fromfile(ROOT / 'configs' / f'{config}.py')
        cfg.merge_from_dict(options)
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            model = MODELS.build(cfg.model)
        load_checkpoint(model, str(tmp_path / 'ours.pth'), map_location='cpu', strict=True)
        return (to_deploy(model) if deploy else model.eval()), done

    return build


@pytest.mark.parametrize(
    'case, config, deploy',
    [
        ('seg_small', 'ocr_hrformer-s_cityscapes', False),
        ('seg_small', 'ocr_hrformer-s_cityscapes', True),
        ('seg_base_w15', 'ocr_hrformer-b-w15_cityscapes', False),
        pytest.param('seg_base_w15', 'ocr_hrformer-b-w15_cityscapes', True, marks=pytest.mark.slow),
    ],
)
def test_segmentation(converted_model, case, config, deploy):
    model, done = converted_model(case, config, deploy)
    assert done.layout.task == 'segmentation' and done.arch == ('small' if case == 'seg_small' else 'base')
    image, expected = golden.image(case), golden.expected(case)
    meta = dict(ori_shape=(128, 256), img_shape=(128, 256), pad_shape=(128, 256), padding_size=[0, 0, 0, 0])
    with torch.no_grad():
        logits = model.encode_decode(image, [meta])
        _, auxiliary = model.decode_head.forward_both(model.extract_feat(image))
        auxiliary = model.decode_head.predict_by_feat(auxiliary, [meta])
    assert relative_error(logits[..., ::8, ::8], expected['ocr']) <= 1e-5
    assert relative_error(auxiliary[..., ::8, ::8], expected['aux']) <= 1e-5


@pytest.mark.parametrize('deploy', [False, True])
def test_pose(converted_model, deploy):
    model, done = converted_model('pose_small', 'td-hm_hrformer-s_coco-256x192', deploy)
    assert done.layout.task == 'pose' and done.layout.authors
    with torch.no_grad():
        heatmaps = model(golden.image('pose_small'), None, mode='tensor')
    assert relative_error(heatmaps, golden.expected('pose_small')['heatmaps']) <= 1e-5


@pytest.mark.parametrize('deploy', [False, True])
def test_classification(converted_model, deploy):
    model, _ = converted_model('cls_tiny', 'hrformer-t_imagenet', deploy)
    expected = golden.expected('cls_tiny')
    with torch.no_grad():
        logits = model(golden.image('cls_tiny'), mode='tensor')
        maps = model.backbone(golden.image('cls_tiny'))
    assert relative_error(logits, expected['logits']) <= 1e-5
    assert relative_error(maps[2], expected['stage4_2']) <= 1e-5
    assert relative_error(maps[3], expected['stage4_3']) <= 1e-5


def test_the_bound_detects_small_differences(converted_model):
    """The bound rejects another upsampling, and bias tables that the authors' pose code ignores."""
    model, _ = converted_model(
        'pose_small', 'td-hm_hrformer-s_coco-256x192', **{'model.backbone.fuse_upsample': 'nearest'}
    )
    expected = golden.expected('pose_small')['heatmaps']
    with torch.no_grad():
        assert relative_error(model(golden.image('pose_small'), None, mode='tensor'), expected) > 1e-3
    model, _ = converted_model('pose_small', 'td-hm_hrformer-s_coco-256x192')
    for name, parameter in model.named_parameters():
        if name.endswith('bias_table'):
            parameter.data.copy_(golden.fill(name, list(parameter.shape)))
    with torch.no_grad():
        assert relative_error(model(golden.image('pose_small'), None, mode='tensor'), expected) > 1e-3


def test_pretrained_backbones_of_every_golden_file(tmp_path):
    """`init_cfg` accepts the authors' files unchanged, and resizes bias tables to other windows."""
    for case, arch in (('cls_tiny', 'tiny'), ('pose_small', 'small'), ('seg_small', 'small')):
        torch.save(dict(state_dict={f'module.{k}': v for k, v in golden.state_dict(case).items()}), tmp_path / 'a.pth')
        model = MODELS.build(
            dict(
                type='hrformer_mm.HRFormer',
                arch=arch,
                window_sizes=9,
                out_indices=(0,),
                init_cfg=dict(type='Pretrained', checkpoint=str(tmp_path / 'a.pth')),
            )
        )
        model.init_weights()
        theirs = {k.removeprefix('backbone.'): v for k, v in read_tensors(tmp_path / 'a.pth').items()}
        assert torch.equal(model.conv1.weight, theirs['conv1.weight'])
        block = 'stage4.1.branches.3.1'
        qkv = torch.cat([theirs[f'{block}.attn.attn.{part}_proj.weight'] for part in 'qkv'])
        assert torch.equal(model.get_parameter(f'{block}.attn.attn.qkv.weight'), qkv)
        table = model.get_parameter(f'{block}.attn.attn.relative_position_bias_table')
        assert table.shape[0] == 17 * 17 and bool(table.any()) == (case != 'pose_small')
