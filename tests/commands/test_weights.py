"""The table of released weights, and the output of the command."""

import re
from pathlib import Path

import torch
from click.testing import CliRunner
from modelindex.load_model_index import load

from hrformer_mm.cli import main
from hrformer_mm.commands import weights as command
from hrformer_mm.model_index import read_models
from hrformer_mm.released import released, weights_of

ROOT = Path(__file__).parents[2]


def run(*args):
    return CliRunner().invoke(main, ['weights', *args])


def test_table():
    """Every row has an address with a checksum in its name, or a link, and fits models of the zoo."""
    models = {model['Name'] for model in read_models()}
    assert len({row.address or row.link for row in released().values()}) == len(released()) == 25
    for name, row in released().items():
        assert name == row.name.lower() and bool(row.address) != bool(row.link) and set(row.configs) <= models
        if row.address:
            assert row.address.startswith('https://download.openmmlab.com/mmpose/')
            assert re.search(rf'-{row.sha256}_20220[23]\d\d\.pth$', row.address)
        else:
            assert re.fullmatch(r'https://1drv\.ms/u/s![\w-]+\?e=\w{6}', row.link)


def test_metafile():
    """`Weights` agree with the table. mim and mmpretrain read them."""
    for model in load(str(ROOT / 'model-index.yml')).models:
        found = weights_of(model.name)
        assert model.weights == (found and (found.address or f'hrformer_mm://{found.name}'))


def test_page():
    assert command.markdown() in (ROOT / 'docs/model_zoo.md').read_text(), 'regenerate it: hrformer-mm zoo --markdown'


def test_list(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    path = released()['hrformer-t_imagenet'].path
    path.parent.mkdir(parents=True)
    path.touch()
    out = run()
    assert out.exit_code == 0, out.output
    assert '72 models in the zoo: 6 with an address, 16 with a link, 50 with neither' in out.output
    assert f'in the cache: {path}' in out.output
    assert re.search(
        r'hrformer-s_imagenet +the authors +ImageNet-1k: top-1 81.2\n +open https://1drv.ms/u/\S+ in a '
        'browser, then: hrformer-mm convert FILE hrformer_mm://hrformer-s_imagenet\n',
        out.output,
    )
    assert re.search(r'td-hm_hrformer-b_coco-256x192 +OpenMMLab +COCO val: AP 75.4\n', out.output)


def test_fetch(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.hub, 'get_dir', lambda: str(tmp_path))
    path = released()['hrformer-t_imagenet'].path
    path.parent.mkdir(parents=True)
    path.touch()
    assert run('hrformer-t_imagenet').stdout == f'{path}\n'
    for name, message in (
        ('hrformer-x_imagenet', 'similar names are hrformer-'),
        ('ocr_hrformer-s_ade20k', 'only a browser can fetch it'),
    ):
        out = run(name)
        assert out.exit_code == 1 and message in out.output and out.output.count('\n') == 1
