"""Truncated and complete files of several formats and encoders."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from hrformer_mm.checks.files import find_problem, jpeg_is_cut


@pytest.fixture(scope='module')
def picture():
    return cv2.GaussianBlur(np.random.default_rng(0).integers(0, 255, (90, 120, 3), np.uint8), (5, 5), 0)


def encode(picture, extension, *parameters):
    return cv2.imencode(extension, picture, parameters)[1].tobytes()


def with_thumbnail(picture):
    """EXIF data as cameras write it: the header contains a small JPEG file with its own end marker."""
    thumbnail = encode(picture[::4, ::4], '.jpg')
    header = b'Exif\x00\x00' + thumbnail
    whole = encode(picture, '.jpg')
    return whole[:2] + b'\xff\xe1' + (len(header) + 2).to_bytes(2, 'big') + header + whole[2:]


def progressive(picture):
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, 'JPEG', progressive=True, quality=95)
    return buffer.getvalue()


JPEGS = dict(
    plain=lambda p: encode(p, '.jpg'),
    best=lambda p: encode(p, '.jpg', cv2.IMWRITE_JPEG_QUALITY, 100),
    restarts=lambda p: encode(p, '.jpg', cv2.IMWRITE_JPEG_RST_INTERVAL, 2),
    progressive=progressive,
    grey=lambda p: encode(p[..., 0], '.jpg'),
    thumbnail=with_thumbnail,
    fill_bytes=lambda p: encode(p, '.jpg').replace(b'\xff\xdb', b'\xff\xff\xff\xdb', 1),
)


@pytest.mark.parametrize('kind', JPEGS)
def test_every_truncation_of_a_jpeg_is_found(picture, tmp_path, kind):
    path, content = tmp_path / 'a.jpg', JPEGS[kind](picture)
    for whole in (content, content + bytes(500), content + b'what cameras add \xff\xd8\xff'):
        path.write_bytes(whole)
        assert cv2.imread(str(path)) is not None and not jpeg_is_cut(path) and find_problem(str(path), 'image') is None
    for length in [*range(2, 20), *np.linspace(20, len(content) - 1, 40).astype(int)]:
        path.write_bytes(content[:length])
        assert jpeg_is_cut(path), length
        path.write_bytes(content[:length] + bytes(len(content) - length))  # the rest is blank
        # A file with a blank header is not a JPEG file, and decoders reject it.
        assert jpeg_is_cut(path) or find_problem(str(path), 'image'), length


@pytest.mark.parametrize('extension', ['.png', '.bmp', '.webp', '.tif', '.ppm', '.gif'])
def test_other_formats_are_left_to_their_decoders(picture, tmp_path, extension):
    path, content = tmp_path / f'a{extension}', encode(picture, extension)
    path.write_bytes(content)
    assert not jpeg_is_cut(path) and find_problem(str(path), 'image') is None
    path.write_bytes(content[: len(content) // 2])
    assert not jpeg_is_cut(path) and find_problem(str(path), 'image').kind in ('cut image', 'unreadable image')


def test_files_that_are_not_images(tmp_path):
    def kind(name):
        return find_problem(str(tmp_path / name), 'label map').kind

    (tmp_path / 'text.png').write_text('text')
    (tmp_path / 'empty.png').touch()
    (tmp_path / 'folder.png').mkdir()
    (tmp_path / 'short.jpg').write_bytes(b'\xff\xd8')
    assert [kind(name) for name in ('text.png', 'empty.png', 'folder.png', 'none.png', 'short.jpg')] == [
        'unreadable label map',
        'empty label map',
        'missing label map',
        'missing label map',
        'cut image',
    ]
