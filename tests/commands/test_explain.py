"""The command on micro models of each library: what is written, what is refused, and what goes in."""

import json

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mmengine.config import Config

from hrformer_mm.cli import main
from hrformer_mm.commands.explain import MAX_SIDE, explain
from hrformer_mm.commands.explain.capture import find_blocks
from hrformer_mm.commands.explain.network import load_network, read_picture
from hrformer_mm.commands.explain.pictures import PICTURES


@pytest.fixture(scope='module')
def image(tmp_path_factory):
    path = tmp_path_factory.mktemp('image') / 'a.png'
    cv2.imwrite(str(path), np.kron(np.random.default_rng(0).integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))))
    return str(path)


def check_pictures(folder, about):
    assert set(about['pictures']) == {'overview.png', 'features.png', 'windows.png', 'attention.png',
                                      'receptive_field.png'}
    for name, (width, height) in about['pictures'].items():
        assert cv2.imread(str(folder / name)).shape[:2] == (height, width) and width == 1800


def test_command(micro, image, tmp_path):
    command = ['explain', *micro['pose'], image, '-o', str(tmp_path), '--pixel', '70', '40', '--max-side', '96',
               '--stage', '4', '--stream', '1', '--device', 'cpu', '--json']
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 0, result.output
    about = json.loads(result.stdout)
    assert about == json.loads((tmp_path / 'explanation.json').read_text()) and about['trained']
    check_pictures(tmp_path, about)
    assert about['image']['size'] == [128, 96] and about['image']['seen'] == [96, 72]
    assert about['image']['pixel'] == [70, 40] and about['image']['pixel_seen'] == [52, 30]
    assert [s['map'] for s in about['streams']] == [[18, 24], [9, 12], [5, 6], [3, 3]]
    assert [s['is_output'] for s in about['streams']] == [True, False, False, False]
    found, windows = about['attention'], about['windows'][1]
    assert found['place'] == [3, 6] and windows['window'] == [7, 7] and windows['windows'] == [2, 2]
    assert windows['padding'] == dict(top=2, bottom=3, left=1, right=1)
    assert found['window'] == dict(top=-2, bottom=5, left=6, right=13)
    probabilities = np.array(found['probabilities'])
    assert probabilities.shape == (2, 7, 7) and found['difference'] <= 1e-5
    np.testing.assert_allclose(probabilities.sum((1, 2)), 1, atol=1e-4)
    np.testing.assert_allclose(found['on_padding'], (probabilities * found['padded']).sum((1, 2)), atol=1e-4)
    field = about['receptive_field']
    assert field['block']['without_dwconv']['outside_window'] == 0 < field['block']['with_dwconv']['outside_window']
    assert field['block']['place'] == [4, 6] and field['backbone']['place'] == [3, 6]


def test_without_bias_and_convolution(micro, tmp_path):
    """Shifted windows, two blocks, no bias, no convolution, no checkpoint, and a picture high and narrow."""
    cfg = Config.fromfile(micro['cls'][0])
    cfg.model.backbone.update(with_rpe=False, with_dwconv=False, shift_windows=True)
    cfg.model.backbone.arch.num_blocks = 2
    cfg.dump(tmp_path / 'a.py')
    cv2.imwrite(str(tmp_path / 'a.png'), np.zeros((200, 40, 3), np.uint8))
    done = explain(str(tmp_path / 'a.py'), 'none', str(tmp_path / 'a.png'), str(tmp_path / 'out'), (0, 0), block=1,
                   device='cpu')
    about = json.loads((tmp_path / 'out/explanation.json').read_text())
    assert not about['trained'] and about['windows'][0]['shift'] == [3, 3]
    check_pictures(tmp_path / 'out', about)
    assert any('UNTRAINED WEIGHTS' in text.get_text() for text in PICTURES['windows.png'](done).texts)
    # The map of 10x50 has 2 and 3 places of padding before it; windows begin 3 places after the padded map does.
    assert about['attention']['window'] == dict(top=0, bottom=7, left=-2, right=1)
    assert about['attention']['bias'] is None and done.attention.difference <= 1e-5
    assert set(about['receptive_field']['block']) == {'place', 'cell', 'without_dwconv'}


@pytest.mark.parametrize('change, message', [
    (dict(pixel=(128, 0)), 'the pixel is 128 0, but .*a.png has 128 x 96 pixels: x must be 0 to 127, and y 0 to 95'),
    (dict(pixel=(0, -1)), 'the pixel is 0 -1'),
    (dict(stage=5), 'the stage is 5, but must be 2, 3 or 4'),
    (dict(stage=1), 'the stage is 1'),
    (dict(module=1), 'the module is 1, but must be 0: stage 4 has 1'),
    (dict(block=-1), 'the block is -1, but must be 0'),
    (dict(stage=3, stream=3), 'the stream is 3, but must be 0 to 2: stage 3 has 3'),
    (dict(image='none.png'), 'there is no picture none.png'),
    (dict(max_side=0), 'the longest side is 0'),
    (dict(config='none'), 'no config file none'),
    (dict(checkpoint='none.pth'), 'no checkpoint at none.pth'),
    (dict(device='cuda:99'), 'the device cuda:99 cannot be used'),
    (dict(folder='file/out'), 'file/out cannot be written to'),
])
def test_bad_arguments(micro, image, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    config, checkpoint = micro['cls']
    arguments = dict(config=config, checkpoint=checkpoint, image=image, folder='out', max_side=32, device='cpu')
    with pytest.raises((ValueError, OSError), match=message):
        explain(**{**arguments, **change})
    assert not (tmp_path / 'out').exists()


def test_a_model_without_hrformer(image, tmp_path):
    model = "dict(type='ImageClassifier', backbone=dict(type='LeNet5', num_classes=9))"
    (tmp_path / 'a.py').write_text(f"default_scope = 'mmpretrain'\nmodel = {model}\n")
    message = "a.py: model.backbone is a LeNet5 of mmpretrain, but must be of type 'hrformer_mm.HRFormer'"
    with pytest.raises(ValueError, match=message):
        explain(str(tmp_path / 'a.py'), 'none', image, str(tmp_path / 'out'))


def test_untrained_weights_are_the_same_every_time(micro):
    a, b = (load_network(micro['cls'][0], 'none', 'cpu')[0].state_dict() for _ in range(2))
    assert all(torch.equal(a[name], b[name]) for name in a)


def test_images_go_in_as_the_model_wants_them(micro, image):
    """As the runner of each library feeds them: normalised by the config's numbers, in its order of channels."""
    picture = read_picture(image, MAX_SIDE)
    pixels = cv2.imread(image)[..., ::-1].astype(np.float32)
    expected = (pixels - [123.675, 116.28, 103.53]) / [58.395, 57.12, 57.375]
    for task in ('seg', 'pose', 'cls'):
        backbone, preprocessor = load_network(micro[task][0], 'none', 'cpu')
        found = picture.inputs(preprocessor)
        np.testing.assert_allclose(found[0].permute(1, 2, 0).numpy(), expected, atol=1e-4)
        assert find_blocks(backbone, 3, 0, 0)[2] is backbone.stage3[0].branches[2][0]


@pytest.mark.slow
def test_detection(image, tmp_path):
    """mmdet's preprocessor pads to multiples of 32, which the maps cover, and the picture does not."""
    cv2.imwrite(str(tmp_path / 'b.png'), cv2.imread(image)[:90, :100])
    explain('configs/fcos_hrformer-s_coco.py', 'none', str(tmp_path / 'b.png'), str(tmp_path), stage=2, device='cpu')
    about = json.loads((tmp_path / 'explanation.json').read_text())
    assert about['input_size'] == [128, 96] and about['windows'][0]['map'] == [24, 32]
    check_pictures(tmp_path, about)
