"""Missing, null and invalid fields are each reported with the entry, the key and the value."""

import copy
import json

import pytest

from hrformer_mm.checks.coco import broken, coco_problems, grouped
from hrformer_mm.checks.detections import detection_problems
from hrformer_mm.checks.fields import PARTS, lacking

IMAGE = dict(id=1, file_name='a.jpg', width=64, height=48)
PERSON = dict(
    id=7,
    image_id=1,
    category_id=1,
    bbox=[1, 2, 30, 40],
    area=500,
    iscrowd=0,
    num_keypoints=2,
    keypoints=[5, 6, 2, 8, 9, 1],
    segmentation=[[1, 2, 3, 4, 5, 6]],
)
WHOLE = dict(PERSON, foot_valid=False, **{key: [0] * 3 * count for key, count in PARTS.items()})
GOOD = dict(images=[IMAGE], annotations=[PERSON], categories=[dict(id=1, name='person', keypoints=['nose', 'chin'])])
MISSING = object()


def spoilt(name, key, value, person=PERSON):
    content = copy.deepcopy(dict(GOOD, annotations=[person]))
    if value is MISSING:
        del content[name][0][key]
    else:
        content[name][0][key] = value
    return content


def test_good_files_have_no_problem():
    for person in (PERSON, WHOLE, dict(PERSON, iscrowd=True), dict(PERSON, area=12.5, image_id=1.0)):
        assert not list(coco_problems(dict(GOOD, annotations=[person]), 'a.json', 2))


@pytest.mark.parametrize(
    'name, key, value, said',
    [
        ('images', 'id', MISSING, 'images[0] (file_name "a.jpg") without id'),
        ('images', 'id', '1', 'images[0] (file_name "a.jpg") with id "1"'),
        ('images', 'file_name', None, 'images[0] (id 1) with file_name null'),
        ('images', 'file_name', MISSING, 'images[0] (id 1) without file_name'),
        ('images', 'width', MISSING, 'images[0] (id 1, file_name "a.jpg") with height 48 and without width'),
        ('images', 'height', '48', 'images[0] (id 1, file_name "a.jpg") with height "48"'),
        ('annotations', 'id', MISSING, 'annotations[0] (image_id 1) without id'),
        ('annotations', 'image_id', '1', 'annotations[0] (id 7) with image_id "1"'),
        ('annotations', 'image_id', [1], 'annotations[0] (id 7) with image_id [1]'),
        ('annotations', 'category_id', None, 'annotations[0] (id 7, image_id 1) with category_id null'),
        ('annotations', 'category_id', {}, 'annotations[0] (id 7, image_id 1) with category_id {}'),
        ('annotations', 'bbox', None, 'annotation 7 of a.jpg with bbox null'),
        ('annotations', 'bbox', [1, 2, 3], 'annotation 7 of a.jpg with bbox [1, 2, 3]'),
        ('annotations', 'bbox', [1, 2, -3, 4], 'annotation 7 of a.jpg with bbox [1, 2, -3, 4]'),
        ('annotations', 'bbox', ['1', 2, 3, 4], 'annotation 7 of a.jpg with bbox ["1", 2, 3, 4]'),
        ('annotations', 'area', 'big', 'annotations[0] (id 7, image_id 1) with area "big"'),
        ('annotations', 'area', float('nan'), 'annotations[0] (id 7, image_id 1) with area NaN'),
        ('annotations', 'iscrowd', '0', 'annotations[0] (id 7, image_id 1) with iscrowd "0"'),
        ('annotations', 'num_keypoints', None, 'annotations[0] (id 7, image_id 1) with num_keypoints null'),
        ('annotations', 'segmentation', None, 'annotations[0] (id 7, image_id 1) with segmentation null'),
        ('annotations', 'keypoints', None, 'annotation 7 of a.jpg with keypoints null'),
        ('annotations', 'keypoints', ['5'] * 6, 'annotation 7 of a.jpg with keypoints ["5", "5", "5", "5", "5", "5"]'),
        ('annotations', 'keypoints', [1] * 5, 'annotation 7 of a.jpg with 5 numbers in keypoints'),
        ('annotations', 'keypoints', [5, 5, 9] * 2, 'annotation 7 of a.jpg with visibility 9 in keypoints'),
        ('categories', 'id', MISSING, 'categories[0] without id'),
        ('categories', 'name', None, 'categories[0] (id 1) with name null'),
        ('categories', 'keypoints', 'nose', 'categories[0] (id 1) with keypoints "nose"'),
    ],
)
def test_fields(name, key, value, said):
    problems = list(coco_problems(spoilt(name, key, value), 'a.json'))
    assert said in problems[0].what and problems[0].path == 'a.json' and problems[0].remedy
    follow_up = {'unknown image', 'unknown category'}  # caused by an invalid id
    assert len([problem for problem in problems if problem.kind not in follow_up]) == 1, problems


@pytest.mark.parametrize(
    'key, value, said',
    [
        ('foot_kpts', MISSING, 'without foot_kpts'),
        ('face_kpts', None, 'with face_kpts null'),
        ('lefthand_kpts', [1] * 62, 'with lefthand_kpts of 62 numbers'),
        ('foot_valid', 'yes', 'with foot_valid "yes"'),
    ],
)
def test_fields_of_whole_bodies(key, value, said):
    (problem,) = coco_problems(spoilt('annotations', key, value, WHOLE), 'a.json')
    assert problem.what.endswith(said)


@pytest.mark.parametrize(
    'change, said',
    [
        (dict(annotations=None), 'has annotations null'),
        (dict(annotations=[3]), 'has annotations[0] 3'),
        (dict(images=[IMAGE, None]), 'has images[1] null'),
        (dict(categories='person'), 'has categories "person"'),
    ],
)
def test_lists(change, said):
    assert next(coco_problems({**GOOD, **change}, 'a.json')).what == said
    assert 'no categories' in next(coco_problems(dict(images=[IMAGE], annotations=[PERSON]), 'a.json')).what


@pytest.mark.parametrize(
    'raw, said',
    [
        (b'', '0 bytes'),
        (b' \n', '2 bytes'),
        (b'\xef\xbb\xbf{"images": []}', 'byte order mark'),
        ('{"images": []}'.encode('utf-16'), 'byte order mark'),
        (b'{"images": ["\xe9"]}', 'not in UTF-8'),
        (b'{"images": [{"id": 1', 'was cut short'),
        (b'{"images": [}, 1, 2]}', 'is not JSON'),
        (b'[]', 'holds []'),
        (b'null', 'holds null'),
        (b'{}', 'has no images'),
        (b'{"images": null}', 'has images null'),
    ],
)
def test_files(tmp_path, raw, said):
    path = tmp_path / 'a.json'
    path.write_bytes(raw)
    assert said in broken(path).what and broken(path).path == str(path)
    path.write_text(json.dumps(GOOD))
    assert broken(path) is None and broken(tmp_path / 'no.json') is None


@pytest.mark.parametrize(
    'change, said',
    [
        (dict(image_id=77), 'has boxes of image 77 (boxes[1]), which a.json does not list'),
        (dict(image_id='1'), 'has boxes[1] with image_id "1"'),
        (dict(bbox=None), 'has boxes[1] (image_id 1) with bbox null'),
        (dict(bbox=[1, 2, 0, 4]), 'has boxes[1] (image_id 1) with bbox [1, 2, 0, 4]'),
        (dict(score=float('nan')), 'has boxes[1] (image_id 1) with score NaN'),
        (dict(category_id=None), 'has boxes[1] (image_id 1) with category_id null'),
    ],
)
def test_detections(tmp_path, change, said):
    box = dict(image_id=1, category_id=1, bbox=[1, 2, 3, 4], score=0.9)
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps([box, {**box, **change}]))
    (problem,) = detection_problems(path, GOOD, 'a.json')
    assert problem.what == said and problem.path == str(path)
    path.write_text(json.dumps([box]))
    assert not list(detection_problems(path, GOOD, 'a.json')) and not list(detection_problems(None, GOOD, 'a.json'))
    for raw, what in (('{}', 'must be a list'), ('[{', 'was cut short')):
        path.write_text(raw)
        assert what in next(detection_problems(path, GOOD, 'a.json')).what


def test_a_key_that_a_reader_requires():
    people = [PERSON, {key: value for key, value in PERSON.items() if key != 'area'}]
    problem = lacking(dict(GOOD, annotations=people), 'a.json', 'area')
    assert problem.what == 'has annotations[1] (id 7, image_id 1) without area' and problem.count == 1
    assert lacking(GOOD, 'a.json', 'area') is None and lacking(GOOD, 'a.json', 'other') is None


def test_many_of_a_kind_are_counted():
    people = [dict(PERSON, id=number, bbox=None) for number in range(20)] + [dict(PERSON, id=99, iscrowd='x')]
    problems = list(grouped(coco_problems(dict(GOOD, annotations=people), 'a.json')))
    assert [problem.count for problem in problems if problem.kind == 'bad box'] == [1, 1, 1, 17]
    assert sum(problem.count for problem in problems) == 21 and '17 more' in problems[-1].what
