"""Weights by name through every reader, from a server that may send incomplete or damaged files."""

import json
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
import serving
import torch
from click.testing import CliRunner
from mmengine.config import Config
from mmengine.runner import CheckpointLoader
from serving import BACKBONE, LINK, POSE, kept

import hrformer_mm.registry  # noqa: F401  (registers the loaders)
from hrformer_mm import config_path
from hrformer_mm.cli import main
from hrformer_mm.commands.convert import convert
from hrformer_mm.models import HRFormer
from hrformer_mm.released import released, weights_of
from hrformer_mm.weights import download, locate, read_tensors

STATES = serving.states()
SCHEME = 'hrformer_mm://'


@pytest.fixture
def server(tmp_path, monkeypatch):
    with serving.serve(tmp_path, monkeypatch) as running:
        yield running


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in b)


@pytest.mark.parametrize('name', [POSE, SCHEME + POSE, POSE.upper()])
def test_readers(server, name, tmp_path):
    """Our reader, mmengine's loader and `convert` share one download in torch.hub's cache."""
    assert same(read_tensors(name), STATES[POSE])
    assert same(CheckpointLoader.load_checkpoint(name, 'cpu')['state_dict'], STATES[POSE])
    done = convert(name, tmp_path / 'b.pth')
    assert done.layout == ('pose', False) and 'head.final_layer.bias' in torch.load(tmp_path / 'b.pth')
    assert server.asked == 1
    assert [path.parent for path in kept(tmp_path)] == [tmp_path / 'hub/checkpoints']


def test_init_cfg(server):
    model = HRFormer(serving.ARCH, out_indices=(0,), init_cfg=dict(type='Pretrained', checkpoint=SCHEME + BACKBONE))
    assert server.asked == 0  # building a model fetches nothing
    model.init_weights()
    assert same(model.state_dict(), STATES[BACKBONE])


def pose_config():
    cfg = Config.fromfile(config_path('td-hm_hrformer-s_coco-256x192'))
    cfg.merge_from_dict({'model.head.in_channels': 18})
    cfg.model.backbone.arch = serving.ARCH
    return cfg


def test_mmposes_inferencer(server, tmp_path):
    from mmpose.apis import MMPoseInferencer

    pose_config().dump(tmp_path / 'a.py')
    model = MMPoseInferencer(
        pose2d=str(tmp_path / 'a.py'), pose2d_weights=POSE, det_model='whole_image', device='cpu'
    ).inferencer.model
    assert torch.equal(model.head.final_layer.bias, STATES[POSE]['keypoint_head.final_layer.bias'])
    assert server.asked == 1


def test_predict_fetches_the_weights_of_its_config(server, tmp_path):
    """Without a checkpoint, `predict` uses the weights for its config, and a note names them."""
    config, photo = tmp_path / f'{POSE}.py', tmp_path / 'photo.png'
    pose_config().dump(config)
    cv2.imwrite(str(photo), np.random.default_rng(0).integers(0, 255, (96, 128, 3)))
    results = {}
    for given in ([], [POSE]):
        arguments = ['predict', config, *given, photo, '-o', tmp_path / 'out', '--whole-image', '--device', 'cpu']
        result = CliRunner().invoke(main, list(map(str, arguments)))
        assert result.exit_code == 0, result.output
        assert (f'Note: no checkpoint is given: using the weights {POSE} of p.' in result.stderr) == (not given)
        results[len(given)] = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert server.asked == 1 and results[0] == results[1] and len(results[0][0]['people']) == 1
    server.mode, (path,) = 'error', [path for path in kept(tmp_path) if path.suffix == '.pth']
    path.unlink()
    arguments = ['predict', str(config), str(photo), '-o', str(tmp_path / 'new'), '--whole-image']
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and str(path) in result.stderr and len(result.stderr.splitlines()) == 1
    assert not (tmp_path / 'new').exists()


@pytest.mark.parametrize(
    'command, arguments',
    [
        ('explain', ['photo.png', '--max-side', '64']),
        pytest.param('export', ['a.onnx', '--size', '64', '64'], marks=pytest.mark.slow),
    ],
)
def test_other_commands_take_a_name(server, tmp_path, monkeypatch, command, arguments):
    monkeypatch.chdir(tmp_path)
    cv2.imwrite('photo.png', np.random.default_rng(0).integers(0, 255, (48, 64, 3)))
    pose_config().dump('a.py')
    result = CliRunner().invoke(main, [command, 'a.py', POSE, *arguments])
    assert result.exit_code == 0 and server.asked == 1, result.output


def test_weights_that_require_a_browser(server, tmp_path):
    """The error contains the link and the next step, after which the name works, also in mmpretrain's hub."""
    with pytest.raises(
        FileNotFoundError,
        match='only a browser can fetch it: open https://example.com/x in a browser, '
        f'then: hrformer-mm convert FILE {SCHEME}{LINK}',
    ):
        read_tensors(LINK)
    torch.save(STATES[BACKBONE], tmp_path / 'downloaded.pth')
    convert(tmp_path / 'downloaded.pth', SCHEME + LINK)
    for reader in (read_tensors, CheckpointLoader.load_checkpoint):
        assert {f'backbone.{name}' for name in STATES[BACKBONE]} == reader(SCHEME + LINK).keys()


def test_pretrained_models_of_mmpretrain(server, monkeypatch):
    """`pretrained=True` loads the weights in the metafile, and never falls back to random weights."""
    import mmpretrain
    from mmpretrain.apis import ModelHub

    from hrformer_mm.model_index import find_index

    monkeypatch.setattr(ModelHub, '_models_dict', dict(ModelHub._models_dict))
    ModelHub.register_model_index(find_index(), config_prefix=find_index().parent)
    with pytest.raises(FileNotFoundError, match=f'convert FILE {SCHEME}{LINK}'):
        mmpretrain.get_model(LINK, pretrained=True)


@pytest.mark.parametrize(
    'source, hint',
    [
        (SCHEME + 'td-hm_hrformer-s_coco-256x191', f'similar names are {POSE}'),
        ('td-hm_hrformer-s_coco-256x191', f'similar names are {POSE}'),
        ('nothing.pth', 'hrformer-mm weights lists'),
    ],
)
def test_unknown_names(server, source, hint):
    with pytest.raises(FileNotFoundError, match=f'there is no checkpoint at {source}, and no released .*{hint}'):
        read_tensors(source)


def test_existing_file_takes_precedence(server, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    torch.save(dict(a=torch.ones(2)), POSE)
    assert read_tensors(POSE).keys() == {'a'} and read_tensors(SCHEME + POSE).keys() != {'a'}


BROKEN = dict(
    short='of .* bytes were received',
    chunked='was not fetched .IncompleteRead',
    error='not fetched .HTTP Error 503',
    html='was not used: it is a web page',
)


@pytest.mark.parametrize('mode', BROKEN)
def test_broken_downloads(server, tmp_path, mode):
    """The error is one line, no file remains, and the next attempt succeeds."""
    server.mode = mode
    with pytest.raises((OSError, ValueError), match=BROKEN[mode]) as error:
        read_tensors(POSE)
    assert '\n' not in str(error.value) and released()[POSE].address in str(error.value) and kept(tmp_path) == []
    server.mode = 'whole'
    assert same(read_tensors(POSE), STATES[POSE])


def test_modified_file_at_the_address(server, tmp_path):
    for path in server.files:
        server.files[path] = server.files[path].replace(b'\0\0\0\0', b'\0\0\0\1', 1)[:-1] + b'x'
    with pytest.raises(ValueError, match='was not used: '):
        read_tensors(POSE)
    assert kept(tmp_path) == []


def test_no_network(server, tmp_path):
    """The error names the file and the path at which it can be saved; a file saved there is used."""
    content = next(content for path, content in server.files.items() if 'coco' in path)
    server.shutdown()
    server.server_close()
    path = released()[POSE].path
    with pytest.raises(OSError, match=f'{released()[POSE].address} was not fetched .*refused.*save it as {path}'):
        read_tensors(POSE)
    path.write_bytes(content)
    assert same(read_tensors(POSE), STATES[POSE])
    path.write_bytes(content[:-1])  # a damaged file is not used
    with pytest.raises(OSError, match='was not fetched'):
        read_tensors(POSE)


def test_read_only_cache(server, tmp_path, monkeypatch):
    """Files in the cache are used without a lock; missing files raise a clear error."""
    locate(POSE)

    def refuse(path):
        raise PermissionError(30, 'Read-only file system', path)

    monkeypatch.setattr(download, 'FileLock', refuse)
    assert same(read_tensors(POSE), STATES[POSE])
    with pytest.raises(OSError, match='was not fetched .*Read-only file system.*save it as'):
        read_tensors(BACKBONE)
    (tmp_path / 'file').touch()
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'file'))
    with pytest.raises(OSError, match='was not fetched .*Not a directory'):
        read_tensors(BACKBONE)


@pytest.mark.integration
def test_two_processes_at_once(server, tmp_path):
    """Both processes share one download."""
    code = 'import sys; from hrformer_mm.weights import fetch; print(fetch(sys.argv[1]))'
    environment = dict(os.environ, TORCH_HOME=str(tmp_path / 'home'), PYTHONPATH=str(Path(__file__).parents[2]))
    both = [
        subprocess.Popen(
            [sys.executable, '-W', 'ignore', '-c', code, released()[POSE].address],
            env=environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    paths = {process.communicate()[0].strip() for process in both}
    assert server.asked == 1 and len(paths) == 1 and [process.returncode for process in both] == [0, 0]
    assert same(read_tensors(paths.pop()), STATES[POSE])


def test_weights_of_configs():
    """Weights with an address take precedence; weights of parts of a model are not returned."""
    assert weights_of('td-hm_hrformer-b_coco-384x288_test-dev').address.endswith('384x288-ecf0758d_20220316.pth')
    assert weights_of('hrformer-s_imagenet').link and weights_of('ocr_hrformer-s_custom') is None
