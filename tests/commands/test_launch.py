"""The launcher that mim runs, which starts the script of a config's library."""

import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from hrformer_mm.checks import DataError
from hrformer_mm.commands.launch import find_script, launch
from hrformer_mm.model_index import read_models

ROOT = Path(__file__).parents[2]


@pytest.fixture
def library(tmp_path, monkeypatch):
    """Write a library `mmtoy` whose script prints its arguments, and a config for it."""
    tools = tmp_path / 'mmtoy/.mim/tools'
    tools.mkdir(parents=True)
    (tmp_path / 'mmtoy/__init__.py').touch()
    (tools / 'train.py').write_text('import sys\nprint(__name__, *sys.argv, sys.path[0], "hrformer_mm" in sys.modules)')
    (tmp_path / 'a.py').write_text("default_scope = 'mmtoy'\n")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, 'argv', ['train.py'])
    return tmp_path


@pytest.mark.parametrize('before', [[], ['--local-rank=0']])  # as torch.distributed.launch has it
def test_the_library_gets_the_arguments(library, capsys, before):
    launch('train.py', [*before, f'{library}/a.py', '--work-dir', 'w'])
    script = f'{library}/mmtoy/.mim/tools/train.py'
    expected = ['__main__', script, *before, f'{library}/a.py', '--work-dir', 'w', str(Path(script).parent), 'True']
    assert capsys.readouterr().out.split() == expected


def test_a_data_set_that_cannot_be_read_is_explained(library):
    """Runners read data sets before they call hooks; the library alone would raise numpy's error."""
    (library / 'mmtoy/.mim/tools/train.py').write_text(
        'from mmengine.dataset import BaseDataset\n'
        'class Empty(BaseDataset):\n'
        '    def load_data_list(self): return []\n'
        'Empty(data_root="nowhere")\n'
    )
    with pytest.raises(DataError, match=r'Empty \(data_root=nowhere.*\) cannot be read: it has no samples') as raised:
        launch('train.py', [f'{library}/a.py'])
    assert 'at least one array' in str(raised.value.__cause__)


def test_other_errors_are_unchanged(library):
    (library / 'mmtoy/.mim/tools/train.py').write_text('raise ValueError("another")')
    with pytest.raises(ValueError, match='^another$'):
        launch('train.py', [f'{library}/a.py'])


def test_a_name_of_the_zoo_is_a_path_to_the_library(library, monkeypatch):
    monkeypatch.setattr('runpy.run_path', lambda path, run_name: None)
    launch('test.py', ['ocr_hrformer-b_cityscapes', 'w.pth'])
    assert sys.argv[0].endswith('mmseg/.mim/tools/test.py') and sys.argv[2:] == ['w.pth']
    assert sys.argv[1] == str(ROOT / 'configs/ocr_hrformer-b_cityscapes.py')


@pytest.mark.parametrize(
    'text, script, error, message',
    [
        ("default_scope = 'mmtoy'", 'test.py', FileNotFoundError, r'mmtoy has no test.py in .*mmtoy/\.mim/tools or'),
        (
            "default_scope = 'mmnone'",
            'train.py',
            ImportError,
            'is for mmnone, which is not installed: pip install mmnone',
        ),
        ('model = {}', 'train.py', ValueError, 'a.py does not name its library'),
    ],
)
def test_configs_that_cannot_be_launched(library, text, script, error, message):
    (library / 'a.py').write_text(text)
    with pytest.raises(error, match=message):
        find_script(script, f'{library}/a.py')


def test_errors_are_one_line():
    with pytest.raises(SystemExit) as raised:
        launch('train.py', ['none.py', '--launcher', 'none'])
    assert str(raised.value).startswith('Error: there is no config file none.py')


@pytest.mark.integration
@pytest.mark.parametrize('name', ['train', 'test'])
def test_help_without_a_config(name):
    """mim requests it before every training, and takes '--gpus' in it as a sign of a library before OpenMMLab 2.0."""
    command = [sys.executable, '-W', 'ignore', f'{ROOT}/tools/{name}.py']
    done = subprocess.run([*command, '-h'], capture_output=True, text=True, env={'PYTHONPATH': str(ROOT)})
    assert done.returncode == 0 and done.stdout.startswith(f'usage: {name}.py CONFIG') and '--gpus' not in done.stdout


def test_mim_finds_every_config_by_its_file_name():
    files = Counter(path.name for path in ROOT.glob('configs/**/*.py'))
    for model in read_models():
        assert files[f'{model["Name"]}.py'] == 1 and model['Config'].endswith(f'/{model["Name"]}.py')
