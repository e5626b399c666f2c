"""Test a model by the library that its config is for: python tools/test.py CONFIG CHECKPOINT [its options]."""

import sys

from hrformer_mm.commands.launch import launch

if __name__ == '__main__':
    launch('test.py', sys.argv[1:])
