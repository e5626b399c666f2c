"""Names of models and the paths of their configs."""

from pathlib import Path

import pytest
import yaml

from hrformer_mm import config_path, model_index

ROOT = Path(__file__).parents[1]
NAME = 'ocr_hrformer-b_cityscapes'


@pytest.mark.parametrize('name', [NAME, NAME.upper(), f'{NAME}.py', f'configs/{NAME}.py'])
def test_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert config_path(name) == str(ROOT / f'configs/{NAME}.py')


def test_existing_file_takes_precedence(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f'{NAME}.py').touch()
    assert config_path(f'{NAME}.py') == f'{NAME}.py'


@pytest.mark.parametrize(
    'name, hint',
    [
        ('', 'hrformer-mm zoo lists'),
        ('configs', 'hrformer-mm zoo lists'),
        (f'other/{NAME}.py', f'similar names are {NAME}'),
        ('ocr_HRFormer-x_cityscapes', 'similar names are .*ocr_hrformer-b_cityscapes'),
    ],
)
def test_unknown_names(name, hint):
    with pytest.raises(FileNotFoundError, match=f'there is no config file {name}, and no model of this name: {hint}'):
        config_path(name)


def test_installed_and_not(tmp_path, monkeypatch):
    """The index in the package takes precedence over files next to the package in site-packages."""
    package = tmp_path / 'hrformer_mm'
    monkeypatch.setattr(model_index, 'PACKAGE', package)
    with pytest.raises(FileNotFoundError, match=f'there is no model-index.yml in {package}/.mim or {tmp_path}'):
        config_path(NAME)
    for folder in (tmp_path, package / '.mim'):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'model-index.yml').write_text('Import: [a.yml]')
        (folder / 'a.yml').write_text(yaml.safe_dump(dict(Models=[dict(Name='A', Config='configs/a.py')])))
        assert model_index.find_index().parent == folder
    assert model_index.read_models() == [dict(Name='A', Config='configs/a.py', Path=f'{package}/.mim/configs/a.py')]
