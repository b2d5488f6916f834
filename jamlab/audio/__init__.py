"""Audio without networks: the PCM format, the metronome, sound cards, the mixer."""
