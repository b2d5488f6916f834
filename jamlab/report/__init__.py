"""Tables and figures, and the notebooks made into one HTML file."""
