"""From image motion to 3D motion and back, and what connects two views."""
