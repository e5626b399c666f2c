"""What a user installs: the wheel's contents, what it requires, and its entry point."""

import ast
import email
import re
import subprocess
import sys
import tomllib
import zipfile
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import hrformer_mm

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Built from a copy, so that no build folder appears in the checkout."""
    folder = tmp_path_factory.mktemp('wheel')
    copy = folder / 'source'
    copy.mkdir()
    for name in (
        'setup.py',
        'pyproject.toml',
        'README.md',
        'LICENSE',
        'model-index.yml',
        'configs',
        'tools',
        'hrformer_mm',
        'tests',
    ):
        if (ROOT / name).exists():  # linked, not copied: setuptools only reads them
            (copy / name).symlink_to(ROOT / name)
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-w', str(folder), str(copy)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f'{result.stdout}\n{result.stderr}'
    (path,) = folder.glob('*.whl')
    return zipfile.ZipFile(path)


def dist_info(wheel: zipfile.ZipFile, name: str) -> str:
    return wheel.read(f'hrformer_mm-{hrformer_mm.__version__}.dist-info/{name}').decode()


def test_wheel_holds_the_whole_package_and_nothing_else(wheel):
    built = {name for name in wheel.namelist() if '.dist-info/' not in name}
    source = {
        str(path.relative_to(ROOT))
        for path in (ROOT / 'hrformer_mm').rglob('*')
        if path.suffix in ('.py', '.json', '.yml', '.yaml', '.html', '.css') or path.name == 'py.typed'
    }
    for_mim = {
        f'hrformer_mm/.mim/{path.relative_to(ROOT)}'
        for pattern in ('configs/**/*.py', 'configs/**/*.yml', 'tools/*.py')
        for path in ROOT.glob(pattern)
    }
    assert built == source | for_mim | {'hrformer_mm/.mim/model-index.yml'}


def test_configs_in_the_wheel_are_those_of_the_checkout(wheel):
    for name in ('model-index.yml', 'tools/train.py', 'configs/ocr_hrformer-b_cityscapes.py'):
        assert wheel.read(f'hrformer_mm/.mim/{name}') == (ROOT / name).read_bytes()


def test_wheel_declares_its_command(wheel):
    assert 'hrformer-mm = hrformer_mm.cli:main' in dist_info(wheel, 'entry_points.txt')


def test_wheel_requires_neither_mmcv_nor_a_host(wheel):
    content = email.message_from_string(dist_info(wheel, 'METADATA'))
    assert content['Version'] == hrformer_mm.__version__ and content['Requires-Python'] == '>=3.11'
    requirements = [Requirement(line) for line in content.get_all('Requires-Dist')]
    assert {r.name for r in requirements if not r.marker} == {
        'torch',
        'numpy',
        'click',
        'filelock',
        'pillow',
        'pyyaml',
        'rich',
    }
    assert not any(r.name.startswith('mmcv') for r in requirements)
    assert set(content.get_all('Provides-Extra')) == {
        'all',
        'cli',
        'cls',
        'det',
        'export',
        'openvino',
        'pose',
        'report',
        'safetensors',
        'seg',
        'test',
    }


# Modules whose distribution has another name.
DISTRIBUTIONS = dict(PIL='pillow', yaml='pyyaml', mmseg='mmsegmentation')
# Each of these has several distributions, which the doctor checks; mmpose is installed without what it requires.
NOT_DECLARED = {'mmcv', 'cv2', 'mmpose'}
# What an extra brings, and the parts of the package that may import it.
OPTIONAL = {
    'mmengine': '',
    'matplotlib': 'commands',
    'jinja2': 'commands',
    'onnxruntime': ('commands', 'runtime'),
    'onnxscript': 'commands',
    'openvino': ('commands', 'deploy', 'runtime'),
    'torchvision': 'commands',
    'nncf': 'commands',
    'scipy': 'segfix',
    'mmdet': 'commands',
    'mmpretrain': '',
    'mmsegmentation': '',
}


def third_party_imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        names = (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else ([node.module] if isinstance(node, ast.ImportFrom) and not node.level else [])
        )
        yield from {name.split('.')[0] for name in names} - set(sys.stdlib_module_names)


def test_every_import_is_declared(wheel):
    requirements = [
        Requirement(line) for line in email.message_from_string(dist_info(wheel, 'METADATA')).get_all('Requires-Dist')
    ]
    always = {r.name for r in requirements if not r.marker}
    extra = {r.name for r in requirements if r.marker and 'test' not in str(r.marker)}
    seen = set()
    for path in (ROOT / 'hrformer_mm').rglob('*.py'):
        part = path.relative_to(ROOT / 'hrformer_mm').parts[0]
        for module in third_party_imports(path):
            name = DISTRIBUTIONS.get(module, module)
            seen.add(name)
            if name not in always | NOT_DECLARED:
                assert name in extra, f'{path} imports {module}, which pyproject.toml does not declare'
                assert part.startswith(OPTIONAL[name]), f'{path} imports {module}, which is an extra'
    assert {*OPTIONAL, *NOT_DECLARED, 'torch', 'numpy', 'pyyaml', 'pillow'} <= seen


def test_a_command_without_its_extra(run_python):
    out = run_python(
        "import sys; sys.modules['jinja2'] = None\n"
        'from click.testing import CliRunner; from hrformer_mm.cli import main\n'
        "print(CliRunner().invoke(main, ['report', 'folder']).output)"
    )
    assert out.strip() == "Error: report requires jinja2: pip install 'hrformer_mm[all]'"


def test_requirements_are_all_pinned_and_locked():
    """pip and uv install requirements.txt without looking at what its packages require."""
    locked = [
        Requirement(line)
        for line in (ROOT / 'requirements.txt').read_text().splitlines()
        if not line.lstrip().startswith('#')
    ]
    assert all(re.fullmatch(r'==[\w.]+', str(r.specifier)) for r in locked)
    names = {r.name for r in locked}
    direct = {
        Requirement(line).name
        for line in (ROOT / 'requirements.in').read_text().splitlines()
        if not line.startswith('#')
    }
    assert direct <= names and not {'chumpy', 'xtcocotools'} & names
    locked = [r for r in locked if r.marker is None or r.marker.evaluate()]
    # The first of several of a name is the one that counts: setuptools brings copies of some packages.
    installed = {canonicalize_name(d.name): d.version for d in reversed(list(metadata.distributions()))}
    others = [str(r) for r in locked if not r.specifier.contains(installed.get(canonicalize_name(r.name), '0'))]
    if others:
        pytest.skip(f'what the locked versions require is unknown, as others are installed: {", ".join(others)}')
    for r in locked:
        for line in metadata.requires(r.name) or ():
            needed = Requirement(line)
            if needed.marker is None or needed.marker.evaluate(dict(extra='')):
                assert canonicalize_name(needed.name) in names | {'chumpy', 'xtcocotools'}, f'{r.name} needs {line}'


def test_dependency_groups_are_locked():
    """The groups list what requirements.in pins; the group and the extra for tests are the same."""
    project = tomllib.loads((ROOT / 'pyproject.toml').read_text())
    groups = project['dependency-groups']
    assert groups['test'] == project['project']['optional-dependencies']['test']
    pinned = {
        canonicalize_name(Requirement(line).name)
        for line in (ROOT / 'requirements.in').read_text().splitlines()
        if not line.startswith('#')
    }
    needed = {canonicalize_name(Requirement(line).name) for name in ('lint', 'docs', 'test') for line in groups[name]}
    assert needed <= pinned


def test_license_is_in_the_wheel(wheel):
    assert any(name.endswith('LICENSE') for name in wheel.namelist())
