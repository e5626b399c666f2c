import pytest

SLOW = [pytest.param(host, marks=pytest.mark.slow) for host in ('mmseg', 'mmpretrain', 'mmdet')]


@pytest.mark.parametrize('host', ['mmengine', 'mmpose', *SLOW])
def test_types_resolve_from_every_library_without_custom_imports(run_python, host):
    out = run_python(
        f'import sys, hrformer_mm\n'
        f'from {host}.registry import MODELS\n'
        f'backbone = MODELS.build(dict(type="hrformer_mm.HRFormer", arch="tiny"))\n'
        f'neck = MODELS.build(dict(type="hrformer_mm.ClassificationNeck", in_channels=(18, 36, 72, 144)))\n'
        f'print(type(backbone).__module__, type(neck).__module__)\n'
        f'print([m for m in ("mmseg", "mmpose", "mmpretrain", "mmdet") if m in sys.modules])\n'
    )
    built, hosts = out.splitlines()[-2:]
    assert built == 'hrformer_mm.models.hrformer hrformer_mm.models.classification_neck'
    assert host != 'mmengine' or hosts == '[]'  # only what the caller selected


def test_heads_resolve_from_any_library(run_python):
    out = run_python(
        'import hrformer_mm\n'
        'from mmpretrain.registry import MODELS\n'
        'ocr = MODELS.build(dict(type="hrformer_mm.OCRHead", in_channels=[4, 8], num_classes=5, channels=8))\n'
        'pose = MODELS.build(dict(type="hrformer_mm.TopdownHeatmapHead", in_channels=4, out_channels=17))\n'
        'print(type(ocr).__name__, type(pose).__name__)\n'
    )
    assert out.splitlines()[-1] == 'OCRHead TopdownHeatmapHead'


def test_missing_library_affects_only_its_head(run_python):
    out = run_python(
        'import sys\n'
        'for name in ("mmseg", "mmpose", "mmpretrain", "mmdet"): sys.modules[name] = None\n'
        'from mmengine.registry import MODELS\n'
        'MODELS.build(dict(type="hrformer_mm.HRFormer", arch="tiny"))\n'
        'MODELS.build(dict(type="hrformer_mm.ClassificationNeck", in_channels=(18, 36, 72, 144)))\n'
        'for name in ("OCRHead", "TopdownHeatmapHead", "DepthwiseSwinTransformer"):\n'
        '    try: MODELS.build(dict(type="hrformer_mm." + name))\n'
        '    except ImportError as error: print(error)\n'
    )
    assert out.splitlines()[-3:] == [
        'OCRHead requires mmseg, which is not installed: pip install mmsegmentation',
        'TopdownHeatmapHead requires mmpose, which is not installed: pip install mmpose',
        'DepthwiseSwinTransformer requires mmpretrain, which is not installed: pip install mmpretrain',
    ]


def test_names_are_not_registered_in_other_scopes(run_python):
    out = run_python(
        'import hrformer_mm.compat, mmpose.models\n'
        'from mmengine.registry import MODELS\n'
        'from mmpose.registry import MODELS as POSE\n'
        'from hrformer_mm.registry import MODELS as OURS\n'
        'OURS.get("OCRHead"), OURS.get("HRFormer")\n'
        'print(MODELS.get("HRFormer"), MODELS.get("ClassificationNeck"), POSE.get("HRFormer").__module__)\n'
    )
    assert out.splitlines()[-1] == 'None None mmpose.models.backbones.hrformer'
