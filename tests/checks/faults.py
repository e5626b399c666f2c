"""Single faults of data sets, each with the expected kind of problem and the file that it must name."""

import json
import shutil
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np


class Fault(NamedTuple):
    """`spoil` damages the folder of a layout; `culprit` is the end of the path that a problem must name."""

    name: str
    layout: str
    spoil: Callable
    kind: str
    culprit: str


SEG_IMAGE, SEG_LABELS = 'images/train/train_000003.jpg', 'labels/train/train_000003.png'
PERSONS, BOXES = 'annotations/person_keypoints_train2017.json', 'annotations/instances_train2017.json'
COCO_IMAGE = 'train2017/000000000003.jpg'
CLASS_IMAGE = 'train/n01484850/n01484850_00000003.JPEG'


def empty(path):
    path.write_bytes(b'')


def halve(path):
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])


def blank_half(path):
    """Blank the second half, which is not written after a power failure although the size is correct."""
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2] + bytes(len(content) - len(content) // 2))


def scramble(path):
    path.write_bytes(np.random.default_rng(0).bytes(2000))


def move(path):
    path.rename(path.with_name(f'moved{path.suffix}'))


def on(path, change):
    return lambda root: change(root / path)


def relabel(change):
    def run(path):
        assert cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))

    return run


def label_200(labels):
    labels[::4] = 200
    return labels


def rewrite(change):
    def run(path):
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return run


def first(key, **values):
    """Change the first entry of a list in an annotation file."""
    return rewrite(lambda content: content[key][0].update(values))


def same_id(key):
    """Give the first two entries the same id."""

    def change(content):
        old, new = content[key][1]['id'], content[key][0]['id']
        content[key][1]['id'] = new
        for annotation in content['annotations']:
            if key == 'images' and annotation['image_id'] == old:
                annotation['image_id'] = new

    return rewrite(change)


def shrink(content):
    content['images'][2].update(width=60, height=50)  # instead of 64x64: larger boxes would be outside
    content['annotations'] = [a for a in content['annotations'] if a['image_id'] != content['images'][2]['id']] + [
        dict(
            content['annotations'][0],
            id=9999,
            image_id=content['images'][2]['id'],
            bbox=[1, 1, 30, 30],
            keypoints=[10, 10, 2] * 17,
            num_keypoints=17,
        )
    ]


def clear(folder):
    for path in folder.iterdir():
        path.unlink()


FILES = [
    Fault(f'{layout}: {name}', layout, on(path, change), f'{word} {what}', path)
    for layout, what, path in (
        ('custom', 'image', SEG_IMAGE),
        ('custom', 'label map', SEG_LABELS),
        ('coco', 'image', COCO_IMAGE),
        ('imagenet', 'image', CLASS_IMAGE),
    )
    for name, change, word in (
        (f'empty {what}', empty, 'empty'),
        (f'half {what}', halve, 'cut'),
        (f'half-blank {what}', blank_half, 'cut'),
        (f'garbage for a {what}', scramble, 'unreadable'),
        (f'missing {what}', move, 'missing'),
    )
    if not (path == SEG_IMAGE and name.startswith('missing'))  # no image is missing if the folder is scanned
]
LABELS = [
    Fault(
        'label map of another size',
        'custom',
        on(SEG_LABELS, relabel(lambda labels: labels[:40])),
        'label map size',
        SEG_LABELS,
    ),
    Fault(
        'label map of another scale',
        'custom',
        on(SEG_LABELS, relabel(lambda labels: labels[::2, ::2])),
        'label map size',
        SEG_LABELS,
    ),
    Fault(
        '16-bit label map',
        'custom',
        on(SEG_LABELS, relabel(lambda labels: labels.astype(np.uint16) * 256)),
        'label map depth',
        SEG_LABELS,
    ),
    Fault(
        'label map of three channels',
        'custom',
        on(SEG_LABELS, relabel(lambda labels: np.stack([labels] * 3, 2))),
        'label map channels',
        SEG_LABELS,
    ),
    Fault('label beyond the classes', 'custom', on(SEG_LABELS, relabel(label_200)), 'label beyond classes', SEG_LABELS),
]
ANNOTATIONS = [
    Fault('image size', 'coco', on(PERSONS, rewrite(shrink)), 'image size', COCO_IMAGE),
    Fault('no image size', 'coco', on(PERSONS, first('images', width=0)), 'image size', PERSONS),
    Fault('image ids', 'coco', on(PERSONS, same_id('images')), 'duplicate image id', PERSONS),
    Fault('annotation ids', 'coco', on(PERSONS, same_id('annotations')), 'duplicate annotation id', PERSONS),
    Fault('box outside', 'coco', on(PERSONS, first('annotations', bbox=[50, 10, 40, 20])), 'box outside', PERSONS),
    Fault(
        'box without area', 'coco', on(PERSONS, first('annotations', bbox=[5, 5, 0, 9])), 'box without area', PERSONS
    ),
    Fault('box of NaN', 'coco', on(PERSONS, first('annotations', bbox=[5, 5, float('nan'), 9])), 'bad box', PERSONS),
    Fault('no box', 'coco', on(PERSONS, rewrite(lambda c: c['annotations'][0].pop('bbox'))), 'no box', PERSONS),
    Fault(
        'no keypoints',
        'coco',
        on(PERSONS, rewrite(lambda c: c['annotations'][0].pop('keypoints'))),
        'no keypoints',
        PERSONS,
    ),
    Fault(
        'keypoints that are not labelled',
        'coco',
        on(PERSONS, first('annotations', keypoints=[0] * 51)),
        'keypoint count',
        PERSONS,
    ),
    Fault(
        'keypoints of NaN',
        'coco',
        on(PERSONS, first('annotations', keypoints=[float('nan')] * 51)),
        'bad keypoints',
        PERSONS,
    ),
    Fault('keypoints of null', 'coco', on(PERSONS, first('annotations', keypoints=None)), 'bad keypoints', PERSONS),
    Fault(
        '16 keypoints',
        'coco',
        on(PERSONS, first('annotations', keypoints=[5, 5, 2] * 16, num_keypoints=16)),
        'number of keypoints',
        PERSONS,
    ),
    Fault(
        'visibility',
        'coco',
        on(PERSONS, first('annotations', keypoints=[5, 5, 3] * 17, num_keypoints=17)),
        'visibility',
        PERSONS,
    ),
    Fault('area of null', 'coco', on(PERSONS, first('annotations', area=None)), 'annotations.area', PERSONS),
    Fault('image without a name', 'coco', on(PERSONS, first('images', file_name=None)), 'images.file_name', PERSONS),
    Fault(
        'person without category',
        'coco',
        on(PERSONS, rewrite(lambda c: c['annotations'][0].pop('category_id'))),
        'annotations.category_id',
        PERSONS,
    ),
    Fault('no categories', 'coco', on(PERSONS, rewrite(lambda c: c.pop('categories'))), 'categories', PERSONS),
    Fault(
        'keypoint order',
        'coco',
        on(PERSONS, rewrite(lambda c: c['categories'][0]['keypoints'].reverse())),
        'keypoint order',
        PERSONS,
    ),
    Fault(
        'keypoint outside',
        'coco',
        on(PERSONS, first('annotations', keypoints=[70, 5, 2] + [5, 5, 2] * 16, num_keypoints=17)),
        'keypoint outside',
        PERSONS,
    ),
    Fault('person of no image', 'coco', on(PERSONS, first('annotations', image_id=77)), 'unknown image', PERSONS),
    Fault(
        'person of no category', 'coco', on(PERSONS, first('annotations', category_id=9)), 'unknown category', PERSONS
    ),
]
SETS = [
    Fault('no images', 'custom', lambda root: clear(root / 'images/train'), 'unreadable data set', 'images/train'),
    Fault('no folder', 'custom', lambda root: shutil.rmtree(root / 'images'), 'unreadable data set', 'images/train'),
    Fault('no annotation file', 'coco', lambda root: (root / PERSONS).unlink(), 'unreadable data set', PERSONS),
    Fault(
        'garbage for an annotation file',
        'coco',
        lambda root: (root / PERSONS).write_text('{"images": ['),
        'unreadable data set',
        PERSONS,
    ),
    Fault(
        'a byte order mark',
        'coco',
        on(PERSONS, lambda path: path.write_text(path.read_text(), 'utf-8-sig')),
        'unreadable data set',
        PERSONS,
    ),
    Fault(
        'a list for an annotation file',
        'coco',
        lambda root: (root / PERSONS).write_text('[]'),
        'unreadable data set',
        PERSONS,
    ),
    Fault(
        'no persons', 'coco', on(PERSONS, rewrite(lambda c: c.update(annotations=[]))), 'unreadable data set', PERSONS
    ),
    Fault(
        'empty class folder',
        'imagenet',
        lambda root: (root / 'train/n09999999').mkdir(),
        'empty class folder',
        'train/n09999999',
    ),
    Fault(
        'empty list',
        'imagenet',
        lambda root: (root / 'meta/train.txt').write_text(''),
        'unreadable data set',
        'meta/train.txt',
    ),
    Fault(
        'label beyond 1000',
        'imagenet',
        lambda root: (root / 'meta/train.txt').write_text('n01440764/n01440764_00000001.JPEG 1000\n'),
        'label beyond classes',
        'n01440764_00000001.JPEG',
    ),
]
FAULTS = FILES + LABELS + ANNOTATIONS + SETS
