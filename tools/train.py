"""Train a model by the library that its config is for: python tools/train.py CONFIG [its options]."""

import sys

from hrformer_mm.commands.launch import launch

if __name__ == '__main__':
    launch('train.py', sys.argv[1:])
