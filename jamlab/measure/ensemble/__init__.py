"""What measured latencies mean to an ensemble: who can play with whom, and the tempo."""
