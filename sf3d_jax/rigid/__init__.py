"""What moves as one body: rigid fits, the motion of the camera, rigid fields, tracks."""
