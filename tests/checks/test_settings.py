"""Faults of labels, lists and configs, which check-data and the start of a training both find."""

import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import small_trainings
from mmengine.config import Config
from mmengine.registry import DATASETS, DefaultScope
from mmengine.runner.base_loop import BaseLoop
from PIL import Image

from hrformer_mm.checks import CheckedPipeline, DataError
from hrformer_mm.checks.config import ignored_changes
from hrformer_mm.commands.check_data import check_data
from hrformer_mm.hooks.datasets import check_loops

CONFIGS = Path(__file__).parents[2] / 'configs'
SOURCES = dict(custom='ocr_hrformer-s_custom', imagenet='hrformer-t_imagenet', coco='td-hm_hrformer-t_coco-256x192')


class Loop(BaseLoop):
    def __init__(self, dataset):
        self.dataloader = SimpleNamespace(dataset=dataset)

    def run(self):
        raise NotImplementedError


@pytest.fixture(scope='module')
def configs():
    return {layout: Config.fromfile(CONFIGS / f'{source}.py') for layout, source in SOURCES.items()}


class Case(SimpleNamespace):
    def load(self, options):
        cfg = Config.fromfile(self.path)
        cfg.merge_from_dict(options)
        return cfg

    def check(self, splits=('train', 'val'), **options):
        """Return the problems that check-data finds, by kind."""
        found = {}
        for problem in check_data(str(self.path), splits, options=_dotted(options)).problems:
            found.setdefault(problem.kind, []).append(str(problem))
        return found

    def start(self, splits=('train', 'val'), **options):
        """Return the warnings that are logged at the start of a training."""
        cfg, lines, loops = self.load(_dotted(options)), [], {}
        with DefaultScope.overwrite_default_scope(cfg.default_scope):
            for split in ('train', 'val', 'test'):
                loops[f'_{split}_loop'] = None
                if split in splits:
                    dataset = DATASETS.build(dict(cfg[f'{split}_dataloader'].dataset, lazy_init=True))
                    dataset.full_init()
                    loops[f'_{split}_loop'] = Loop(dataset)
        self.loops = loops
        check_loops(SimpleNamespace(cfg=cfg, logger=SimpleNamespace(warning=lines.append), **loops))
        return lines


def write(cfg, path):
    """Write a config like cfg.dump, but without formatting, which takes a second."""
    path.write_text(''.join(f'{key} = {value!r}\n' for key, value in cfg.to_dict().items()))


def _dotted(options):
    return {key.replace('__', '.'): value for key, value in options.items()}


@pytest.fixture
def make(data, configs, tmp_path):
    """Write a config for a copy of the data."""

    def run(layout, **options):
        cfg = Config(configs[layout].to_dict())
        for split in ('train', 'val', 'test'):
            cfg[f'{split}_dataloader'].dataset.data_root = f'{data / layout}/'
        cfg.merge_from_dict(_dotted(options))
        write(cfg, tmp_path / 'config.py')
        return Case(path=tmp_path / 'config.py', root=data / layout)

    return run


def relabel(root, change):
    for path in root.glob('labels/*/*.png'):
        assert cv2.imwrite(str(path), change(cv2.imread(str(path), cv2.IMREAD_UNCHANGED)))


THREE = dict(classes=('background', 'person', 'dog'), palette=[[0, 0, 0], [1, 1, 1], [2, 2, 2]])
ONE_BASED = {f'{split}_dataloader__dataset__reduce_zero_label': True for split in ('train', 'val')}


@pytest.mark.parametrize(
    'change, options, message',
    [
        (
            lambda labels: labels * 255,
            {},
            r"class 1 'person' in 8 of 8 label maps, and .*% of the pixels are ignored.*"
            'save 1 for 255',
        ),
        (
            lambda labels: labels,
            {
                **{f'{split}_dataloader__dataset__metainfo': THREE for split in ('train', 'val')},
                'model__decode_head__num_classes': 3,
            },
            "no pixel of class 2 'dog'.*remove the class",
        ),
        (lambda labels: labels, ONE_BASED, "class 1 'person'.*reduce_zero_label=False"),
        (lambda labels: labels * 0 + 1, {}, "class 0 'background'.*reduce_zero_label=True"),
    ],
    ids=['0 and 255', 'unused class', '0 and 1 with reduce_zero_label', 'only ones'],
)
def test_classes_without_a_pixel(make, change, options, message):
    case = make('custom', **options)
    relabel(case.root, change)
    found = case.check()
    assert set(found) == {'absent class'} and len(found['absent class']) == 2  # training and validation
    lines = case.start()
    assert [f'labels/{split}' in line for split, line in zip(('train', 'val'), lines)] == [True, True]
    for text in (found['absent class'][0], lines[0]):
        assert re.search(message, text), text


def test_ignored_data_is_not_trained_on(make):
    case = make('custom')
    relabel(case.root, lambda labels: labels * 0 + 255)
    assert 'absent class' in case.check() and '100.0% of the pixels are ignored' in case.check()['absent class'][0]
    with pytest.raises(DataError, match='100.0% of the pixels are ignored'):
        case.start()


def test_good_labels_are_no_problem(make):
    case = make('custom')
    assert case.check() == {} and case.start() == []


@pytest.mark.parametrize(
    'change, message',
    [
        (
            lambda labels: labels * 127 + (np.arange(64) < 32).astype(np.uint8) * (labels * 128),
            'has label 127, but its 2 classes are 0 to 1, and 255 is ignored',
        ),
        (lambda labels: labels + 1, 'has label 2, .*count the classes from 1, set reduce_zero_label=True'),
    ],
    ids=['0, 127 and 255', 'from 1'],
)
def test_grey_values(make, change, message):
    case = make('custom')
    relabel(case.root, change)
    assert 'label beyond classes' in case.check()
    with pytest.raises(DataError, match=message):
        case.start()


@pytest.mark.parametrize(
    'options, key',
    [
        ({'model__decode_head__ignore_index': 254}, 'model.decode_head.ignore_index'),
        ({'val_evaluator__ignore_index': 254}, 'val_evaluator.ignore_index'),
        ({'model__auxiliary_head': [dict(type='FCNHead', ignore_index=100)]}, 'model.auxiliary_head.0.ignore_index'),
    ],
    ids=['head', 'metric', 'auxiliary head'],
)
def test_another_ignored_label(make, options, key):
    case = make('custom', **options)
    relabel(case.root, lambda labels: np.where(np.arange(64) < 4, np.uint8(255), labels))
    found = case.check()
    assert set(found) == {'ignore_index'} and any(f'{key} is' in text for text in found['ignore_index'])
    with pytest.raises(DataError, match=f'png has label 255, but its 2 classes are 0 to 1, and {key} is') as raised:
        case.start()
    assert f'Set {key}=255 if it is to be ignored' in str(raised.value)


@pytest.mark.parametrize(
    'options, key',
    [
        ({'model__data_preprocessor__seg_pad_val': 0}, 'model.data_preprocessor.seg_pad_val is 0'),
        ({'val_evaluator__ignore_index': 0}, 'val_evaluator.ignore_index is 0'),
        (
            {'model__decode_head__loss_decode': [dict(type='DiceLoss', ignore_index=7)]},
            'model.decode_head.loss_decode.0.ignore_index is 7',
        ),
        (
            {'train_dataloader__dataset__pipeline__3__ignore_index': 9},
            'train_dataloader.dataset.pipeline.3.ignore_index is 9',
        ),
    ],
)
def test_ignored_labels_that_disagree(make, options, key):
    """The data has no ignored pixel, so a training would run."""
    case = make('custom')
    found = case.check(**options)
    assert set(found) == {'ignore_index'} and key in found['ignore_index'][0]
    assert [key in line for line in case.start(**options)] == [True]


def orient(path, orientation, size=(64, 48)):
    with Image.open(path) as image:
        exif = image.getexif()
        exif[0x0112] = orientation
        image.crop((0, 0, *size)).save(path, exif=exif)


@pytest.mark.parametrize(
    'orientation, size, doubtful',
    [
        (2, (64, 48), True),
        (3, (64, 48), True),
        (4, (64, 48), True),
        (6, (64, 64), True),
        (8, (64, 64), True),
        (1, (64, 48), False),
        (6, (48, 64), False),
    ],
)
def test_exif_orientation(make, orientation, size, doubtful, monkeypatch):
    """The size shows a quarter turn unless the image is square; the label map here fits the rotated image."""
    case = make('custom')
    orient(case.root / 'images/train/train_000003.jpg', orientation, size)
    width, height = size[::-1] if orientation > 4 else size
    path = case.root / 'labels/train/train_000003.png'
    cv2.imwrite(str(path), cv2.imread(str(path), cv2.IMREAD_UNCHANGED)[:height, :width])
    found, lines = case.check(('train',)), []
    monkeypatch.setattr('hrformer_mm.checks.pipeline.print_log', lambda text, **_: lines.append(text))
    case.start(('train',))
    assert isinstance(case.loops['_train_loop'].dataloader.dataset.pipeline, CheckedPipeline)
    assert set(found) == ({'turned image'} if doubtful else set()) and len(lines) == doubtful
    for text in found.get('turned image', []) + lines:
        assert f'train_000003.jpg has the EXIF orientation {orientation}' in text and 'exif_transpose' in text
    for step in (dict(color_type='color_ignore_orientation'), dict(color_type='unchanged')):
        options = {f'train_dataloader__dataset__pipeline__0__{key}': value for key, value in step.items()}
        assert 'turned image' not in case.check(('train',), **options)


def test_exif_orientation_of_poses(make, monkeypatch):
    case, lines = make('coco'), []
    monkeypatch.setattr('hrformer_mm.checks.pipeline.print_log', lambda text, **_: lines.append(text))
    orient(case.root / 'train2017/000000000003.jpg', 3, (64, 64))
    (text,) = case.check(('train',))['turned image']
    assert '000000000003.jpg has the EXIF orientation 3' in text
    case.start(('train',))
    assert len(lines) == 1 and '000000000003.jpg has the EXIF orientation 3' in lines[0]


FOLDERS = {
    f'{split}_dataloader__dataset': dict(
        _delete_=True,
        type='CustomDataset',
        data_prefix=split if split != 'test' else 'val',
        pipeline=[dict(type='LoadImageFromFile'), dict(type='PackInputs')],
    )
    for split in ('train', 'val', 'test')
}
THREE_CLASSES = {
    'model__head__num_classes': 3,
    'data_preprocessor__num_classes': 3,
    'val_evaluator__topk': 1,
    'test_evaluator__topk': 1,
}


@pytest.fixture
def folders(make, data):
    """Write three class folders and their config."""

    def run(**options):
        case = make('imagenet', **{**FOLDERS, **THREE_CLASSES, **options})
        cfg = Config.fromfile(case.path)
        for split in ('train', 'val', 'test'):
            cfg[f'{split}_dataloader'].dataset.data_root = str(data / 'folders')
        write(cfg, case.path)
        picture = next((data / 'imagenet').rglob('*.JPEG'))
        for split in ('train', 'val'):
            for name in ('cat', 'dog', 'owl'):
                (data / 'folders' / split / name).mkdir(parents=True)
                shutil.copy(picture, data / 'folders' / split / name / '1.jpg')
        case.root = data / 'folders'
        return case

    return run


@pytest.mark.parametrize(
    'options, message',
    [
        (
            {'val_evaluator__topk': (1, 5)},
            r'val_evaluator.topk is .1, 5., but model.head.num_classes is 3.*'
            'val_evaluator.topk=1 test_evaluator.topk=1',
        ),
        ({'val_evaluator': [dict(type='Accuracy', topk=4)]}, 'val_evaluator.0.topk is 4'),
        ({'model__head__cal_acc': True, 'model__head__topk': (1, 5)}, 'model.head.topk is .*model.head.topk=1'),
        (
            {'data_preprocessor__num_classes': 1000},
            'data_preprocessor.num_classes is 1000, but model.head.num_classes is 3'
            '.*Set data_preprocessor.num_classes=3',
        ),
        (
            {'model__head__num_classes': 2, 'data_preprocessor__num_classes': 2},
            'train has 3 class folders, but model.head.num_classes is 2.*model.head.num_classes=3',
        ),
    ],
)
def test_numbers_of_classes(folders, options, message):
    case = folders(**options)
    with pytest.raises(DataError, match=message):
        case.start()
    texts = [text for texts in case.check().values() for text in texts]
    assert any(re.search(message, text) for text in texts), texts


def test_class_folders(folders):
    case = folders()
    assert case.check() == {} and case.start() == []
    shutil.rmtree(case.root / 'val/cat')
    assert 'val lacks the class folder cat, compared with' in case.check()['class folders'][0]
    with pytest.raises(DataError, match='val lacks the class folder cat, compared with'):
        case.start()
    found = case.check(model__head__num_classes=9, data_preprocessor__num_classes=9)
    assert 'train has 3 class folders, but model.head.num_classes is 9' in found['unused classes'][0]


@pytest.mark.parametrize(
    'line, kind, message',
    [
        ('', 'blank entry', 'train.txt, line 2 is blank'),
        ('cat/1.jpg', 'bad entry', "line 2 is 'cat/1.jpg': the file or its label is missing"),
        ('cat/1.jpg,0', 'bad entry', "line 2 is 'cat/1.jpg,0': the file or its label is missing"),
        ('cat/1.jpg cat', 'bad label', "line 2: cat/1.jpg has the label 'cat', which is not an integer"),
        ('cat/1.jpg 0.5', 'bad label', "line 2: cat/1.jpg has the label '0.5', which is not an integer"),
        ('cat/1.jpg 3', 'label beyond classes', 'line 2: cat/1.jpg has label 3, but there are 3 classes, 0 to 2'),
        ('cat/1.jpg -1', 'label beyond classes', 'line 2: cat/1.jpg has label -1'),
        (
            'dog/1.jpg 2',
            'contradicting labels',
            'line 2: dog/1.jpg was listed before, as entry 1, with the label 1 in ',
        ),
        ('dog/1.jpg 1', 'duplicate entry', 'line 2: dog/1.jpg was listed before, as entry 1'),
    ],
)
def test_lists_of_labels(folders, line, kind, message):
    case = folders(train_dataloader__dataset__ann_file='train.txt')
    (case.root / 'train.txt').write_bytes(f'dog/1.jpg 1\r\n{line}\r\nowl/1.jpg 2\r\n'.encode())
    found = case.check(('train',))
    assert set(found) == {kind} and len(found[kind]) == 1 and message in found[kind][0], found
    if kind in ('contradicting labels', 'label beyond classes'):  # entries that the library reads
        with pytest.raises(DataError, match='train.txt, line 2: '):
            case.start(('train',))


def test_windows_line_endings_are_valid(folders):
    case = folders(train_dataloader__dataset__ann_file='train.txt')
    (case.root / 'train.txt').write_bytes(b'dog/1.jpg 1\r\nowl/1.jpg 2\r\ncat/1.jpg 0\r\n')
    assert case.check(('train',)) == {} and case.start(('train',)) == []


@pytest.mark.parametrize(
    'line, kind, message',
    [
        (
            'train_000003.jpg',
            'bad entry',
            'line 2: train_000003.jpg ends in img_suffix, so that train_000003.jpg.jpg is',
        ),
        ('', 'blank entry', 'split.txt, line 2 is blank'),
        ('train_000001', 'duplicate entry', 'line 2: train_000001 was listed before, as entry 1'),
    ],
)
def test_lists_of_names(make, line, kind, message):
    case = make('custom', train_dataloader__dataset__ann_file='split.txt')
    (case.root / 'split.txt').write_text(f'train_000001\n{line}\ntrain_000002\n')
    assert message in case.check(('train',))[kind][0]
    if kind != 'duplicate entry':
        with pytest.raises(DataError, match='split.txt, line 2'):
            case.start(('train',))


def test_lists_in_json(folders):
    case = folders(train_dataloader__dataset__type='BaseDataset', train_dataloader__dataset__ann_file='train.json')
    (case.root / 'train.json').write_text(
        '{"metainfo": {"classes": ["a", "b", "c"]}, "data_list": [{"img_path": "dog/1.jpg", "gt_label": 1}, '
        '{"img_path": null, "gt_label": 1}, {"img_path": "owl/1.jpg"}, {"img_path": "cat/1.jpg", "gt_label": "x"}, 5, '
        '{"img_path": "cat/2.jpg", "gt_label": 7}]}'
    )
    texts = [text for texts in case.check(('train',)).values() for text in texts if 'data_list' in text]
    assert len(texts) == 5
    for text, part in zip(
        texts,
        (
            '[1] has the img_path None',
            '[2] has the gt_label None (owl/1.jpg)',
            '[4] is 5',
            "[3] has the gt_label 'x'",
            '[5] has label 7, but there are 3 classes',
        ),
    ):
        assert any(part in text for text in texts), (part, texts)


@pytest.mark.parametrize('name', ['data_root', 'batch_size'])
def test_options_without_effect(make, name):
    case = make('custom', data_root='data/old/', batch_size=4)
    value = dict(data_root='data/mine', batch_size=2)[name]
    cfg = case.load({f'{split}_dataloader.dataset.data_root': 'data/old' for split in ('train', 'val', 'test')})
    cfg.train_dataloader.batch_size = 4
    cfg.val_evaluator = dict(type='CocoMetric', ann_file='data/old/annotations/val.json')
    write(cfg, case.path)
    (problem,) = ignored_changes(case.load({name: value}))
    assert problem.kind == 'ignored option' and problem.path == name
    if name == 'data_root':
        assert problem.remedy == (
            'Set train_dataloader.dataset.data_root=data/mine val_dataloader.dataset.data_root=data/mine '
            'test_dataloader.dataset.data_root=data/mine val_evaluator.ann_file=data/mine/annotations/val.json'
        )
    else:
        assert 'train_dataloader.batch_size=2' in problem.remedy
    assert list(ignored_changes(case.load({}))) == []
    full = {f'{split}_dataloader.dataset.data_root': 'data/mine' for split in ('train', 'val', 'test')}
    assert list(ignored_changes(case.load(full))) == []  # only the right keys


def test_a_root_without_effect_is_an_error(make):
    case = make('custom')
    with pytest.raises(
        DataError,
        match='data_root is .data/mine., which has no effect.*Set train_dataloader.dataset.'
        'data_root=data/mine val_dataloader.dataset.data_root=data/mine',
    ):
        case.start(data_root='data/mine')
    with pytest.raises(
        ValueError, match="has no 'data_root': it has train_dataloader.dataset.data_root, val_dataloader"
    ):
        case.check(data_root='data/mine')
    case = make('custom', data_root=str(case.root))
    assert 'train_dataloader.dataset.data_root=data/mine' in case.check(data_root='data/mine')['ignored option'][0]


@pytest.mark.parametrize('ending', ['.png', '.JPG'])
def test_other_endings_of_images(make, ending):
    case = make('custom')
    for path in (case.root / 'images/train').iterdir():
        path.rename(path.with_suffix(ending))
    (text,) = case.check(('train',))['unreadable data set']
    assert f"images/train holds 8 {ending} files, but img_suffix is '.jpg'. Set img_suffix='{ending}'" in text


def test_other_endings_of_label_maps(make):
    case = make('custom')
    for path in (case.root / 'labels/train').iterdir():
        path.rename(path.with_suffix('.bmp'))
    with pytest.raises(DataError, match="png is missing: .*one that ends in .bmp. Set seg_map_suffix='.bmp'"):
        case.start(('train',))
    assert len(case.check(('train',))['missing label map']) == 8


def test_other_endings_in_class_folders(folders):
    case = folders()
    for path in case.root.glob('train/*/*'):
        path.rename(path.with_suffix('.webp'))
    (text,) = case.check(('train',))['unreadable data set']
    assert 'train holds 3 .webp files, but extensions is' in text and "Set extensions=('.webp',)" in text


def test_another_folder(make):
    case = make('custom')
    (case.root / 'images').rename(case.root / 'img')
    (text,) = case.check(('train',))['unreadable data set']
    assert 'images/train does not exist' in text and 'holds img, labels' in text
    assert 'test_dataloader.dataset.data_root=…' in text


@pytest.mark.slow
def test_the_log_of_a_training_warns_of_masks_of_0_and_255(data, tmp_path):
    relabel(data / 'custom', lambda labels: labels * 255)
    small_trainings.train(small_trainings.read_config('custom'), 'custom', data, tmp_path / 'work')
    log = next((tmp_path / 'work').glob('*/*.log')).read_text()
    assert re.search(r"WARNING - .*labels/train has no pixel of class 1 'person' in 8 of 8 label maps.*1 for 255", log)
