"""The installed package, from a wheel and editable, in a separate environment: mim and all commands accept model names
from a folder outside the checkout."""

import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ('setup.py', 'pyproject.toml', 'README.md', 'LICENSE', 'model-index.yml', 'configs', 'tools', 'hrformer_mm')
NAME = 'hrformer-t_imagenet'
TINY = [
    'train_dataloader.batch_size=4',
    'train_dataloader.dataset.pipeline.1.scale=64',
    'train_cfg.max_epochs=1',
    'param_scheduler.0.end=1',
    'param_scheduler.1.begin=0',
    'val_dataloader.dataset.pipeline.1.scale=64',
    'val_dataloader.dataset.pipeline.2.crop_size=64',
    'test_dataloader.dataset.pipeline.1.scale=64',
    'test_dataloader.dataset.pipeline.2.crop_size=64',
]
pytestmark = [pytest.mark.slow, pytest.mark.integration]


class Installed:
    """An environment with the package, and with this environment's dependencies. Commands run in a folder of data."""

    def __init__(self, folder: Path, *how: str) -> None:
        self.bin = folder / 'venv' / 'bin'
        self.folder = folder / 'elsewhere'
        self.folder.mkdir()
        self.environment = {name: value for name, value in os.environ.items() if name != 'PYTHONPATH'}
        self.environment.update(PYTHONWARNINGS='ignore', OMP_NUM_THREADS='1')
        self.run(sys.executable, '-m', 'venv', '--without-pip', self.bin.parent)
        (libraries,) = self.bin.parent.glob('lib/*/site-packages')
        # A plain path: *.pth files in it are ignored, so editable packages are not visible.
        (libraries / 'libraries.pth').write_text(sysconfig.get_path('purelib') + '\n')
        source = folder / 'source'  # no build folder in the checkout
        source.mkdir()
        for name in SOURCES:
            (source / name).symlink_to(ROOT / name)
        self.run(
            sys.executable,
            '-m',
            'pip',
            '--python',
            self.bin / 'python',
            'install',
            '--no-index',
            '--no-deps',
            '--no-build-isolation',
            *how,
            source,
        )
        self.run(self.bin / 'hrformer-mm', 'synthesize', 'data', '--only', 'imagenet', '--train', 4, '--val', 4)

    def run(self, *command: object) -> str:
        command = [str(part) for part in command]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, f'{" ".join(command)}\n{(done.stdout + done.stderr)[-4000:]}'
        return done.stdout + done.stderr

    def python(self, *arguments: object) -> str:
        return self.run(self.bin / 'python', *arguments)


@pytest.fixture(scope='module')
def wheel(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp('wheel'))


@pytest.fixture(scope='module')
def editable(tmp_path_factory) -> Installed:
    return Installed(tmp_path_factory.mktemp('editable'), '-e')


@pytest.mark.parametrize(
    'kind, home',
    [('wheel', 'venv/lib/*/site-packages/hrformer_mm/.mim'), ('editable', 'source')],
    ids=['wheel', 'editable'],
)
def test_mim_finds_and_trains(request, kind, home):
    installed = request.getfixturevalue(kind)
    (root,) = installed.folder.parent.glob(home)
    found = installed.python('-c', 'from hrformer_mm.model_index import find_index; print(find_index().parent)')
    assert found.strip() == str(root)
    assert f"'{NAME}'" in installed.python('-m', 'mim', 'search', 'hrformer_mm', '--valid-config')
    out = installed.python(
        '-m', 'mim', 'train', 'hrformer_mm', f'{NAME}.py', '--gpus', 0, '--work-dir', 'work', '--cfg-options', *TINY
    )
    assert 'Training finished successfully' in out and (installed.folder / 'work/epoch_1.pth').exists()


# One process, since each process imports torch and a library again.
COMMANDS = f"""
from pathlib import Path

import numpy as np
import torch
from click.testing import CliRunner
from mmengine.config import Config
from mmengine.registry import MODELS, DefaultScope
from PIL import Image

from hrformer_mm.cli import main
from hrformer_mm.model_index import config_path, read_models
from hrformer_mm.segfix.files import write_offsets

commands = set(main.list_commands(None)) - {{'report', 'synthesize', 'test', 'zoo'}}

def run(line, expected):
    commands.remove(line.split()[0])
    result = CliRunner().invoke(main, line.split())
    assert result.exit_code == 0 and expected in result.output, (line, result.output, result.exception)

assert all(Path(model['Path']).is_file() for model in read_models())
assert config_path('{NAME}') == config_path('{NAME}.py') == config_path('configs/{NAME}.py')
with DefaultScope.overwrite_default_scope('mmpretrain'):
    model = MODELS.build(Config.fromfile(config_path('{NAME}')).model)
torch.save(dict(state_dict=model.state_dict()), 'weights.pth')
torch.save(model.backbone.state_dict(), 'backbone.pth')
for name in ('labels', 'offsets'):
    Path(name).mkdir()
Image.fromarray(np.zeros((6, 8), np.uint8)).save('labels/a.png')
write_offsets('offsets/a.mat', np.zeros((2, 6, 8), np.int8))

run('complexity {NAME}', '8,035,820')
run('weights', 'models in the zoo')
run('convert backbone.pth converted.pth', 'HRFormer tiny')
run('segfix labels offsets out', 'Wrote 1 label maps')
run('predict {NAME} weights.pth labels/a.png --device cpu', 'Wrote 1 results')
run('explain {NAME} weights.pth labels/a.png --device cpu --max-side 32', 'explanation.json')
run('export {NAME} weights.pth model.pt2 --format torch --size 64 64', 'Wrote model.pt2')
run('check-data {NAME} --split val', 'No problem found')
run('doctor', 'All is well')
assert not commands, f'not tried: {{commands}}'
"""


def test_commands(wheel):
    """All commands except `synthesize`, which wrote the data, and `zoo`, which takes over a minute."""
    wheel.python('-c', COMMANDS)
    assert '--cfg-options' in wheel.python('-m', 'mim', 'run', 'hrformer_mm', 'train', NAME, '--', '-h')
    out = wheel.python(
        '-m',
        'mim',
        'test',
        'hrformer_mm',
        f'{NAME}.py',
        '-C',
        'weights.pth',
        '--work-dir',
        'test',
        '--cfg-options',
        *TINY,
    )
    assert 'accuracy/top1' in out and 'Testing finished successfully' in out
    assert 'Wrote report.html' in wheel.run(wheel.bin / 'hrformer-mm', 'report', 'test')
