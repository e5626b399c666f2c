import json
import os
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.commands.export import export, exporting
from hrformer_mm.commands.model import load_model, read_config

ROOT = Path(__file__).parents[2]
onnxruntime = pytest.importorskip('onnxruntime')


def call(*args):
    return CliRunner().invoke(main, ['export', *map(str, args)])


@pytest.fixture(scope='module')
def pose(micro, tmp_path_factory):
    path = tmp_path_factory.mktemp('onnx') / 'pose.onnx'
    return export(*micro['pose'], str(path), dynamic_batch=True)


@pytest.mark.slow
def test_any_batch_and_size(micro, tmp_path):
    result = call(
        *micro['seg'],
        tmp_path / 'a.onnx',
        '--size',
        64,
        96,
        '--dynamic-size',
        '--dynamic-batch',
        '--check-size',
        128,
        64,
        '--json',
    )
    assert result.exit_code == 0, result.output
    checks = json.loads(result.output[result.output.index('{') :])['checks']
    assert [check['shape'] for check in checks] == [[1, 3, 64, 96], [2, 3, 64, 96], [1, 3, 128, 64]]
    assert all(0 < check['difference'] < 1e-4 for check in checks)
    # Compare with the original model, not its deployment form, at a size without a check.
    session = onnxruntime.InferenceSession(str(tmp_path / 'a.onnx'), providers=['CPUExecutionProvider'])
    images = torch.randn(3, 3, 160, 96)
    cfg = read_config(micro['seg'][0])
    with torch.no_grad():
        wanted = load_model(cfg, micro['seg'][1]).encode_decode(images, [dict(img_shape=(160, 96))])
    got = session.run(None, {'images': images.numpy()})[0]
    np.testing.assert_allclose(got, wanted, rtol=0, atol=1e-4 * wanted.abs().max().item())
    about = json.loads(session.get_modelmeta().custom_metadata_map['hrformer_mm'])
    assert about['task'] == 'segmentation' and about['classes'] == ['background', 'person'] and about['rgb']
    assert about['mean'] == pytest.approx([123.675, 116.28, 103.53]) and about['size'] == [64, 96]


def test_a_file_that_differs_is_not_written(pose, micro, tmp_path, monkeypatch):
    monkeypatch.setitem(exporting.TOLERANCES, 'f32', 1e-12)
    monkeypatch.setitem(exporting._WRITERS, 'torch', lambda network, *_: lambda images: network(images) * 1.001)
    result = call(*micro['pose'], tmp_path / 'a.pt2', '--format', 'torch')
    assert result.exit_code == 1 and 'was not written' in result.output
    assert not os.listdir(tmp_path)


def test_torch_export(micro, tmp_path):
    done = export(*micro['pose'], str(tmp_path / 'a.pt2'), 'torch')
    assert done.difference < 1e-4
    extra = {'hrformer_mm': ''}
    torch.export.load(done.path, extra_files=extra)
    assert json.loads(extra['hrformer_mm'])['codec']['type'] == 'MSRAHeatmap'


@pytest.mark.slow
def test_aoti(micro, tmp_path):
    assert export(*micro['pose'], str(tmp_path / 'a.pt2'), 'aoti').difference < 1e-4


@pytest.mark.slow
def test_classification(micro, tmp_path):
    assert export(*micro['cls'], str(tmp_path / 'a.onnx'), size=(65, 80)).difference < 1e-4


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(output='a.pt', format='onnx'), 'must end in .onnx'),
        (dict(output='none/a.onnx'), 'there is no folder'),
        (dict(config='none.py'), 'no config file none.py'),
        (dict(checkpoint='none.pth'), 'there is no checkpoint'),
        (dict(size=(65, 64), dynamic_size=True), 'multiples of 32'),
    ],
)
def test_bad_arguments(micro, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    config, checkpoint = micro['pose']
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        export(**{**dict(config=config, checkpoint=checkpoint, output='a.onnx'), **change})


def test_checkpoints_that_do_not_fit(micro, tmp_path):
    with pytest.raises(ValueError, match='of another task: it has decode_head, but the model has head'):
        export(micro['pose'][0], micro['seg'][1], str(tmp_path / 'a.onnx'))
    for task, layer, message in (
        ('seg', 'decode_head.conv_seg', r'5 classes, but the config has 2 \(model.decode_head.num_classes\)'),
        ('pose', 'head.final_layer', r'5 keypoints, but the config has 17 \(model.head.out_channels\)'),
        ('cls', 'head.fc', r'5 classes, but the config has 1000 \(model.head.num_classes\)'),
    ):
        state = torch.load(micro[task][1])['state_dict']
        state[f'{layer}.bias'] = torch.zeros(5)
        torch.save(state, tmp_path / 'five.pth')
        with pytest.raises(ValueError, match=f'five.pth has {message}'):
            export(micro[task][0], str(tmp_path / 'five.pth'), str(tmp_path / 'a.onnx'))
