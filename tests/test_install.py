"""What a user installs: the wheel's contents and its entry point."""
import email
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import hrformer_mm

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> zipfile.ZipFile:
    """Built from a copy, so that no build folder appears in the checkout."""
    folder = tmp_path_factory.mktemp('wheel')
    copy = folder / 'source'
    copy.mkdir()
    for name in ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'model-index.yml', 'configs', 'tools',
                 'hrformer_mm', 'tests'):
        if (ROOT / name).exists():  # linked, not copied: setuptools only reads them
            (copy / name).symlink_to(ROOT / name)
    command = [sys.executable, '-m', 'pip', 'wheel', '--no-deps', '--no-build-isolation', '-w', str(folder), str(copy)]
    result = subprocess.run(command, capture_output=True, text=True)
    assert result.returncode == 0, f'{result.stdout}\n{result.stderr}'
    path, = folder.glob('*.whl')
    return zipfile.ZipFile(path)


def dist_info(wheel: zipfile.ZipFile, name: str) -> str:
    return wheel.read(f'hrformer_mm-{hrformer_mm.__version__}.dist-info/{name}').decode()


def test_wheel_holds_the_whole_package_and_nothing_else(wheel):
    built = {name for name in wheel.namelist() if '.dist-info/' not in name}
    source = {
        str(path.relative_to(ROOT)) for path in (ROOT / 'hrformer_mm').rglob('*')
        if path.suffix in ('.py', '.json', '.yml', '.yaml', '.html', '.css')}
    for_mim = {
        f'hrformer_mm/.mim/{path.relative_to(ROOT)}'
        for pattern in ('configs/**/*.py', 'configs/**/*.yml', 'tools/*.py')
        for path in ROOT.glob(pattern)}
    assert built == source | for_mim | {'hrformer_mm/.mim/model-index.yml'}


def test_configs_in_the_wheel_are_those_of_the_checkout(wheel):
    for name in ('model-index.yml', 'tools/train.py', 'configs/ocr_hrformer-b_cityscapes.py'):
        assert wheel.read(f'hrformer_mm/.mim/{name}') == (ROOT / name).read_bytes()


def test_wheel_declares_its_command(wheel):
    assert 'hrformer-mm = hrformer_mm.cli:main' in dist_info(wheel, 'entry_points.txt')


def test_wheel_requires_neither_mmcv_nor_a_host(wheel):
    metadata = email.message_from_string(dist_info(wheel, 'METADATA'))
    assert metadata['Version'] == hrformer_mm.__version__
    requirements = metadata.get_all('Requires-Dist')
    always = {re.match(r'[\w-]+', line).group() for line in requirements if 'extra ==' not in line}
    assert always == {'torch', 'mmengine', 'numpy', 'click', 'filelock', 'jinja2', 'matplotlib', 'opencv-python',
                      'pygments', 'rich'}
    assert not any(line.startswith('mmcv') for line in requirements)
    assert set(metadata.get_all('Provides-Extra')) == {'seg', 'pose', 'cls', 'det', 'export', 'test'}


def test_license_is_in_the_wheel(wheel):
    assert any(name.endswith('LICENSE') for name in wheel.namelist())
