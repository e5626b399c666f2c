"""The data set classes of the libraries read the synthetic data with the configs."""

import copy
import functools
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope

from hrformer_mm.data import synthesize
from hrformer_mm.data.canvas import KINDS
from hrformer_mm.data.layouts import FILES
from hrformer_mm.data.person import KEYPOINTS

CONFIGS = Path(__file__).parents[2] / 'configs'
# Class names of each data set that differ from the names of KINDS.
NAMES = dict(
    VOCdevkit=dict(
        pole='background',
        traffic_light='light',
        traffic_sign='sign',
        vegetation='tree',
        terrain='grass',
        rider='person',
        motorcycle='motorbike',
        static='background',
    ),
    coco_stuff10k=dict(
        sidewalk='pavement',
        building='building-other',
        wall='wall-concrete',
        pole='structural-other',
        traffic_sign='stop sign',
        vegetation='tree',
        terrain='grass',
        sky='sky-other',
        rider='person',
        static=None,
    ),
    ade=dict(
        traffic_sign='signboard',
        vegetation='tree',
        terrain='grass',
        rider='person',
        train=None,
        motorcycle='minibike',
        static='ashcan',
    ),
    cityscapes=dict(static=None),
)

read = functools.cache(Config.fromfile)


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    return synthesize(tmp_path_factory.mktemp('data'), train=20, val=11, size=(96, 80))[0].parent


def build(data, config, split='train', **changes):
    """Build the data set of a config's loader with another root and the given changes."""
    cfg = copy.deepcopy(read(CONFIGS / f'{config}.py'))
    dataset = cfg[f'{split}_dataloader'].dataset
    for key in ('data_root', 'bbox_file'):
        if dataset.get(key):
            dataset[key] = str(data / Path(dataset[key]).relative_to('data'))
    dataset.update(changes)
    with DefaultScope.overwrite_default_scope(cfg.default_scope):
        return DATASETS.build(dataset)


@pytest.mark.parametrize(
    'config, count',
    [
        ('ocr_hrformer-b_cityscapes', 19),
        ('ocr_hrformer-b_pascal-context-59', 59),
        ('ocr_hrformer-b_pascal-context-60', 60),
        ('ocr_hrformer-b_coco-stuff10k', 171),
        ('ocr_hrformer-b_ade20k', 150),
        ('ocr_hrformer-s_custom', 2),
    ],
)
def test_segmentation(data, config, count):
    steps = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations'), dict(type='PackSegInputs')]
    for split, length in (('train', 20), ('val', 11)):
        dataset = build(data, config, split, pipeline=steps)
        assert len(dataset) == length and len(dataset.metainfo['classes']) == count
        maps = [dataset[i]['data_samples'].gt_sem_seg.data.numpy() for i in range(length)]
        seen = set(np.unique(maps).tolist()) - {255}
        # 11 consecutive images contain all kinds.
        assert seen <= set(range(count)) and len(seen) >= min(count, 19 if 'cityscapes' in config else 16)


@pytest.mark.parametrize(
    'layout, name, first',
    [
        ('cityscapes', 'CityscapesDataset', 0),
        ('VOCdevkit', 'PascalContextDataset', 0),
        ('coco_stuff10k', 'COCOStuffDataset', 1),
        ('ade', 'ADE20KDataset', 1),
    ],
)
def test_labels_are_the_classes(layout, name, first):
    import mmseg.datasets

    classes = dict(enumerate(getattr(mmseg.datasets, name).METAINFO['classes'], first))
    for kind, label in zip(KINDS, list(FILES[layout].values())[-1], strict=True):
        assert classes.get(label) == NAMES[layout].get(kind, kind.replace('_', ' '))


def test_imagenet(data):
    from mmpretrain.datasets import CustomDataset

    for split, count in (('train', 20), ('val', 11)):
        dataset = build(data, 'hrformer-t_imagenet', split)
        assert dataset.get_gt_labels().tolist() == sorted(i % 10 for i in range(count))
        # Without the list, labels follow the order of the folders.
        folders = CustomDataset(data_root=f'{data}/imagenet', data_prefix=split)
        assert folders.get_gt_labels().tolist() == dataset.get_gt_labels().tolist()


@pytest.fixture(scope='module')
def people(data):
    return {
        split: json.loads((data / f'coco/annotations/person_keypoints_{split}2017.json').read_text())
        for split in ('train', 'val')
    }


def test_coco_annotations(people):
    visibilities = set()
    for person in people['train']['annotations'] + people['val']['annotations']:
        points = np.array(person['keypoints']).reshape(17, 3)
        visibilities |= set(points[:, 2].tolist())
        labelled = points[points[:, 2] > 0, :2]
        assert person['num_keypoints'] == len(labelled) and (points[:, 2] == 2).sum() >= 5
        low, high = np.array(person['bbox'])[:2], np.array(person['bbox'])[:2] + person['bbox'][2:]
        assert (low >= 0).all() and (high <= (96, 80)).all()
        assert (labelled >= low).all() and (labelled < high).all() and (points[points[:, 2] == 0] == 0).all()
        outlines = [np.array(outline).reshape(-1, 2) for outline in person['segmentation']]
        filled = cv2.fillPoly(np.zeros((80, 96), np.uint8), outlines, 1)
        assert 0.95 * person['area'] < filled.sum() < 1.6 * person['area']  # outlines fill holes and omit specks
        for part in ('eye', 'ear', 'shoulder', 'hip'):  # everyone faces the camera
            left, right = (points[KEYPOINTS.index(f'{side}_{part}')] for side in ('left', 'right'))
            assert left[0] > right[0] or 0 in (left[2], right[2])
    assert visibilities == {0, 1, 2}


def test_coco_evaluation_of_the_truth_is_perfect(data):
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval

    truth = COCO(f'{data}/coco/annotations/person_keypoints_val2017.json')
    found = [dict(person, score=1.0) for person in truth.dataset['annotations']]
    evaluation = COCOeval(truth, truth.loadRes(found), 'keypoints', sigmas=np.full(17, 0.05))
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_coco_keypoints(data, people):
    train = build(data, 'td-hm_hrformer-b_coco-256x192')
    assert len(train) == len(people['train']['annotations']) > 20
    truth = people['val']['annotations']
    for changes in ({}, dict(bbox_file=None)):  # boxes of the detector, and of the annotations
        val = build(data, 'td-hm_hrformer-b_coco-256x192', 'val', **changes)
        for i, person in enumerate(truth):
            info = val.get_data_info(i)
            x, y, width, height = person['bbox']
            assert info['img_id'] == person['image_id'] and Path(info['img_path']).is_file()
            np.testing.assert_allclose(info['bbox'], [[x, y, x + width, y + height]], atol=1)
        assert len(val) == len(truth)


def test_other_files_of_coco(data, people):
    test = build(data, 'td-hm_hrformer-b_coco-384x288_test-dev', 'test')
    samples = [test.get_data_info(i) for i in range(len(test))]
    assert len({info['img_id'] for info in samples}) == 11 and all(Path(info['img_path']).is_file() for info in samples)
    info = build(data, 'td-hm_hrformer-b_coco-wholebody-256x192').get_data_info(0)
    assert info['keypoints'].shape == (1, 133, 2) and not info['keypoints_visible'][0, 17:].any()
    np.testing.assert_array_equal(
        info['keypoints'][0, :17].ravel(), np.delete(people['train']['annotations'][0]['keypoints'], slice(2, None, 3))
    )
    train = build(data, 'fcos_hrformer-s_coco')
    assert train.cat_ids[:3] == [1, 2, 3] and len(train.cat_ids) == 80 and train.cat_ids[-1] == 90
    instances = [instance for i in range(len(train)) for instance in train.get_data_info(i)['instances']]
    assert [instance['bbox_label'] for instance in instances] == [0] * len(people['train']['annotations'])
