"""Test a model with the library of its config: python tools/test.py CONFIG CHECKPOINT [options of the library]."""

import sys

from hrformer_mm.commands.launch import launch

if __name__ == '__main__':
    launch('test.py', sys.argv[1:])
