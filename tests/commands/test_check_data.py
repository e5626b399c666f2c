"""check-data reports every fault with the right kind, and nothing else."""

import gc
import importlib.util
import json
import shutil
from pathlib import Path

import cv2
import pytest
from click.testing import CliRunner
from mmengine.config import Config

from hrformer_mm.checks import DataError
from hrformer_mm.cli import main
from hrformer_mm.commands.check_data import check_data
from hrformer_mm.data import synthesize

_spec = importlib.util.spec_from_file_location('faults', Path(__file__).parents[1] / 'checks/faults.py')
faults = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(faults)

CONFIGS = Path(__file__).parents[2] / 'configs'
SOURCES = dict(
    custom='ocr_hrformer-s_custom',
    coco='td-hm_hrformer-t_coco-256x192',
    imagenet='hrformer-t_imagenet',
    detection='fcos_hrformer-s_coco',
)
LAYOUTS = ('custom', 'coco', 'imagenet')


@pytest.fixture(scope='module')
def pristine(tmp_path_factory):
    """Return valid data, and each config as one file, which is faster to read."""
    root = tmp_path_factory.mktemp('pristine')
    synthesize(root / 'data', LAYOUTS, train=5, val=2, size=(64, 64))
    for name, source in SOURCES.items():
        Config.fromfile(CONFIGS / f'{source}.py').dump(root / f'{name}.py')
    gc.freeze()  # mmengine collects garbage for each data set; skip the objects of the libraries
    yield root
    gc.unfreeze()


@pytest.fixture
def data(pristine, tmp_path):
    shutil.copytree(pristine / 'data', tmp_path / 'data')
    return tmp_path / 'data'


@pytest.fixture
def run(pristine, data):

    def run(layout, config=None, splits=('train',), changes={}, **kwargs):
        options = {f'{split}_dataloader.dataset.data_root': f'{data / layout}/' for split in splits}
        options = {**options, **changes} if 'train_dataloader.dataset' not in changes else changes
        if layout == 'coco' and config is None:
            boxes = str(data / 'coco/person_detection_results/COCO_val2017_detections_AP_H_56_person.json')
            ann_file = str(data / 'coco/annotations/person_keypoints_val2017.json')
            for split in set(splits) - {'train'}:
                options = {
                    f'{split}_dataloader.dataset.bbox_file': boxes,
                    f'{split}_evaluator.ann_file': ann_file,
                    **options,
                }
        return check_data(str(pristine / f'{config or layout}.py'), splits, options=options, **kwargs)

    return run


@pytest.mark.parametrize('layout', LAYOUTS)
def test_good_data(run, layout):
    report = run(layout, splits=('train', 'val', 'test'))
    assert report.problems == [] and not report.counts()
    train, val = report.datasets  # the test set is the validation set
    assert (train.splits, val.splits) == ('train', 'val, test')
    assert train.files == dict(custom=10, coco=6, imagenet=5)[layout] and train.samples >= 5 and not train.notes


@pytest.mark.parametrize('fault', faults.FAULTS, ids=lambda fault: fault.name)
def test_fault(run, data, fault):
    fault.spoil(data / fault.layout)
    problems = run(fault.layout).problems
    assert {problem.kind for problem in problems} == {fault.kind}, problems
    assert len(problems) == 1 and problems[0].path.endswith(fault.culprit) and problems[0].remedy, problems


def test_a_broken_annotation_file_does_not_hide_the_others(run, data):
    """One run reports problems of several kinds in several files."""
    faults.empty(data / 'coco' / faults.COCO_IMAGE)
    faults.first('annotations', bbox=[5, 5, 0, 9])(data / 'coco' / faults.PERSONS)
    (data / 'coco/annotations/person_keypoints_val2017.json').unlink()
    report = run('coco', splits=('train', 'val'))
    assert report.counts() == {'empty image': 1, 'box without area': 1, 'unreadable data set': 1}
    assert [dataset.splits for dataset in report.datasets] == ['train', 'val']


@pytest.mark.parametrize(
    'spoil, kind',
    [
        (lambda root: faults.halve(root / faults.COCO_IMAGE), 'cut image'),
        (lambda root: faults.same_id('images')(root / faults.BOXES), 'duplicate image id'),
        (lambda root: faults.first('images', width=200)(root / faults.BOXES), 'image size'),
    ],
)
def test_detection(run, data, spoil, kind):
    spoil(data / 'coco')
    assert {problem.kind for problem in run('coco', 'detection').problems} == {kind}


def test_wrappers(run, data, pristine):
    """Data sets in wrappers are checked separately, with the transforms that load them."""
    faults.halve(data / 'coco' / faults.COCO_IMAGE)
    inner = Config.fromfile(pristine / 'coco.py').train_dataloader.dataset.to_dict()
    steps, inner = inner['pipeline'], {**inner, 'data_root': f'{data}/coco/', 'pipeline': []}
    combined = dict(
        type='CombinedDataset',
        metainfo=dict(from_file='configs/_base_/datasets/coco.py'),
        pipeline=steps,
        datasets=[inner, {**inner, 'data_mode': 'bottomup', 'pipeline': steps[:1]}],
        _delete_=True,
    )
    report = run('coco', changes={'train_dataloader.dataset': combined})
    assert report.counts() == {'cut image': 2} and len(report.datasets) == 2
    repeated = dict(type='RepeatDataset', times=3, dataset={**inner, 'pipeline': steps}, _delete_=True)
    assert run('coco', changes={'train_dataloader.dataset': repeated}).counts() == {'cut image': 1}


VAL = 'annotations/person_keypoints_val2017.json'


@pytest.mark.parametrize(
    'change, options, kind, said',
    [
        (lambda c: [person.update(area=0) for person in c['annotations']], {}, 'bad area', 'use_area=False'),
        (lambda c: [person.pop('area') for person in c['annotations']], {}, 'no area', 'use_area=False'),
        (lambda c: [person.pop('area') for person in c['annotations']], dict(use_area=False), None, ''),
        (lambda c: None, dict(ann_file='annotations/person_keypoints_train2017.json'), 'other images', 'it lacks 2 of'),
        (lambda c: None, dict(ann_file='none.json'), 'evaluator file', 'is missing'),
    ],
)
def test_evaluators(run, data, change, options, kind, said):
    faults.rewrite(change)(data / 'coco' / VAL)
    options = {key: str(data / 'coco' / value) if key == 'ann_file' else value for key, value in options.items()}
    report = run(
        'coco', splits=('train', 'val'), changes={f'val_evaluator.{key}': value for key, value in options.items()}
    )
    assert set(report.counts()) == ({kind} if kind else set()), report.problems
    assert all(said in str(problem) for problem in report.problems if problem.count == 1)
    assert not kind or report.problems == report.datasets[1].problems


def test_evaluators_of_detection(run, data):
    changes = {'val_evaluator.ann_file': str(data / 'coco' / faults.BOXES)}
    assert set(run('coco', 'detection', ('val',), changes).counts()) == {'other images'}


def test_many_faults_of_a_kind(run, data):
    """The first few are listed, and all are counted."""
    change = faults.rewrite(lambda content: [person.update(iscrowd='0') for person in content['annotations']])
    change(data / 'coco' / faults.PERSONS)
    report = run('coco')
    assert len(report.problems) == 4 and report.counts()['annotations.iscrowd'] > 4


@pytest.mark.parametrize(
    'change, message',
    [
        (dict(sigmas=[0.05] * 16), 'has 16 sigmas, but 17 keypoints in keypoint_info'),
        (
            dict(keypoint_info={0: dict(name='nose'), 1: dict(name='left', swap='right'), 2: dict(name='right')}),
            "swaps 'left' with 'right', but 'right' with 'right'",
        ),
        (dict(keypoint_info={0: dict(name='nose', swap='tail')}), "keypoint_info[0].swap is 'tail'"),
        (
            dict(keypoint_info={0: dict(name='nose')}, sigmas=[0.1], joint_weights=[1.0]),
            'model.head.out_channels is 17, but the keypoints of the metainfo of CocoDataset are 1',
        ),
    ],
)
def test_custom_keypoints(run, data, change, message):
    info = dict(
        dataset_name='own',
        skeleton_info={},
        joint_weights=[1.0] * 17,
        sigmas=[0.1] * 17,
        keypoint_info={number: dict(name=f'point {number}') for number in range(17)},
    )
    path = data / 'keypoints.py'
    path.write_text(f'dataset_info = {dict(info, **change)!r}\n')
    try:
        report = run('coco', changes={'train_dataloader.dataset.metainfo': dict(from_file=str(path))})
        lines = list(map(str, report.problems))
    except DataError as error:  # mmpose cannot build the data set
        lines = [str(error)]
    assert sum(message in line for line in lines) == 1, lines


def test_exif_orientation(run, data):
    """OpenCV applies the EXIF orientation, so that annotations of the stored image no longer fit."""
    from PIL import Image

    path = data / 'custom' / faults.SEG_IMAGE
    with Image.open(path) as image:
        exif = image.getexif()
        exif[0x0112] = 6  # a quarter turn
        image.crop((0, 0, 64, 48)).save(path, exif=exif)
    faults.relabel(lambda labels: labels[:48])(data / 'custom' / faults.SEG_LABELS)
    (problem,) = run('custom').problems
    assert problem.kind == 'label map size' and 'is 64x48, but its image' in problem.what and '48x64' in problem.what


def test_notes_are_not_problems(run, data):
    faults.first('annotations', keypoints=[0] * 51, num_keypoints=0)(data / 'coco' / faults.PERSONS)
    report = run('coco')
    assert not report.problems
    assert report.datasets[0].notes[0].startswith('1 of') and 'no keypoints' in report.datasets[0].notes[0]
    cv2.imwrite(str(data / 'custom/images/train/z.png'), cv2.imread(str(data / 'custom' / faults.SEG_IMAGE)))
    report = run('custom')
    assert not report.problems and len(report.datasets[0].notes) == 1
    assert report.datasets[0].notes[0].startswith('1 pictures in') and 'z.png' in report.datasets[0].notes[0]


def test_labels_beyond_the_classes_of_the_head(run, data):
    """The data set has more classes than the model, which would cause an obscure error in the loss."""
    faults.relabel(lambda labels: labels * 0 + 1)(data / 'custom' / faults.SEG_LABELS)
    problems = run('custom', changes={'model.decode_head.num_classes': 1}).problems
    named = next(problem for problem in problems if problem.path.endswith(faults.SEG_LABELS))
    assert named.kind == 'label beyond classes' and 'label 1, but its 1 classes are 0 to 0' in named.what
    assert not run('custom').problems


def test_limit(run, data):
    faults.empty(data / 'custom' / faults.SEG_IMAGE)  # the third of five
    assert not run('custom', limit=2).problems and len(run('custom', limit=3).problems) == 1
    assert run('custom', limit=2).datasets[0].files == 4


def test_a_transform_that_fails(run, data):
    """Running the whole pipeline on one sample finds problems without a check of their own."""
    steps = [dict(type='LoadImageFromFile'), dict(type='PackSegInputs', meta_keys=3)]
    (problem,) = run('custom', changes={'train_dataloader.dataset.pipeline': steps}).problems
    assert problem.kind == 'pipeline' and problem.path.endswith('.png') and 'TypeError' in problem.what


def test_command(pristine, data):
    def invoke(*args):
        return CliRunner().invoke(
            main, ['check-data', *map(str, args), '--cfg-options', f'train_dataloader.dataset.data_root={data}/coco/']
        )

    good = invoke(pristine / 'coco.py', '--split', 'train')
    assert good.exit_code == 0 and good.stdout.splitlines()[-1] == 'No problem found.', good.output
    assert good.stdout.splitlines()[0].startswith('train: CocoDataset (') and 'loading' not in good.stdout
    faults.halve(data / 'coco' / faults.COCO_IMAGE)
    bad = invoke(pristine / 'coco.py', '--split', 'train')
    assert bad.exit_code == 1 and bad.stdout.splitlines()[-1] == '1 problem (cut image: 1).'
    assert f'{data}/coco/{faults.COCO_IMAGE} is a JPEG file of ' in bad.stdout
    assert 'Copy or download it again' in bad.stdout
    report = json.loads(invoke(pristine / 'coco.py', '--split', 'train', '--json').stdout)
    assert report['counts'] == {'cut image': 1} and report['datasets'][0]['problems'][0]['kind'] == 'cut image'


@pytest.mark.parametrize(
    'args, message',
    [
        (['none.py'], 'no config file none.py'),
        (['CONFIG', '--cfg-options', 'a'], 'write KEY=VALUE'),
        (['CONFIG', '--cfg-options', 'train_dataloader=None', '--split', 'train'], 'no train_dataloader'),
        (['CONFIG', '--cfg-options', 'train_dataloader.dataset.type=NoSuch', '--split', 'train'], 'NoSuch'),
    ],
)
def test_wrong_arguments(pristine, args, message):
    args = [str(pristine / 'custom.py') if arg == 'CONFIG' else arg for arg in args]
    result = CliRunner().invoke(main, ['check-data', *args])
    assert result.exit_code == 1 and message in result.output, result.output
    assert result.output.startswith('Error: ')
