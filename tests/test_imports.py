"""Effects of `import hrformer_mm`, and the direction of imports within the package."""

import ast
import importlib
import subprocess
import sys
from pathlib import Path

import pytest
from mmengine.config import Config

import hrformer_mm

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / 'hrformer_mm'
# The parts that each part may import. No part imports the command line.
ALLOWED = {
    'arguments': set(),
    'compat': set(),
    'safe_globals': set(),
    'messages': set(),
    'threads': set(),
    'released': {'weights'},
    'checks': set(),
    'runtime': set(),
    'registry': {'weights'},
    'model_index': set(),
    'ops': set(),
    'layers': {'arguments', 'ops'},
    'weights': {'ops', 'safe_globals', 'released'},
    'models': {'arguments', 'messages', 'registry', 'ops', 'layers', 'weights'},
    'deploy': {'arguments', 'ops', 'layers', 'models'},
    'segfix': {'arguments', 'messages', 'registry', 'layers'},
    'hooks': {'arguments', 'messages', 'threads', 'checks', 'registry', 'weights', 'models', 'deploy'},
    'data': set(),
    'commands': {
        '__init__',
        'checks',
        'safe_globals',
        'registry',
        'ops',
        'layers',
        'weights',
        'models',
        'deploy',
        'segfix',
        'data',
        'model_index',
        'messages',
        'threads',
        'released',
        'runtime',
    },
    'cli': {'__init__', 'commands', 'messages'},
    '__main__': {'cli'},
    '__init__': {'compat', 'safe_globals'},
}


def test_import_is_fast_and_replaces_nothing(run_python):
    run_python("""
import sys
finders = list(sys.meta_path)
import hrformer_mm
assert sys.meta_path == finders
heavy = {'torch', 'mmengine', 'numpy', 'mmcv', 'yaml', 'click'} & set(sys.modules)
assert not heavy, heavy
""")


@pytest.mark.skipif(not all(map(importlib.util.find_spec, ('mmseg', 'mmpretrain'))), reason='needs mmseg, mmpretrain')
def test_other_libraries_are_unchanged(run_python):
    """Compare functions of other libraries and the import finders before and after importing the whole package."""
    run_python("""
import sys
import mmengine.infer, mmengine.dataset, mmengine.runner, mmengine.hooks
import hrformer_mm
import mmseg.datasets, mmpretrain.apis

def attributes():
    found = {}
    for cls in (mmengine.dataset.BaseDataset, mmseg.datasets.BaseSegDataset, mmpretrain.apis.ModelHub,
                mmengine.infer.BaseInferencer, mmengine.runner.Runner, mmengine.hooks.CheckpointHook, type(sys)):
        found.update({(cls, name): value for name, value in vars(cls).items()})
    found.update(enumerate(sys.meta_path))
    return found

before = attributes()
for (cls, name), value in list(before.items())[:-len(sys.meta_path)]:
    module = getattr(getattr(value, '__func__', value), '__globals__', {}).get('__name__', '')
    assert not module.startswith('hrformer_mm'), (cls, name)
assert '__init_subclass__' not in vars(mmengine.dataset.BaseDataset)
import hrformer_mm.registry, hrformer_mm.models, hrformer_mm.hooks, hrformer_mm.checks, hrformer_mm.weights
import hrformer_mm.commands.check_data, hrformer_mm.commands.launch
after = attributes()
assert before.keys() == after.keys() and all(before[key] is after[key] for key in before)
""")


@pytest.mark.parametrize('first', ['torch', 'hrformer_mm, hrformer_mm.registry', 'hrformer_mm.weights'])
def test_safe_globals_come_with_torch(run_python, first):
    out = run_python(
        f'import {first}, hrformer_mm, torch\n'
        'from mmengine.logging import HistoryBuffer\n'
        'names = [entry[0] if isinstance(entry, tuple) else entry\n'
        '         for entry in torch.serialization.get_safe_globals()]\n'
        'print(HistoryBuffer in names)'
    )
    assert out.strip() == 'True'


# Without this function of torch, the repair fails.
BROKEN = 'import sys, torch; del torch.serialization.add_safe_globals; '


@pytest.mark.integration
@pytest.mark.parametrize(
    'code',
    [
        'import hrformer_mm',
        'import hrformer_mm.registry',
        'from mmengine.config import Config; Config.fromfile(sys.argv[1])',
    ],
    ids=['package', 'registry', 'config'],
)
def test_failing_workaround_raises(code, tmp_path):
    (tmp_path / 'a.py').write_text("custom_imports = dict(imports=['hrformer_mm'], allow_failed_imports=False)")
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-c', BROKEN + code, str(tmp_path / 'a.py')],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1 and 'add_safe_globals' in done.stderr.splitlines()[-1]


def test_configs_fail_where_the_package_cannot_be_imported():
    assert Config.fromfile(ROOT / 'configs/_base_/hrformer_mm.py').custom_imports == dict(
        imports=['hrformer_mm'], allow_failed_imports=False
    )


def test_public_names():
    from hrformer_mm import MODELS, ClassificationNeck, HRFormer, OCRHead, TopdownHeatmapHead, config_path, to_deploy  # noqa: F401

    assert {'OCRHead', 'config_path', '__version__'} <= set(dir(hrformer_mm))
    assert HRFormer.__module__ == 'hrformer_mm.models.hrformer' and OCRHead is MODELS.get('OCRHead')
    assert all(getattr(hrformer_mm, name) for name in hrformer_mm.__all__)
    with pytest.raises(AttributeError, match="module 'hrformer_mm' has no attribute 'HRNet'"):
        _ = hrformer_mm.HRNet


def test_a_head_without_its_library(run_python):
    out = run_python(
        'import sys; sys.modules["mmseg"] = None\n'
        'try: from hrformer_mm import OCRHead\n'
        'except ImportError as error: print(error)'
    )
    assert out.splitlines()[-1] == 'OCRHead requires mmseg, which is not installed: pip install mmsegmentation'


def part(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imports(path: Path):
    """Return the parts of this package that a file imports."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.level:
            base = path.parent
            for _ in range(node.level - 1):
                base = base.parent
            for name in [node.module] if node.module else [alias.name for alias in node.names]:
                target = base / name.replace('.', '/')
                if target.is_dir() or target.with_suffix('.py').exists():
                    yield part(target.with_suffix('.py') if target.with_suffix('.py').exists() else target)
                else:
                    yield '__init__' if base == PACKAGE else part(base)
        elif isinstance(node, ast.ImportFrom) and (node.module or '').startswith('hrformer_mm'):
            yield (node.module.split('.') + ['__init__'])[1]
        elif isinstance(node, ast.Import):
            for alias in node.names:
                assert not alias.name.startswith('hrformer_mm'), f'{path}: import relatively'


@pytest.mark.parametrize('path', sorted(PACKAGE.rglob('*.py')), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_direction(path):
    own = part(path)
    for target in imports(path):
        assert target == own or target in ALLOWED[own], f'{path} imports {target}'


def test_imports_are_found():
    assert {'ops'} <= set(imports(PACKAGE / 'layers' / 'attention.py'))
    assert {'layers', 'registry', 'weights'} <= set(imports(PACKAGE / 'models' / 'hrformer.py'))
    assert {'compat', 'safe_globals'} == set(imports(PACKAGE / '__init__.py'))


def test_files_are_short():
    long = {str(p): n for p in PACKAGE.rglob('*.py') if (n := len(p.read_text().splitlines())) > 320}
    assert not long
