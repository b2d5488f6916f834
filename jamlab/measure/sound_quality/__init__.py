"""Quality of the sound that is played, beside its latency and bitrate."""
