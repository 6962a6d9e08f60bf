"""The mesh of the procedural head: its implicit shape, its meshing, its parts and its cache."""
