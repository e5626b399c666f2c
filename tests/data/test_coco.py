"""Generated people: read by mmpose's own class and the COCO tools, with keypoints where they belong."""
import json
from pathlib import Path

import cv2
import numpy as np
import pytest

import hrformer_mm.compat  # noqa: F401  (lets the host library import with mmcv-lite)
from hrformer_mm.data.figure import KEYPOINTS


@pytest.mark.parametrize('split, count', [('train', 64), ('val', 16)])
def test_coco_annotations(data: Path, split: str, count: int) -> None:
    from xtcocotools.coco import COCO
    coco = COCO(f'{data}/coco/annotations/person_keypoints_{split}2017.json')
    assert len(coco.imgs) == count
    assert len(coco.anns) > count
    assert coco.cats[1]['keypoints'] == list(KEYPOINTS)
    visibilities = set()
    for person in coco.anns.values():
        image = coco.imgs[person['image_id']]
        points = np.array(person['keypoints']).reshape(17, 3)
        x, y = points[points[:, 2] > 0, :2].T
        assert (points[points[:, 2] == 0] == 0).all()
        assert (x >= 0).all() and (x < image['width']).all() and (y >= 0).all() and (y < image['height']).all()
        left, top, wide, tall = person['bbox']
        assert left >= 0 and top >= 0 and left + wide <= image['width'] and top + tall <= image['height']
        assert (x >= left).all() and (x < left + wide).all() and (y >= top).all() and (y < top + tall).all()
        assert person['num_keypoints'] == len(x) >= 5
        outlines = [np.array(outline).reshape(-1, 2) for outline in person['segmentation']]
        filled = cv2.fillPoly(np.zeros((image['height'], image['width']), np.uint8), outlines, 1)
        # As in COCO, the outlines fill holes; specks of one or two pixels have none.
        assert 0.98 * person['area'] < filled.sum() < 1.5 * person['area']
        visibilities |= set(points[:, 2].tolist())
    assert visibilities == {0, 1, 2}


def test_coco_evaluation_of_the_truth_is_perfect(data: Path) -> None:
    from xtcocotools.coco import COCO
    from xtcocotools.cocoeval import COCOeval
    truth = COCO(f'{data}/coco/annotations/person_keypoints_val2017.json')
    found = truth.loadRes([
        dict(image_id=person['image_id'], category_id=1, keypoints=person['keypoints'], score=1.0)
        for person in truth.anns.values()])
    evaluation = COCOeval(truth, found, 'keypoints', sigmas=np.full(17, 0.05))
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats[0] == pytest.approx(1)


def test_coco_left_is_right_in_the_picture(data: Path) -> None:
    people = json.loads((data / 'coco/annotations/person_keypoints_train2017.json').read_text())['annotations']
    points = np.array([person['keypoints'] for person in people]).reshape(-1, 17, 3)
    for part in ('eye', 'ear', 'shoulder', 'hip'):
        left, right = (points[:, KEYPOINTS.index(f'{side}_{part}')] for side in ('left', 'right'))
        both = (left[:, 2] > 0) & (right[:, 2] > 0)
        assert both.any() and (left[both, 0] > right[both, 0]).all()


def test_coco_dataset(data: Path) -> None:
    from mmpose.datasets import CocoDataset
    paths = dict(data_root=f'{data}/coco/', data_mode='topdown')
    train = CocoDataset(
        ann_file='annotations/person_keypoints_train2017.json', data_prefix=dict(img='train2017/'), **paths)
    truth = json.loads((data / 'coco/annotations/person_keypoints_train2017.json').read_text())
    assert len(train) == len(truth['annotations'])
    item = train[0]
    assert item['keypoints'].shape == (1, 17, 2) and cv2.imread(item['img_path']).shape == (256, 256, 3)


def test_coco_dataset_with_detections(data: Path) -> None:
    from mmpose.datasets import CocoDataset
    detections = data / 'coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json'
    val = CocoDataset(
        data_root=f'{data}/coco/', data_mode='topdown', ann_file='annotations/person_keypoints_val2017.json',
        data_prefix=dict(img='val2017/'), bbox_file=str(detections), test_mode=True)
    truth = json.loads((data / 'coco/annotations/person_keypoints_val2017.json').read_text())
    good = [box for box in json.loads(detections.read_text()) if box['score'] > 0.5]
    assert len(good) == len(truth['annotations']) < len(val)
    assert {box['image_id'] for box in good} == {image['id'] for image in truth['images']}
    for person, box in zip(truth['annotations'], good):
        assert np.abs(np.subtract(person['bbox'], box['bbox'])).max() < 0.3 * max(person['bbox'][2:])


def test_coco_test_dev(data: Path) -> None:
    """The test images have boxes and no annotations."""
    info = json.loads((data / 'coco/annotations/image_info_test-dev2017.json').read_text())
    boxes = json.loads((data / 'coco/person_detection_results/COCO_test-dev2017_detections_AP_H_609_person.json')
                       .read_text())
    assert not info['annotations'] and len(info['images']) == 16
    assert {box['image_id'] for box in boxes} == {image['id'] for image in info['images']}
    assert all((data / 'coco/test2017' / image['file_name']).exists() for image in info['images'])


def test_coco_wholebody(data: Path) -> None:
    from mmpose.datasets import CocoWholeBodyDataset
    whole = CocoWholeBodyDataset(
        data_root=f'{data}/coco/', data_mode='topdown', ann_file='annotations/coco_wholebody_train_v1.0.json',
        data_prefix=dict(img='train2017/'))
    item = whole[0]
    assert item['keypoints'].shape == (1, 133, 2) and item['keypoints_visible'][0, :17].any()
    assert not item['keypoints_visible'][0, 17:].any()


def test_coco_detection(data: Path) -> None:
    from mmdet.datasets import CocoDataset
    train = CocoDataset(data_root=f'{data}/coco/', ann_file='annotations/instances_train2017.json',
                        data_prefix=dict(img='train2017/'))
    truth = json.loads((data / 'coco/annotations/instances_train2017.json').read_text())['annotations']
    assert train.cat_ids[:3] == [1, 2, 3] and len(train.cat_ids) == 80 and train.cat_ids[-1] == 90
    assert sum(len(train[i]['instances']) for i in range(len(train))) == len(truth)
    assert {instance['bbox_label'] for i in range(len(train)) for instance in train[i]['instances']} == {0}


def test_coco_boxes_of_the_annotations(data: Path) -> None:
    """As --cfg-options test_dataloader.dataset.bbox_file=None has the config read them."""
    from mmengine.config import Config
    from mmengine.registry import DATASETS, DefaultScope
    import mmpose.datasets  # noqa: F401
    cfg = Config.fromfile(Path(__file__).parents[2] / 'configs/td-hm_hrformer-b_coco-256x192.py')
    cfg.merge_from_dict({'test_dataloader.dataset.bbox_file': None, 'test_dataloader.dataset.data_root': f'{data}/coco'})
    with DefaultScope.overwrite_default_scope('mmpose'):
        dataset = DATASETS.build(cfg.test_dataloader.dataset)
    truth = json.loads((data / 'coco/annotations/person_keypoints_val2017.json').read_text())['annotations']
    assert len(dataset) == len(truth) and all(dataset.get_data_info(i)['bbox_score'] == 1 for i in range(len(dataset)))
