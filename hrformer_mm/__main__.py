"""`python -m hrformer_mm` is `hrformer-mm`."""

from .cli import main

main(prog_name='python -m hrformer_mm')
