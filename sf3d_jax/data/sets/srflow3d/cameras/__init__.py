"""The cameras of SRFlow3D's subjects: a file that grows by the frame, and its readers."""
