"""Model cards: one page for each task, from the metafile, the configs, the stored counts and measured times."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ..model_index import read_models
from ..released import released
from .config import load_config

PROSE = Path(__file__).with_name('cards.yml')
SPEED = ('model', 'size', 'engine', 'dtype', 'batch', 'ms')
# Steps of a pipeline that load or pack, or prepare what the network needs in any case: not augmentation.
_PLUMBING = ('Load', 'Pack', 'GetBBox', 'TopdownAffine', 'GenerateTarget')


def cards(rows: Iterable[Any], speed: Path | None = None) -> dict[str, str]:
    """The pages by name, of all models with published scores.

    Args:
        rows (Iterable[Row]): Rows of :func:`.zoo.model_rows`.
        speed (Path, optional): A CSV with the columns of `SPEED`, whose rows of these models are shown. Default: none.

    Raises:
        ValueError: If the CSV has other columns.
    """
    counted = {row.name: row for row in rows}
    scored = [model for model in read_models() if model.get('Results')]
    configs = {model['Name']: load_config(model['Path']) for model in scored}
    times = read_speed(speed)
    pages = {}
    for card in yaml.safe_load(PROSE.read_text(encoding='utf-8')):
        models = [model for model in scored if configs[model['Name']].default_scope == card['scope']]
        pages[f'{card["page"]}.md'] = _page(card, models, configs, counted, times)
    return pages


def read_speed(path: Path | None) -> list[dict[str, str]]:
    """The measured times of a CSV; none without a file."""
    if path is None or not path.exists():
        return []
    with path.open(encoding='utf-8', newline='') as file:
        reader = csv.DictReader(file)
        rows = list(reader)
    if not set(SPEED) <= set(reader.fieldnames or ()):
        raise ValueError(f'{path} has the columns {reader.fieldnames}, but needs {", ".join(SPEED)}')
    return rows


def _page(
    card: Mapping[str, Any],
    models: Sequence[Mapping[str, Any]],
    configs: Mapping[str, Any],
    counted: Mapping[str, Any],
    times: Sequence[Mapping[str, str]],
) -> str:
    names = [model['Name'] for model in models]
    normalization = dict.fromkeys(_normalization(configs[name]) for name in names)
    measured = [time for time in times if time['model'] in names]
    sections = [
        f'# Model card: {card["title"]}',
        f'    {card["command"]}',
        'Made by `hrformer-mm zoo --cards` from the metafile, the configs and the counts; do not edit.',
        '## Models',
        _table(
            ('model', 'image', 'parameters', 'GMAC', 'activations', 'published score', 'source'),
            (_model(counted[name]) for name in names),
        ),
        'GMAC: multiply-adds in billions of convolutions, projections and products of attention, for one image. '
        'Activations: elements of their outputs. "published score": by the authors, for their weights; nothing was '
        'reproduced here. Tables are those of the [paper](https://arxiv.org/abs/2110.09408), the model zoo is that of '
        'the [authors](https://github.com/HRNet/HRFormer).',
        '## Architecture and input',
        f'- Backbone: `HRFormer`, four branches of strides 4, 8, 16 and 32. Head: {card["head"]}.\n'
        + '\n'.join(f'- {text}' for text in normalization),
        '## Training',
        f'Data: {card["data"]}. Recipes of the configs, which follow the authors:',
        _table(('models', 'optimizer', 'length', 'batch', 'crop', 'augmentation'), _recipes(names, configs)),
        '## Speed',
        _table(SPEED, ([time[key] for key in SPEED] for time in measured))
        if measured
        else 'Measured times are on [the page on speed](../speed.md).',
        '## Weights',
        _table(('weights', 'published by', 'licence', 'their scores'), _weights(names)),
        'How to get and use them: [weights](../weights.md). This package is under the Apache License 2.0.',
        '## Intended use and limits',
        card['use'],
        '\n'.join(f'- {text}' for text in card['limits']),
        '## Open questions',
        '\n'.join(f'- {text}' for text in card['questions']),
    ]
    return '\n\n'.join(sections) + '\n'


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ['---'] * len(header), *rows]
    return '\n'.join(f'| {" | ".join(line)} |' for line in lines)


def _model(row: Any) -> tuple[str, ...]:
    return (
        f'[{row.name}](../../{row.config})',
        f'{row.size[0]}x{row.size[1]}',
        f'{row.parameters:,}',
        f'{row.everything / 1e9:.2f}',
        f'{row.activations / 1e6:.1f} M',
        row.scores,
        row.where,
    )


def _normalization(cfg: Mapping[str, Any]) -> str:
    about = cfg['model'].get('data_preprocessor') or cfg['data_preprocessor']
    order = 'RGB' if about.get('bgr_to_rgb') or about.get('to_rgb') else 'BGR'
    return f'Input: {order}, 0 to 255, minus {list(about["mean"])}, divided by {list(about["std"])}.'


def _recipes(names: Iterable[str], configs: Mapping[str, Any]) -> list[tuple[str, ...]]:
    groups: dict[tuple[str, ...], list[str]] = {}
    for name in names:
        groups.setdefault(_recipe(configs[name]), []).append(name)
    return [('<br>'.join(members), *recipe) for recipe, members in groups.items()]


def _recipe(cfg: Mapping[str, Any]) -> tuple[str, ...]:
    optimizer, length = cfg['optim_wrapper']['optimizer'], cfg['train_cfg']
    backbone = cfg['model']['backbone']
    duration = f'{length["max_iters"]:,} iterations' if 'max_iters' in length else f'{length["max_epochs"]} epochs'
    schedule = ', '.join(step['type'].removesuffix('LR') for step in cfg['param_scheduler'])
    height, width = _crop(cfg)
    steps = [step['type'] for step in cfg['train_dataloader']['dataset']['pipeline']]
    augments = [step['type'] for step in (cfg['model'].get('train_cfg') or {}).get('augments') or ()]
    return (
        f'{optimizer["type"]}, learning rate {optimizer["lr"]:g}, weight decay {optimizer["weight_decay"]:g}, '
        f'drop path {backbone.get("drop_path_rate", 0):g}',
        f'{duration} ({schedule})',
        str(cfg['auto_scale_lr']['base_batch_size']),
        f'{height}x{width}',
        ', '.join(step for step in [*steps, *augments] if not step.startswith(_PLUMBING)),
    )


def _crop(cfg: Mapping[str, Any]) -> tuple[int, int]:
    if cfg['default_scope'] == 'mmpose':
        width, height = cfg['codec']['input_size']
        return height, width
    if cfg['default_scope'] == 'mmseg':
        return cfg['model']['data_preprocessor']['size']
    steps = {step['type']: step for step in cfg['train_dataloader']['dataset']['pipeline']}
    return (steps['RandomResizedCrop']['scale'],) * 2


def _weights(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [
        (f'`{row.name}`', row.publisher, row.licence, row.scores or '-')
        for row in released().values()
        if not row.part and set(row.configs) & set(names)
    ]
