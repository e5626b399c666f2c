"""The placeholder for the compiled extension that mmcv-lite lacks."""
import importlib
import importlib.machinery
import importlib.util
import sys

import pytest

from hrformer_mm import compat

HAS_HOSTS = all(importlib.util.find_spec(name) for name in ('mmseg', 'mmpose', 'mmdet', 'mmpretrain'))
needs_lite = pytest.mark.skipif(not compat.stub_mmcv_ext(), reason='only with mmcv-lite')


@needs_lite
@pytest.mark.skipif(not HAS_HOSTS, reason='needs mmseg, mmpose, mmdet and mmpretrain')
def test_host_models_import_with_mmcv_lite(run_python):
    out = run_python('''
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
''')
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
    assert compat.stub_mmcv_ext() and sys.modules['mmcv._ext'] is module  # again changes nothing


def test_full_mmcv_is_left_alone(run_python, tmp_path):
    (tmp_path / 'mmcv').mkdir()
    (tmp_path / 'mmcv' / '__init__.py').write_text('raise AssertionError("compat must not import mmcv")')
    (tmp_path / 'mmcv' / f'_ext{importlib.machinery.EXTENSION_SUFFIXES[0]}').touch()
    out = run_python('import sys; sys.path.insert(0, sys.argv[1]); from hrformer_mm import compat; '
                     'print(compat.stub_mmcv_ext(), "mmcv._ext" in sys.modules)', tmp_path)
    assert out.split() == ['False', 'False']


def test_without_mmcv_nothing_is_done(run_python):
    out = run_python('import sys; sys.modules["mmcv"] = None; from hrformer_mm import compat; '
                     'print(compat.stub_mmcv_ext(), "mmcv._ext" in sys.modules)')
    assert out.split() == ['False', 'False']
