"""Train a model with the library of its config: python tools/train.py CONFIG [options of the library]."""

import sys

from hrformer_mm.commands.launch import launch

if __name__ == '__main__':
    launch('train.py', sys.argv[1:])
