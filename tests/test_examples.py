"""The scripts of examples/ run from any folder, without arguments, network or weights."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.parametrize(
    'name, printed, file',
    [
        ('predict', "'keypoints': {'nose':", 'predictions/predictions.json'),
        ('train', 'mIoU', 'work_dirs/train/iter_20.pth'),
        ('deploy', 'onnxruntime', None),
    ],
)
def test_example(name, printed, file, tmp_path):
    path = ROOT / f'examples/{name}.py'
    assert len(path.read_text(encoding='utf-8').splitlines()) <= 60
    environment = dict(os.environ, PYTHONPATH=str(ROOT))
    done = subprocess.run([sys.executable, str(path)], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-4000:]
    assert printed in done.stdout
    assert file is None or (tmp_path / file).is_file()
