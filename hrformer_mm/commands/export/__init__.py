"""Export models to files that run without this package."""

from .exporting import FORMATS, Exported, export

__all__ = ['FORMATS', 'Exported', 'export']
