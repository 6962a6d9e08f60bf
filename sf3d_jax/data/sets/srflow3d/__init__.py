"""SRFlow3D."""
