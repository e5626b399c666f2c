"""Trainings on real data that are resumed, tested once and tabulated, and pictures of their predictions."""

import csv
import importlib
import json
import re
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner

ROOT = Path(__file__).parents[1]
SPLITS = ('train', 'val', 'test')
LOADERS = '\n'.join(
    f'{split}_dataloader = dict(batch_size=2, num_workers=0, persistent_workers=False, '
    "dataset=dict(data_root='{data}'))"
    for split in SPLITS
)
# Micro networks; trainings validate and save after each iteration or epoch.
SEG = (
    LOADERS
    + """
_base_ = '{root}/configs/camvid/ocr_hrformer-t_camvid-180x240.py'
arch = dict(_delete_=True, num_modules=(1, 1, 1, 1), channels=(8, 16, 24, 32), num_heads=(1, 2, 3, 4),
            num_blocks=1)
model = dict(backbone=dict(arch=arch), decode_head=dict(in_channels=[8, 16, 24, 32], channels=8, key_channels=4))
train_cfg = dict(max_iters={length}, val_interval=1)
default_hooks = dict(logger=dict(interval=1), checkpoint=dict(interval=1))
"""
)
POSE = (
    LOADERS
    + """
_base_ = '{root}/configs/lsp/td-hm_hrformer-t_udp-lsp-128x96.py'
arch = dict(_delete_=True, num_modules=(1, 1, 1, 1), channels=(8, 16, 24, 32), num_heads=(1, 2, 3, 4),
            num_blocks=1)
model = dict(backbone=dict(arch=arch), head=dict(in_channels=8))
train_cfg = dict(max_epochs={length})
default_hooks = dict(logger=dict(interval=1))
"""
)
LINES = """config,lr,seed,metric,val,test,parameters,gmac,iterations,seconds_per_iteration,machine
a,0.001,0,mIoU,43.4,38.0,3273530,3.1,900,1.3,a CPU
a,0.001,1,mIoU,44.0,39.5,3273530,3.1,900,1.5,a CPU
a,0.0005,0,mIoU,40.1,,3273530,3.1,900,1.2,a CPU
b,0.001,0,PCK@0.2,60.0,61.0,2518014,0.37,504,1.0,a GPU
"""


@pytest.fixture
def script(monkeypatch):
    pytest.importorskip('mmpose')
    monkeypatch.syspath_prepend(ROOT / 'benchmarks')
    threads = torch.get_num_threads()
    yield importlib.import_module('real_data')
    torch.set_num_threads(threads)


def write_seg(folder):
    random = np.random.default_rng(0)
    for split in SPLITS:
        for kind, shape, high, name in (('images', (60, 80, 3), 256, 'jpg'), ('labels', (60, 80), 11, 'png')):
            (folder / kind / split).mkdir(parents=True)
            for i in range(2):
                picture = random.integers(0, high, shape, dtype=np.uint8)
                cv2.imwrite(str(folder / kind / split / f'{i}.{name}'), picture)


def write_pose(folder):
    random = np.random.default_rng(0)
    for split in SPLITS:
        (folder / split).mkdir(parents=True)
        cv2.imwrite(str(folder / split / '0.jpg'), random.integers(0, 256, (60, 50, 3), dtype=np.uint8))
        points = np.concatenate([random.uniform(5, 45, (14, 2)), np.full((14, 1), 2)], 1)
        people = [
            dict(
                id=i,
                image_id=0,
                category_id=1,
                iscrowd=0,
                area=2500,
                bbox=[2, 2, 46, 55],
                num_keypoints=14,
                keypoints=points.ravel().tolist(),
            )
            for i in range(2)
        ]
        (folder / f'{split}.json').write_text(
            json.dumps(
                dict(
                    images=[dict(id=0, file_name='0.jpg', width=50, height=60)],
                    annotations=people,
                    categories=[dict(id=1, name='person')],
                )
            )
        )


def test_table(script, tmp_path):
    (tmp_path / 'results.csv').write_text(LINES)
    page = tmp_path / 'page.md'
    page.write_text('# Title\n<!-- tables -->\nold\n<!-- end -->\nThe rest.\n')
    run = CliRunner().invoke(script.main, ['--csv', str(tmp_path / 'results.csv'), '--page', str(page)])
    assert run.exit_code == 0, run.output
    text = page.read_text()
    assert text.startswith('# Title\n') and text.endswith('<!-- end -->\nThe rest.\n') and 'old' not in text
    assert '| `a` | 0.001 | 3,273,530 | 3.1 | 1.30 | 43.40, 44.00 | 38.00, 39.50 | 38.75 | 1.50 |' in text
    assert '| `a` | 0.0005 | 3,273,530 | 3.1 | 1.20 | 40.10 |  |  |  |' in text
    assert text.index('**mIoU**') < text.index('**PCK@0.2**') < text.index('| `b` |')
    assert text.count('| --- ') == 18 and 'a CPU, 900 iterations; a GPU, 504 iterations.' in text


def test_page_without_marks(script, tmp_path):
    (tmp_path / 'page.md').write_text('# Title\n')
    run = CliRunner().invoke(script.main, ['--csv', str(tmp_path / 'none.csv'), '--page', str(tmp_path / 'page.md')])
    assert run.exit_code == 1 and '<!-- tables -->' in run.output and (tmp_path / 'page.md').read_text() == '# Title\n'


def test_lines_are_replaced_and_sorted(script, tmp_path):
    file = tmp_path / 'results.csv'
    file.write_text(LINES)
    row = script.Row(
        **{
            key: kind(value)
            for (key, value), kind in zip(
                list(csv.DictReader(LINES.splitlines()))[0].items(),
                (str, float, int, str, float, float, int, float, int, float, str),
            )
        }
    )
    row.test = 50.0
    script.update(file, [row])
    lines = script.read(file)
    assert len(lines) == 4 and lines[1]['test'] == '50.0' and lines[2]['test'] == '39.5'


@pytest.mark.slow
@pytest.mark.integration
@pytest.mark.parametrize(
    'write, text, metrics, unit',
    [(write_seg, SEG, ['mIoU'], 'iter'), (write_pose, POSE, ['PCK@0.05', 'PCK@0.2'], 'epoch')],
)
def test_interrupted_trainings_continue(script, tmp_path, write, text, metrics, unit):
    """A training that is interrupted and resumed has the same weights as an uninterrupted one."""
    write(tmp_path / 'data')
    config = tmp_path / 'micro.py'

    def run(length, work_dir, *options):
        config.write_text(text.format(root=ROOT, data=tmp_path / 'data', length=length))
        return CliRunner().invoke(
            script.main,
            [str(config), '--work-dir', str(tmp_path / work_dir), '--csv', str(tmp_path / f'{work_dir}.csv'), *options],
        )

    for length in (1, 2):
        assert run(length, 'twice').exit_code == 0
    files = {path: path.stat().st_mtime for path in (tmp_path / 'twice').rglob('*') if path.is_file()}
    assert run(2, 'twice').exit_code == 0  # nothing is left to do
    assert files == {path: path.stat().st_mtime for path in (tmp_path / 'twice').rglob('*') if path.is_file()}
    assert run(2, 'once').exit_code == 0
    weights = [
        torch.load(tmp_path / work_dir / f'micro/seed_0/{unit}_2.pth', weights_only=False)['state_dict']
        for work_dir in ('once', 'twice')
    ]
    for name, weight in weights[0].items():
        assert torch.equal(weight, weights[1][name]), name
    once, twice = (script.read(tmp_path / f'{work_dir}.csv') for work_dir in ('once', 'twice'))
    assert [line['metric'] for line in twice] == metrics
    for a, b in zip(once, twice):
        assert (a['val'], a['test'], b['iterations']) == (b['val'], b['test'], '2') and float(b['gmac']) > 0


@pytest.mark.slow
@pytest.mark.integration
def test_learning_rates_seeds_and_failures(script, tmp_path):
    """One seed selects the learning rate; two seeds train with it and are tested. A failure stops no other run."""
    write_seg(tmp_path / 'data')
    page = tmp_path / 'page.md'
    page.write_text('<!-- tables -->\n\n<!-- end -->\n')
    for name in ('broken', 'micro'):
        text = SEG.format(root=ROOT, data=tmp_path / ('data' if name == 'micro' else 'none'), length=1)
        (tmp_path / f'{name}.py').write_text(text)
    run = CliRunner().invoke(
        script.main,
        [
            str(tmp_path / 'broken.py'),
            str(tmp_path / 'micro.py'),
            '--lr',
            '1e-3',
            '--lr',
            '5e-4',
            '--seeds',
            '2',
            '--work-dir',
            str(tmp_path / 'work'),
            '--csv',
            str(tmp_path / 'results.csv'),
            '--page',
            str(page),
        ],
    )
    assert '| `micro` |' in page.read_text() and cv2.imread(str(tmp_path / f'page_{tmp_path.name}.png')) is not None
    assert run.exit_code == 1 and f'see {tmp_path / "work" / "broken" / "seed_0" / "train.log"}' in run.output
    lines = script.read(tmp_path / 'results.csv')
    tested = [line for line in lines if line['test']]
    assert len(lines) == 3 and len(tested) == 2 and len({line['lr'] for line in tested}) == 1
    scores = {float(line['lr']): float(line['val']) for line in lines if line['seed'] == '0'}
    assert scores[float(tested[0]['lr'])] == max(scores.values())
    assert (tmp_path / 'work/micro/lr_0.0005/seed_0/iter_1.pth').exists()


@pytest.mark.slow
@pytest.mark.parametrize(
    'write, ours, options, count, tolerance',
    [
        (write_seg, 'camvid/ocr_{}hrformer-t_camvid-180x240', ('--size', '64', '96', '--double'), 4, 1e-9),
        (write_pose, 'lsp/td-hm_{}hrformer-t_lsp-128x96', (), 1, 1e-6),
    ],
)
def test_same_losses_as_mmpose(script, tmp_path, write, ours, options, count, tolerance):
    """With the same recipe and weights; in float32, rounding errors grow to 1e-2 within 20 steps."""
    write(tmp_path / 'data')
    for name in ('', 'mmpose-'):
        base = f"_base_ = '{ROOT}/configs/{ours.format(name)}.py'\n"
        (tmp_path / f'{name}ours.py').write_text(base + LOADERS.format(data=tmp_path / 'data'))
    run = CliRunner().invoke(
        importlib.import_module('same_losses').main,
        [str(tmp_path / 'ours.py'), str(tmp_path / 'mmpose-ours.py'), '--iterations', str(count), *options],
    )
    assert run.exit_code == 0, run.output
    found = re.findall(r'^ +(\d) (\S+) (\S+)  (\S+)$', run.output, re.MULTILINE)
    assert len(found) == count == len({line[1] for line in found})
    assert all(float(line[3]) <= tolerance for line in found)
    assert f'largest relative difference: {max(float(line[3]) for line in found):.1e}' in run.output


def test_scores_of_predictions(script):
    """By hand: an image of two classes with an ignored pixel, and two known keypoints of three."""
    from mmengine.structures import InstanceData, PixelData
    from mmpose.structures import PoseDataSample
    from mmseg.structures import SegDataSample

    pictures = importlib.import_module('pictures')
    sample = SegDataSample(
        gt_sem_seg=PixelData(data=torch.tensor([[[0, 0], [1, 255]]])),
        pred_sem_seg=PixelData(data=torch.tensor([[[0, 1], [1, 1]]])),
    )
    segmentation = pictures.Segmentation(dict(classes='abc', palette=[[0, 0, 0]] * 3))
    assert segmentation.score(sample) == pytest.approx((1 / 2 + 1 / 2) / 2)
    person = PoseDataSample(
        gt_instances=InstanceData(
            keypoints=np.array([[[10.0, 10], [20, 20], [0, 0]]]),
            keypoints_visible=np.array([[2, 1, 0]]),
            bboxes=np.array([[0.0, 0, 50, 100]]),
        ),
        pred_instances=InstanceData(keypoints=np.array([[[13.0, 14], [20, 25], [99, 99]]])),
    )
    assert pictures.Pose(dict(skeleton_links=[], skeleton_link_colors=[])).score(person) == pytest.approx(-0.05)


@pytest.mark.slow
@pytest.mark.parametrize('write, text, unit', [(write_seg, SEG, 'mIoU'), (write_pose, POSE, 'error')])
def test_pictures_of_predictions(script, tmp_path, write, text, unit):
    """The first picture is the best, the last the worst."""
    from hrformer_mm.commands.model import build_model, read_config

    write(tmp_path / 'data')
    config, weights, output = (tmp_path / name for name in ('micro.py', 'weights.pth', 'out.jpg'))
    config.write_text(text.format(root=ROOT, data=tmp_path / 'data', length=1))
    torch.save(build_model(read_config(str(config))).state_dict(), weights)
    main = importlib.import_module('pictures').main
    run = CliRunner().invoke(main, [str(config), str(weights), str(output), '--count', '2', '--dpi', '50'])
    assert run.exit_code == 0, run.output
    found = [float(score) for score in re.findall(rf'^\S+\.jpg: {unit} ([\d.]+)', run.stdout, re.MULTILINE)]
    assert len(found) == 2 and found == sorted(found, reverse=unit == 'mIoU')
    assert min(cv2.imread(str(output)).shape[:2]) > 100
    classification = str(ROOT / 'configs/hrformer-t_imagenet.py')
    wrong = CliRunner().invoke(main, [classification, str(weights), str(output)])
    assert wrong.exit_code == 1 and 'has no model of mmseg, mmpose' in wrong.output
