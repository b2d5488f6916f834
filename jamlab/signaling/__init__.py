"""Signalling: the messages between participants, and the channels that carry them."""
