import json
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.commands.predict import predict, predicting
from hrformer_mm.commands.predict.boxes import read_boxes
from hrformer_mm.commands.predict.sources import find_sources, read_image
from hrformer_mm.deploy import is_deployed, to_deploy


@pytest.fixture(scope='module')
def pictures(tmp_path_factory):
    folder = tmp_path_factory.mktemp('pictures')
    generator = np.random.default_rng(0)
    for name in ('a.png', 'b.jpg', 'c.jpg'):
        cv2.imwrite(str(folder / name), np.kron(generator.integers(0, 255, (6, 8, 3)), np.ones((20, 20, 1))))
    (folder / 'broken.jpg').write_text('text')
    (folder / 'notes.txt').write_text('text')
    return folder


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = str(tmp_path_factory.mktemp('video') / 'v.mp4')
    writer = cv2.VideoWriter(path, cv2.VideoWriter_fourcc(*'mp4v'), 10, (96, 64))
    for i in range(5):
        writer.write(np.full((64, 96, 3), 40 * i, np.uint8))
    writer.release()
    return path


def test_segmentation_of_a_folder_and_a_video(micro, pictures, video, tmp_path):
    arguments = [
        'predict',
        *micro['seg'],
        str(pictures),
        video,
        '-o',
        str(tmp_path / 'out'),
        '--batch',
        '2',
        '--frames',
        '3',
        '--device',
        'cpu',
    ]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1 and 'broken.jpg cannot be read as a picture' in result.output, result.output
    assert sorted(os.listdir(tmp_path / 'out')) == ['a.png', 'b.png', 'c.png', 'predictions.json', 'v.mp4']
    results = json.loads((tmp_path / 'out/predictions.json').read_text())
    assert [os.path.basename(r['source']) for r in results] == ['a.png', 'b.jpg', 'c.jpg', 'v.mp4', 'v.mp4', 'v.mp4']
    assert all(sum(r['shares'].values()) == pytest.approx(1, abs=1e-4) for r in results)
    assert set(results[0]['shares']) <= {'background', 'person'}
    picture, original = cv2.imread(str(tmp_path / 'out/a.png')), cv2.imread(str(pictures / 'a.png'))
    assert picture.shape[0] == 120 and picture.shape[1] > 160  # the legend
    person = results[0]['shares'].get('person', 0)
    if person == 0:  # the color of the background is black
        np.testing.assert_allclose(picture[:, :160], original * 0.4, atol=2)
    capture = cv2.VideoCapture(str(tmp_path / 'out/v.mp4'))
    assert capture.get(cv2.CAP_PROP_FRAME_COUNT) == 3


def test_poses_of_boxes(micro, pictures, tmp_path):
    boxes = tmp_path / 'boxes.json'
    boxes.write_text(json.dumps({'a.png': [[10, 10, 80, 100], [60, 20, 150, 110]], 'b.jpg': []}))
    inputs = [str(pictures / name) for name in ('a.png', 'b.jpg', 'c.jpg')]
    done = predict(*micro['pose'], inputs, str(tmp_path / 'out'), 'cpu', batch=4, boxes=str(boxes))
    assert [len(r['people']) for r in done.results] == [2, 0]
    assert len(done.problems) == 1 and 'c.jpg has no boxes' in done.problems[0]
    one = predict(*micro['pose'], inputs[:1], str(tmp_path / 'one'), 'cpu', batch=1, boxes=str(boxes))
    for a, b in zip(one.results[0]['people'], done.results[0]['people']):
        assert a['box'] == b['box'] and a['keypoints'].keys() == b['keypoints'].keys()
        np.testing.assert_allclose(a['keypoints']['nose'], b['keypoints']['nose'], atol=1e-2)
    assert cv2.imread(str(tmp_path / 'out/a.png')).shape == (120, 160, 3)


def test_labels(micro, pictures, tmp_path):
    done = predict(*micro['cls'], [str(pictures / 'a.png')], str(tmp_path), 'cpu')
    scores = [label['score'] for label in done.results[0]['labels']]
    assert len(scores) == 5 and scores == sorted(scores, reverse=True) and done.results[0]['labels'][0]['name']


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(inputs=['none/*.jpg']), 'no picture or video at none'),
        (dict(inputs=['camera:x']), 'camera:x is not a camera'),
        (dict(device='cuda:99'), 'the device cuda:99 cannot be used'),
        (dict(config='none'), 'no config file none'),
        (dict(checkpoint='cls'), 'of another task'),
        (dict(folder='file/out'), 'file/out cannot be written to'),
    ],
)
def test_bad_arguments(micro, pictures, tmp_path, monkeypatch, change, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').touch()
    config, checkpoint = micro['seg']
    arguments = dict(config=config, checkpoint=checkpoint, inputs=[str(pictures / 'a.png')], folder='out', device='cpu')
    if change.get('checkpoint') == 'cls':
        change = dict(checkpoint=micro['cls'][1])
    with pytest.raises((ValueError, OSError), match=message):
        predict(**{**arguments, **change})
    assert not (tmp_path / 'out').exists()


def test_a_camera_that_is_not_there(micro, pictures, tmp_path):
    done = predict(*micro['seg'], [str(pictures / 'a.png'), 'camera:97'], str(tmp_path), 'cpu')
    assert len(done.results) == 1 and 'camera:97 cannot be opened' in done.problems[0]


def test_sources(pictures, video):
    found, notes = find_sources([str(pictures), str(pictures / '*.jpg'), video])
    assert [source.stem for source in found] == ['a', 'b', 'broken', 'c', 'v'] and not notes
    with pytest.raises(ValueError, match='cannot be read as a picture'):
        read_image(str(pictures / 'broken.jpg'))


@pytest.mark.parametrize('text', ['no', '[]', '{"a": [[1, 2, 3]]}', '{"a": [[5, 0, 1, 9]]}'])
def test_boxes_of_another_form(tmp_path, text):
    (tmp_path / 'a.json').write_text(text)
    with pytest.raises(ValueError, match='a.json'):
        read_boxes(str(tmp_path / 'a.json'))


@pytest.mark.parametrize('task', ['seg', 'pose'])
def test_the_deployment_form_predicts_the_same(micro, pictures, tmp_path, monkeypatch, task):
    made, inputs = [], [str(pictures / 'a.png')]
    monkeypatch.setattr(predicting, 'to_deploy', lambda model: made.append(to_deploy(model)) or made[-1])
    found, expected = (
        predict(
            *micro[task], inputs, str(tmp_path / str(deploy)), 'cpu', deploy=deploy, whole_image=task == 'pose'
        ).results[0]
        for deploy in (True, False)
    )
    assert len(made) == 1 and is_deployed(made[0])
    if task == 'seg':
        assert found['shares'] == pytest.approx(expected['shares'], abs=1e-3)
    else:
        for name, keypoint in found['people'][0]['keypoints'].items():
            assert keypoint == pytest.approx(expected['people'][0]['keypoints'][name], abs=1e-2)
