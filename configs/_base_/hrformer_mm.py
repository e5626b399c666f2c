# Importing the package repairs the stack (mmcv-lite, torch >= 2.6) before a library imports its models.
custom_imports = dict(imports=['hrformer_mm'], allow_failed_imports=False)

# Batch norms are synchronised where there are several processes, and plain batch norms where there is one.
# Processes on CPUs cannot: --cfg-options sync_bn=None
sync_bn = 'torch'
