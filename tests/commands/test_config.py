"""Kinds of configs, --cfg-options and Ctrl-C, for every command that reads a config."""

import cv2
import numpy as np
import pytest
from click.testing import CliRunner
from mmengine.config import Config

from hrformer_mm.checks.settings import type_name
from hrformer_mm.cli import main
from hrformer_mm.commands.check_data.checking import check_data
from hrformer_mm.commands.common import errors
from hrformer_mm.commands.complexity import complexity
from hrformer_mm.commands.config import load_config, parse_options
from hrformer_mm.commands.explain.explanation import explain
from hrformer_mm.commands.export import export
from hrformer_mm.commands.predict import predict

PURE = dict(
    seg="""
from mmcv.transforms import LoadImageFromFile, Resize
from mmseg.datasets import BaseSegDataset, LoadAnnotations, PackSegInputs
test_dataloader.dataset.update(type=BaseSegDataset, pipeline=[
    dict(type=LoadImageFromFile), dict(type=Resize, scale=(96, 64)), dict(type=LoadAnnotations),
    dict(type=PackSegInputs)])
""",
    pose="""
from mmpose.datasets import CocoDataset, GetBBoxCenterScale, LoadImage, PackPoseInputs, TopdownAffine
test_dataloader.dataset.update(type=CocoDataset, pipeline=[
    dict(type=LoadImage), dict(type=GetBBoxCenterScale), dict(type=TopdownAffine, input_size=codec.input_size),
    dict(type=PackPoseInputs)])
""",
    cls="""
from mmcv.transforms import CenterCrop, LoadImageFromFile
from mmpretrain.datasets import ImageNet, PackInputs, ResizeEdge
test_dataloader.dataset.update(type=ImageNet, pipeline=[
    dict(type=LoadImageFromFile), dict(type=ResizeEdge, scale=64, edge='short'), dict(type=CenterCrop, crop_size=64),
    dict(type=PackInputs)])
""",
)


@pytest.fixture
def pure(micro, tmp_path):
    """`pure(task)` returns the path of a pure Python config of a micro model."""

    def make(task):
        Config.fromfile(micro[task][0]).dump(tmp_path / 'base.py')
        (tmp_path / 'pure.py').write_text(
            'from mmengine.config import read_base\nwith read_base():\n    from .base '
            'import *\nfrom hrformer_mm.models import HRFormer\n'
            f'model.backbone.update(type=HRFormer)\n{PURE[task]}'
        )
        return str(tmp_path / 'pure.py')

    return make


@pytest.fixture(scope='module')
def picture(tmp_path_factory):
    path = tmp_path_factory.mktemp('picture') / 'a.png'
    cv2.imwrite(str(path), np.random.default_rng(0).integers(0, 255, (64, 96, 3)).astype(np.uint8))
    return str(path)


@pytest.mark.parametrize('task', PURE)
def test_pure_python_configs_predict(micro, pure, picture, tmp_path, task):
    """Test a pure config, and its dump in the work folder of a training, which has full class names."""
    config = pure(task)
    Config.fromfile(config).dump(tmp_path / 'dumped.py')
    made = [
        predict(path, micro[task][1], [picture], str(tmp_path / 'out'), 'cpu', deploy=False, whole_image=task == 'pose')
        for path in (config, str(tmp_path / 'dumped.py'))
    ]
    assert not made[0].problems and len(made[0].results) == 1 and made[0].results == made[1].results


def test_pure_python_configs_in_the_other_commands(micro, pure, picture, tmp_path):
    config = pure('cls')
    assert complexity(config, (64, 64)).total.parameters == complexity(micro['cls'][0], (64, 64)).total.parameters
    assert explain(config, micro['cls'][1], picture, str(tmp_path / 'out'), max_side=64)['trained']
    for folder in ('images/val', 'labels/val'):
        (tmp_path / 'data' / folder).mkdir(parents=True)
    cv2.imwrite(str(tmp_path / 'data/images/val/a.jpg'), cv2.imread(picture))
    cv2.imwrite(str(tmp_path / 'data/labels/val/a.png'), cv2.imread(picture, 0) % 2)
    root = {'test_dataloader.dataset.data_root': str(tmp_path / 'data')}
    (checked,) = check_data(pure('seg'), ['test'], options=root).datasets
    assert checked.samples == 1 and not checked.problems


@pytest.mark.slow
def test_pure_python_configs_export(micro, pure, tmp_path):
    assert export(pure('cls'), micro['cls'][1], str(tmp_path / 'a.onnx'), size=(64, 64)).difference < 1e-4


def test_names_of_classes(pure):
    cfg = load_config(pure('seg'))
    steps = cfg.test_dataloader.dataset.pipeline
    assert steps[0].type == 'mmcv.transforms.loading.LoadImageFromFile' and cfg.filename.endswith('pure.py')
    assert [type_name(step) for step in steps] == ['LoadImageFromFile', 'Resize', 'LoadAnnotations', 'PackSegInputs']
    assert type_name(dict(type='mmseg.Resize')) == type_name(dict(type='Resize')) == 'Resize'


@pytest.mark.parametrize(
    'option, message',
    [
        ('a', '--cfg-options a: write KEY=VALUE'),
        ('=1', 'write KEY=VALUE'),
        ('model..x=1', 'write KEY=VALUE'),
        ('model.x=[1,(2]', r'--cfg-options model.x=\[1,\(2\]: close the brackets'),
        ('modle.backbone.in_channels=1', "seg.py has no 'modle': it has model"),
        ('nothing=1', "--cfg-options nothing: .*seg.py has no 'nothing'"),
        (
            'model.bakbone.in_channels=1',
            "--cfg-options model.bakbone.in_channels: model has no 'bakbone': it has backbone",
        ),
        ('test_dataloader.dataset.pipeline.9.type=Resize', "pipeline has no '9': it has 0, 1"),
        ('test_dataloader.batch_size.x=1', "test_dataloader.batch_size has no 'x': it has the value 1"),
    ],
)
def test_options_that_do_not_fit(micro, option, message):
    with pytest.raises(ValueError, match=message):
        load_config(micro['seg'][0], parse_options([option]))


def test_options(micro, capsys):
    options = parse_options(['test_dataloader.dataset.pipeline.1.scale=(96,64)', 'model.backbone.with_cp=True'])
    cfg = load_config(micro['seg'][0], options)
    assert cfg.test_dataloader.dataset.pipeline[1].scale == (96, 64) and cfg.model.backbone.with_cp is True
    assert capsys.readouterr().err == 'Note: model.backbone has no with_cp in the config: --cfg-options adds it.\n'


@pytest.mark.parametrize('command', ['predict', 'explain', 'export', 'check-data'])
def test_commands_take_options(micro, picture, tmp_path, command):
    rest = dict(
        predict=[micro['seg'][1], picture],
        explain=[micro['seg'][1], picture],
        export=[micro['seg'][1], str(tmp_path / 'a.onnx')],
    ).get(command, [])
    for option in ('bakbone.x=1', 'model.backbone.arch.num_heads=[1'):
        result = CliRunner().invoke(main, [command, micro['seg'][0], *rest, '--cfg-options', option])
        assert result.exit_code == 1 and result.output.startswith('Error: --cfg-options '), result.output
        assert len(result.output.splitlines()) == 1


@pytest.mark.parametrize(
    'text, message',
    [
        ('model = dict(', 'cannot be read as a config: SyntaxError'),
        ('x = 1 / 0', 'ZeroDivisionError'),
        ("_base_ = 'none.py'", 'none.py'),
        ("default_scope = 'mmseg'\nmodel = dict(type='Nothing')", 'Nothing is not in'),
    ],
)
def test_broken_configs_are_one_line(picture, tmp_path, text, message):
    (tmp_path / 'a.py').write_text(text)
    result = CliRunner().invoke(main, ['explain', str(tmp_path / 'a.py'), 'none', picture, '-o', str(tmp_path / 'out')])
    assert result.exit_code == 1 and message in result.output and result.output.startswith('Error: '), result.output
    assert isinstance(result.exception, SystemExit)


def test_ctrl_c_is_one_line(capsys):
    with pytest.raises(SystemExit) as exit, errors():
        raise KeyboardInterrupt
    assert exit.value.code == 130 and capsys.readouterr().err == 'Interrupted.\n'
