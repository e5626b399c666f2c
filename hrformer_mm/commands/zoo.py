"""All configs, and the models that the paper compares with, in one table: what is published beside what is counted."""

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click
import yaml

from ..model_index import read_models
from ..released import weights_of
from .common import bar, errors
from .folder import check_file
from .weights import markdown as weights_page

PEERS = Path(__file__).with_name('peers.yml')
COUNTS = Path(__file__).with_name('counts.json')


@dataclass(frozen=True)
class Row:
    """A model: what is counted on an image of `size`, and what is published.

    `paper_convention` are the multiply-adds as the paper counts them. Published are `where` (tables and scripts),
    parameters and operations as printed, and scores with their `origin`: 'published', 'converted' or 'ours'. `weights`
    is who has released weights, which `hrformer-mm weights NAME` fetches or finds.
    """

    name: str
    config: str
    data: str
    size: tuple[int, int]
    parameters: int
    everything: int
    paper_convention: int
    where: str = ''
    paper_parameters: str = ''
    paper_operations: str = ''
    scores: str = ''
    origin: str = ''
    note: str = ''
    weights: str = ''

    @property
    def figures(self) -> list[int]:
        """What is counted, in the order of :func:`read_counts`."""
        return [*self.size, self.parameters, self.everything, self.paper_convention]


def model_rows(root: str | None = None, count: bool = False) -> list[Row]:
    """A row for every config of the metafiles: those of this package, or of a folder with a model index.

    Args:
        root (str, optional): The folder, whose configs are always counted. Default: this package.
        count (bool): Count again instead of reading the stored figures. Default: False.
    """
    known = {} if root or count else read_counts()
    rows = []
    for model in bar(read_models(root), 'configs') if not known else read_models(root):
        about = model['Metadata']
        scores = '; '.join(
            f'{result["Dataset"]}: ' + ', '.join(f'{name} {score}' for name, score in result['Metrics'].items())
            for result in model.get('Results', ())
        )
        weights = weights_of(model['Name'])
        rows.append(
            _row(
                model['Name'],
                model['Config'],
                model['Path'],
                about['Training Data'],
                None,
                about.get('Paper', {}),
                known,
                scores,
                about.get('Origin', ''),
                about.get('Note', ''),
                weights.publisher if weights else '',
            )
        )
    return rows


def peer_rows(count: bool = False) -> list[Row]:
    """A row for each of the paper's peers, from the installed libraries' own configs.

    Raises:
        ImportError: If a library that is needed to count is not installed.
    """
    known = {} if count else read_counts()
    peers = yaml.safe_load(PEERS.read_text(encoding='utf-8'))
    return [
        _row(
            peer['Name'],
            peer['Config'],
            peer['Config'],
            'peers',
            peer.get('Size'),
            {**peer, 'Where': f'table {peer["Table"]}'},
            known,
            note=peer.get('Note', ''),
        )
        for peer in (bar(peers, 'peers') if not known else peers)
    ]


def read_counts() -> dict[str, list[int]]:
    """The stored figures of each config: height, width, parameters and the two counts of multiply-adds."""
    return json.loads(COUNTS.read_text(encoding='utf-8'))


def write_counts(rows: list[Row]) -> None:
    """Store the figures of rows."""
    lines = [f'{json.dumps(row.config)}: {json.dumps(row.figures)}' for row in rows]
    COUNTS.write_text('{\n' + ',\n'.join(lines) + '\n}\n', encoding='utf-8')


def _row(
    name: str,
    config: str,
    path: str,
    data: str,
    size: list[int] | None,
    paper: dict[str, Any],
    known: dict[str, list[int]],
    scores: str = '',
    origin: str = '',
    note: str = '',
    weights: str = '',
) -> Row:
    height, width, *figures = known[config] if config in known else _count(path, size)
    return Row(
        name,
        config,
        data,
        (height, width),
        *figures,
        str(paper.get('Where', '')),
        str(paper.get('Parameters', '')),
        str(paper.get('Operations', '')),
        scores,
        origin,
        note,
        weights,
    )


def _count(path: str, size: list[int] | None) -> list[int]:
    from .complexity import complexity  # imports torch

    count = complexity(path, size)
    return [*count.size, count.total.parameters, count.total.everything, count.paper(count.total)]


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
    """A row of the table, as text."""
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
    """Rows as columns of text, for a terminal."""
    lines = [HEADER, *map(cells, rows)]
    widths = [max(map(len, column)) for column in zip(*lines)]
    text = ['  '.join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in lines]
    return '\n'.join([*text, *_notes(rows)])


def markdown(rows: list[Row]) -> str:
    """Rows as a page: one table for each data set, the names leading to the configs; then the notes."""
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

Made by `hrformer-mm zoo --markdown`. Parameters and multiply-adds of one image are counted from the config files;
scores are of the origin that they state, and nothing that is published was reproduced here. "Paper's convention" is
convolutions and projections alone for poses (table 3), and the authors' counter for the rest (tables 5 and 6): it pads
maps before the projections, and counts batch norm (4 for each element), softmax (5), ReLU and additions; for
segmentation at 1024x1024. Training of S and B for segmentation and poses starts from ImageNet weights. OpenMMLab's
weights have scores of their own, which are [below](#weights).

    mim train mmseg configs/ocr_hrformer-b_cityscapes.py                        # likewise mmpose, mmpretrain, mmdet
    mim test mmseg configs/ocr_hrformer-b_cityscapes.py -C weights.pth          # one scale
    mim test mmseg configs/ocr_hrformer-b_cityscapes.py -C weights.pth --tta    # several scales and flips
    mim test mmpose configs/td-hm_hrformer-b_coco-256x192.py -C weights.pth     # on the detections of AP 56.4
    mim test mmpose configs/td-hm_hrformer-b_coco-256x192.py -C weights.pth \\
        --cfg-options test_dataloader.dataset.bbox_file=None                    # on the boxes of the annotations"""


WEIGHTS = """
## Weights

Untried: none of these files could be downloaded here. [How to use them](weights.md).
"""


@click.command('zoo')
@click.option('--peers', 'with_peers', is_flag=True, help="The paper's peers too, from the libraries' own configs.")
@click.option('--json', 'as_json', is_flag=True, help='Print JSON, not a table.')
@click.option(
    '--markdown',
    'page',
    type=click.Path(),
    is_flag=False,
    flag_value='docs/model_zoo.md',
    help='Write a page, by default docs/model_zoo.md.',
)
@click.option('--count', is_flag=True, help='Count again, and store the figures; takes a minute.')
@click.option('--root', type=click.Path(exists=True, file_okay=False), help='Checkout with a model-index.yml.')
def command(with_peers: bool, as_json: bool, page: str | None, count: bool, root: str | None) -> None:
    """List all configs in one table: parameters and multiply-adds as counted, beside what is published.

    With --root all configs are counted; otherwise the table shows the figures that are stored with the package.
    """
    with errors():
        if page:
            check_file(page)
        models, peers = model_rows(root, count), peer_rows(count) if with_peers or count else []
        if count and not root:
            write_counts([*models, *peers])
        rows = [*models, *(peers if with_peers else ())]
        if page:
            Path(page).write_text(markdown(rows), encoding='utf-8')
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=2))
    elif page:
        click.echo(f'Wrote {page}.')
    else:
        click.echo(table(rows))
