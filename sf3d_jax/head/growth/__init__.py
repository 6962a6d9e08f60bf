"""What a person grows and wears: hair, beard, lashes, brows, glasses and clothes, as meshes."""
