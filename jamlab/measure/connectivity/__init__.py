"""How many calls connect, over simulated networks or with one's own servers."""
