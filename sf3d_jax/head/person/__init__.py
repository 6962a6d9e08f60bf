"""The shape, the identities and the motion of the procedural head."""
