"""Where peers live: networks made of values, run on a clock of their own."""
