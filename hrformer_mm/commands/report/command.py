"""The command `hrformer-mm report`."""

import click

from ..common import errors


@click.command('report')
@click.argument('work_dir', type=click.Path(file_okay=False))
@click.option('-o', '--output', default='report.html', type=click.Path(), help='Path of the page.')
@click.option('--images', type=click.IntRange(min=0), default=6, help='Maximum number of example pictures.')
@click.option(
    '--pictures',
    multiple=True,
    metavar='FOLDER',
    type=click.Path(file_okay=False, exists=True),
    help='Folder with pictures of --show-dir, if it is outside of WORK_DIR. Repeatable.',
)
def command(work_dir: str, output: str, images: int, pictures: tuple[str, ...]) -> None:
    """Write an HTML page about the training or the test in WORK_DIR.

    WORK_DIR is the --work-dir of mim train or mim test. The page contains scores, curves, classes, pictures,
    checkpoints, the config and the environment in one file, and loads nothing from the network. It lists missing data.
    """
    with errors():
        from .reporting import report

        notes = report(work_dir, output, images, pictures)
    for note in notes:
        click.echo(note)
    click.echo(f'Wrote {output}.')
