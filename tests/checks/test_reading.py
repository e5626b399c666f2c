"""Bad data raises an error with its path and a remedy before a training starts."""

import shutil
from pathlib import Path

import faults
import pytest
from faults import PERSONS, on, relabel, rewrite
from mmengine.config import Config
from mmengine.dataset import BaseDataset, Compose
from mmengine.registry import DATASETS, DefaultScope

from hrformer_mm.checks import CheckedPipeline, DataError, check_start, explain, reading

CONFIGS = Path(__file__).parents[2] / 'configs'
SOURCES = dict(
    custom='ocr_hrformer-s_custom',
    coco='td-hm_hrformer-t_coco-256x192',
    imagenet='hrformer-t_imagenet',
    ade='ocr_hrformer-s_ade20k',
    detection='fcos_hrformer-s_coco',
)
ADE_LABELS = 'ADEChallengeData2016/annotations/training/ADE_train_00000002.png'
BOXES = 'person_detection_results/COCO_val2017_detections_AP_H_56_person.json'


@pytest.fixture(scope='module')
def configs():
    return {name: Config.fromfile(CONFIGS / f'{source}.py') for name, source in SOURCES.items()}


@pytest.fixture
def start(data, configs):
    """Build a data set of a config from damaged data, and check it as at the start of a training."""

    def run(name, spoil=lambda root: None, split='train', change=None):
        spoil(data / ('coco' if name == 'detection' else name))
        settings = {**configs[name][f'{split}_dataloader'].dataset.to_dict(), **(change or {})}
        for key in ('data_root', 'bbox_file'):
            if settings.get(key):
                settings[key] = str(data / Path(settings[key]).relative_to('data'))
        with DefaultScope.overwrite_default_scope(configs[name].default_scope):
            dataset = DATASETS.build(dict(settings, lazy_init=True))
        check_start(dataset)
        return dataset

    return run


def label(number):
    def change(labels):
        labels[:5] = number
        return labels

    return relabel(change)


@pytest.mark.parametrize('name', SOURCES)
def test_good_data(start, name):
    dataset = start(name)
    assert len(dataset) >= 8 and isinstance(dataset.pipeline, CheckedPipeline)
    pipeline = dataset.pipeline
    assert not check_start(dataset) and dataset.pipeline is pipeline


@pytest.mark.parametrize(
    'name, spoil, message',
    [
        ('custom', lambda root: shutil.rmtree(root / 'images'), 'images/train.*data_root'),
        ('custom', lambda root: faults.clear(root / 'images/train'), 'images/train.*has no samples.*not empty'),
        (
            'custom',
            lambda root: shutil.rmtree(root / 'labels'),
            'labels/train/train_000001.png is missing: there is no such label map.*layout',
        ),
        (
            'custom',
            on('labels/train/train_000004.png', label(2)),
            'train_000004.png has label 2, but its 2 classes are 0 to 1, and 255 is ignored.*num_classes',
        ),
        ('ade', on(ADE_LABELS, label(151)), '00000002.png has label 151, but its 150 classes are 1 to 150'),
        (
            'coco',
            lambda root: shutil.rmtree(root / 'annotations'),
            'person_keypoints_train2017.json.*not exist.*data_root',
        ),
        ('coco', on(PERSONS, rewrite(lambda content: content.update(annotations=[]))), 'train2017.*has no samples'),
        (
            'coco',
            on(PERSONS, faults.first('annotations', bbox=None)),
            'train2017.json.* cannot be read: .*annotation 11 of 0+1.jpg with bbox null',
        ),
        (
            'coco',
            lambda root: shutil.rmtree(root / 'train2017'),
            'train2017/0+1.jpg is missing: there is no such image',
        ),
        ('imagenet', lambda root: shutil.rmtree(root / 'train'), 'JPEG is missing: there is no such image.*layout'),
        ('imagenet', lambda root: (root / 'meta/train.txt').write_text(''), 'meta/train.txt.*has no samples'),
        (
            'imagenet',
            lambda root: (root / 'meta/train.txt').write_text('n01440764/n01440764_00000001.JPEG 1000\n'),
            '00000001.JPEG has label 1000, but there are 1000 classes',
        ),
        (
            'detection',
            lambda root: (root / 'train2017/000000000002.jpg').write_bytes(b''),
            '02.jpg is a file of 0 bytes',
        ),
        (
            'detection',
            on(faults.BOXES, rewrite(lambda content: content.update(images=content['images'][:1] * 2))),
            'has image id 1 twice',
        ),
        (
            'detection',
            on(faults.BOXES, rewrite(lambda content: content.update(annotations=[]))),
            'instances_train2017.json.*has no samples',
        ),
    ],
)
def test_bad_data(start, name, spoil, message):
    with pytest.raises(DataError, match=message):
        start(name, spoil)


def test_boxes_without_images(start):
    def spoil(boxes):
        for box in boxes:
            box['image_id'] = 77

    with pytest.raises(
        DataError, match='AP_H_56_person.json has boxes of image 77.*val2017.json does not list.*bbox_file=None'
    ):
        start('coco', on(BOXES, rewrite(spoil)), 'val')


@pytest.mark.parametrize(
    'name, path, spoil, message',
    [
        ('coco', PERSONS, rewrite(lambda content: content['annotations'][0].pop('image_id')), 'without image_id'),
        ('coco', PERSONS, faults.first('annotations', keypoints=[1] * 50), '50 numbers in keypoints'),
        ('coco', PERSONS, faults.first('images', width=None), r'images\[0\] .* with width null'),
        ('coco', PERSONS, rewrite(lambda content: content['images'][0].pop('file_name')), 'without file_name'),
        ('coco', PERSONS, faults.halve, 'was cut short'),
        ('coco', BOXES, rewrite(lambda boxes: boxes[0].pop('score')), r'boxes\[0\] .* without score'),
        ('detection', faults.BOXES, rewrite(lambda content: content['annotations'][0].pop('area')), 'without area'),
        ('detection', faults.BOXES, rewrite(lambda content: content['categories'][0].pop('name')), 'without name'),
    ],
)
def test_the_entry_that_a_library_cannot_read_is_named(start, name, path, spoil, message):
    """The launcher explains the library's own error."""
    with pytest.raises(DataError, match=f'{path}.*{message}') as raised:
        start(name, on(path, spoil), 'val' if path == BOXES else 'train')
    assert str(explain(raised.value.__cause__)) == str(raised.value)


def test_a_file_that_a_metric_cannot_read(data):
    from mmpose.evaluation import CocoMetric

    path = data / 'coco' / PERSONS
    faults.halve(path)
    with pytest.raises(ValueError) as raised:
        CocoMetric(str(path))
    assert f'ann_file of CocoMetric (val_evaluator or test_evaluator) cannot be read: {path} was cut short' in str(
        explain(raised.value)
    )
    assert explain(ValueError('another')) is None
    with pytest.raises(ValueError) as raised:  # unrelated to the file
        CocoMetric(str(data / 'coco' / PERSONS.replace('train', 'val')), score_mode='none')
    assert explain(raised.value) is None
    path = data / 'coco' / PERSONS.replace('train', 'val')
    rewrite(lambda content: content['annotations'][2].pop('id'))(path)
    with pytest.raises(KeyError) as raised:
        CocoMetric(str(path))
    assert 'annotations[2] (image_id 500001) without id' in str(explain(raised.value))


def test_questionable_annotations_are_counted_in_the_log(start, monkeypatch):
    lines = []
    monkeypatch.setattr(reading, 'print_log', lambda line, **_: lines.append(line))
    start('coco', on(PERSONS, faults.first('annotations', iscrowd='0')))
    (line,) = lines
    assert 'annotations.iscrowd: 1; the first: ' in line and 'with iscrowd "0"' in line


def test_data_sets_of_data_sets(start):
    """Like mmpose's CombinedDataset, which loads images itself; its samples have the indices of the inner data sets."""
    inner = start('coco')
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
    check_start(two)
    assert isinstance(two.pipeline, CheckedPipeline) and two.pipeline.bad is None
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(DataError, match=f'Two: {path} is a JPEG file'):
        two[len(inner) + 3]


def test_other_errors_name_the_file_too(start):
    dataset = start('custom')
    dataset.pipeline.transforms.insert(1, lambda data: data['nothing'])
    with pytest.raises(KeyError) as raised:
        dataset[1]
    assert 'train_000002.jpg' in raised.value.__notes__[0]


def empty_all(root):
    for path in (root / 'images/train').iterdir():
        path.write_bytes(b'')


@pytest.mark.parametrize(
    'split, spoil, change',
    [('train', empty_all, {}), ('val', on('images/val/val_000001.jpg', faults.empty), dict(test_mode=True))],
    ids=['all are bad', 'test'],
)
def test_what_is_never_skipped(start, split, spoil, change):
    """Skipping must neither leave an empty training set nor make a test easier."""
    with pytest.raises(DataError, match='0 bytes'):
        start('custom', spoil, split, dict(pipeline=[dict(type='LoadImageFromFile', ignore_empty=True)], **change))


def test_ignored_labels_are_valid(start):
    assert len(start('custom', on('labels/train/train_000001.png', label(255)))) == 8
