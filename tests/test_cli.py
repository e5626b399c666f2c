import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

from hrformer_mm import __version__
from hrformer_mm.cli import main
from hrformer_mm.models import HRFormer

ROOT = Path(__file__).parents[1]


def run(*args):
    return CliRunner().invoke(main, [str(a) for a in args])


def test_help_and_version(run_python):
    assert 'convert' in run('--help').output and 'synthesize' in run('-h').output
    assert __version__ in run('--version').output
    out = run_python(
        'import runpy, sys; sys.argv = ["hrformer_mm", "--version"]; '
        'runpy.run_module("hrformer_mm", run_name="__main__")'
    )
    assert __version__ in out


@pytest.mark.parametrize('command', ['', 'doctor', 'zoo'])
def test_help_imports_no_library(run_python, command):
    out = run_python(
        'import sys\n'
        'from hrformer_mm.cli import main\n'
        'main([*sys.argv[1].split(), "--help"], standalone_mode=False)\n'
        'print({"torch", "mmengine", "numpy", "mmcv"} & set(sys.modules))',
        command,
    )
    assert out.splitlines()[-1] == 'set()'


def test_convert(tmp_path):
    torch.save(HRFormer('tiny').state_dict(), tmp_path / 'a.pth')
    result = run('convert', tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert result.exit_code == 0, result.output
    assert 'a backbone file' in result.output and 'HRFormer tiny, windows 7, 7, 7, 7' in result.output
    assert os.path.exists(tmp_path / 'b.pth')


@pytest.mark.parametrize('source, message', [('none.pth', 'there is no checkpoint at'), ('a.txt', 'a.txt')])
def test_convert_errors_are_one_line(tmp_path, source, message):
    (tmp_path / 'a.txt').write_text('text')
    result = run('convert', tmp_path / source, tmp_path / 'b.pth')
    assert result.exit_code == 1 and result.output.startswith('Error: ') and message in result.output
    assert len(result.output.splitlines()) == 1 and not (tmp_path / 'b.pth').exists()


def test_synthesize(tmp_path):
    result = run('synthesize', tmp_path / 'data', '--only', 'imagenet', '--train', 10, '--val', 10, '--size', 64, 64)
    assert result.exit_code == 0, result.output
    assert os.listdir(tmp_path / 'data') == ['imagenet']
    (tmp_path / 'data/imagenet/mine.txt').write_text('mine')
    result = run('synthesize', tmp_path / 'data', '--only', 'imagenet')
    assert result.exit_code == 1 and 'imagenet' in result.output and (tmp_path / 'data/imagenet/mine.txt').exists()
    assert run('synthesize', tmp_path / 'data', '--only', 'mnist').exit_code == 2


def test_logs_of_libraries_are_not_in_the_output():
    """mmengine logs to standard output, which must contain only JSON."""
    command = [sys.executable, '-W', 'ignore', '-m', 'hrformer_mm', 'complexity', 'hrformer-t_imagenet', '--json']
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert json.loads(done.stdout)[0]['parts']['total']['parameters'] == 8035820
