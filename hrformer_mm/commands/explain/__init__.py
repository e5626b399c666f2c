"""Pictures of what an HRFormer computes on an image."""
