"""One config of each kind runs with the launchers; `tasks.py zoo` runs all of them."""

import hashlib
import importlib.util
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
import torch
from mmengine.config import Config

from hrformer_mm.data import synthesize
from hrformer_mm.models import HRFormer

_spec = importlib.util.spec_from_file_location('zoo_runs', Path(__file__).parents[1] / 'scripts/zoo_runs.py')
zoo_runs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(zoo_runs)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('zoo')
    synthesize(folder / 'data', ('ade', 'coco'), train=8, val=4)
    return folder


def test_all_configs_are_run():
    every = {
        path.stem
        for path in zoo_runs.CONFIGS.rglob('*.py')
        if not {'_base_', 'demo', 'overlays', 'camvid', 'lsp'} & set(path.parts)
    }  # see test_real_data.py
    assert {Path(name).name for name in zoo_runs.names([])} == every
    assert zoo_runs.names(['hrformer-?_imagenet']) == [f'hrformer-{v}_imagenet' for v in 'bst']
    with pytest.raises(SystemExit, match='no config is named none'):
        zoo_runs.names(['none'])


@pytest.mark.parametrize('noted', ['iter_2.pth', '/elsewhere/iter_2.pth'])
def test_the_last_checkpoint_is_in_the_folder(tmp_path, noted):
    (tmp_path / 'last_checkpoint').write_text(noted)
    assert zoo_runs.last_checkpoint(tmp_path) == tmp_path / 'iter_2.pth'


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize(
    'name, score',
    [
        ('ocr_hrformer-s_ade20k', 'tta mIoU'),
        ('td-hm_hrformer-s_udp-coco-256x192', 'coco/AP'),
        ('td-hm_hrformer-s_coco-384x288_test-dev', 'files'),
        ('fcos_hrformer-s_coco', 'coco/bbox_mAP'),
    ],
)
def test_train_and_test(root, name, score):
    result = zoo_runs.run(name, root / 'data', root)
    assert len(result.losses) == 2 and score in result.scores
    assert result.scores.get('files', 1) == 1


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize('name', ['ocr_hrformer-s_ade20k', 'td-hm_hrformer-s_coco-256x192'])
def test_train_from_released_weights(root, tmp_path, monkeypatch, name):
    """With a server of ImageNet weights, the log names them and the first loss differs from that of random weights."""
    torch.manual_seed(3)
    torch.save(dict(state_dict=HRFormer('small').state_dict()), tmp_path / 'a.pth')
    digits = hashlib.sha256((tmp_path / 'a.pth').read_bytes()).hexdigest()[:8]
    (tmp_path / 'a.pth').rename(tmp_path / f'hrformer_small-{digits}_20220226.pth')
    server = ThreadingHTTPServer(('127.0.0.1', 0), partial(SimpleHTTPRequestHandler, directory=str(tmp_path)))
    Thread(target=server.serve_forever, daemon=True).start()
    address = f'http://127.0.0.1:{server.server_port}/hrformer_small-{digits}_20220226.pth'
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    cfg = Config.fromfile(zoo_runs.CONFIGS / f'{name}.py', import_custom_modules=False)
    losses, logs = {}, {}
    for kind, change in dict(weights=f'checkpoint={address}', none='None', empty='[]').items():
        work = tmp_path / kind
        options = [option for option in zoo_runs.options(cfg, root / 'data', work) if 'init_cfg' not in option]
        change = f'model.backbone.init_cfg{"." if "=" in change else "="}{change}'
        zoo_runs.launch('train.py', name, work, '--cfg-options', *options, 'randomness.seed=0', change)
        losses[kind] = [line['loss'] for line in zoo_runs.newest(work, '*/vis_data/scalars.json') if 'loss' in line]
        logs[kind] = next(work.glob('*/*.log')).read_text()
    server.shutdown()
    server.server_close()
    assert losses['none'] == losses['empty'] and losses['weights'][0] != losses['none'][0]
    assert logs['weights'].count('The backbone starts from') == 1 and f'starts from {address}.' in logs['weights']
    assert logs['none'].count('The backbone starts from random weights') == 1
    assert [path.name for path in (tmp_path / 'home/hub/checkpoints').glob('*.pth')] == [address.split('/')[-1]]
