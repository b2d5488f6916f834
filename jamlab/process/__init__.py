"""Child processes, signals, scheduling, garbage collection, precise timers and atomic files."""
