"""Generated data sets: same bytes for the same arguments, safe to write, clear to refuse."""
import hashlib
import os
from pathlib import Path
from typing import Dict

import cv2
import pytest

from hrformer_mm.data import LAYOUTS, synthesize

SMALL = dict(train=4, val=2, size=(64, 64))
# Cityscapes and COCO have a test set of the size of val; ImageNet; and four sets of pictures with a label map each.
PICTURES = (4 + 2 + 2) * (3 + 1) + (4 + 2) * (1 + 4 * 2)


def digests(folder: Path) -> Dict[str, str]:
    """Hash of each file below ``folder``."""
    return {path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob('*')) if path.is_file()}


@pytest.fixture
def small(tmp_path: Path) -> Path:
    synthesize(tmp_path / 'data', **SMALL)
    return tmp_path / 'data'


# Same arguments, same bytes


def test_same_bytes_for_the_same_seed(small: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / 'again', tuple(reversed(LAYOUTS)), **SMALL)
    assert digests(small) == digests(tmp_path / 'again')


def test_other_images_for_another_seed(small: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / 'other', seed=1, **SMALL)
    first, second = digests(small), digests(tmp_path / 'other')
    assert list(first) == list(second)
    pictures = [name for name in first if name.lower().endswith(('.png', '.jpg', '.jpeg'))]
    # A street of Cityscapes has two label maps, and the label maps of its test set are empty.
    assert len(pictures) == PICTURES
    empty = [name for name in pictures if 'gtFine/test' in name]
    assert len(empty) == 2 * 2 and all(first[name] != second[name] for name in set(pictures) - set(empty))


@pytest.mark.parametrize('layout', LAYOUTS)
def test_one_layout_alone_is_the_same(small: Path, tmp_path: Path, layout: str) -> None:
    assert synthesize(tmp_path / 'alone', layout, **SMALL) == [tmp_path / 'alone' / layout]
    assert digests(tmp_path / 'alone' / layout) == digests(small / layout)
    assert os.listdir(tmp_path / 'alone') == [layout]


def test_fewer_images_are_the_first_of_more(small: Path, tmp_path: Path) -> None:
    synthesize(tmp_path / 'fewer', train=3, val=2, size=SMALL['size'])
    more, fewer = digests(small), digests(tmp_path / 'fewer')
    pictures = {name: digest for name, digest in fewer.items() if name.lower().endswith(('.png', '.jpg', '.jpeg'))}
    assert pictures.items() <= more.items()


def test_training_and_validation_images_differ(data: Path) -> None:
    for layout in data.iterdir():
        pictures = [digest for name, digest in digests(layout).items()
                    if name.lower().endswith(('leftimg8bit.png', '.jpg', '.jpeg'))]
        assert len(set(pictures)) == len(pictures)


# Safe to write, clear to refuse


def test_second_run_replaces_the_first(small: Path) -> None:
    before = digests(small)
    (small / 'coco/val2017/000000500001.jpg').write_bytes(b'spoilt')
    synthesize(small, **SMALL)
    assert digests(small) == before
    synthesize(small, 'imagenet', train=2, val=1)
    assert len(list((small / 'imagenet').rglob('*.JPEG'))) == 3
    assert sorted(os.listdir(small)) == sorted(LAYOUTS)


def test_empty_folder_is_filled(tmp_path: Path) -> None:
    (tmp_path / 'coco').mkdir()
    synthesize(tmp_path, 'coco', train=1, val=1)
    assert (tmp_path / 'coco/train2017/000000000001.jpg').is_file()


@pytest.mark.parametrize('place', ['coco/train2017/mine.jpg', 'coco/notes.txt', 'coco/val2017/.hidden'])
def test_somebody_elses_files_are_left_alone(small: Path, place: str) -> None:
    (small / place).write_bytes(b'mine')
    before = digests(small)
    with pytest.raises(FileExistsError, match=f'coco holds {place[5:]}.*another root folder'):
        synthesize(small, seed=1, **SMALL)
    assert digests(small) == before


def test_real_data_set_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'imagenet/train/n01440764').mkdir(parents=True)
    (tmp_path / 'imagenet/train/n01440764/real.JPEG').write_bytes(b'real')
    with pytest.raises(FileExistsError, match='real.JPEG'):
        synthesize(tmp_path, **SMALL)
    assert digests(tmp_path) == {'imagenet/train/n01440764/real.JPEG': hashlib.sha256(b'real').hexdigest()}
    assert os.listdir(tmp_path) == ['imagenet']


def test_link_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / 'elsewhere').mkdir()
    (tmp_path / 'cityscapes').symlink_to(tmp_path / 'elsewhere')
    with pytest.raises(FileExistsError, match='cityscapes exists and is not a plain folder'):
        synthesize(tmp_path, 'cityscapes', **SMALL)
    assert (tmp_path / 'cityscapes').is_symlink() and not os.listdir(tmp_path / 'elsewhere')


def test_interrupted_run_leaves_the_old_data(small: Path) -> None:
    before = digests(small)

    def interrupt(items: range, description: str) -> range:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        synthesize(small, seed=1, progress=interrupt, **SMALL)
    assert digests(small) == before
    assert sorted(os.listdir(small)) == sorted(LAYOUTS)


def test_progress_goes_over_the_images(tmp_path: Path) -> None:
    seen = {}

    def count(items: range, description: str) -> range:
        seen[description] = len(items)
        return items

    synthesize(tmp_path, ('coco', 'cityscapes'), progress=count, train=2, val=1, size=(64, 64))
    assert seen == {f'{name}/{split}': count for name in ('coco', 'cityscapes')
                    for split, count in (('train', 2), ('val', 1), ('test', 1))}


@pytest.mark.parametrize('size', [(64, 64), (97, 65), (64, 200), (300, 70)])
def test_any_size_above_the_smallest(tmp_path: Path, size: tuple) -> None:
    synthesize(tmp_path, train=4, val=1, size=size)
    pictures = [path for path in tmp_path.rglob('*') if path.suffix.lower() in ('.png', '.jpg', '.jpeg')]
    assert len(pictures) == (4 + 1 + 1) * (3 + 1) + (4 + 1) * (1 + 4 * 2)
    for path in pictures:
        assert cv2.imread(str(path)).shape[1::-1] == size


@pytest.mark.parametrize('wrong, message', [
    (dict(layouts=('coco', 'ade20k')), 'ade20k.*cityscapes, coco, imagenet'),
    (dict(layouts='voc'), 'voc.*cityscapes, coco, imagenet'),
    (dict(layouts=()), 'choose one or more'),
    (dict(seed=-1), 'seed=-1: must be a whole number of at least 0'),
    (dict(train=0), 'train=0: must be a whole number of at least 1'),
    (dict(val=-3), 'val=-3: must be a whole number of at least 1'),
    (dict(val=1.5), 'val=1.5: must be a whole number'),
    (dict(size=(256, 63)), r'size \(height\)=63: must be a whole number of at least 64'),
    (dict(size=(10, 256)), r'size \(width\)=10'),
    (dict(size=256), 'size=256: must be a width and a height'),
])
def test_wrong_arguments(tmp_path: Path, wrong: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        synthesize(tmp_path / 'data', **wrong)
    assert not (tmp_path / 'data').exists()
