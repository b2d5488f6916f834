"""The playout of one remote stream, from packets to blocks for the sound card."""
