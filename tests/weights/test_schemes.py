"""A malicious file in every loader of the libraries, with PyTorch's own protection disabled."""

import json
import os
import subprocess
import sys
from functools import partial
from http.server import HTTPServer, SimpleHTTPRequestHandler
from pathlib import Path
from threading import Thread

import pytest
import torch
from mmengine.runner import CheckpointLoader
from mmengine.runner.checkpoint import load_from_local

import hrformer_mm.registry  # noqa: F401  (registers the loaders)
from hrformer_mm import config_path
from hrformer_mm.data import synthesize

SEG, POSE, CLS, DET = (
    'ocr_hrformer-s_cityscapes',
    'td-hm_hrformer-t_coco-256x192',
    'hrformer-t_imagenet',
    'fcos_hrformer-s_coco',
)


class Hostile:
    def __reduce__(self):
        return os.mkdir, ('it_ran',)


@pytest.fixture
def hostile(tmp_path, monkeypatch):
    """Return a file that creates a folder when it is loaded with `weights_only=False`, which is the default here."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    torch.save(dict(state_dict={}, other=Hostile()), 'hostile.pth')
    yield tmp_path / 'hostile.pth'
    assert not Path('it_ran').exists()


def test_default_loader_would_run_the_code(hostile):
    load_from_local(str(hostile), map_location='cpu')
    assert Path('it_ran').is_dir()
    os.rmdir('it_ran')


def mmseg_inferencer(path):
    from mmseg.apis import MMSegInferencer

    MMSegInferencer(config_path(SEG), path, device='cpu')


def mmseg_init_model(path):
    from mmseg.apis import init_model

    init_model(config_path(SEG), path, device='cpu')


def mmpose_inferencer(path):
    from mmpose.apis import MMPoseInferencer

    MMPoseInferencer(pose2d=config_path(POSE), pose2d_weights=path, det_model='whole_image', device='cpu')


def mmpose_init_model(path):
    from mmpose.apis import init_model

    init_model(config_path(POSE), path, device='cpu')


def mmpretrain_get_model(path):
    from mmpretrain import get_model

    get_model(config_path(CLS), pretrained=path, device='cpu')


def mmdet_inferencer(path):
    from mmdet.apis import DetInferencer

    DetInferencer(config_path(DET), path, device='cpu')


def mmdet_init_detector(path):
    from mmdet.apis import init_detector

    init_detector(config_path(DET), path, device='cpu')


@pytest.mark.parametrize(
    'load',
    [
        CheckpointLoader.load_checkpoint,
        mmseg_inferencer,
        mmseg_init_model,
        mmpose_inferencer,
        mmpose_init_model,
        mmpretrain_get_model,
        mmdet_inferencer,
        mmdet_init_detector,
    ],
    ids=lambda load: load.__name__,
)
def test_no_library_runs_the_code(hostile, load):
    with pytest.raises(ValueError, match='hostile.pth was not read: it holds a .*mkdir, which could run code'):
        load(str(hostile))


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize('library, name, data', [('mmseg', SEG, 'cityscapes'), ('mmpose', POSE, 'coco')])
def test_mim_test_does_not_run_the_code(hostile, library, name, data):
    synthesize(hostile.parent / 'data', (data,), train=2, val=2)
    environment = dict(os.environ, PYTHONPATH=str(Path(__file__).parents[2]))
    done = subprocess.run(
        [
            sys.executable,
            '-W',
            'ignore',
            '-m',
            'mim',
            'test',
            library,
            config_path(name),
            '-C',
            str(hostile),
            '--gpus',
            '0',
        ],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode and 'hostile.pth was not read: it holds a' in done.stdout + done.stderr, done.stderr


def test_a_name_in_a_catalogue(hostile, monkeypatch):
    monkeypatch.setenv('MMENGINE_HOME', str(hostile.parent))
    (hostile.parent / 'open_mmlab.json').write_text(json.dumps(dict(a=hostile.name, good='good.pth')))
    for scheme in ('open-mmlab', 'openmmlab'):
        with pytest.raises(ValueError, match='which could run code'):
            CheckpointLoader.load_checkpoint(f'{scheme}://a')
    torch.save(dict(state_dict=dict(a=torch.ones(2))), 'good.pth')
    assert CheckpointLoader.load_checkpoint('open-mmlab://good', 'cpu')['state_dict']['a'].tolist() == [1, 1]


def test_the_web(hostile, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(hostile.parent / 'hub'))
    server = HTTPServer(('127.0.0.1', 0), partial(SimpleHTTPRequestHandler, directory=str(hostile.parent)))
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        with pytest.raises(ValueError, match='which could run code'):
            CheckpointLoader.load_checkpoint(f'http://127.0.0.1:{server.server_port}/hostile.pth')
    finally:
        server.shutdown()
        server.server_close()


@pytest.mark.parametrize(
    'source',
    [
        'a.pth',
        'http://a/b.pth',
        'https://a/b.pth',
        's3://a/b.pth',
        'petrel://a/b.pth',
        'cluster:s3://a/b.pth',
        'torchvision://resnet50',
        'modelzoo://resnet50',
        'open-mmlab://a',
        'openmmlab://a',
        'mmcls://a',
    ],
)
def test_every_scheme_is_read_by_this_package(source):
    assert CheckpointLoader._get_checkpoint_loader(source).__module__.startswith('hrformer_mm.weights.')


def test_catalogues_name_addresses(monkeypatch):
    from hrformer_mm.weights import schemes

    monkeypatch.setattr(schemes, 'read_checkpoint', lambda address, device: dict(state_dict={'backbone.a': address}))
    load = CheckpointLoader.load_checkpoint
    assert 'resnet50' in load('torchvision://resnet50')['state_dict']['backbone.a']
    assert load('modelzoo://resnet50') == load('torchvision://resnet50')
    assert load('open-mmlab://msra/hrnetv2_w18')['state_dict']['backbone.a'].endswith('.pth')
    assert load('mmcls://resnet18')['state_dict']['a'].startswith('http')  # its backbone alone


def test_map_location(tmp_path):
    torch.save(dict(a=torch.ones(2)), tmp_path / 'a.pth')
    assert CheckpointLoader.load_checkpoint(str(tmp_path / 'a.pth'), map_location='meta')['a'].is_meta
    with pytest.raises(FileNotFoundError, match='there is no checkpoint at'):
        CheckpointLoader.load_checkpoint(str(tmp_path / 'none.pth'))
