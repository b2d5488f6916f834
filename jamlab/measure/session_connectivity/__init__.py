"""How sessions connect: whole sessions meet on the simulated internet."""
