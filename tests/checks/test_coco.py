"""Image sizes by id, and valid annotation files. The tests of check-data cover the faults in faults.py."""

import json

import pytest

from hrformer_mm.checks.coco import Sizes, coco_problems, read_coco


@pytest.mark.parametrize('ids', [[7, 3, 900000000000], ['b', 'a', 'ccc']])
def test_sizes(ids):
    images = [dict(id=number, height=10 * n, width=n) for n, number in enumerate(ids, 1)]
    images.append(dict(id=ids[0], height=99, width=9))  # the last one counts, as in COCO's API
    sizes = Sizes.of(dict(images=images))
    assert [sizes.get(number) for number in ids] == [(99, 9), (20, 2), (30, 3)]
    assert sizes.get(5 if isinstance(ids[0], int) else 'aa') is None


def test_images_without_a_valid_size():
    sizes = Sizes.of(dict(images=[dict(id=1), dict(id=2, height=4, width=0), dict(id=3, height=5, width=6)]))
    assert sizes.get(1) is None and sizes.get(2) is None and sizes.get(3) == (5, 6)
    assert Sizes.of(dict(images=[])).get(1) is None


@pytest.mark.parametrize('content', ['{"images": [', '[]', '{"metainfo": {}, "data_list": []}', '{"images": 3}'])
def test_other_files_are_not_read(tmp_path, content):
    (tmp_path / 'a.json').write_text(content)
    assert read_coco(tmp_path / 'a.json') is None


def test_paths_that_are_not_read(tmp_path):
    (tmp_path / 'a.txt').write_text('{"images": []}')
    for path in ('', None, tmp_path / 'a.txt', tmp_path / 'no.json', 's3://a/b.json'):
        assert read_coco(path) is None


def test_valid_files(tmp_path):
    """Boxes and keypoints up to a pixel outside, persons and crowds without keypoints, no annotations."""
    image = dict(id=1, file_name='a.jpg', width=64, height=48)
    person = dict(image_id=1, category_id=1, bbox=[-0.5, 0, 65, 48.5])
    content = dict(
        images=[image, dict(image, id=2)],
        categories=[dict(id=1, keypoints=['nose', 'chin'])],
        annotations=[
            dict(person, id=1, keypoints=[64, 48, 2, 0, 0, 0], num_keypoints=1),
            dict(person, id=2, keypoints=[0] * 6, num_keypoints=0),
            dict(person, id=3, iscrowd=1),
        ],
    )
    (tmp_path / 'a.json').write_text(json.dumps(content))
    assert list(coco_problems(read_coco(tmp_path / 'a.json'), 'a.json')) == []
    assert list(coco_problems(read_coco_of(tmp_path, dict(images=[image])), 'a.json')) == []


def read_coco_of(folder, content):
    (folder / 'b.json').write_text(json.dumps(content))
    return read_coco(folder / 'b.json')
