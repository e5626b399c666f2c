"""Evaluators and heads are checked against the data before a run; tests/checks tests each problem separately."""

import json
from types import SimpleNamespace

import pytest
from mmengine.config import Config
from mmengine.dataset import Compose, ConcatDataset
from mmengine.registry import DATASETS, METRICS, DefaultScope
from mmengine.runner import TestLoop, ValLoop

from hrformer_mm.checks import DataError
from hrformer_mm.data import synthesize
from hrformer_mm.hooks.evaluation import check_evaluation

pytest.importorskip('mmpose')
VAL = 'annotations/person_keypoints_val2017.json'


@pytest.fixture(scope='module')
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp('data')
    synthesize(root, 'coco', train=2, val=2, size=(64, 64))
    return root / 'coco'


def edited(folder, change):
    """Return a modified copy of the validation's annotations."""
    content = json.loads((folder / VAL).read_text())
    change(content)
    (folder / 'edited.json').write_text(json.dumps(content))
    return str(folder / 'edited.json')


@pytest.fixture
def check(folder):
    """`check(own, metrics)` is what the hook does before a run of a validation, or of a test."""

    def run(own=VAL, metrics=None, split='val', channels=17, wrap=lambda dataset: dataset):
        with DefaultScope.overwrite_default_scope('mmpose'):
            dataset = DATASETS.build(
                dict(
                    type='CocoDataset',
                    data_root=f'{folder}/',
                    ann_file=str(own),
                    data_prefix=dict(img='val2017/'),
                    test_mode=True,
                    serialize_data=False,
                )
            )
            built = [METRICS.build(metric) for metric in metrics or [dict(type='CocoMetric')]]
            for metric in built:
                metric.dataset_meta = dataset.metainfo
        loop = object.__new__(TestLoop if split == 'test' else ValLoop)
        loop._runner, loop.evaluator = None, SimpleNamespace(metrics=built)
        loop.dataloader = SimpleNamespace(dataset=wrap(dataset))
        loops = dict(_train_loop=None, _val_loop=None, _test_loop=None)
        loops[f'_{split}_loop'] = loop
        check_evaluation(SimpleNamespace(cfg=Config(dict(model=dict(head=dict(out_channels=channels)))), **loops))

    return run


@pytest.mark.parametrize('split', ['val', 'test'])
@pytest.mark.parametrize('explicit', [True, False], ids=['ann_file', 'of the data set'])
def test_areas(check, folder, split, explicit):
    own = edited(folder, lambda content: [person.update(area=0) for person in content['annotations']])
    metric = dict(type='CocoMetric', **dict(ann_file=own) if explicit else {})
    with pytest.raises(DataError, match=f'edited.json has .* with area 0.*{split}_evaluator.use_area=False.*more are'):
        check(own, [metric], split)
    check(own, [dict(metric, use_area=False)], split)


def test_valid_evaluators(check, folder):
    check()
    check(metrics=[dict(type='CocoMetric', ann_file=str(folder / VAL)), dict(type='PCKAccuracy')])
    check(metrics=[dict(type='CocoMetric', ann_file=edited(folder, lambda content: None))])
    check(wrap=lambda dataset: ConcatDataset([dataset]))


def test_evaluators_of_other_images(check, folder):
    metrics = [dict(type='PCKAccuracy'), dict(type='CocoMetric', ann_file=str(folder / VAL.replace('val', 'train')))]
    with pytest.raises(DataError, match=r'val_evaluator\.1: .*train2017.json.* is not the file .*: it lacks'):
        check(metrics=metrics)
    other = edited(folder, lambda content: [image.update(file_name='x.jpg') for image in content['images']])
    with pytest.raises(DataError, match='image ids belong to different images'):
        check(metrics=[dict(type='CocoMetric', ann_file=other)], wrap=lambda dataset: ConcatDataset([dataset]))


def test_other_numbers_of_annotations_are_a_warning(check, folder):
    check(metrics=[dict(type='CocoMetric', ann_file=edited(folder, lambda content: content['annotations'].pop(0)))])


def test_heads(check):
    with pytest.raises(DataError, match='val_dataloader.dataset: model.head.out_channels is 5, but .* are 17'):
        check(channels=5)


def test_data_sets_with_other_pipelines(check):
    """The outer pipeline converts the keypoints for the head."""

    class KeypointConverter:
        num_keypoints = 21

    def convert(dataset):
        dataset.pipeline = Compose([])
        dataset.pipeline.transforms = [KeypointConverter()]
        return dataset

    check(channels=21, wrap=convert)
