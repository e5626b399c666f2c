"""Bad data ends where data sets are read, before training, with its path and a remedy."""
import json
import shutil
from pathlib import Path

import cv2
import pytest
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, DefaultScope

from hrformer_mm import checks
from hrformer_mm.data import synthesize

CONFIGS = Path(__file__).parents[2] / 'configs'
SOURCES = dict(custom='ocr_hrformer-s_custom', coco='td-hm_hrformer-t_coco-256x192', imagenet='hrformer-t_imagenet',
               ade='ocr_hrformer-s_ade20k')


@pytest.fixture
def read(tmp_path):
    """Makes a small data set, spoils it, and reads one of a config's loaders from it."""

    def run(kind, spoil=lambda root: None, split='train', change=None):
        synthesize(tmp_path, kind, train=4, val=2, size=(64, 64))
        spoil(tmp_path / kind)
        cfg = Config.fromfile(CONFIGS / f'{SOURCES[kind]}.py')
        dataset = cfg[f'{split}_dataloader'].dataset
        dataset.update(change or {})
        for key in ('data_root', 'bbox_file'):
            if dataset.get(key):
                dataset[key] = str(tmp_path / Path(dataset[key]).relative_to('data'))
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            return DATASETS.build(dataset)

    return run


def rewrite(path, change):
    content = json.loads(path.read_text())
    path.write_text(json.dumps(change(content)))


def relabel(path, label):
    labels = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    labels[:5] = label
    cv2.imwrite(str(path), labels)


@pytest.mark.parametrize('kind, count', [('custom', 4), ('coco', 4), ('imagenet', 4), ('ade', 4)])
def test_good_data_is_read(read, kind, count):
    assert len(read(kind)) >= count


@pytest.mark.parametrize('kind, spoil, message', [
    ('custom', lambda root: shutil.rmtree(root / 'images'), 'images/train.*data_root'),
    ('custom', lambda root: [path.unlink() for path in (root / 'images/train').iterdir()],
     'images/train.*has no samples.*not empty'),
    ('custom', lambda root: shutil.rmtree(root / 'labels'),
     'labels/train/train_000001.png is missing: there is no such label map.*layout'),
    ('custom', lambda root: relabel(root / 'labels/train/train_000004.png', 2),
     'train_000004.png has label 2, but its 2 classes are 0 to 1, and 255 is ignored.*num_classes'),
    ('ade', lambda root: relabel(root / 'ADEChallengeData2016/annotations/training/ADE_train_00000002.png', 151),
     '00000002.png has label 151, but its 150 classes are 1 to 150'),
    ('coco', lambda root: shutil.rmtree(root / 'annotations'), 'person_keypoints_train2017.json.*not exist.*data_root'),
    ('coco', lambda root: rewrite(root / 'annotations/person_keypoints_train2017.json',
                                  lambda content: {**content, 'annotations': []}), 'train2017.*has no samples'),
    ('coco', lambda root: rewrite(root / 'annotations/person_keypoints_train2017.json',
                                  lambda content: {**content, 'annotations': [
                                      {**content['annotations'][0], 'bbox': None}]}),
     'train2017.json.* cannot be read: .*NoneType'),
    ('coco', lambda root: shutil.rmtree(root / 'train2017'), 'train2017/0+1.jpg is missing: there is no such image'),
    ('imagenet', lambda root: shutil.rmtree(root / 'train'), 'JPEG is missing: there is no such image.*layout'),
    ('imagenet', lambda root: (root / 'meta/train.txt').write_text(''), 'meta/train.txt.*has no samples'),
    ('imagenet', lambda root: (root / 'meta/train.txt').write_text('n01440764/n01440764_00000001.JPEG 1000\n'),
     '00000001.JPEG has label 1000, but there are 1000 classes'),
])
def test_bad_data_is_refused(read, kind, spoil, message):
    with pytest.raises(checks.DataError, match=message):
        read(kind, spoil)


def test_boxes_without_images_are_refused(read):
    def spoil(root):
        rewrite(root / 'person_detection_results/COCO_val2017_detections_AP_H_56_person.json',
                lambda boxes: [{**box, 'image_id': 77} for box in boxes])

    with pytest.raises(checks.DataError, match='AP_H_56_person.json has boxes of image 77.*val2017.json does not list'
                                               '.*bbox_file=None'):
        read('coco', spoil, 'val')


@pytest.mark.parametrize('spoil, message', [
    (lambda root: (root / 'train2017/000000000001.jpg').unlink(), '000000000001.jpg is missing'),
    (lambda root: (root / 'train2017/000000000002.jpg').write_bytes(b''), '000000000002.jpg is a file of 0 bytes'),
    (lambda root: rewrite(root / 'annotations/instances_train2017.json',
                          lambda content: {**content, 'images': content['images'][:1] * 2}), 'has image id 1 twice'),
    (lambda root: rewrite(root / 'annotations/instances_train2017.json',
                          lambda content: {**content, 'annotations': []}), 'instances_train2017.json.*has no samples'),
])
def test_detection(read, monkeypatch, spoil, message):
    """mmdet's data sets have a full_init of their own, which does not call mmengine's."""
    monkeypatch.setitem(SOURCES, 'coco', 'fcos_hrformer-s_coco')
    with pytest.raises(checks.DataError, match=message):
        read('coco', spoil)


def test_data_sets_of_data_sets(read):
    """mmpose's CombinedDataset loads images itself; its samples are numbered by the data sets inside."""
    inner = read('coco')
    inner.pipeline = Compose([])
    path = Path(inner.get_data_info(3)['img_path'])

    class Two(BaseDataset):

        def full_init(self):
            self.datasets, self._fully_initialized = [inner, inner], True

        def __len__(self):
            return 2 * len(inner)

        def get_data_info(self, index):
            return inner.get_data_info(index % len(inner))

    two = Two(pipeline=[dict(type='mmpose.LoadImage', ignore_empty=True)])
    assert isinstance(two.pipeline, checks.CheckedPipeline) and two.pipeline.bad is None
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(checks.DataError, match=f'Two: {path} is a JPEG file'):
        two[len(inner) + 3]


def test_other_errors_name_the_file_too(read):
    dataset = read('custom')
    dataset.pipeline.transforms.insert(1, lambda data: data['nothing'])
    with pytest.raises(KeyError) as raised:
        dataset[1]
    assert 'train_000002.jpg' in raised.value.__notes__[0]


def test_if_all_is_bad_nothing_is_left_out(read):
    """Leaving samples out is no way to train on nothing."""
    def spoil(root):
        for path in (root / 'images/train').iterdir():
            path.write_bytes(b'')
    with pytest.raises(checks.DataError, match='0 bytes'):
        read('custom', spoil, change=dict(pipeline=[dict(type='LoadImageFromFile', ignore_empty=True)]))


def test_a_test_set_leaves_nothing_out(read):
    with pytest.raises(checks.DataError, match='0 bytes'):
        read('custom', lambda root: (root / 'images/val/val_000001.jpg').write_bytes(b''), 'val',
             dict(test_mode=True, pipeline=[dict(type='LoadImageFromFile', ignore_empty=True)]))


def test_ignored_labels_are_no_classes(read):
    dataset = read('custom', lambda root: relabel(root / 'labels/train/train_000001.png', 255))
    assert len(dataset) == 4 and not checks.explain_data_errors()  # wrapped once
