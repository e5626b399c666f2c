"""Placeholders for missing compiled extensions of mmcv-lite and xtcocotools, and for Python 3.14."""

import importlib
import importlib.machinery
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from hrformer_mm import compat

ROOT = Path(__file__).parents[1]
HAS_HOSTS = all(importlib.util.find_spec(name) for name in ('mmseg', 'mmpose', 'mmdet', 'mmpretrain'))
HAS_XTCOCOTOOLS = importlib.util.find_spec('xtcocotools') and importlib.util.find_spec('pycocotools')
needs_xtcocotools = pytest.mark.skipif(not HAS_XTCOCOTOOLS, reason='needs xtcocotools and pycocotools')
needs_lite = pytest.mark.skipif(not compat.stub_mmcv_ext(), reason='only with mmcv-lite')


@needs_lite
@pytest.mark.skipif(not HAS_HOSTS, reason='needs mmseg, mmpose, mmdet and mmpretrain')
def test_host_models_import_with_mmcv_lite(run_python):
    out = run_python("""
import hrformer_mm, pkgutil
assert pkgutil.find_loader('mmcv._ext') is None
import mmseg.models, mmpose.models, mmdet.models, mmpretrain.models
from mmengine.utils.dl_utils import mmcv_full_available
print(mmcv_full_available())
import mmcv.ops, torch
try:
    mmcv.ops.nms(torch.rand(3, 4), torch.rand(3), 0.5)
except RuntimeError as error:
    print(error)
""")
    assert out.splitlines()[0] == 'False'
    assert "'nms'" in out and 'mmcv-lite' in out and 'install full mmcv' in out


@needs_lite
def test_placeholder_is_a_module_with_ops_and_nothing_else():
    module = importlib.import_module('mmcv._ext')
    for name in ('__file__', '__path__', '__wrapped__'):
        with pytest.raises(AttributeError, match=name):
            getattr(module, name)
    assert module.roi_align_forward is module.roi_align_forward
    assert module.roi_align_forward.__name__ == 'roi_align_forward'
    with pytest.raises(RuntimeError, match='roi_align_forward.*mmcv-lite.*install full mmcv'):
        module.roi_align_forward(1, 2, key=3)
    assert compat.stub_mmcv_ext() and sys.modules['mmcv._ext'] is module  # idempotent


def test_full_mmcv_is_unchanged(run_python, tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').write_text('raise AssertionError("compat must not import mmcv")')
    (tmp_path / 'mmcv' / f'_ext{importlib.machinery.EXTENSION_SUFFIXES[0]}').touch()
    out = run_python(
        'import sys; sys.path.insert(0, sys.argv[1]); from hrformer_mm import compat; '
        'print(compat.stub_mmcv_ext(), "mmcv._ext" in sys.modules)',
        tmp_path,
    )
    assert out.split() == ['False', 'False']


def test_without_mmcv_nothing_is_done(run_python):
    out = run_python(
        'import sys; sys.modules["mmcv"] = None; from hrformer_mm import compat; '
        'print(compat.stub_mmcv_ext(), "mmcv._ext" in sys.modules)'
    )
    assert out.split() == ['False', 'False']


def masks():
    """Two rectangles of 15 and 20 pixels that overlap in 9 pixels, and their boxes (x, y, width, height)."""
    pictures = np.zeros((2, 8, 9), np.uint8)
    pictures[0, 1:4, 2:7] = pictures[1, 0:4, 4:9] = 1
    return pictures, [15, 20], [[2, 1, 5, 3], [4, 0, 5, 4]], 9 / 26


@needs_xtcocotools
def test_mask_functions_of_xtcocotools():
    from xtcocotools import mask

    pictures, areas, boxes, iou = masks()
    codes = [mask.encode(np.asfortranarray(picture)) for picture in pictures]
    assert mask.area(codes).tolist() == areas and mask.area(codes[0]) == areas[0]
    assert mask.toBbox(codes).tolist() == boxes and mask.toBbox(codes[1]).tolist() == boxes[1]
    np.testing.assert_allclose(mask.iou(codes, codes, [0, 0]), [[1, iou], [iou, 1]])
    assert (mask.decode(codes) == pictures.transpose(1, 2, 0)).all() and (mask.decode(codes[0]) == pictures[0]).all()


@needs_xtcocotools
def test_evaluation_of_a_segmentation_mask(tmp_path, capsys):
    """The IoU of the masks, 9/26, is below all thresholds; that of equal masks is above them."""
    from xtcocotools import mask
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval

    pictures, areas, boxes, _ = masks()
    codes = [mask.encode(np.asfortranarray(picture)) for picture in pictures]
    codes = [dict(code, counts=code['counts'].decode()) for code in codes]
    truth = dict(
        images=[dict(id=1, width=9, height=8)],
        categories=[dict(id=1, name='a')],
        annotations=[
            dict(id=1, image_id=1, category_id=1, iscrowd=0, segmentation=codes[0], area=areas[0], bbox=boxes[0])
        ],
    )
    (tmp_path / 'truth.json').write_text(json.dumps(truth))
    for code, expected in zip(codes, (1, 0)):
        coco = COCO(str(tmp_path / 'truth.json'))
        results = coco.loadRes([dict(image_id=1, category_id=1, segmentation=code, score=0.9)])
        evaluation = COCOeval(coco, results, 'segm')
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert evaluation.stats[0] == pytest.approx(expected)


@pytest.mark.parametrize(
    'compiled, numpy, expected',
    [(True, '1.26.4', False), (False, '1.26.4', True), (True, '2.0.0', True), (False, '2.4.6', True)],
)
def test_xtcocotools_extension_is_used_where_it_works(run_python, tmp_path, compiled, numpy, expected):
    for package in ('xtcocotools', 'pycocotools'):
        (tmp_path / package).mkdir()
        (tmp_path / package / '__init__.py').write_text('raise AssertionError("compat must not import this")')
    if compiled:
        (tmp_path / 'xtcocotools' / f'_mask{importlib.machinery.EXTENSION_SUFFIXES[0]}').touch()
    (tmp_path / f'numpy-{numpy}.dist-info').mkdir()
    (tmp_path / f'numpy-{numpy}.dist-info' / 'METADATA').write_text(f'Name: numpy\nVersion: {numpy}\n')
    out = run_python(
        'import sys; sys.path[:] = [sys.argv[1], *(p for p in sys.path if "site-packages" not in p)]; '
        'from hrformer_mm import compat; '
        'print(compat.stub_xtcocotools_mask(), "xtcocotools._mask" in sys.modules)',
        tmp_path,
    )
    assert out.split() == [str(expected)] * 2


def test_without_xtcocotools_nothing_is_done(run_python):
    out = run_python(
        'import sys; sys.modules["xtcocotools"] = None; from hrformer_mm import compat; '
        'print(compat.stub_xtcocotools_mask(), "xtcocotools._mask" in sys.modules)'
    )
    assert out.split() == ['False', 'False']


def test_find_loader_of_python_3_14(run_python):
    """It is added if the standard library lacks it, and unchanged otherwise."""
    out = run_python(
        'import pkgutil; own = getattr(pkgutil, "find_loader", None); import hrformer_mm\n'
        'if own is None: assert pkgutil.find_loader("nowhere") is None\n'
        'else: assert pkgutil.find_loader is own\n'
        'print(type(pkgutil.find_loader("json")).__name__)'
    )
    assert out.strip() == 'SourceFileLoader'


def test_pkg_resources_of_pip_replaces_what_setuptools_82_removed(run_python):
    """mmengine reloads pkg_resources before it looks for a distribution."""
    pytest.importorskip('mmengine')
    out = run_python("""
import sys
sys.modules['pkg_resources'] = None  # importing it would fail
import hrformer_mm, mmengine
from mmengine.utils import get_installed_path, is_installed
assert sys.modules['pkg_resources'].__name__ == 'pip._vendor.pkg_resources'
print(is_installed('mmengine'), is_installed('nowhere'), get_installed_path('mmengine') == mmengine.__path__[0])
""")
    assert out.split() == ['True', 'False', 'True']


def test_pkg_resources_is_left_alone(run_python, tmp_path):
    (tmp_path / 'pkg_resources.py').write_text('raise AssertionError("compat must not import this")')
    code = 'import sys; sys.path.insert(0, sys.argv[1]); import hrformer_mm; print("pkg_resources" in sys.modules)'
    assert run_python(code, tmp_path).strip() == 'False'


def test_without_pip_nothing_is_done(run_python):
    out = run_python(
        'import sys; sys.modules["pip"] = sys.modules["pkg_resources"] = None\n'
        'import hrformer_mm; print(sys.modules["pkg_resources"])'
    )
    assert out.strip() == 'None'


@pytest.mark.integration
@needs_lite
@pytest.mark.parametrize('method', ['spawn', 'forkserver'])
def test_placeholders_reach_new_processes(tmp_path, method):
    """A spawned process imports the module of its target, which here requires the placeholder."""
    (tmp_path / 'item.py').write_text('import sys\nassert "mmcv._ext" in sys.modules\nclass Item: pass\n')
    (tmp_path / 'main.py').write_text(
        'import multiprocessing, sys\n'
        'if __name__ == "__main__":\n'
        '    import hrformer_mm, item\n'
        '    multiprocessing.set_start_method(sys.argv[1])\n'
        '    for start in (multiprocessing, multiprocessing.get_context(sys.argv[1])):\n'
        '        process = start.Process(target=print, args=(item.Item(), "in", sys.argv[1]), name="a", daemon=True)\n'
        '        process.start()\n'
        '        process.join()\n'
        '        assert process.exitcode == 0 and process.name == "a" and process.daemon\n'
    )
    done = subprocess.run(
        [sys.executable, str(tmp_path / 'main.py'), method],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        timeout=120,
    )
    assert done.returncode == 0 and done.stdout.count(f'in {method}') == 2, done.stderr


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize(
    'module, name',
    [
        ('mmseg.datasets', 'CityscapesDataset'),
        ('mmpose.datasets', 'CocoDataset'),
        ('mmpretrain.datasets', 'ImageNet'),
        ('mmseg.models', 'EncoderDecoder'),
    ],
)
def test_spawned_workers_import_the_libraries(tmp_path, module, name):
    pytest.importorskip(module.split('.')[0])
    (tmp_path / 'main.py').write_text(f'''
from torch.utils.data import DataLoader

class Three:
    """A data set that contains a class of a library."""
    def __init__(self, content): self.content = content
    def __len__(self): return 3
    def __getitem__(self, i): return i

if __name__ == '__main__':
    import hrformer_mm
    from {module} import {name}
    loader = DataLoader(Three({name}), num_workers=1, multiprocessing_context='spawn', persistent_workers=True)
    print(*[int(i) for epoch in range(2) for i in loader])
''')
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', str(tmp_path / 'main.py')],
        capture_output=True,
        text=True,
        env={**os.environ, 'PYTHONPATH': str(ROOT)},
        timeout=300,
    )
    assert done.stdout.splitlines()[-1:] == ['0 1 2 0 1 2'], done.stderr
