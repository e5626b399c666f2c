"""A training on bad data raises an error with the file name, even if the start does not check the bad sample."""

import re

import faults
import pytest
import small_trainings
from mmengine.config import Config

from hrformer_mm.checks import CheckedPipeline, DataError, reading
from hrformer_mm.checks.problem import FATAL

LAYOUTS = ('custom', 'coco', 'imagenet')


@pytest.fixture(scope='module')
def configs():
    return {layout: small_trainings.read_config(layout) for layout in LAYOUTS}


@pytest.fixture
def run(data, configs, tmp_path, monkeypatch):
    """Return `run(layout)`, which loads all training samples, or trains with `run(layout, True)`."""
    monkeypatch.setattr(reading, 'SAMPLES', 1)  # only the first sample, which is valid

    def run(layout, whole=False, change=lambda cfg: None, **kwargs):
        cfg = Config(configs[layout].to_dict())
        change(cfg)
        if whole:
            return small_trainings.train(cfg, layout, data, tmp_path / 'work', **kwargs)
        return small_trainings.load(cfg, layout, data, **kwargs)

    return run


def skip(cfg):
    cfg.train_dataloader.dataset.pipeline[0].ignore_empty = True


IN_SAMPLES = faults.FILES + faults.LABELS
IN_ANNOTATIONS = [
    fault
    for fault in faults.ANNOTATIONS
    if fault.kind in (*FATAL, 'image size') and fault.name not in ('no image size', 'keypoints of null')
]
LEFT_OUT = [fault for fault in IN_SAMPLES if fault.layout == 'custom' or 'half image' in fault.name]


@pytest.mark.parametrize('fault', IN_SAMPLES + IN_ANNOTATIONS, ids=lambda fault: fault.name)
def test_a_bad_file_is_an_error_that_names_it(run, data, fault):
    fault.spoil(data / fault.layout)
    with pytest.raises(DataError, match=re.escape(f'{fault.layout}/{fault.culprit} ')) as raised:
        run(fault.layout)
    assert raised.value.problem.kind == fault.kind
    at_start = fault in IN_ANNOTATIONS and fault.kind != 'image size'
    assert at_start or str(raised.value).endswith(
        'To train without such samples: ignore_empty=True of the step that loads images.'
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    'fault',
    [next(fault for fault in IN_SAMPLES if fault.layout == layout) for layout in LAYOUTS],
    ids=lambda fault: fault.name,
)
def test_a_bad_file_ends_the_training(run, data, fault):
    fault.spoil(data / fault.layout)
    with pytest.raises(DataError, match=re.escape(f'{fault.layout}/{fault.culprit} ')):
        run(fault.layout, True)


def test_the_hook_checks_at_the_start(run, data):
    (fault,) = [fault for fault in faults.ANNOTATIONS if fault.name == 'image ids']
    fault.spoil(data / 'coco')
    with pytest.raises(DataError, match=re.escape(f'coco/{fault.culprit} ')):
        run('coco', True)


def test_the_hook_compares_the_head_with_the_data(run):
    with pytest.raises(DataError, match='model.head.out_channels is 5, but the keypoints of .*CocoDataset are 17'):
        run('coco', True, change=lambda cfg: cfg.model.head.update(out_channels=5))


@pytest.mark.parametrize('layout', LAYOUTS)
def test_good_data_is_no_error(run, layout):
    assert run(layout).pipeline.skipped == 0


@pytest.mark.parametrize('fault', LEFT_OUT, ids=lambda fault: fault.name)
def test_a_bad_file_can_be_skipped(run, data, fault):
    """Another sample replaces it, and it is counted once, however often it occurs."""
    fault.spoil(data / fault.layout)
    dataset = run(fault.layout, change=skip, epochs=3)
    count = sum(dataset.get_data_info(i)['img_path'].endswith(fault.culprit) for i in range(len(dataset)))
    assert dataset.pipeline.skipped == max(count, 1)  # one sample for each person in an image


def test_workers_count_together(run, data):
    faults.halve(data / 'custom' / faults.SEG_IMAGE)
    faults.relabel(faults.label_200)(data / 'custom/labels/train/train_000006.png')
    assert run('custom', change=skip, workers=2, batch=2, epochs=2).pipeline.skipped == 2


@pytest.mark.slow  # PyTorch waits 5 seconds for a failed worker
def test_a_worker_propagates_the_error(run, data):
    faults.halve(data / 'custom' / faults.SEG_IMAGE)
    with pytest.raises(DataError, match=re.escape(faults.SEG_IMAGE)):
        run('custom', workers=1, batch=2)


@pytest.mark.slow
@pytest.mark.parametrize('workers', [0, 2])
def test_a_training_logs_skipped_samples(run, data, workers):
    """Also with workers, which an iteration-based loop starts before it calls the hook."""
    faults.halve(data / 'custom' / faults.SEG_IMAGE)
    runner = run('custom', True, change=skip, workers=workers)
    log = next((data.parent / 'work').glob('*/*.log')).read_text()
    assert runner.iter == 2 and isinstance(runner.train_dataloader.dataset.pipeline, CheckedPipeline)
    assert re.search(r'1 of 8 samples were bad and left out', log)
    if not workers:  # only the main process writes the log file
        assert re.search(r'Skipped: .*train_000003.jpg is a JPEG file of \d+ bytes without its end', log)
        assert log.count('Skipped: ') == 1
