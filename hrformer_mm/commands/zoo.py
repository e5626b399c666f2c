"""One table of all configs and of the models to compare with: counted and published figures."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from ..model_index import read_models
from ..released import weights_of
from .common import bar, errors
from .folder import check_file, check_folder
from .weights import markdown as weights_page

PEERS = Path(__file__).with_name('peers.yml')
COUNTS = Path(__file__).with_name('counts.json')


@dataclass(frozen=True)
class Row:
    """Counted and published figures of a model.

    `parameters`, `everything` and `paper_convention` (multiply-adds as the paper counts them) are counted for an image
    of `size`. `paper_parameters` and `paper_operations` are printed in `where`, tables and scripts. The `origin` of
    `scores` is 'published', 'converted' or 'ours'. `weights` names the publisher of weights that
    `hrformer-mm weights NAME` downloads or describes.
    """

    name: str
    config: str
    data: str
    size: tuple[int, int]
    parameters: int
    everything: int
    paper_convention: int
    activations: int
    where: str = ''
    paper_parameters: str = ''
    paper_operations: str = ''
    scores: str = ''
    origin: str = ''
    note: str = ''
    weights: str = ''

    @property
    def figures(self) -> list[int]:
        """The counted figures, in the order of :func:`read_counts`."""
        return [*self.size, self.parameters, self.everything, self.paper_convention, self.activations]


def model_rows(root: str | None = None, count: bool = False) -> list[Row]:
    """Return a row for every config in the metafiles of this package, or of a folder with a model index.

    Args:
        root (str, optional): The folder, whose configs are always counted. Default: this package.
        count (bool): Count instead of reading the stored figures. Default: False.
    """
    known = {} if root or count else read_counts()
    rows = []
    for model in read_models(root) if known else bar(read_models(root), 'configs'):
        about = model['Metadata']
        scores = '; '.join(
            f'{result["Dataset"]}: ' + ', '.join(f'{name} {score}' for name, score in result['Metrics'].items())
            for result in model.get('Results', ())
        )
        weights = weights_of(model['Name'])
        rows.append(
            _row(
                model,
                known.get(model['Config']) or _count(model['Path']),
                about.get('Paper', {}),
                data=about['Training Data'],
                scores=scores,
                origin=about.get('Origin', ''),
                note=about.get('Note', ''),
                weights=weights.publisher if weights else '',
            )
        )
    return rows


def peer_rows(count: bool = False) -> list[Row]:
    """Return a row for each model to compare with, from the configs of the installed libraries.

    Raises:
        ImportError: If a library is needed to count, but is not installed.
    """
    known = {} if count else read_counts()
    peers = yaml.safe_load(PEERS.read_text(encoding='utf-8'))
    return [
        _row(
            peer,
            known.get(peer['Config']) or _count(peer['Config'], peer.get('Size')),
            {**peer, 'Where': f'table {peer["Table"]}' if 'Table' in peer else ''},
            data='peers',
            note=peer.get('Note', ''),
        )
        for peer in (peers if known else bar(peers, 'peers'))
    ]


def read_counts() -> dict[str, list[int]]:
    """Read the stored figures of each config: height, width, parameters, both counts of multiply-adds, activations."""
    return json.loads(COUNTS.read_text(encoding='utf-8'))


def write_counts(rows: list[Row]) -> None:
    """Store the counted figures of rows."""
    lines = [f'{json.dumps(row.config)}: {json.dumps(row.figures)}' for row in rows]
    COUNTS.write_text('{\n' + ',\n'.join(lines) + '\n}\n', encoding='utf-8')


def _row(entry: dict[str, Any], counted: list[int], paper: dict[str, Any], **rest: str) -> Row:
    height, width, parameters, everything, paper_convention, activations = counted
    return Row(
        name=entry['Name'],
        config=entry['Config'],
        size=(height, width),
        parameters=parameters,
        everything=everything,
        paper_convention=paper_convention,
        activations=activations,
        where=str(paper.get('Where', '')),
        paper_parameters=str(paper.get('Parameters', '')),
        paper_operations=str(paper.get('Operations', '')),
        **rest,
    )


def _count(path: str, size: list[int] | None = None) -> list[int]:
    from .complexity import complexity  # imports torch

    count = complexity(path, size)
    total = count.total
    return [*count.size, total.parameters, total.everything, count.paper(total), total.activations]


HEADER = (
    'model',
    'size',
    'parameters',
    'published',
    'multiply-adds',
    "paper's convention",
    'published',
    'where',
    'score',
    'weights by',
)


def cells(row: Row) -> tuple[str, ...]:
    """Format a row of the table."""
    score = f'{row.scores} ({row.origin})' if row.scores else ''
    return (
        row.name,
        f'{row.size[0]}x{row.size[1]}',
        f'{row.parameters:,}',
        row.paper_parameters,
        f'{row.everything / 1e9:.2f} G',
        f'{row.paper_convention / 1e9:.2f} G',
        row.paper_operations,
        row.where,
        score,
        row.weights,
    )


def table(rows: list[Row]) -> str:
    """Format rows as a table for a terminal."""
    lines = [HEADER, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ['  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return '\n'.join([*text, *_notes(rows)])


def markdown(rows: list[Row]) -> str:
    """Format rows as a page: a table for each data set, whose names link to the configs, and the notes."""
    page = [PAGE]
    for data in dict.fromkeys(row.data for row in rows):
        page += [f'\n## {data[0].upper()}{data[1:]}\n', f'| {" | ".join(HEADER)} |', '| --- ' * len(HEADER) + '|']
        for row in rows:
            if row.data == data:
                name, *rest = cells(row)
                link = name if '::' in row.config else f'[{name}](../{row.config})'
                page.append(f'| {link} | {" | ".join(rest)} |')
    return '\n'.join([*page, '\n## Notes\n', *_notes(rows), WEIGHTS, weights_page(), ''])


def _notes(rows: list[Row]) -> list[str]:
    return list(dict.fromkeys(f'- {row.name}: {row.note}.' for row in rows if row.note))


PAGE = """# Model zoo

    mim train mmseg configs/ocr_hrformer-b_cityscapes.py                        # likewise mmpose, mmpretrain, mmdet
    mim test mmseg configs/ocr_hrformer-b_cityscapes.py -C weights.pth          # one scale
    mim test mmseg configs/ocr_hrformer-b_cityscapes.py -C weights.pth --tta    # several scales and flips
    mim test mmpose configs/td-hm_hrformer-b_coco-256x192.py -C weights.pth     # on the detections of AP 56.4
    mim test mmpose configs/td-hm_hrformer-b_coco-256x192.py -C weights.pth \\
        --cfg-options test_dataloader.dataset.bbox_file=None                    # on the boxes of the annotations

Generated by `hrformer-mm zoo --markdown`. [Model cards](cards/segmentation.md) add recipes, limits and licences.

- Parameters and multiply-adds of one image are counted from the configs. "Published" columns are the paper's.
- "Paper's convention": convolutions and projections only for poses (table 3); the authors' counter otherwise (tables 5
  and 6), which pads maps before the projections and adds batch norm (4 per element), softmax (5), ReLU and additions.
  Segmentation is counted at 1024x1024.
- Scores are published ones, of the authors' weights, and were not reproduced here. OpenMMLab's weights have their own
  scores, see [below](#weights).
- Training of S and B for segmentation and poses starts from ImageNet weights."""


WEIGHTS = """
## Weights

These files are untested: none could be downloaded here. See [Weights](weights.md) for how to use them.
"""


@click.command('zoo')
@click.option(
    '--peers',
    'with_peers',
    is_flag=True,
    help="Add the paper's peers and later models, from the libraries' own configs.",
)
@click.option('--json', 'as_json', is_flag=True, help='Print JSON instead of a table.')
@click.option(
    '--markdown',
    'page',
    type=click.Path(),
    is_flag=False,
    flag_value='docs/model_zoo.md',
    help='Write a Markdown page. Default path: docs/model_zoo.md.',
)
@click.option('--count', is_flag=True, help='Count all figures and store them, which takes a minute.')
@click.option(
    '--root',
    type=click.Path(exists=True, file_okay=False),
    help='Folder with a model-index.yml. Default: this package.',
)
@click.option(
    '--cards',
    'folder',
    type=click.Path(),
    is_flag=False,
    flag_value='docs/cards',
    help='Write the model cards into a folder, by default docs/cards, with the times of speed.csv beside it.',
)
def command(
    with_peers: bool, as_json: bool, page: str | None, folder: str | None, count: bool, root: str | None
) -> None:
    """List all configs in one table: counted parameters and multiply-adds, and published figures.

    The counted figures are stored with the package. With --root, they are counted.
    """
    with errors():
        if page:
            check_file(page)
        if folder and root:
            raise ValueError('--cards is not supported with --root: the cards describe the models of this package')
        models, peers = model_rows(root, count), peer_rows(count) if with_peers or count else []
        if count and not root:
            write_counts([*models, *peers])
        rows = [*models, *(peers if with_peers else ())]
        if page:
            Path(page).write_text(markdown(rows), encoding='utf-8')
        pages = _write_cards(folder, models) if folder else []
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif page or folder:
        click.echo('\n'.join(f'Wrote {path}.' for path in [*filter(None, [page]), *pages]))
    else:
        click.echo(table(rows))


def _write_cards(folder: str, rows: list[Row]) -> list[Path]:
    from .zoo_cards import cards  # imports torch

    texts = cards(rows, Path(folder).parent / 'speed.csv')
    target = check_folder(folder, texts)
    target.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (target / name).write_text(text, encoding='utf-8')
    return [target / name for name in texts]
