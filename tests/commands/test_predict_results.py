"""Results of predict: sizes, failures, channels, pipelines, thresholds and drawings."""

import json

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from mmengine.config import Config

from hrformer_mm.cli import main
from hrformer_mm.commands.explain.explanation import explain
from hrformer_mm.commands.predict import predict
from hrformer_mm.commands.predict.drawing import add_legend
from hrformer_mm.commands.predict.frames import fit
from hrformer_mm.commands.predict.pipeline import pipeline_differences
from hrformer_mm.commands.predict.predictors import Predictor
from hrformer_mm.runtime.images import drawable


@pytest.fixture(scope='module')
def sizes(tmp_path_factory):
    """Write pictures of three sizes."""
    folder, generator = tmp_path_factory.mktemp('sizes'), np.random.default_rng(0)
    for name, size in dict(a=(64, 96), b=(96, 64), c=(64, 96), d=(64, 64)).items():
        cv2.imwrite(str(folder / f'{name}.png'), generator.integers(0, 255, (*size, 3)).astype(np.uint8))
    return folder


SMALL = {'test_dataloader.dataset.pipeline.1.scale': (128, 64)}


@pytest.mark.parametrize('task', ['seg', 'cls', 'pose'])
def test_batches_of_different_sizes(micro, sizes, tmp_path, task):
    options = SMALL if task == 'seg' else {}
    done, single = (
        predict(
            *micro[task],
            [str(sizes)],
            str(tmp_path / str(batch)),
            'cpu',
            batch,
            options=options,
            whole_image=task == 'pose',
        )
        for batch in (3, 1)
    )
    assert not done.problems and [r['picture'] for r in done.results] == ['a.png', 'b.png', 'c.png', 'd.png']
    for found, expected in zip(done.results, single.results):
        assert found['input_size'] == expected['input_size'] and found['size'] == expected['size']
        if task == 'seg':
            assert found['shares'] == pytest.approx(expected['shares'], abs=1e-3)
        elif task == 'cls':
            assert [label['label'] for label in found['labels']] == [label['label'] for label in expected['labels']]


def test_a_failure_keeps_the_other_results(micro, sizes, tmp_path, monkeypatch):
    """A library may raise anything for one picture of a batch or one frame of a video."""
    prepare, calls = Predictor.prepare, []

    def fail(self, loaded):
        calls.append(loaded['img_path'])
        if loaded['img_path'].endswith('c.png') or loaded['img_path'].endswith('.mp4') and len(calls) % 3 == 0:
            raise RuntimeError('out of memory\nmore lines')
        return prepare(self, loaded)

    monkeypatch.setattr(Predictor, 'prepare', fail)
    writer = cv2.VideoWriter(str(tmp_path / 'v.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64))
    for i in range(4):
        writer.write(np.full((64, 96, 3), 40 * i, np.uint8))
    writer.release()
    done = predict(*micro['cls'], [str(sizes), str(tmp_path / 'v.mp4')], str(tmp_path / 'out'), 'cpu', 4)
    assert done.problems[0] == f'{sizes}/c.png: RuntimeError: out of memory' and len(done.problems) == 2
    assert 'of 4 frames failed' in done.problems[1]
    written = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert [r['picture'] for r in written][:3] == ['a.png', 'b.png', 'd.png'] and 'v.mp4' in written[-1]['picture']


def test_ctrl_c_keeps_the_results(micro, sizes, tmp_path, monkeypatch):
    prepare = Predictor.prepare

    def interrupt(self, loaded):
        if loaded['img_path'].endswith('b.png'):
            raise KeyboardInterrupt
        return prepare(self, loaded)

    monkeypatch.setattr(Predictor, 'prepare', interrupt)
    result = CliRunner().invoke(main, ['predict', *micro['cls'], str(sizes), '-o', str(tmp_path / 'out')])
    assert result.exit_code == 130 and f'Interrupted. 1 results are in {tmp_path}/out.' in result.output
    assert len(json.loads((tmp_path / 'out/predictions.json').read_text())) == 1


def test_sizes_and_pipelines_that_differ_are_printed(micro, sizes, tmp_path):
    arguments = ['predict', *micro['seg'], str(sizes / 'a.png'), '-o', str(tmp_path / 'out'), '--cfg-options']
    result = CliRunner().invoke(main, [*arguments, 'val_dataloader.dataset.pipeline.1.scale=(128,64)'])
    assert result.exit_code == 0, result.output
    assert (
        'the pipelines differ: Resize(scale=(128, 64)) in val_dataloader, but Resize(scale=(2080, 520)) in '
        'test_dataloader, which is used here' in result.stderr
    )
    assert 'Pictures of 96x64 pixels were run at 780x520.' in result.stdout
    result = CliRunner().invoke(
        main,
        [
            *arguments,
            'test_dataloader.dataset.pipeline.1.scale=(128,64)',
            '--cfg-options',
            'val_dataloader.dataset.pipeline.1.scale=[128,64]',
        ],
    )
    assert 'Pictures of 96x64 pixels were run at 96x64.' in result.stdout and 'differ' not in result.output


def test_differences_of_pipelines():
    def differences(val, test):
        return pipeline_differences(
            Config(
                dict(
                    val_dataloader=dict(dataset=dict(pipeline=val)),
                    test_dataloader=dict(dataset=dict(dataset=dict(pipeline=test))),
                )
            )
        )

    load, pack = dict(type='LoadImageFromFile'), dict(type='PackInputs')
    resize = dict(type='Resize', scale=(4, 4), keep_ratio=True)
    assert not differences(
        [load, resize, dict(type='LoadAnnotations'), pack],
        [dict(load, type='mmcv.transforms.LoadImageFromFile'), dict(resize, scale=[4, 4]), pack],
    )
    assert differences([load, resize, pack], [load, dict(resize, keep_ratio=False), pack]) == [
        'Resize(keep_ratio=True) in val_dataloader, but Resize(keep_ratio=False) in test_dataloader'
    ]
    assert differences([load, resize], [load]) == [
        'Resize(scale=(4, 4), keep_ratio=True) in val_dataloader, but no such step in test_dataloader'
    ]
    assert not pipeline_differences(Config(dict(test_dataloader=dict(dataset=dict(pipeline=[load])))))


@pytest.fixture(scope='module')
def of_channels(micro, tmp_path_factory):
    """`of_channels(task, channels, color_type)` writes a config and a checkpoint for such pictures."""
    import torch
    from mmengine.registry import MODELS, DefaultScope

    def make(task, channels, color_type):
        folder = tmp_path_factory.mktemp('channels')
        cfg = Config.fromfile(micro[task][0])
        cfg.model.backbone.in_channels = channels
        for part in (cfg, cfg.model):
            if part.get('data_preprocessor'):
                part.data_preprocessor.update(mean=[100.0] * channels, std=[50.0] * channels)
                part.data_preprocessor.pop('bgr_to_rgb', None)
                part.data_preprocessor.pop('to_rgb', None)
        cfg.test_dataloader.dataset.pipeline[0].color_type = color_type
        if task == 'seg':
            cfg.test_dataloader.dataset.pipeline[1].scale = (128, 64)
        cfg.dump(folder / 'a.py')
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            torch.save(MODELS.build(cfg.model).state_dict(), folder / 'a.pth')
        return str(folder / 'a.py'), str(folder / 'a.pth')

    return make


@pytest.mark.parametrize(
    'task, channels, color_type',
    [
        ('seg', 1, 'grayscale'),
        ('pose', 1, 'grayscale'),
        ('cls', 1, 'grayscale'),
        ('seg', 4, 'unchanged'),
        ('cls', 4, 'unchanged'),
    ],
)  # mmpose normalizes 1 or 3 channels
def test_channels(of_channels, tmp_path, task, channels, color_type):
    picture = np.random.default_rng(0).integers(0, 255, (64, 96, 4)).astype(np.uint8)
    cv2.imwrite(str(tmp_path / 'a.png'), picture)
    cv2.imwrite(str(tmp_path / 'rgb.png'), picture[..., :3])
    model, inputs = of_channels(task, channels, color_type), [str(tmp_path / name) for name in ('a.png', 'rgb.png')]
    done = predict(*model, inputs, str(tmp_path / 'out'), 'cpu', whole_image=task == 'pose')
    if channels == 1:
        assert len(done.results) == 2 and not done.problems
    else:
        assert [r['picture'] for r in done.results] == ['a.png']
        assert done.problems == [
            f'{inputs[1]} is loaded with 3 channels, but model.backbone.in_channels is 4: change '
            'color_type of the step of test_dataloader.dataset.pipeline that loads images, or the '
            'picture'
        ]
        with pytest.raises(ValueError, match='rgb.png is loaded with 3 channels, but'):
            explain(*model, inputs[1], str(tmp_path / 'explained'), device='cpu')
    if task == 'cls':
        assert explain(*model, inputs[0], str(tmp_path / 'explained'), max_side=64, device='cpu')['pictures']


def test_grey_frames_of_a_video(of_channels, tmp_path):
    writer = cv2.VideoWriter(str(tmp_path / 'v.mp4'), cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64))
    writer.write(np.full((64, 96, 3), 90, np.uint8))
    writer.release()
    done = predict(*of_channels('cls', 1, 'grayscale'), [str(tmp_path / 'v.mp4')], str(tmp_path / 'out'), 'cpu')
    assert len(done.results) == 1 and not done.problems


@pytest.mark.parametrize('command', ['predict', 'explain', 'export'])
def test_a_checkpoint_of_another_task_is_one_line(micro, sizes, tmp_path, command):
    rest = [str(tmp_path / 'a.onnx')] if command == 'export' else [str(sizes / 'a.png'), '-o', str(tmp_path / 'out')]
    result = CliRunner().invoke(main, [command, micro['seg'][0], micro['cls'][1], *rest])
    assert result.exit_code == 1 and len(result.output.splitlines()) == 1 and 'is of another task' in result.output


@pytest.mark.slow
def test_a_cascade_of_heads(micro, sizes, tmp_path):
    """Run all commands on mmseg's CascadeEncoderDecoder, whose decode_head is a list."""
    import torch
    from mmengine.registry import MODELS, DefaultScope

    from hrformer_mm import config_path

    arch = Config.fromfile(micro['seg'][0]).model.backbone.arch
    cfg = Config.fromfile(config_path('ocrnet_hrformer-s_4xb2-80k_cityscapes-512x1024'))
    cfg.model.backbone.update(arch=arch, drop_path_rate=0.0, init_cfg=None)
    for head in cfg.model.decode_head:
        head.update(in_channels=[18, 36, 64, 78], channels=32)
    cfg.model.decode_head[1].ocr_channels = 16
    cfg.test_dataloader.dataset.pipeline[1].scale = (96, 64)
    cfg.dump(tmp_path / 'a.py')
    with DefaultScope.overwrite_default_scope('mmseg'):
        torch.save(MODELS.build(cfg.model).state_dict(), tmp_path / 'a.pth')
    model, picture = [str(tmp_path / 'a.py'), str(tmp_path / 'a.pth')], str(sizes / 'a.png')
    for arguments in (
        ['predict', *model, picture, '-o', str(tmp_path / 'a')],
        ['explain', *model, picture, '-o', str(tmp_path / 'explained'), '--max-side', '64'],
        ['export', *model, str(tmp_path / 'a.onnx'), '--size', '64', '96'],
        ['predict', str(tmp_path / 'a.onnx'), picture, '-o', str(tmp_path / 'b')],
    ):
        result = CliRunner().invoke(main, arguments)
        assert result.exit_code == 0, result.output
    found, exported = (json.loads((tmp_path / name / 'predictions.json').read_text())[0]['shares'] for name in 'ab')
    assert found == pytest.approx(exported, abs=1e-3) and 'class 0' not in found


def test_keypoints_below_the_threshold_are_not_drawn(micro, tmp_path):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((120, 160, 3), 200, np.uint8))
    (tmp_path / 'boxes.json').write_text('{"a.png": [[10, 10, 150, 110]]}')
    every, none = (
        predict(
            *micro['pose'],
            [str(tmp_path / 'a.png')],
            str(tmp_path / name),
            'cpu',
            boxes=str(tmp_path / 'boxes.json'),
            keypoint_threshold=threshold,
        )
        for name, threshold in (('every', 0), ('none', 9))
    )
    assert every.results == none.results and len(none.results[0]['people'][0]['keypoints']) == 17
    drawn = {name: cv2.imread(str(tmp_path / name / 'a.png')) for name in ('every', 'none')}
    changed = (drawn['none'] != 200).any(2)
    changed[[10, 110], :] = changed[:, [10, 150]] = False
    assert not changed.any() and (drawn['every'] != drawn['none']).any()


@pytest.mark.parametrize('scale, thickness', [(1, 1), (10, 4)])
def test_boxes_are_as_thick_as_pictures_are_large(micro, tmp_path, scale, thickness):
    cv2.imwrite(str(tmp_path / 'a.png'), np.full((120 * scale, 160 * scale, 3), 200, np.uint8))
    (tmp_path / 'boxes.json').write_text(json.dumps({'a.png': [[10 * scale, 10 * scale, 150 * scale, 110 * scale]]}))
    predict(
        *micro['pose'],
        [str(tmp_path / 'a.png')],
        str(tmp_path / 'out'),
        'cpu',
        boxes=str(tmp_path / 'boxes.json'),
        keypoint_threshold=9,
    )
    column = cv2.imread(str(tmp_path / 'out/a.png'))[: 60 * scale, 80 * scale]
    assert thickness <= (column == (0, 160, 0)).all(1).sum() <= thickness + 1


def test_legends_have_room_on_small_pictures():
    picture = np.full((16, 12, 3), 7, np.uint8)
    rows = [('long name 100.0%', (255, 0, 0)), ('b', (0, 255, 0)), ('\u00e9', None)]
    drawn = add_legend(picture, rows, 'the longest name of all 100.0%')
    assert (drawn[:16, :12] == picture).all() and drawn.shape[0] >= 3 * 14
    assert (drawn[:, 12:] == (0, 0, 255)).all(2).any() and (drawn[:, -5:] == 255).all()
    assert drawn.shape == add_legend(picture, rows, 'the longest name of all 100.0%').shape
    large = add_legend(np.zeros((2000, 2000, 3), np.uint8), rows, '')
    dark = (large[:, 2000:] < 128).all(2).any(1)
    assert dark.sum() > 100  # letters of 50 pixels


def test_drawable_and_fit():
    assert (drawable(np.full((2, 3), 9, np.uint8)) == 9).all() and drawable(np.ones((2, 3, 1))).shape == (2, 3, 3)
    assert (drawable(np.full((2, 3, 4), 65535, np.uint16)) == 255).all()
    assert (drawable(np.full((2, 3, 3), 100, np.float32)) == 100).all()
    assert fit(np.zeros((3, 5, 3), np.uint8), (4, 4)).sum() == 4 * 3 * 255
