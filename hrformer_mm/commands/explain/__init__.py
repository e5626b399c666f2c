"""Explain what an HRFormer computes on an image, in pictures."""
