"""What every report has: the page, its style, and tables of any kind."""
