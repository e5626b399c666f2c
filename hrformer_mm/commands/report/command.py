"""`hrformer-mm report`."""

import click

from ..common import errors


@click.command('report')
@click.argument('work_dir', type=click.Path(file_okay=False))
@click.option('-o', '--output', default='report.html', show_default=True, type=click.Path(dir_okay=False),
              help='The page.')
@click.option('--images', type=click.IntRange(min=0), default=6, show_default=True, help='Example pictures, at most.')
@click.option('--pictures', multiple=True, metavar='FOLDER', type=click.Path(file_okay=False),
              help='Where --show-dir put pictures outside of WORK_DIR; may be repeated.')
def command(work_dir: str, output: str, images: int, pictures: tuple[str, ...]) -> None:
    """Write one HTML page about the training or the test that WORK_DIR is of.

    WORK_DIR is what mim train and mim test call --work-dir. The page has scores, curves, classes, pictures,
    checkpoints, the config and the environment in one file; nothing is fetched when it is opened. What it lacks is
    said on it.
    """
    from .reporting import report as run
    with errors():
        done = run(work_dir, output, images, pictures)
    for note in done.notes:
        click.echo(note)
    click.echo(f'Wrote {done.path}, {done.size / 1000:.0f} kB; runs in the folder: {done.runs}.')
