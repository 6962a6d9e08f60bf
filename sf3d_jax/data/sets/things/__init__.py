"""FlyingThings3D, Monkaa and Driving."""
