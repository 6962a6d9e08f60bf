"""Moving pixels: sampling, splatting, resizing and visibility."""
