"""The layers of the texture: skin, hair, eyes and mouth, each a function of points and traits.

Lengths are centimetres on the rest shape of all people. Places come from `person.landmarks`; sizes
and strengths beside them were chosen by eye, on pictures of many people.
"""
