"""People in predict: torchvision's detectors, box files, whole pictures, and tracks in videos."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from urllib.error import URLError

import cv2
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from mmengine.structures import InstanceData
from PIL import Image
from torchvision import models

from hrformer_mm.cli import main
from hrformer_mm.commands.predict import boxes as boxes_module
from hrformer_mm.commands.predict import detectors, predict, predicting
from hrformer_mm.commands.predict.predictors import Predictor
from hrformer_mm.weights import download
from hrformer_mm.weights.download import cache_path

NAMES = models.list_models(module=models.detection)


class Detector(torch.nn.Module):
    """Detect two people, one with a low score, and a car; the first person moves by 2 pixels per image."""

    sizes = ()

    def forward(self, images):
        found = []
        for image in images:
            assert image.dtype == torch.float32 and image.shape[0] == 3 and 0 <= image.min() and image.max() <= 1
            shift = 2 * len(self.sizes)
            self.sizes = (*self.sizes, tuple(image.shape))
            found.append(
                dict(
                    labels=torch.tensor([3, 1, 1]),
                    scores=torch.tensor([0.9, 0.8, 0.31]),
                    boxes=torch.tensor([[0.0, 0, 50, 50], [10 + shift, 10, 50 + shift, 90], [60, 20, 90, 80]]),
                )
            )
        return found


@pytest.fixture
def detector(monkeypatch):
    """Replace torchvision's detectors; nothing is downloaded."""
    made = Detector()
    monkeypatch.setattr(detectors, 'fetch', lambda url: None)
    monkeypatch.setattr(models, 'get_model', lambda name, weights: made)
    return made


@pytest.fixture(scope='module')
def photo(tmp_path_factory):
    path = tmp_path_factory.mktemp('photo') / 'photo.jpg'
    picture = np.random.default_rng(0).integers(0, 255, (6, 8, 3))
    cv2.imwrite(str(path), np.kron(picture, np.ones((16, 16, 1))))
    return str(path)


@pytest.fixture(scope='module')
def video(tmp_path_factory):
    path = tmp_path_factory.mktemp('video') / 'v.mp4'
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*'mp4v'), 10, (128, 96))
    generator = np.random.default_rng(0)
    for _ in range(5):
        writer.write(np.kron(generator.integers(0, 255, (6, 8, 3)), np.ones((16, 16, 1))).astype(np.uint8))
    writer.release()
    return str(path)


def run(*arguments):
    return CliRunner().invoke(main, ['predict', *map(str, arguments)])


def test_people_are_found(micro, photo, detector, tmp_path):
    result = run(*micro['pose'], photo, '-o', tmp_path / 'a')
    assert result.exit_code == 0, result.output
    people = json.loads((tmp_path / 'a/predictions.json').read_text())[0]['people']
    assert [(person['box'][:4], person['score']) for person in people] == [
        ([10, 10, 50, 90], 0.8),
        ([60, 20, 90, 80], 0.31),
    ]
    assert all(len(person['keypoints']) == 17 and 'track' not in person for person in people)
    assert detector.sizes == ((3, 96, 128),)
    drawn = cv2.imread(str(tmp_path / 'a/photo.png'))
    assert (drawn[90, 15:45] == (0, 160, 0)).all(1).mean() > 0.5  # the lower side of the first box
    result = run(*micro['pose'], photo, '-o', tmp_path / 'b', '--threshold', 0.95)
    assert result.exit_code == 0 and 'Note: in 1 of 1 results there is nobody: a lower --threshold' in result.stderr
    assert json.loads((tmp_path / 'b/predictions.json').read_text())[0]['people'] == []


@pytest.mark.parametrize('name', [boxes_module.DETECTOR, 'ssdlite320_mobilenet_v3_large'])
def test_detections_are_those_of_torchvision(photo, monkeypatch, name):
    """With random weights, and with torchvision's own transforms for the same pixels in RGB."""
    limit = dict(detections_per_img=20) if name.startswith('ssd') else dict(box_score_thresh=0, box_nms_thresh=1)
    model = models.get_model(name, weights=None, weights_backbone=None, num_classes=2, **limit).eval()
    weights = models.get_model_weights(name).DEFAULT
    built = []
    monkeypatch.setattr(detectors, 'fetch', built.append)
    monkeypatch.setattr(models, 'get_model', lambda name, weights: built.append((name, weights)) or model)
    finder = boxes_module.Boxes(None, name, 0.0, 'cpu')
    assert built == [weights.url, (name, weights)]
    with torch.no_grad():
        (expected,) = model([weights.transforms()(Image.fromarray(cv2.imread(photo)[..., ::-1]))])
    (found,) = finder(['photo.jpg'], [cv2.imread(photo)])
    people = expected['labels'] == 1
    assert 0 < len(found) == people.sum()
    np.testing.assert_allclose(found[:, :4], expected['boxes'][people], atol=1e-2)
    np.testing.assert_allclose(found[:, 4], expected['scores'][people], atol=1e-4)


@pytest.mark.parametrize('name', NAMES)
def test_weights_of_detectors(name, tmp_path, monkeypatch):
    """The weights are downloaded to the folder of torch.hub, and have a class for people."""
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    weights = models.get_model_weights(name).DEFAULT
    assert cache_path(weights.url) == tmp_path / 'checkpoints' / Path(weights.url).name
    assert 'person' in weights.meta['categories']


@pytest.mark.parametrize('broken', ['network', 'page'])
def test_without_network(micro, photo, tmp_path, monkeypatch, broken):
    """One line names the file, its path, and alternatives; nothing is written or run."""

    def urlopen(*args, **kwargs):
        raise URLError('no route to host')

    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path / 'hub'))
    monkeypatch.setattr(download, 'urlopen', urlopen)
    monkeypatch.setattr(Predictor, 'predict', lambda *_: pytest.fail('the pose model ran'))
    url = models.get_model_weights(boxes_module.DETECTOR).DEFAULT.url
    if broken == 'page':
        (tmp_path / 'hub/checkpoints').mkdir(parents=True)
        (tmp_path / 'hub/checkpoints' / Path(url).name).write_text('<html>Sign in</html>')
    result = run(*micro['pose'], photo, '-o', tmp_path / 'out')
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1, result.stderr
    assert all(
        part in result.stderr
        for part in (
            url,
            str(tmp_path / 'hub/checkpoints' / Path(url).name),
            '--boxes',
            '--whole-image',
            boxes_module.DETECTOR,
        )
    )
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize(
    'options, message',
    [
        (['--detector', 'yolo'], f'torchvision has no detector yolo: choose one of {", ".join(NAMES)}, or give one'),
        (['--mmdet', 'a.py', 'b.pth'], 'there is no file a.py: --mmdet takes a config and weights'),
        (['--mmdet', 'a.py', 'b.pth', '--detector', 'a'], '--detector and --mmdet are two detectors'),
        (['--whole-image', '--boxes', 'a.json'], 'people are found in one way'),
        (['--whole-image', '--detector', NAMES[0]], 'people are found in one way'),
    ],
)
def test_bad_options(micro, photo, tmp_path, options, message):
    result = run(*micro['pose'], photo, '-o', tmp_path / 'out', *options)
    assert result.exit_code in (1, 2) and message in result.stderr and 'Traceback' not in result.stderr
    assert not (tmp_path / 'out').exists()


@pytest.mark.parametrize('options', [['--whole-image'], ['--detector', NAMES[0]], ['--mmdet', 'a.py', 'b.pth']])
def test_other_tasks_find_no_people(micro, photo, tmp_path, options):
    result = run(*micro['cls'], photo, '-o', tmp_path / 'out', *options)
    assert result.exit_code == 1 and 'are for poses, but' in result.stderr


def test_no_torchvision(micro, photo, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, 'hrformer_mm.commands.predict.detectors', None)
    with pytest.raises(ImportError, match='requires PyTorch, torchvision and mmengine.* --whole-image takes'):
        predict(*micro['pose'], [photo], str(tmp_path / 'out'), 'cpu')


def test_mmdet(micro, photo, tmp_path, monkeypatch):
    """mmdet's boxes of class 0 are used, without duplicates."""
    apis = pytest.importorskip('mmdet.apis')

    def inferencer(*files, device, show_progress):
        found = InstanceData(
            labels=torch.tensor([0, 2, 0, 0]),
            scores=torch.tensor([0.9, 0.9, 0.8, 0.1]),
            bboxes=torch.tensor([[0.0, 0, 40, 80], [9, 9, 20, 20], [1, 1, 40, 80], [60, 0, 90, 80]]),
        )
        return lambda image, return_datasamples: dict(predictions=[SimpleNamespace(pred_instances=found)])

    monkeypatch.setattr(apis, 'DetInferencer', inferencer)
    (tmp_path / 'a.py').touch()
    (tmp_path / 'b.pth').touch()
    result = run(*micro['pose'], photo, '-o', tmp_path / 'out', '--mmdet', tmp_path / 'a.py', tmp_path / 'b.pth')
    assert result.exit_code == 0, result.output
    people = json.loads((tmp_path / 'out/predictions.json').read_text())[0]['people']
    assert [person['score'] for person in people] == [0.9]


def test_videos(micro, video, detector, tmp_path):
    """Track numbers and smooth keypoints do not depend on the batch size."""
    results = {}
    for name, arguments in dict(smooth={}, batch=dict(batch=3), raw=dict(smooth=False)).items():
        detector.sizes = ()
        done = predict(*micro['pose'], [video], str(tmp_path / name), 'cpu', **arguments)
        assert not done.problems and [r['frame'] for r in done.results] == list(range(5))
        results[name] = [result['people'] for result in done.results]
    assert all([person['track'] for person in people] == [1, 2] for each in results.values() for people in each)
    assert results['raw'][0] == results['smooth'][0]
    assert [people[0]['box'][0] for people in results['raw']] == [10, 12, 14, 16, 18]
    assert all(
        10 < people[0]['box'][0] < raw[0]['box'][0] for people, raw in zip(results['smooth'][1:], results['raw'][1:])
    )
    noses = {name: np.array([people[0]['keypoints']['nose'][:2] for people in each]) for name, each in results.items()}
    np.testing.assert_allclose(noses['smooth'], noses['batch'], atol=1e-2)
    assert np.abs(np.diff(noses['smooth'], axis=0)).sum() < np.abs(np.diff(noses['raw'], axis=0)).sum()


def test_a_frame_that_fails_leaves_the_tracks_of_others(micro, video, tmp_path, monkeypatch):
    prepare, frames = Predictor.prepare, []

    def fail(self, loaded):
        frames.append(loaded['time'])
        if loaded['time'] == 0.2:
            raise RuntimeError('out of memory')
        return prepare(self, loaded)

    expected = predict(*micro['pose'], [video], str(tmp_path / 'a'), 'cpu', batch=5, whole_image=True).results
    monkeypatch.setattr(Predictor, 'prepare', fail)
    done = predict(*micro['pose'], [video], str(tmp_path / 'b'), 'cpu', batch=5, whole_image=True)
    assert len(frames) > 5 and done.problems == [
        f'1 of 5 frames failed, the first one is frame 2: {video}: RuntimeError: out of memory'
    ]
    assert [r['frame'] for r in done.results] == [0, 1, 3, 4]
    assert [r['people'][0]['track'] for r in done.results] == [1, 1, 1, 1]
    for found, wanted in zip(done.results[:2], expected):
        found, wanted = (result['people'][0]['keypoints']['nose'] for result in (found, wanted))
        assert found == pytest.approx(wanted, abs=0.01)


def test_people_cut_by_the_border(micro, photo, tmp_path):
    """Keypoints outside of a picture do not change its size."""
    (tmp_path / 'boxes.json').write_text('{"photo.jpg": [[-200, -100, 20, 40]]}')
    done = predict(
        *micro['pose'], [photo], str(tmp_path / 'out'), 'cpu', boxes=str(tmp_path / 'boxes.json'), keypoint_threshold=0
    )
    assert any(x < 0 or y < 0 for x, y, _ in done.results[0]['people'][0]['keypoints'].values())
    drawn, original = cv2.imread(str(tmp_path / 'out/photo.png')), cv2.imread(photo)
    assert drawn.shape == original.shape and (drawn == original)[50:, 50:].all()


@pytest.mark.parametrize(
    'words, checkpoint',
    [
        (['photo.jpg'], None),
        (['camera:0'], None),
        (['photos'], None),
        (['photos/*'], None),
        (['v.MP4', 'a.png'], None),
        (['weights.pth', 'a.jpg'], 'weights.pth'),
        (['weights[1].pth', 'a.jpg'], 'weights[1].pth'),
        (['last', 'a'], 'last'),
        (['td-hm_hrformer-b_coco-256x192', 'photo.jpg'], 'td-hm_hrformer-b_coco-256x192'),
        (['https://example.com/a.pth?download=1', 'photo.jpg'], 'https://example.com/a.pth?download=1'),
        (['hrformer_mm://hrformer-s_imagenet', 'photos'], 'hrformer_mm://hrformer-s_imagenet'),
    ],
)
def test_what_is_the_checkpoint(tmp_path, monkeypatch, words, checkpoint):
    monkeypatch.chdir(tmp_path)
    Path('photos').mkdir()
    Path('weights[1].pth').touch()
    given = []
    monkeypatch.setattr(predicting, 'predict', lambda *args: given.append(args) or predicting.Prediction('a'))
    assert run('CONFIG', *words).exit_code == 0
    assert given[0][1:3] == (checkpoint, tuple(words[checkpoint is not None :]))


def test_a_checkpoint_without_inputs():
    result = run('CONFIG', 'weights.pth')
    assert result.exit_code == 2 and 'weights.pth is taken for the checkpoint' in result.stderr


def test_no_released_weights(micro, photo, tmp_path):
    result = run(micro['pose'][0], photo, '-o', tmp_path / 'out')
    assert result.exit_code == 1 and not (tmp_path / 'out').exists()
    assert result.stderr == (
        'Error: no weights are released for pose: give a CHECKPOINT after CONFIG; hrformer-mm '
        'weights lists what is released\n'
    )
