"""Annotation files of metrics match the data set, and have annotations and areas."""

import copy
import json
from types import SimpleNamespace

import pytest

from hrformer_mm.checks.evaluators import find_metrics, metric_problems

IMAGES = [dict(id=n, file_name=f'{n}.jpg', width=64, height=48) for n in (1, 2, 3)]
PEOPLE = [
    dict(
        id=n, image_id=n, category_id=1, bbox=[n, 2, 30, 40], area=500, iscrowd=0, num_keypoints=1, keypoints=[5, 6, 2]
    )
    for n in (1, 2, 3)
]
GOOD = dict(images=IMAGES, annotations=PEOPLE, categories=[dict(id=1, name='person', keypoints=['nose'])])


@pytest.fixture
def problems(tmp_path):
    """Return `problems(own, other)` of a metric with the file `other`, by default `own`, on a data set with `own`."""

    def run(own=GOOD, other=None, poses=True, bbox_file=None, indices=None, **settings):
        for name, content in (('own', own), ('other', other)):
            if content is not None:
                (tmp_path / f'{name}.json').write_text(content if isinstance(content, str) else json.dumps(content))
        metainfo = dict(num_keypoints=1, sigmas=[0.1], dataset_name='one') if poses else dict(classes=('person',))
        dataset = SimpleNamespace(
            ann_file=str(tmp_path / 'own.json'),
            metainfo=metainfo,
            _indices=indices,
            data_mode='topdown',
            bbox_file=bbox_file,
        )
        config = dict(type='CocoMetric', ann_file=str(tmp_path / ('own.json' if other is None else 'other.json')))
        (metric,) = find_metrics({**config, **settings}, 'val_evaluator')
        return list(metric_problems(metric, [dataset]))

    return run


def changed(name='annotations', **values):
    """Return the file with changed values in each entry of a list; a callable computes the value from the entry."""
    content = copy.deepcopy(GOOD)
    for entry in content[name]:
        entry.update({key: value(entry) if callable(value) else value for key, value in values.items()})
    return content


def without(key):
    content = copy.deepcopy(GOOD)
    for entry in content['annotations']:
        del entry[key]
    return content


def test_the_same_file(problems):
    assert not problems() and not problems(GOOD, GOOD) and not problems(ann_file=None)
    assert not problems(GOOD, changed('images', file_name=lambda image: f'val/{image["id"]}.png'))


@pytest.mark.parametrize(
    'content, kind, said',
    [
        (without('area'), 'no area', 'annotations[0] (id 1, image_id 1) without area'),
        (changed(area=0), 'bad area', 'with area 0'),
        (changed(area=-3), 'bad area', 'with area -3'),
        (changed(area=None), 'bad area', 'with area null'),
        (changed(area='500'), 'bad area', 'with area "500"'),
        (changed(area=float('nan')), 'bad area', 'with area NaN'),
        (changed(area=0.2), 'area of another unit', 'with area 0.2, but bbox [1, 2, 30, 40] has 1200 square pixels'),
        (changed(area=50000), 'area of another unit', 'with area 50000'),
    ],
)
def test_areas(problems, content, kind, said):
    found = problems(content)
    assert {problem.kind for problem in found} == {kind} and len(found) == 3 and said in found[0].what
    assert 'val_evaluator.use_area=False' in found[0].remedy and "box's area" in found[0].remedy
    assert not problems(content, use_area=False)
    assert {problem.kind for problem in problems(content, ann_file=None)} == {kind}  # the file of the data set


def test_single_areas(problems):
    content = copy.deepcopy(GOOD)
    content['annotations'][0].update(area=0, iscrowd=1)
    content['annotations'][1].update(area=0, num_keypoints=0)
    assert not problems(content)
    content['annotations'] = PEOPLE[:2] + [dict(PEOPLE[2], area=1e5)]
    assert [problem.kind for problem in problems(content)] == ['odd area']


@pytest.mark.parametrize(
    'other, said',
    [
        (dict(GOOD, images=IMAGES[1:]), 'it lacks 1 of its images, with id 1'),
        (changed('images', id=lambda image: image['id'] + 10), 'it lacks 3 of its images, with id 1, 2, 3'),
        (changed('images', file_name='x.jpg'), '3 image ids belong to different images; id 1 is x.jpg of 64x48 there'),
        (changed('images', width=65), 'id 1 is 1.jpg of 65x48 there and 1.jpg of 64x48 in the data set'),
        (
            dict(
                GOOD, images=IMAGES + [dict(IMAGES[0], id=4)], annotations=PEOPLE + [dict(PEOPLE[0], id=4, image_id=4)]
            ),
            'it has 1 more annotated images, with id 4',
        ),
        (changed(bbox=[9, 9, 9, 90]), 'only 0 of its 3 boxes are in the data set'),
    ],
)
def test_files_of_other_images(problems, other, said):
    problem = next(problem for problem in problems(GOOD, other) if problem.kind == 'other images')
    assert said in problem.what and '(val_evaluator.ann_file) is not the file of the data set' in problem.what
    assert problem.path.endswith('other.json') and problem.remedy.endswith('own.json')


def test_number_of_annotations(problems):
    (problem,) = problems(GOOD, dict(GOOD, annotations=PEOPLE[:2]))
    assert problem.kind == 'other number of annotations' and 'has 2 annotations of these images' in problem.what
    assert not problems(dict(GOOD, annotations=[]), GOOD, bbox_file='boxes.json')  # the data set has detected boxes


def test_parts_of_a_data_set(problems):
    """Only common images are compared if the data set is a subset."""
    few = dict(GOOD, images=IMAGES[:1], annotations=PEOPLE[:1])
    assert problems(GOOD, few)[0].kind == 'other images' and not problems(GOOD, few, indices=1)


def test_files_without_annotations(problems):
    bare = dict(images=IMAGES, categories=GOOD['categories'])
    (problem,) = problems(GOOD, bare)
    assert problem.kind == 'no annotations to evaluate' and 'val_evaluator.format_only=True' in problem.remedy
    assert not problems(GOOD, bare, format_only=True)


@pytest.mark.parametrize('other, said', [('{"images": [{', 'was cut short'), ('[]', 'holds []'), ('', '0 bytes')])
def test_files_that_cannot_be_read(problems, other, said):
    (problem,) = problems(GOOD, other)
    assert problem.kind == 'evaluator file' and said in problem.what and 'val_evaluator.ann_file' in problem.what


def test_a_missing_file(problems):
    (problem,) = problems(ann_file='no.json')
    assert str(problem).startswith('no.json (val_evaluator.ann_file) is missing')


def test_faults_of_another_file(problems):
    assert [problem.kind for problem in problems(GOOD, changed(num_keypoints='1'))] == ['annotations.num_keypoints'] * 3


def test_detection(problems):
    """pycocotools reads area and iscrowd of each annotation; mmdet's metric has no use_area."""
    assert not problems(poses=False)
    (problem,) = problems(without('iscrowd'), poses=False)
    assert problem.kind == 'no iscrowd' and problem.count == 3
    assert all(problem.remedy == "Write the box's area" for problem in problems(without('area'), poses=False))


def test_built_metrics_of_mmdet(problems):
    """They keep the content of their file but not its path, and read no file if none is given."""
    assert not problems(ann_file=None, _coco_api=None, poses=False)
    other = SimpleNamespace(dataset=changed('images', file_name='x.jpg'))
    assert [problem.kind for problem in problems(ann_file=None, _coco_api=other, poses=False)] == ['other images']


@pytest.mark.parametrize(
    'evaluator, keys',
    [
        (dict(type='CocoMetric'), ['val_evaluator']),
        (dict(type='mmpose.CocoWholeBodyMetric'), ['val_evaluator']),
        ([dict(type='PCKAccuracy'), dict(type='CocoMetric')], ['val_evaluator.1']),
        (dict(type='Evaluator', metrics=[dict(type='CocoMetric'), dict(type='AUC')]), ['val_evaluator.metrics.0']),
        (dict(type='KeypointPartitionMetric', metric=dict(type='CocoMetric'), partitions={}), ['val_evaluator.metric']),
        (dict(type='CocoMetric', metric=['bbox', 'segm']), ['val_evaluator']),
        (dict(type='Other', ann_file='a'), ['val_evaluator']),
        (dict(type='Accuracy'), []),
        (None, []),
    ],
)
def test_metrics_of_a_config(evaluator, keys):
    assert [metric.key for metric in find_metrics(evaluator, 'val_evaluator')] == keys
