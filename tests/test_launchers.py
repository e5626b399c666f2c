"""The launchers train, resume and test the configs on synthetic data, with options."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from hrformer_mm.data import synthesize

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.slow

SEG = (
    'mmseg',
    'ocr_hrformer-s_cityscapes',
    [
        'model.backbone.init_cfg=None',
        'model.data_preprocessor.size=(128,128)',
        'train_dataloader.dataset.pipeline.2.scale=(256,128)',
        'train_dataloader.dataset.pipeline.3.crop_size=(128,128)',
        'val_dataloader.dataset.pipeline.1.scale=(256,128)',
        'test_dataloader.dataset.pipeline.1.scale=(256,128)',
        'train_dataloader.batch_size=2',
        'train_cfg.val_interval=4',
        'default_hooks.checkpoint.interval=2',
    ]
    + [f'{split}_dataloader.dataset.data_root=cityscapes' for split in ('train', 'val', 'test')],
)
POSE = (
    'mmpose',
    'td-hm_hrformer-t_coco-256x192',
    [
        'train_dataloader.batch_size=2',
        'train_cfg.val_interval=2',
        'default_hooks.checkpoint.interval=1',
        'val_evaluator.ann_file=coco/annotations/person_keypoints_val2017.json',
        'test_evaluator.ann_file=coco/annotations/person_keypoints_val2017.json',
    ]
    + [f'{split}_dataloader.dataset.data_root=coco' for split in ('train', 'val', 'test')]
    + [
        f'{split}_dataloader.dataset.bbox_file=coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json'
        for split in ('val', 'test')
    ],
)
CLS = (
    'mmpretrain',
    'hrformer-t_imagenet',
    [
        'train_dataloader.batch_size=4',
        'val_dataloader.batch_size=8',
        'test_dataloader.batch_size=8',
        'train_dataloader.dataset.pipeline.1.scale=64',
        'model.head.num_classes=10',
        'model.data_preprocessor.num_classes=10',
        'data_preprocessor.num_classes=10',
        'param_scheduler.0.end=1',
        'param_scheduler.1.begin=0',
        'default_hooks.checkpoint.interval=1',
    ]
    + [f'{split}_dataloader.dataset.data_root=imagenet' for split in ('train', 'val', 'test')],
)


def mim(command, package, config, folder, *args):
    """Run mim from another folder, without environment variables of this package."""
    line = [
        str(Path(sys.executable).with_name('mim')),
        command,
        package,
        str(ROOT / 'configs' / f'{config}.py'),
        '--gpus',
        '0',
        *args,
    ]
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, f'{" ".join(line)}\n{(done.stdout + done.stderr)[-4000:]}'
    return done.stdout + done.stderr


def scores(work_dir):
    """Return the last record that the newest run of a work folder logged."""
    logs = sorted(work_dir.glob('*/vis_data/*.json')) + sorted(work_dir.glob('*/*.json'))
    newest = max(logs, key=lambda path: path.stat().st_mtime)
    return json.loads(newest.read_text().splitlines()[-1])


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp('data')
    synthesize(folder, train=8, val=4)
    return folder


@pytest.mark.integration
@pytest.mark.parametrize(
    'package, config, options, length, first, last, score',
    [
        (*SEG, 'train_cfg.max_iters', 'iter_2.pth', 'iter_4.pth', 'mIoU'),
        (*POSE, 'train_cfg.max_epochs', 'epoch_1.pth', 'epoch_2.pth', 'coco/AP'),
        (*CLS, 'train_cfg.max_epochs', 'epoch_1.pth', 'epoch_2.pth', 'accuracy/top1'),
    ],
    ids=['segmentation', 'pose', 'classification'],
)
def test_train_resume_and_test(data, tmp_path, package, config, options, length, first, last, score):
    work = tmp_path / 'work'
    short, long = (f'{length}={int(name.split("_")[1].split(".")[0])}' for name in (first, last))
    mim('train', package, config, data, '--work-dir', str(work), '--cfg-options', *options, short)
    assert (work / first).exists() and not (work / last).exists()
    out = mim('train', package, config, data, '--work-dir', str(work), '--resume', '--cfg-options', *options, long)
    assert 'resumed epoch' in out and (work / last).exists()
    shutil.copytree(data, tmp_path / 'data')  # a checkpoint and a config suffice in another folder
    mim(
        'test',
        package,
        config,
        tmp_path / 'data',
        '-C',
        str(work / last),
        '--work-dir',
        str(tmp_path / 'test'),
        '--cfg-options',
        *options,
    )
    assert score in scores(tmp_path / 'test')
