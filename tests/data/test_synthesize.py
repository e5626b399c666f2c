"""Synthetic data sets are deterministic, never overwrite other files, and reject invalid arguments."""

import hashlib
import os

import cv2
import pytest

from hrformer_mm.data import LAYOUTS, synthesize

SMALL = dict(train=2, val=1, size=(64, 64))
PICTURES = ('.png', '.jpg', '.jpeg')


def digests(folder):
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob('*'))
        if path.is_file()
    }


@pytest.fixture
def small(tmp_path):
    synthesize(tmp_path / 'data', **SMALL)
    return tmp_path / 'data'


def test_same_arguments_give_the_same_bytes(small, tmp_path):
    """The bytes do not depend on the other layouts or their order."""
    before = digests(small)
    pictures = {name: digest for name, digest in before.items() if name.lower().endswith(PICTURES)}
    for layout in LAYOUTS:
        assert synthesize(tmp_path / 'again', layout, **SMALL) == [tmp_path / 'again' / layout]
    assert digests(tmp_path / 'again') == before
    synthesize(tmp_path / 'more', tuple(reversed(LAYOUTS)), train=3, val=2, size=(64, 64))
    assert pictures.items() < digests(tmp_path / 'more').items()
    synthesize(tmp_path / 'other', seed=1, **SMALL)
    other = digests(tmp_path / 'other')
    assert list(other) == list(before)
    photographs = [name for name in pictures if name.lower().endswith(('.jpg', '.jpeg'))]
    assert len({each[name] for each in (before, other) for name in photographs}) == 2 * len(photographs) == 38


@pytest.mark.parametrize('size', [(97, 65), (64, 200), (300, 70)])
def test_any_size(tmp_path, size):
    synthesize(tmp_path, train=4, val=1, size=size)
    pictures = [path for path in tmp_path.rglob('*') if path.suffix.lower() in PICTURES]
    assert pictures and all(cv2.imread(str(path)).shape[1::-1] == size for path in pictures)


@pytest.mark.parametrize('name', ['coco/train2017/mine.jpg', 'coco/notes.txt', 'coco/val2017/.hidden'])
@pytest.mark.parametrize('marked', [True, False])
def test_foreign_files_are_left_alone(small, name, marked):
    (small / name).write_bytes(b'mine')
    if not marked:  # like a real data set
        for path in digests(small / 'coco'):
            if path != name[5:]:
                (small / 'coco' / path).unlink()
    before = digests(small)
    with pytest.raises(FileExistsError, match=f'coco holds {name[5:]}.*another root folder'):
        synthesize(small, seed=1, **SMALL)
    assert digests(small) == before


def test_what_is_not_a_folder_is_left_alone(tmp_path):
    (tmp_path / 'coco').mkdir()  # an empty folder may be replaced
    (tmp_path / 'cityscapes').symlink_to(tmp_path / 'coco')
    (tmp_path / 'ade').write_bytes(b'mine')
    for name in ('cityscapes', 'ade'):
        with pytest.raises(FileExistsError, match=f'{name} exists and is not a plain folder'):
            synthesize(tmp_path, ('coco', name), **SMALL)
    assert not os.listdir(tmp_path / 'coco')
    synthesize(tmp_path, 'coco', **SMALL)
    assert (tmp_path / 'coco/train2017/000000000001.jpg').is_file() and (tmp_path / 'cityscapes').is_symlink()


def test_second_run_replaces_the_first_when_it_is_complete(small):
    before, seen = digests(small), {}

    def progress(items, description):
        seen[description] = len(items)
        if description == 'coco/test':
            raise KeyboardInterrupt
        return items

    with pytest.raises(KeyboardInterrupt):
        synthesize(small, 'coco', 1, progress, **SMALL)
    assert digests(small) == before and seen == {'coco/train': 2, 'coco/val': 1, 'coco/test': 1}
    (small / 'coco/val2017/000000500001.jpg').write_bytes(b'spoilt')
    synthesize(small, **SMALL)
    assert digests(small) == before and sorted(os.listdir(small)) == sorted(LAYOUTS)


@pytest.mark.parametrize(
    'wrong, message',
    [
        (dict(layouts=('coco', 'ade20k')), 'ade20k.*cityscapes, coco, imagenet'),
        (dict(layouts=()), 'choose one or more'),
        (dict(seed=-1), 'seed=-1: must be an integer of at least 0'),
        (dict(train=0), 'train=0: must be an integer of at least 1'),
        (dict(val=1.5), 'val=1.5: must be an integer'),
        (dict(size=(256, 63)), r'size \(height\)=63: must be an integer of at least 64'),
        (dict(size=256), 'size=256: must be a width and a height'),
    ],
)
def test_invalid_arguments(tmp_path, wrong, message):
    with pytest.raises(ValueError, match=message):
        synthesize(tmp_path / 'data', **wrong)
    assert not (tmp_path / 'data').exists()
