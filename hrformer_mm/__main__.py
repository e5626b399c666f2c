"""Entry point of `python -m hrformer_mm`, which is equivalent to `hrformer-mm`."""

from .cli import main

main(prog_name='python -m hrformer_mm')
