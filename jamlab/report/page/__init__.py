"""The parts that all reports share: page, opening, style, and tables of any kind."""
