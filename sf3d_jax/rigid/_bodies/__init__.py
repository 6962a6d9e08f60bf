"""The segmentation of one image motion into rigidly moving bodies."""
