"""What an engineer asks: click detection, latency, statistics, verdicts, records."""
