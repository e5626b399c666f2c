"""Refine a folder of label maps with SegFix."""

from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from ..segfix import refine_labels
from ..segfix.files import read_offsets
from .common import Progress, bar, errors, silent
from .folder import check_folder


def segfix(
    labels: str | Path, offsets: str | Path, output: str | Path, scale: int = 2, progress: Progress = silent
) -> list[Path]:
    """Refine every label map of a folder, and write it with its palette.

    Args:
        labels, offsets (str): Folders with the label maps NAME.png and the offsets NAME.mat.
        output (str): Output folder, which is created if it does not exist.
        scale (int): Factor of the offsets. Default: 2.
        progress (callable): Wraps the iterable of files, to show progress. Default: none.

    Returns:
        list[Path]: The written files.

    Raises:
        FileNotFoundError: If there are no label maps, or if offsets are missing. Nothing is written.
        ValueError: If a file is not a label map, if its offsets have another size, or if `output` is `labels`.
    """
    labels, offsets, output = Path(labels), Path(offsets), Path(output)
    files = sorted(labels.glob('*.png'))
    if not files:
        raise FileNotFoundError(f'there are no label maps {labels}/*.png: give the folder that contains them')
    if output.resolve() == labels.resolve():
        raise ValueError(f'{output} is the folder of the label maps, which would be overwritten: choose another one')
    missing = [file.stem for file in files if not (offsets / f'{file.stem}.mat').is_file()]
    if missing:
        raise FileNotFoundError(
            f'{offsets} lacks {missing[0]}.mat ({len(missing)} of {len(files)} files): offsets and label maps must '
            'have the same names'
        )
    check_folder(output, [file.name for file in files], [*files, *offsets.glob('*.mat')])
    output.mkdir(parents=True, exist_ok=True)
    written = []
    for file in progress(files, 'label maps'):
        try:
            with Image.open(file) as image:
                palette, array = image.getpalette(), np.array(image)
            if array.ndim != 2:
                raise ValueError(f'it has {array.shape[2]} channels, but a label map has one')
            refined = refine_labels(
                torch.from_numpy(array.astype(np.int64)),
                torch.from_numpy(read_offsets(offsets / f'{file.stem}.mat')),
                scale,
            )
        except (OSError, ValueError) as error:
            raise ValueError(f'{file}: {error}') from error
        result = Image.fromarray(refined.numpy().astype(array.dtype))
        if palette:
            result.putpalette(palette)
        result.save(output / file.name)
        written.append(output / file.name)
    return written


@click.command('segfix')
@click.argument('labels', type=click.Path(exists=True, file_okay=False))
@click.argument('offsets', type=click.Path(exists=True, file_okay=False))
@click.argument('output', type=click.Path())
@click.option('--scale', type=click.IntRange(min=1), default=2, help='Factor of the offsets.')
def command(labels: str, offsets: str, output: str, scale: int) -> None:
    """Refine the label maps in the folder LABELS near boundaries with the offsets in OFFSETS; write them to OUTPUT.

    OFFSETS contains the SegFix authors' files, or the output of a SegFix model: mim test mmseg
    configs/segfix_hrnet-w18_cityscapes.py -C WEIGHTS. Label maps and offsets have the same names: NAME.png, NAME.mat.
    """
    with errors():
        written = segfix(labels, offsets, output, scale, bar)
    click.echo(f'Wrote {len(written)} label maps to {output}.')
