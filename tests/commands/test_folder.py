"""Every command checks its outputs before any work, with the same messages."""

import os

import pytest
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.commands.folder import check_file, check_folder


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'file').write_text('text')
    (tmp_path / 'in').mkdir()
    (tmp_path / 'in/a.png').write_text('picture')
    return tmp_path


@pytest.mark.parametrize(
    'name, reason',
    [('file', 'Not a directory'), ('file/below/out', 'Not a directory'), ('dangling', 'No such file or directory')],
)
def test_folders_that_cannot_be_made(folder, name, reason):
    (folder / 'dangling').symlink_to('none')
    with pytest.raises(OSError, match=rf'^{name} cannot be written to \({reason}\): choose another output'):
        check_folder(name)


@pytest.mark.parametrize(
    'name, reason',
    [('in', 'Is a directory'), ('none/out.html', 'there is no folder none'), ('file/out.html', 'Not a directory')],
)
def test_files_that_cannot_be_written(folder, name, reason):
    with pytest.raises(OSError, match=rf'^{name} cannot be written to \({reason}\): choose another output'):
        check_file(name)


def test_a_file_in_a_folder_is_a_folder(folder):
    (folder / 'out/b.json').mkdir(parents=True)
    with pytest.raises(OSError, match=r'out/b.json cannot be written to \(Is a directory\)'):
        check_folder('out', ['a.png', 'b.json'])


def test_nothing_is_created(folder):
    check_folder('new/folder', ['a.png'])
    check_file('new.html')
    assert sorted(os.listdir()) == ['file', 'in'] and (folder / 'file').read_text() == 'text'


@pytest.mark.parametrize('name', ['in/../in/a.png', 'link.png', 'hard.png', 'linked/a.png'])
def test_inputs_by_another_name(folder, name):
    (folder / 'link.png').symlink_to('in/a.png')
    (folder / 'linked').symlink_to('in')
    os.link('in/a.png', 'hard.png')
    with pytest.raises(ValueError, match=f'^{name} would overwrite the input in/a.png'):
        check_file(name, ['none', 'in/a.png'])
    with pytest.raises(ValueError, match='would overwrite the input'):
        check_folder(os.path.dirname(name) or '.', [os.path.basename(name)], [folder / 'in/a.png'])


COMMANDS = dict(
    predict=['predict', 'CONFIG', 'none.pth', 'in/a.png', '-o'],
    explain=['explain', 'CONFIG', 'none.pth', 'in/a.png', '-o'],
    export=['export', 'CONFIG', 'none.pth'],
    convert=['convert', 'none.pth'],
    report=['report', '.', '-o'],
    synthesize=['synthesize'],
    segfix=['segfix', 'in', 'offsets'],
    zoo=['zoo', '--markdown'],
)


@pytest.mark.parametrize('command', COMMANDS)
def test_every_command_checks_first(micro, folder, command):
    """The other inputs are missing or invalid as well; the output is checked first."""
    (folder / 'offsets').mkdir()
    (folder / 'offsets/a.mat').touch()
    arguments = [micro['seg'][0] if argument == 'CONFIG' else argument for argument in COMMANDS[command]]
    result = CliRunner().invoke(main, [*arguments, 'file/out.onnx'])
    assert result.exit_code == 1 and result.output.splitlines()[-1].startswith(
        'Error: file/out.onnx cannot be written to (Not a directory): choose another'
    )
    if command in ('convert', 'report', 'zoo'):
        result = CliRunner().invoke(main, [*arguments, 'in'])
        assert result.exit_code == 1 and 'Error: in cannot be written to (Is a directory)' in result.output


@pytest.mark.parametrize(
    'arguments',
    [
        ['convert', 'weights', 'link'],
        ['report', 'work', '-o', 'work/scalars.json'],
        ['segfix', 'in', 'offsets', 'linked'],
        ['export', 'CONFIG', 'weights', 'link.onnx'],
        ['explain', 'CONFIG', 'none', 'out/features.png', '-o', 'out'],
    ],
)
def test_no_command_overwrites_its_input(micro, folder, arguments):
    for name in ('work', 'out', 'offsets', 'linked'):
        (folder / name).mkdir()
    for name in ('weights', 'work/scalars.json', 'out/features.png', 'offsets/a.mat'):
        (folder / name).write_text('text')
    for name, target in {'link': 'weights', 'link.onnx': 'weights', 'linked/a.png': '../in/a.png'}.items():
        (folder / name).symlink_to(target)
    result = CliRunner().invoke(main, [micro['seg'][0] if argument == 'CONFIG' else argument for argument in arguments])
    assert result.exit_code == 1 and 'would overwrite the input' in result.output
    assert {(folder / name).read_text() for name in ('weights', 'work/scalars.json', 'out/features.png')} == {'text'}
