"""Inputs of predict, which are never overwritten, and videos of all kinds."""

import json
import math
import os

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.commands.predict import predict, predicting
from hrformer_mm.commands.predict.frames import Frames
from hrformer_mm.commands.predict.sources import Source, find_sources, read_image


@pytest.fixture
def photos(tmp_path, monkeypatch):
    """Create a folder with a.png and b.jpg in the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'photos').mkdir()
    for name in ('a.png', 'b.jpg'):
        cv2.imwrite(f'photos/{name}', np.full((64, 96, 3), 100, np.uint8))
    return tmp_path / 'photos'


def write_video(path, fourcc='mp4v', frames=12, rate=10):
    generator = np.random.default_rng(0)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*fourcc), rate, (96, 64))
    for _ in range(frames):
        writer.write(np.kron(generator.integers(0, 255, (8, 12, 3)), np.ones((8, 8, 1))).astype(np.uint8))
    writer.release()
    return path


def damage(path):
    """Overwrite the second half of the frames with zeros, where decoders stop."""
    content = bytearray(path.read_bytes())
    start, end = int(len(content) * 0.55), int(len(content) * 0.9)
    content[start:end] = bytes(end - start)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    'inputs, output, message',
    [
        (['photos'], 'photos', 'a.png would overwrite the input photos/a.png'),
        (['photos/a.png'], 'link', 'link/a.png would overwrite the input photos/a.png'),
        (['photos/a.png'], 'photos/../photos', 'would overwrite the input'),
        (['v.mp4'], '.', 'v.mp4 would overwrite the input v.mp4'),
        (['soft.png'], 'linked', 'linked/soft.png would overwrite the input soft.png'),
        (['jpegs'], 'jpegs', 'the output folder jpegs is a folder of inputs'),
    ],
)
def test_inputs_are_not_overwritten(micro, photos, monkeypatch, inputs, output, message):
    monkeypatch.setattr(predicting, 'load_model', lambda *_: pytest.fail('the model was built'))
    os.symlink('photos', 'link')
    os.symlink('photos/a.png', 'soft.png')
    os.makedirs('linked')
    os.link('photos/a.png', 'linked/soft.png')
    os.makedirs('jpegs')
    os.link('photos/b.jpg', 'jpegs/b.jpg')
    write_video(photos.parent / 'v.mp4')
    before = {path: path.read_bytes() for path in photos.parent.rglob('*') if path.is_file()}
    with pytest.raises(ValueError, match=message):
        predict(*micro['seg'], inputs, output, 'cpu')
    assert before == {path: path.read_bytes() for path in photos.parent.rglob('*') if path.is_file()}


def test_results_are_not_inputs_of_a_second_run(micro, photos):
    write_video(photos / 'v.mp4', frames=1)
    runs = [
        predict(*micro['seg'], inputs, 'photos/predictions', 'cpu')
        for inputs in (['photos'], ['photos/**/*'], ['photos/a.png'], ['photos', 'photos/*/*', 'photos/**/*.png'])
    ]
    assert [[os.path.basename(r['source']) for r in run.results] for run in runs] == [
        ['a.png', 'b.jpg', 'v.mp4'],
        ['a.png', 'b.jpg', 'v.mp4'],
        ['a.png'],
        ['a.png', 'b.jpg', 'v.mp4'],
    ]
    assert any('results of an earlier run in photos/predictions are left out' in note for note in runs[1].notes)
    with pytest.raises(FileNotFoundError, match='4 results of an earlier run in photos/predictions are left out'):
        find_sources(['photos/predictions'])


def test_results_beside_inputs(photos):
    """If a folder also has other inputs, only the files in predictions.json are results."""
    (photos / 'b.png').write_bytes((photos / 'a.png').read_bytes())
    (photos / 'predictions.json').write_text(json.dumps([dict(source='photos/b.jpg', picture='b.png')]))
    assert [source.name for source in find_sources(['photos'])[0]] == ['photos/a.png', 'photos/b.jpg']
    (photos / 'predictions.json').write_text('[{"image_id": 1}]')  # of another program
    assert len(find_sources(['photos'])[0]) == 3
    (photos / 'explanation.json').write_text('{"pictures": {"a.png": [1, 1]}}')
    assert len(find_sources(['photos'])[0]) == 2


@pytest.mark.parametrize(
    'make, name, message',
    [
        (
            'sub/a.png',
            'in',
            r"there is no picture or video at in itself, but 1 in its subfolders: 'in/\*\*/\*' in quotes",
        ),
        ('a.dng', 'in', r'there is no picture or video at in: 1 files have other suffixes \(.dng\)'),
        ('', 'in', 'there is no picture or video at in: the folder is empty'),
        ('a.png', 'in/*.jpg', 'give a file, a folder with some in it, a pattern'),
    ],
)
def test_reason_and_remedy_where_there_is_no_picture(tmp_path, monkeypatch, make, name, message):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'in/sub').mkdir(parents=True)
    if make:
        (tmp_path / 'in' / make).touch()
    with pytest.raises(FileNotFoundError, match=message):
        find_sources([name])


def test_subfolders_are_noted_and_found_by_a_pattern(photos):
    (photos / 'sub').mkdir()
    (photos / 'sub/c.JPEG').touch()
    (photos / 'notes.txt').touch()
    (photos / 'v.mkv').touch()
    found, notes = find_sources(['photos'])
    assert len(found) == 3 and notes == [
        "1 pictures or videos in subfolders of photos are left out: 'photos/**/*' in quotes finds them"
    ]
    assert [(s.stem, s.kind) for s in find_sources(['photos/**/*'])[0]] == [
        ('a', 'image'),
        ('b', 'image'),
        ('c', 'image'),
        ('v', 'video'),
    ]


@pytest.mark.parametrize(
    'content, message',
    [(b'', 'it is a file of 0 bytes'), (b'text', "it is not an image: it begins with b'text'"), (None, 'cut short')],
)
def test_pictures_that_cannot_be_read(photos, content, message):
    content = (photos / 'b.jpg').read_bytes()[:-30] if content is None else content
    (photos / 'b.jpg').write_bytes(content)
    with pytest.raises(ValueError, match=f'photos/b.jpg cannot be read as a picture: .*{message}'):
        read_image('photos/b.jpg')


@pytest.mark.parametrize('suffix, fourcc', [('mp4', 'mp4v'), ('mov', 'mp4v'), ('avi', 'MJPG'), ('mkv', 'mp4v')])
def test_damaged_videos(tmp_path, suffix, fourcc):
    path = write_video(tmp_path / f'v.{suffix}', fourcc)
    whole = Frames(Source(str(path), 'video'))
    assert len(list(whole)) == 12 and whole.ended_early is None and whole.rate == 10
    limited = Frames(Source(str(damage(path)), 'video'), 3)
    assert len(list(limited)) == 3 and limited.ended_early is None
    damaged = Frames(Source(str(path), 'video'))
    read = len(list(damaged))
    assert 4 < read < 10 and f'{read} of its 12 frames could be read' in damaged.ended_early


def test_a_damaged_video_is_reported(micro, tmp_path):
    path = damage(write_video(tmp_path / 'v.mp4'))
    result = CliRunner().invoke(main, ['predict', *micro['cls'], str(path), '-o', str(tmp_path / 'out'), '--json'])
    assert result.exit_code == 1 and 'v.mp4 is damaged' in result.stderr
    assert 4 < len(json.loads((tmp_path / 'out/predictions.json').read_text())) < 10


def test_raw_motion_jpeg(micro, tmp_path):
    """Such a file has neither a number of frames nor a frame rate."""
    frame = cv2.imencode('.jpg', np.full((64, 96, 3), 90, np.uint8))[1].tobytes()
    (tmp_path / 'v.avi').write_bytes(12 * frame)
    result = CliRunner().invoke(main, ['predict', *micro['cls'], str(tmp_path / 'v.avi'), '-o', str(tmp_path / 'out')])
    assert result.exit_code == 0, result.output
    made = cv2.VideoCapture(str(tmp_path / 'out/v.mp4'))
    assert (made.get(cv2.CAP_PROP_FRAME_COUNT), made.get(cv2.CAP_PROP_FPS)) == (12, 25)


class Capture:
    """A video of 5 frames with arbitrary metadata."""

    def __init__(self, rate, count, times):
        self.number, self.rate, self.count, self.times = 0, rate, count, times

    def isOpened(self):
        return True

    def get(self, key):
        return {
            cv2.CAP_PROP_FPS: self.rate,
            cv2.CAP_PROP_FRAME_COUNT: self.count,
            cv2.CAP_PROP_POS_MSEC: self.times * self.number,
        }[key]

    def read(self):
        self.number += 1
        return self.number <= 5, np.zeros((4, 4, 3), np.uint8)

    def release(self):
        pass


@pytest.mark.parametrize(
    'rate, count, times, expected, hint',
    [
        (10, 5, 100, 10, 5),
        (0, 5, 0, 25, -1),
        (math.nan, math.nan, 0, 25, -1),
        (-1, -9e18, 0, 25, -1),
        (90000, 1e6, 100, 25, -1),
        (math.inf, 5, 0, 25, -1),
        (30, math.inf, 33, 30, -1),
        (30, 0, 33, 30, -1),
        (10, 100, 2000, 10, 100),  # variable frame rate: the count is an estimate
    ],
)
def test_numbers_that_containers_state(tmp_path, monkeypatch, rate, count, times, expected, hint):
    (tmp_path / 'v.webm').write_bytes(b'\x1aE\xdf\xa3')
    monkeypatch.setattr(cv2, 'VideoCapture', lambda _: Capture(rate, count, times))
    frames = Frames(Source(str(tmp_path / 'v.webm'), 'video'))
    from operator import length_hint

    assert frames.rate == expected and length_hint(frames, -1) == hint
    assert len(list(frames)) == 5 and frames.ended_early is None
