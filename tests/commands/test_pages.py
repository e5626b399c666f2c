"""Run the fast commands on the pages, on tiny data; tests/test_docs.py parses all of them."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

from hrformer_mm import HRFormer
from hrformer_mm.cli import main
from hrformer_mm.commands.export import export
from hrformer_mm.commands.predict.sources import is_input
from hrformer_mm.segfix.files import write_offsets

_spec = importlib.util.spec_from_file_location('pages', Path(__file__).parents[1] / 'pages.py')
pages = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(pages)

EXAMPLES = [pages.ROOT / 'docs' / f'train_{name}.md' for name in ('your_data', 'keypoints', 'classification')]
COMMANDS = {
    ' '.join(words).replace('CHECKPOINT', 'weights.pth'): words
    for page in pages.PAGES
    if page not in EXAMPLES
    for words in pages.commands(page)
    if pages.covered(words) is None
}
pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Create a folder with all files that the commands name."""
    monkeypatch.chdir(tmp_path)
    for name in ('configs', 'model-index.yml'):
        (tmp_path / name).symlink_to(pages.ROOT / name)
    for name in ('docs', 'folder', 'photos', 'LABELS', 'FOLDER'):
        (tmp_path / name).mkdir()
    picture = np.kron(np.random.default_rng(0).integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8)
    for name in ('photo.jpg', 'picture.jpg', 'folder/a.png', 'photos/b.png'):
        assert cv2.imwrite(name, picture)
    writer = cv2.VideoWriter('video.mp4', cv2.VideoWriter_fourcc(*'mp4v'), 10, (128, 96))
    for _ in range(2):
        writer.write(picture)
    writer.release()
    assert cv2.imwrite('LABELS/a.png', np.zeros((8, 12), np.uint8))
    write_offsets('FOLDER/a.mat', np.zeros((2, 8, 12), np.int8))
    return tmp_path


def made_small(words: list[str], micro: dict[str, tuple[str, str]]) -> list[str]:
    """Replace the arguments of a command by those for a micro model, without a camera."""
    action, *rest = words
    if action == 'predict' and rest[0].endswith('.onnx'):
        export(*micro['pose'], rest[0])
        rest += ['--whole-image']
    elif action in ('predict', 'export'):
        task = 'pose' if 'td-hm' in rest[0] else 'cls' if 'imagenet' in rest[0] else 'seg'
        released = action == 'predict' and is_input(rest[1])
        rest[: 1 if released else 2] = micro[task]
        rest += ['--whole-image'] if released else []  # no detector is downloaded
        rest = [word for word in rest if not word.startswith('camera:')]
        rest += ['--size', '64', '64'] if action == 'export' and '--size' not in rest else []
    elif action == 'convert':
        torch.save(HRFormer('tiny').state_dict(), rest[0])
    elif action == 'synthesize':
        rest += ['--train', '10', '--val', '10']
    return [action, *rest]


@pytest.mark.parametrize('name', COMMANDS)
def test_command(name, folder, micro):
    words = made_small(COMMANDS[name][1:], micro)
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0 or words[0] == 'doctor', f'{result.output}\n{result.exception!r}'
    assert result.output


@pytest.mark.integration
def test_a_tool_of_a_host(tmp_path):
    """With mmcv-lite, a tool that imports models needs the repairs before."""
    tool = Path(find_spec('mmseg').submodule_search_locations[0], '.mim/tools/analysis_tools/get_flops.py')
    (words,) = (words for words in pages.commands(pages.ROOT / 'docs/install.md') if words[-1] == 'TOOL')
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', *words[1:-1], str(tool), '--help'],
        cwd=pages.ROOT,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0 and 'usage: get_flops.py' in done.stdout, done.stderr


@pytest.mark.integration
def test_train_your_data(tmp_path, monkeypatch):
    """Run the worked examples, command by command, with few iterations."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'configs').symlink_to(pages.ROOT / 'configs')
    for name, text in (file for page in EXAMPLES for file in pages.files(page).items()):
        for old, new in (('iters = 300', 'iters = 12'), ('max_epochs=20', 'max_epochs=1')):
            text = text.replace(old, new)
        (tmp_path / name).write_text(text)
    environment = dict(os.environ, PYTHONPATH=str(pages.ROOT), PYTHONWARNINGS='ignore')
    for words in (words for page in EXAMPLES for words in pages.commands(page)):
        # These need files from the network.
        if words[:2] == ['hrformer-mm', 'convert'] or any('camvid' in word for word in words):
            continue
        words = [word.replace('iter_300', 'iter_12').replace('epoch_20', 'epoch_1') for word in words]
        if words[1] == 'synthesize' and '--train' not in words:
            words += ['--train', '10', '--val', '10']
        program = sys.executable if words[0] == 'python' else str(Path(sys.executable).with_name(words[0]))
        done = subprocess.run([program, *words[1:]], capture_output=True, text=True, env=environment, timeout=600)
        assert done.returncode == 0, f'{words}\n{(done.stdout + done.stderr)[-4000:]}'
    predicted, exported = (
        {
            result['source']: result['shares']
            for result in json.loads((tmp_path / folder / 'predictions.json').read_text())
        }
        for folder in ('predictions', 'exported')
    )
    assert len(predicted) == 6 and predicted.keys() < exported.keys()
    for source, shares in predicted.items():
        assert exported[source] == pytest.approx(shares, abs=1e-3)
    assert [path.suffix for path in (tmp_path / 'work_dirs/pose').glob('epoch_1*')] == ['.pth']
    assert [path.suffix for path in (tmp_path / 'work_dirs/labels').glob('epoch_1*')] == ['.pth']
    shutil.rmtree(tmp_path / 'work_dirs')
