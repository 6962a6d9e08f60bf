"""Triangle meshes: .obj, .ply and .glb, moving meshes, and arrays of face models."""
