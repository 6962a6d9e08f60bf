"""What is wrong with a data set of scene flow."""
