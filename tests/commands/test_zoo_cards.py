"""Model cards: the committed pages are the generated ones, and hold what the configs state."""

from pathlib import Path

import pytest
from click.testing import CliRunner

from hrformer_mm.cli import main
from hrformer_mm.commands import zoo, zoo_cards

ROOT = Path(__file__).parents[2]
SPEED = """model,size,engine,dtype,batch,ms
hrformer-t_imagenet,224x224,openvino,bf16,1,12.5
hrnet-w48,224x224,eager,fp32,1,9
"""


@pytest.fixture
def one_model(monkeypatch):
    """The metafile with HRFormer-T for classification alone."""
    models = [model for model in zoo.read_models() if model['Name'] == 'hrformer-t_imagenet']
    monkeypatch.setattr(zoo, 'read_models', lambda root=None: models)
    monkeypatch.setattr(zoo_cards, 'read_models', lambda: models)


@pytest.mark.slow
def test_committed_cards_are_current():
    speed = ROOT / 'docs/speed.csv'
    for name, text in zoo_cards.cards(zoo.model_rows(), speed).items():
        assert (ROOT / 'docs/cards' / name).read_text() == text, 'regenerate them: hrformer-mm zoo --cards'


def test_command(one_model, tmp_path):
    (tmp_path / 'speed.csv').write_text(SPEED)
    run = CliRunner().invoke(main, ['zoo', '--cards', str(tmp_path / 'cards')])
    assert run.exit_code == 0, run.output
    assert {path.name for path in (tmp_path / 'cards').iterdir()} == {
        'classification.md',
        'poses.md',
        'segmentation.md',
    }
    text = (tmp_path / 'cards/classification.md').read_text()
    for part in (
        '| 224x224 | 8,035,820 | 1.71 | 27.5 M | ImageNet-1k: Top 1 Accuracy 78.5 |',
        'RGB, 0 to 255, minus [123.675, 116.28, 103.53]',
        '| AdamW, learning rate 0.001, weight decay 0.05, drop path 0 | 300 epochs (Linear, CosineAnnealing) | 1024 |',
        '| hrformer-t_imagenet | 224x224 | openvino | bf16 | 1 | 12.5 |',
        '| `hrformer-t_imagenet` | the authors | MIT | ImageNet-1k: top-1 78.6 |',
        'issues/27',
    ):
        assert part in text, part
    assert 'hrnet-w48' not in text  # a model without a card


def test_without_times(one_model, tmp_path):
    assert '(../speed.md)' in zoo_cards.cards(zoo.model_rows(), tmp_path / 'none.csv')['classification.md']


@pytest.mark.parametrize(
    'args, message',
    [
        (['--cards', '{}/cards', '--root', '{}'], '--cards is not supported with --root'),
        (['--cards', '{}/speed.csv'], 'speed.csv'),
        (['--cards', '{}/cards'], 'needs model, size, engine, dtype, batch, ms'),
    ],
)
def test_errors(args, message, one_model, tmp_path):
    (tmp_path / 'speed.csv').write_text('name,ms\n')
    run = CliRunner().invoke(main, ['zoo', *(arg.format(tmp_path) for arg in args)])
    assert run.exit_code == 1 and message in run.output and 'Traceback' not in run.output
    assert not (tmp_path / 'cards').exists()
