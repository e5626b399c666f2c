"""`hrformer-mm report`."""

import click

from ..common import errors


@click.command('report')
@click.argument('work_dir', type=click.Path(file_okay=False))
@click.option('-o', '--output', default='report.html', show_default=True, type=click.Path(), help='The page.')
@click.option('--images', type=click.IntRange(min=0), default=6, show_default=True, help='Example pictures, at most.')
@click.option(
    '--pictures',
    multiple=True,
    metavar='FOLDER',
    type=click.Path(file_okay=False, exists=True),
    help='Where --show-dir put pictures outside of WORK_DIR; may be repeated.',
)
def command(work_dir: str, output: str, images: int, pictures: tuple[str, ...]) -> None:
    """Write one HTML page about the training or the test in WORK_DIR.

    WORK_DIR is the --work-dir of mim train or mim test. The page has scores, curves, classes, pictures, checkpoints,
    the config and the environment in one file; nothing is fetched when it is opened. It names what is missing.
    """
    with errors():
        from .reporting import report

        notes = report(work_dir, output, images, pictures)
    for note in notes:
        click.echo(note)
    click.echo(f'Wrote {output}.')
