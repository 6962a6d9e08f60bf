"""Virtual KITTI 2."""
