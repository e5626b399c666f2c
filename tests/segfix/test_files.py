import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.io import loadmat, savemat

from hrformer_mm.cli import main
from hrformer_mm.segfix.files import read_offsets, write_offsets


@pytest.fixture
def folders(tmp_path):
    for name in ('labels', 'offsets'):
        (tmp_path / name).mkdir()
    for name in 'ab':
        image = Image.fromarray(np.arange(48, dtype=np.uint8).reshape(6, 8))
        image.putpalette(list(range(256)) * 3)
        image.save(tmp_path / f'labels/{name}.png')
        offsets = np.zeros((2, 6, 8), np.int8)
        offsets[1, :, 3] = 1
        write_offsets(tmp_path / f'offsets/{name}.mat', offsets)
    return tmp_path


def run(folder, *options):
    return CliRunner().invoke(main, ['segfix', f'{folder}/labels', f'{folder}/offsets', f'{folder}/out', *options])


def test_authors_format(tmp_path):
    """(H, W, 2) under the name `mat`, rows first."""
    offsets = np.random.default_rng(0).integers(-1, 2, (2, 3, 4)).astype(np.int8)
    write_offsets(tmp_path / 'a.mat', offsets)
    assert (loadmat(tmp_path / 'a.mat')['mat'] == offsets.transpose(1, 2, 0)).all()
    savemat(tmp_path / 'b.mat', {'mat': offsets.transpose(1, 2, 0).astype(np.float64)})
    read = read_offsets(tmp_path / 'b.mat')
    assert (read == offsets).all() and read.dtype == np.int8


def test_wrong_files(tmp_path):
    (tmp_path / 'garbage.mat').write_bytes(b'no matlab at all' * 20)
    (tmp_path / 'empty.mat').write_bytes(b'')
    savemat(tmp_path / 'other.mat', {'depth': np.zeros((3, 4))})
    savemat(tmp_path / 'flat.mat', {'mat': np.zeros((3, 4))})
    with pytest.raises(FileNotFoundError, match='there are no offsets .*none.mat'):
        read_offsets(tmp_path / 'none.mat')
    for name in ('garbage', 'empty', 'other', 'flat'):
        with pytest.raises(ValueError, match=f'{name}.mat'):
            read_offsets(tmp_path / f'{name}.mat')


def test_command(folders):
    result = run(folders, '--scale', '3')
    assert result.exit_code == 0 and 'Wrote 2 label maps' in result.output
    before, after = Image.open(folders / 'labels/a.png'), Image.open(folders / 'out/a.png')
    expected = np.array(before)
    expected[:, 3] = expected[:, 6]
    assert (np.array(after) == expected).all() and after.getpalette() == before.getpalette()


@pytest.mark.parametrize(
    'spoil, message',
    [
        (lambda f: (f / 'offsets/b.mat').unlink(), r'lacks b.mat \(1 of 2 files\)'),
        (lambda f: [path.unlink() for path in (f / 'labels').glob('*')], 'there are no label maps'),
        (lambda f: (f / 'labels/a.png').write_bytes(b'x'), r'labels/a.png'),
        (lambda f: Image.new('RGB', (8, 6)).save(f / 'labels/a.png'), 'it has 3 channels, but a label map has one'),
        (lambda f: write_offsets(f / 'offsets/a.mat', np.zeros((2, 5, 8), np.int8)), r'offsets are \(2, 5, 8\)'),
        (lambda f: (f / 'out').symlink_to(f / 'labels'), 'is the folder of the label maps'),
    ],
)
def test_errors_of_the_command(folders, spoil, message):
    spoil(folders)
    result = run(folders)
    assert result.exit_code == 1
    import re

    assert re.search(message, result.output), result.output
