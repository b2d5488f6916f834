"""Sound to packets and back: quality, encoder, playout buffer, and the aiortc adapter."""
