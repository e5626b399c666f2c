"""OpenVINO files in int8 and bf16."""

import json
import sys

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config

from hrformer_mm import runtime
from hrformer_mm.cli import main
from hrformer_mm.commands.export import export
from hrformer_mm.commands.export.calibration import CalibrationImages
from hrformer_mm.commands.export.int8 import float_operators
from hrformer_mm.commands.export.metadata import metadata
from hrformer_mm.commands.model import build_model, read_config
from hrformer_mm.commands.test import test as run_test

REASON = "is not installed: pip install 'hrformer_mm[openvino]'"


def calibration_images(config, count, changes=()):
    cfg = read_config(config)
    cfg.merge_from_dict(dict(changes))
    model = build_model(cfg)
    about = metadata(cfg, model)
    return CalibrationImages(cfg, model, dict(about, size=about['size'] or [64, 64]), count)


def test_images_of_the_training_data(trained, data):
    """They pass through the test pipeline, without the augmentation of training."""
    images = calibration_images(trained('seg')[0], 2)
    assert (len(images), images.split) == (2, 'train')
    paths = sorted((data / 'custom/images/train').iterdir())
    for image, path in zip((images[0], images[1]), (paths[0], paths[-1]), strict=True):
        picture = cv2.resize(cv2.imread(str(path)), (96, 64))[..., ::-1].astype(np.float32)
        expected = (picture - (123.675, 116.28, 103.53)) / (58.395, 57.12, 57.375)
        np.testing.assert_allclose(image[0].permute(1, 2, 0), expected, atol=1e-4)
    assert len(calibration_images(trained('pose')[0], 300)) >= 3
    assert calibration_images(trained('cls')[0], 1)[0].shape == (1, 3, 64, 64)


def test_images_of_the_validation_data(trained, data):
    cfg = Config.fromfile(trained('seg')[0])
    cfg.val_dataloader.dataset.data_root = str(data / 'custom')
    changes = {'train_dataloader': None, 'val_dataloader': cfg.val_dataloader}
    assert calibration_images(trained('seg')[0], 9, changes).split == 'val'
    with pytest.raises(ValueError, match='has neither training nor validation data'):
        calibration_images(trained('seg')[0], 9, {'train_dataloader': None, 'val_dataloader': None})


def test_windows_are_cropped(trained):
    whole = calibration_images(trained('seg')[0], 1)[0]
    slide = {'model.test_cfg': dict(mode='slide', crop_size=(48, 64), stride=(32, 32))}
    assert torch.equal(calibration_images(trained('seg')[0], 1, slide)[0], whole[:, :, 8:56, 16:80])


class Attention(torch.nn.Module):
    """A convolution, a product of its output with itself, and an upsampled classifier."""

    def __init__(self):
        super().__init__()
        self.first, self.last = torch.nn.Conv2d(3, 4, 3), torch.nn.Conv2d(4, 2, 1)

    def forward(self, x):
        x = self.first(x)
        x = x @ x.transpose(2, 3).softmax(3)
        return torch.nn.functional.interpolate(self.last(x), scale_factor=2.0)


def test_float_operators():
    ov = pytest.importorskip('openvino', reason=f'OpenVINO {REASON}')
    model = ov.convert_model(Attention(), example_input=torch.zeros(1, 3, 8, 8))
    products = [
        op.get_friendly_name()
        for op in model.get_ordered_ops()
        if op.get_type_name() in ('Convolution', 'MatMul', 'Interpolate')
    ]
    assert len(products) == 4 and set(float_operators(model)) == set(products[1:])


@pytest.mark.parametrize(
    'output, option, message',
    [
        ('a.onnx', '--int8', 'int8 is for files of OpenVINO, but the format is onnx: choose an output .xml'),
        ('a.pt2', '--bf16', 'bf16 is for files of OpenVINO, but the format is torch'),
        ('a.xml', '--int8', "int8 requires NNCF: pip install 'hrformer_mm[openvino]'"),
    ],
)
def test_bad_input(micro, tmp_path, monkeypatch, output, option, message):
    monkeypatch.setitem(sys.modules, 'nncf', None)
    result = CliRunner().invoke(main, ['export', *micro['pose'], str(tmp_path / output), option])
    assert result.exit_code == 1 and message in result.stderr and not list(tmp_path.iterdir())


@pytest.mark.slow
@pytest.mark.parametrize('task', ['seg', 'pose', 'cls'])
def test_int8(trained, tmp_path, task):
    pytest.importorskip('nncf', reason=f'NNCF {REASON}')
    ov = pytest.importorskip('openvino', reason=f'OpenVINO {REASON}')
    config, checkpoint = trained(task)
    path = str(tmp_path / 'a.xml')
    result = CliRunner().invoke(main, ['export', config, checkpoint, path, '--int8', '--calibration', '2', '--json'])
    assert result.exit_code == 0, result.output
    assert 1e-3 < json.loads(result.stdout)['checks'][0]['difference'] < 0.2
    about = runtime.load(path).metadata
    assert about['precision'] == 'int8' and about['calibration']['images'] == 2
    assert about['calibration']['split'] == 'train' and about['calibration']['nncf']
    model = ov.Core().read_model(path)
    operators = model.get_ordered_ops()
    sources = [
        (op.get_type_name(), [value.get_source_output().get_node().get_type_name() for value in op.inputs()])
        for op in operators
    ]
    assert not any(kind in ('Interpolate', 'MVN') and 'FakeQuantize' in inputs for kind, inputs in sources)
    # Integers are converted to float by three operators in the file, which the engine fuses.
    floating = [kind for kind, inputs in sources if kind in ('Convolution', 'MatMul') and inputs[1] == 'Constant']
    assert floating == ['MatMul' if task == 'cls' else 'Convolution']
    assert len([kind for kind, _ in sources if kind == 'Convolution']) > 50
    first, second = run_test(config, [path], checkpoint)
    assert second.precision == 'int8' and second.metrics.keys() == first.metrics.keys()


@pytest.mark.slow
def test_bf16(micro, tmp_path):
    pytest.importorskip('openvino', reason=f'OpenVINO {REASON}')
    assert export(*micro['pose'], str(tmp_path / 'a.xml'), precision='bf16').difference < 0.1
    assert runtime.load(tmp_path / 'a.xml').metadata['precision'] == 'bf16'
