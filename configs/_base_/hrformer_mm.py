# Importing the package makes mmcv-lite and torch >= 2.6 usable before a library imports its models.
custom_imports = dict(imports=['hrformer_mm'], allow_failed_imports=False)

# Synchronize batch norms across processes; a single process uses plain batch norms. On CPUs this is not supported:
# disable it with --cfg-options sync_bn=None
sync_bn = 'torch'
