"""One config of each kind goes through the launchers, as `tasks.py zoo` sends all of them."""
import importlib.util
from pathlib import Path

import pytest

from hrformer_mm.data import synthesize

_spec = importlib.util.spec_from_file_location('zoo_runs', Path(__file__).with_name('zoo_runs.py'))
zoo_runs = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(zoo_runs)


@pytest.fixture(scope='module')
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp('zoo')
    synthesize(folder / 'data', ('ade', 'coco'), train=8, val=4)
    return folder


def test_all_configs_are_run():
    every = {path.stem for path in zoo_runs.CONFIGS.rglob('*.py')
             if not {'_base_', 'demo', 'overlays', 'camvid', 'lsp'} & set(path.parts)}  # see test_real_data.py
    assert {Path(name).name for name in zoo_runs.names([])} == every
    assert zoo_runs.names(['hrformer-?_imagenet']) == [f'hrformer-{v}_imagenet' for v in 'bst']
    with pytest.raises(SystemExit, match='no config is named none'):
        zoo_runs.names(['none'])


@pytest.mark.parametrize('noted', ['iter_2.pth', '/elsewhere/iter_2.pth'])
def test_the_last_checkpoint_is_the_folders_own(tmp_path, noted):
    (tmp_path / 'last_checkpoint').write_text(noted)
    assert zoo_runs.last_checkpoint(tmp_path) == tmp_path / 'iter_2.pth'


@pytest.mark.slow
@pytest.mark.parametrize('name, score', [
    ('ocr_hrformer-s_ade20k', 'tta mIoU'), ('td-hm_hrformer-s_udp-coco-256x192', 'coco/AP'),
    ('td-hm_hrformer-s_coco-384x288_test-dev', 'files'), ('fcos_hrformer-s_coco', 'coco/bbox_mAP')])
def test_train_and_test(root, name, score):
    result = zoo_runs.run(name, root / 'data', root)
    assert len(result.losses) == 2 and score in result.scores
    assert result.scores.get('files', 1) == 1
