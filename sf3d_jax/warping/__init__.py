"""Moving pixels: sampling, splatting, resizing, visibility."""
