"""`hrformer-mm segfix`."""

import click

from .common import bar, errors


@click.command()
@click.argument('labels', type=click.Path(exists=True, file_okay=False))
@click.argument('offsets', type=click.Path(exists=True, file_okay=False))
@click.argument('output', type=click.Path(file_okay=False))
@click.option('--scale', type=click.IntRange(min=1), default=2, show_default=True, help='Factor of the offsets.')
def segfix(labels: str, offsets: str, output: str, scale: int) -> None:
    """Refine label maps near boundaries: those in the folder LABELS, by the files in OFFSETS, written to OUTPUT.

    Offsets are the SegFix authors' files, or come from a SegFix model: mim test mmseg
    configs/segfix_hrnet-w18_cityscapes.py -C WEIGHTS. Labels and offsets have the same names: NAME.png, NAME.mat.
    """
    from ..tools.segfix import segfix as run
    with errors():
        written = run(labels, offsets, output, scale, bar)
    click.echo(f'Wrote {len(written)} label maps to {output}.')
