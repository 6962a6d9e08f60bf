"""How the motion of the camera is found: samples, a robust fit, its derivative."""
