"""A private audio graph: virtual microphones and loudspeakers of several players on one clock."""
