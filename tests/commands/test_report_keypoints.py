"""PCK of single keypoints: predictions with known faults, in the form that mmpose's CocoMetric keeps."""

import json
import shutil

import numpy as np
import pytest
from mmengine.config import Config

from hrformer_mm.data import synthesize
from hrformer_mm.commands.report import report
from hrformer_mm.commands.report.keypoints import score

WRIST, KNEE = 9, 13


@pytest.fixture(scope='module')
def truth(tmp_path_factory):
    folder = tmp_path_factory.mktemp('keypoints')
    synthesize(folder, layouts=('coco', ), train=1, val=4)
    return folder / 'coco/annotations/person_keypoints_val2017.json'


@pytest.fixture(scope='module')
def config(micro):
    return Config.fromfile(micro['pose'][0])


def predict(truth, path):
    """Every person but the last found: left wrists of each second one a tenth of the box away, knees half of it."""
    people = json.loads(truth.read_text())['annotations']
    found = []
    for number, person in enumerate(people[:-1]):
        keypoints = np.array(person['keypoints'], float).reshape(-1, 3)
        side = max(person['bbox'][2:])
        keypoints[KNEE, 0] += 0.5 * side
        if number % 2:
            keypoints[WRIST, 1] += 0.1 * side
        keypoints[:, 2] = 0.9
        found.append(dict(image_id=person['image_id'], category_id=1, score=0.9, keypoints=keypoints.ravel().tolist()))
    path.write_text(json.dumps(found))
    return people[:-1]


def test_faults_are_found(truth, config, tmp_path):
    people = predict(truth, tmp_path / 'p.keypoints.json')
    result = score(tmp_path / 'p.keypoints.json', config, dict(ann_file=str(truth)))
    assert (result.matched, result.people) == (len(people), len(people) + 1) and len(people) >= 3
    labelled = np.array([person['keypoints'][2::3] for person in people]) > 0
    np.testing.assert_array_equal(result.labelled, labelled.sum(0))
    expected = np.ones((2, 17))
    expected[:, KNEE] = 0
    expected[0, WRIST] = labelled[::2, WRIST].sum() / labelled[:, WRIST].sum()  # within 0.2, and not within 0.05
    np.testing.assert_allclose(result.pck[:, labelled.any(0)], expected[:, labelled.any(0)])
    assert 0 < expected[0, WRIST] < 1
    assert result.names[WRIST] == 'left_wrist' and result.names[KNEE] == 'left_knee'


def test_nobody_is_matched(truth, config, tmp_path):
    predict(truth, tmp_path / 'p.keypoints.json')
    far = [dict(person, keypoints=(np.array(person['keypoints']) + 1e4).tolist())
           for person in json.loads((tmp_path / 'p.keypoints.json').read_text())]
    (tmp_path / 'p.keypoints.json').write_text(json.dumps(far))
    result = score(tmp_path / 'p.keypoints.json', config, dict(ann_file=str(truth)))
    assert result.matched == 0 and result.people == len(far) + 1 and np.isnan(result.pck).all()


@pytest.mark.parametrize('metric, text, message', [
    (dict(ann_file='none.json'), '[]', "the metric's ann_file none.json is not there"),
    (dict(), '[{"image_id": -1, "category_id": 1, "score": 1, "keypoints": [0]}]', 'it does not fit person_keypoints'),
    (dict(), '[', 'it does not fit person_keypoints'),
    (dict(iou_type='keypoints_crowd'), '[]', 'of another kind'),
])
def test_what_does_not_fit(truth, config, tmp_path, metric, text, message):
    (tmp_path / 'p.keypoints.json').write_text(text)
    with pytest.raises((OSError, ValueError), match=message):
        score(tmp_path / 'p.keypoints.json', config, {'ann_file': str(truth), **metric})


def test_page(truth, config, tmp_path):
    """The predictions are found beside the runs, though the folder was moved."""
    cfg = Config(config.to_dict())
    cfg.test_evaluator.update(ann_file=str(truth), outfile_prefix='elsewhere/p')
    run = tmp_path / 'work/20260101_120000'
    (run / 'vis_data').mkdir(parents=True)
    cfg.dump(run / 'vis_data/config.py')
    (run / '20260101_120000.json').write_text('{"coco/AP": 0.5}')
    predict(truth, tmp_path / 'work/p.keypoints.json')
    report(str(tmp_path / 'work'), str(tmp_path / 'page.html'))
    page = (tmp_path / 'page.html').read_text()
    assert '<th scope="row">left_knee</th><td class="number">0.000</td><td class="number">0.000</td>' in page
    assert '<th scope="row">nose</th><td class="number">1.000</td>' in page
    (tmp_path / 'work/p.keypoints.json').rename(tmp_path / 'p.keypoints.json')
    done = report(str(tmp_path / 'work'), str(tmp_path / 'page.html'))
    assert any(note.startswith('CocoMetric gives no table of keypoints;') for note in done.notes)
    (tmp_path / 'p.keypoints.json').rename(tmp_path / 'work/p.keypoints.json')
    shutil.move(truth, truth.with_suffix('.away'))
    try:
        report(str(tmp_path / 'work'), str(tmp_path / 'page.html'))
    finally:
        shutil.move(truth.with_suffix('.away'), truth)
    assert 'no figures for single keypoints can be computed' in (tmp_path / 'page.html').read_text()
