"""Names of the zoo, and where they lead."""
from pathlib import Path

import pytest
import yaml

from hrformer_mm import zoo

ROOT = Path(__file__).parents[1]
NAME = 'ocr_hrformer-b_cityscapes'


@pytest.mark.parametrize('name', [NAME, NAME.upper(), f'{NAME}.py', f'configs/{NAME}.py'])
def test_names(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert zoo.find_config(name) == str(ROOT / f'configs/{NAME}.py')
    assert zoo.find_model(name)['Name'] == NAME


def test_a_file_comes_first(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / f'{NAME}.py').touch()
    assert zoo.find_config(f'{NAME}.py') == f'{NAME}.py'


@pytest.mark.parametrize('name', ['', 'ocr_hrformer', f'other/{NAME}.py', 'configs'])
def test_what_is_not_there(name):
    assert zoo.find_model(name) is None
    with pytest.raises(FileNotFoundError, match='no model of that name in the zoo'):
        zoo.find_config(name)


def test_installed_and_not(tmp_path, monkeypatch):
    """What lies in the package goes before what happens to lie beside it, in site-packages."""
    package = tmp_path / 'hrformer_mm'
    monkeypatch.setattr(zoo, 'PACKAGE', package)
    assert zoo.find_model(NAME) is None
    with pytest.raises(FileNotFoundError, match=f'there is no model-index.yml in {package}/.mim or {tmp_path}'):
        zoo.find_index()
    for folder in (tmp_path, package / '.mim'):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / 'model-index.yml').write_text('Import: [a.yml]')
        (folder / 'a.yml').write_text(yaml.safe_dump(dict(Models=[dict(Name='A', Config='configs/a.py')])))
        assert zoo.find_index().parent == folder
    assert zoo.published() == [dict(Name='A', Config='configs/a.py', Path=f'{package}/.mim/configs/a.py')]
