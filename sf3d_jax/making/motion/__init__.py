"""How a face moves: expressions that come and go, speech, blinks, gaze, and the turn of the head.

All of it is a function of time in seconds, so that frames can be asked for in any order and at any
rate. Each kind of motion has a source of chance of its own.
"""
