"""The set-up: which environments it keeps, what it installs, which Pythons it supports; the checks that CI runs."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent


def load(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def tasks(tmp_path, monkeypatch):
    module = load('tasks', ROOT / 'tasks.py')
    for name in module.INDEX_VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(module, 'SETUP_LOG', tmp_path / 'setup.log')
    module.use_venv(tmp_path / 'venv')
    return module


@pytest.fixture
def installed(tasks, monkeypatch):
    """A venv, and the arguments of every call of uv or pip, which does nothing."""
    calls = []
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', tasks.VENV], check=True)
    monkeypatch.setattr(tasks, 'install', lambda *args: calls.append(list(map(str, args))))
    return calls


def test_a_venv_is_kept_while_it_works(tasks, installed, tmp_path):
    assert tasks.venv_works()
    tasks.STAMP.write_text(tasks.UNFINISHED)  # killed while packages were written
    assert not tasks.venv_works()
    tasks.STAMP.unlink()
    shutil.copytree(tasks.VENV, tmp_path / 'copy', symlinks=True)
    tasks.use_venv(tmp_path / 'copy')
    assert not tasks.venv_works()
    tasks.use_venv(tmp_path / 'none')
    assert not tasks.venv_works()


def test_a_venv_of_another_python_is_not(tasks, installed):
    tasks.PYTHON.unlink()
    tasks.PYTHON.write_text('#!/bin/sh\necho 3 10\n')
    tasks.PYTHON.chmod(0o755)
    assert not tasks.venv_works()


@pytest.mark.parametrize('status, left', [(1, False), (137, True)])
def test_only_a_kill_leaves_the_mark(tasks, monkeypatch, status, left):
    """Where pip or uv ends by itself, the venv is consistent, and the next set-up goes on from there."""
    tasks.VENV.mkdir()

    def fail(*args):
        raise tasks.Failure('it failed', status)

    monkeypatch.setattr(tasks, 'run', fail)
    with pytest.raises(tasks.Failure):
        tasks.install('a')
    assert tasks.STAMP.exists() == left


def test_the_build_for_the_cpu(tasks, installed, monkeypatch):
    tasks.install_requirements(cpu=False)
    assert (tasks.VENV / 'requirements.txt').read_text() in (ROOT / 'requirements.txt').read_text()
    tasks.install_requirements(cpu=True)
    lines = (tasks.VENV / 'requirements.txt').read_text().splitlines()
    assert 'torch==2.11.0+cpu' in lines and 'torchvision==0.26.0+cpu' in lines and 'torchao==0.18.0' in lines
    assert not [line for line in lines if line.startswith(('nvidia', 'cuda', 'triton'))]
    assert '--extra-index-url' in installed[1] and '--extra-index-url' not in installed[0]
    monkeypatch.setenv('PIP_EXTRA_INDEX_URL', 'https://mirror.example/whl/cpu')
    assert tasks.index_for_cpu()
    tasks.install_requirements(cpu=True)
    assert '--extra-index-url' not in installed[2]


def test_pip_check(tasks, monkeypatch):
    """What is expected passes; anything else fails."""
    lines = [
        'mmpose 1.3.2 requires chumpy, which is not installed.',
        'xtcocotools 1.14.3 is not supported on this platform',
        'xtcocotools 1.14.3 requires cython, which is not installed.',
    ]
    monkeypatch.setattr(tasks, 'run', lambda *args: None)
    monkeypatch.setattr(
        tasks.subprocess, 'run', lambda *args, **kwargs: subprocess.CompletedProcess([], 1, '\n'.join(lines), '')
    )
    tasks.check_stack()
    lines.append('mmdet 3.3.0 requires shapely, which is not installed.')
    with pytest.raises(tasks.Failure, match='^pip check: mmdet 3.3.0 requires shapely, which is not installed.$'):
        tasks.check_stack()


def test_other_pythons_are_refused(tasks, monkeypatch):
    monkeypatch.setattr(tasks.sys, 'version_info', (3, 10, 13))
    with pytest.raises(tasks.Failure, match='for Python 3.11 to 3.14'):
        tasks.main(['setup'])


@pytest.mark.parametrize('failing', [None, 'mypy'])
def test_every_check_runs(tasks, monkeypatch, tmp_path, failing):
    """Also after one that fails, whose command the error names. Without mkdocs.yml there is no documentation."""
    ran = []

    def run(command, **kwargs):
        ran.append(command[0].name)
        return subprocess.CompletedProcess(command, ran[-1] == failing)

    monkeypatch.setattr(tasks.subprocess, 'run', run)
    monkeypatch.setattr(tasks, 'ROOT', tmp_path)
    if failing:
        (tmp_path / 'mkdocs.yml').touch()
        with pytest.raises(tasks.Failure, match='^failed: mypy$'):
            tasks.check()
    else:
        tasks.check()
    assert ran == ['ruff', 'ruff', 'mypy'] + ['mkdocs'] * bool(failing)


def test_pre_commit_runs_the_same_linters(tasks):
    hooks = yaml.safe_load((ROOT / '.pre-commit-config.yaml').read_text())['repos'][0]['hooks']
    commands = {tuple(hook['entry'].split()[:2]) for hook in hooks}
    assert commands == {('ruff', 'check'), ('ruff', 'format'), ('mypy',)}


@pytest.fixture
def pythons(tmp_path, monkeypatch):
    """The script, which writes below a temporary folder."""
    monkeypatch.syspath_prepend(ROOT)
    module = load('pythons', ROOT / 'scripts' / 'pythons.py')
    monkeypatch.setattr(module, 'ROOT', tmp_path)
    monkeypatch.setattr(module, 'FOLDER', tmp_path / 'pythons')
    return module


def test_counts_of_a_test_run(pythons):
    assert pythons.counts('…\n= 1 failed, 800 passed, 2 skipped, 3 errors in 173.03s =\n') == '800, 4, 2'
    assert pythons.counts('') == '0, 0, 0'
    assert f'3.{sys.version_info[1]}' in pythons.find_pythons()


def test_table_of_pythons(pythons, monkeypatch):
    """Each environment runs both commands of the README, and keeps its row when another one runs."""
    ran = []

    def run(command, log):
        ran.append([str(word) for word in command[1:]])
        log.parent.mkdir(exist_ok=True)
        task = ran[-1][-1]
        if task == '-q':
            return '3.12' not in ran[-1][2], '= 2 failed, 3021 passed in 400.00s ='
        return True, '[ 1 s] mIoU 0.612 (untrained 0.001)   AP 0.850 (untrained 0.000)' if task == 'demo' else ''

    monkeypatch.setattr(pythons, 'run', run)
    monkeypatch.setattr(pythons, 'find_pythons', lambda: {'3.12': 'python3.12'})
    monkeypatch.setattr(
        pythons.subprocess, 'check_output', lambda *args, **kwargs: '3.12.1 2.11.0 2.4.6 2.1.0 0.10.7 80'
    )
    assert pythons.main(['3.12']) == 1
    assert [words[3] for words in ran] == ['setup', 'test', 'demo', 'zoo']
    assert pythons.main(['--cpu', 'newest']) == 0
    assert '--cpu' in ran[4] and {'install', '--upgrade', 'torch', 'setuptools'} <= set(ran[5])
    lines = (pythons.FOLDER / 'table.md').read_text().splitlines()
    assert len(lines) == 4 and len({line.count('|') for line in lines}) == 1
    assert '| 3021, 2, 0 | mIoU 0.612, AP 0.850 | passed |' in lines[2]


def test_missing_python(pythons, capsys):
    assert pythons.main(['3.99']) == 2
    assert 'no 3.99 here; found: 3.' in capsys.readouterr().err
