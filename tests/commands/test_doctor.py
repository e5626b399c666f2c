import json
import subprocess
import sys

import pytest
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.commands.doctor import MASKS, OPENCV, Stack, _probe, find_traps

GOOD = {
    'torch': '2.11.0',
    'torchvision': '0.26.0',
    'numpy': '2.4.6',
    'opencv-python': '5.0.0.93',
    'mmengine': '0.10.7',
    'mmcv-lite': '2.1.0',
    'mmsegmentation': '1.2.2',
    'mmpose': '1.3.2',
    'mmdet': '3.3.0',
    'xtcocotools': '1.14.3',
    'pycocotools': '2.0.11',
    'ftfy': '6',
    'regex': '2026',
    'setuptools': '80.9.0',
}


def found(change=(), drop=(), modules=('pkg_resources',), fails='', error='it fails', **more):
    versions = {name: version for name, version in {**GOOD, **dict(change)}.items() if name not in drop}
    stack = Stack(versions, set(modules), lambda code: error if fails and fails in code else None, **more)
    return {trap.name: trap.cure for trap in find_traps(stack)}


def test_all_is_well():
    assert found(torchvision_wants='2.11.0') == {}


@pytest.mark.parametrize(
    'name, cure, how',
    [
        ('torch', 'pip install torch', dict(drop=['torch'])),
        ('torch', 'torch>=2.4', dict(change={'torch': '2.3.1'})),
        ('torch', '--force-reinstall', dict(fails='import torch')),
        ('torchvision', "'torch==2.11.0' torchvision", dict(torchvision_wants='2.10.0')),
        ('torchvision', 'torch torchvision', dict(fails='import torchvision')),
        ('cuda', 'nvidia-smi', dict(has_gpu=True, fails='cuda')),
        ('mmcv', 'mmcv-lite==2.1.0', dict(drop=['mmcv-lite'])),
        ('mmcv', 'uninstall -y mmcv mmcv-lite', dict(change={'mmcv': '2.1.0'})),
        ('mmcv', 'mmcv-lite==2.1.0', dict(change={'mmcv-lite': '2.2.0'})),
        ('mmcv', 'mmcv-lite==2.1.0', dict(change={'mmcv': '2.1.0'}, drop=['mmcv-lite'], fails='mmcv._ext')),
        ('host', 'hrformer_mm[seg]', dict(drop=['mmsegmentation', 'mmpose', 'mmdet'])),
        ('ftfy', 'pip install ftfy', dict(drop=['ftfy'])),
        ('mmdet', 'mmdet>=3.3', dict(drop=['mmdet'])),
        ('openxlab', 'uninstall -y openxlab', dict(change={'openxlab': '0.1'})),
        ('setuptools', 'setuptools>=77,<80.9', dict(modules=())),
        (
            'setuptools',
            'setuptools>=77,<80.9',
            dict(change={'openmim': '0.3.8'}, modules=['pip._vendor.pkg_resources']),
        ),
        (
            'transformers',
            "pip install 'transformers<4.52'",
            dict(change={'mmpretrain': '1.2.0', 'transformers': '4.52.4'}),
        ),
        (
            'transformers',
            "pip install 'transformers<4.52'",
            dict(change={'mmpretrain': '1.2.0', 'transformers': '5.24.0'}),
        ),
        ('xtcocotools', '--only-binary :all: --python-version 3.11', dict(drop=['xtcocotools'])),
        ('xtcocotools', 'pip install --upgrade pycocotools', dict(fails='xtcocotools')),
        ('opencv', 'pip install opencv-python', dict(drop=['opencv-python'])),
        ('opencv', 'pip uninstall -y opencv-python && pip install opencv-python', dict(fails='cv2')),
        (
            'opencv',
            'pip uninstall -y opencv-python && pip install opencv-python-headless',
            dict(fails='cv2', error='libxcb.so.1: cannot open shared object file: No such file or directory'),
        ),
        (
            'onedl',
            'pip uninstall -y onedl-mmengine onedl-mmcv && pip install',
            dict(change={'onedl-mmengine': '0.10.12', 'onedl-mmcv': '2.3.6'}, drop=['mmengine', 'mmcv-lite']),
        ),
    ],
)
def test_traps(name, cure, how):
    traps = found(**how)
    assert list(traps) == [name] and cure in traps[name]


@pytest.mark.parametrize('name', OPENCV)
def test_any_distribution_of_opencv_will_do(name):
    assert found(change={name: '5.0.0'}, drop={'opencv-python'} - {name}) == {}


@pytest.mark.parametrize(
    'how',
    [
        dict(modules=['pip._vendor.pkg_resources']),  # mmengine uses it, and mim is not installed
        dict(change={'mmpretrain': '1.2.0', 'transformers': '4.51.3'}),
        dict(change={'transformers': '5.24.0'}),  # without mmpretrain, no version matters
    ],
)
def test_what_works_is_not_reported(how):
    assert found(**how) == {}


def test_mask_functions_are_tried():
    pytest.importorskip('xtcocotools.coco')
    assert _probe(MASKS) is None


def test_report():
    result = CliRunner().invoke(main, ['doctor', '--json'])
    report = json.loads(result.stdout)
    assert result.exit_code == bool(report['problems']) and report['versions']['torch']


@pytest.mark.integration
@pytest.mark.parametrize('broken', ['torch', 'numpy', 'cv2', 'mmengine'])
def test_runs_where_a_library_cannot_be_imported(broken, tmp_path):
    (tmp_path / f'{broken}.py').write_text(f"raise ImportError('{broken} is broken')")
    code = (
        'import sys; sys.path.insert(0, sys.argv.pop(1)); import hrformer_mm.commands.doctor as d; '
        'd._probe = lambda code: None; from hrformer_mm.cli import main; main()'
    )
    done = subprocess.run([sys.executable, '-c', code, str(tmp_path), 'doctor'], capture_output=True, text=True)
    assert 'mmengine' in done.stdout and 'Traceback' not in done.stderr, done.stderr
