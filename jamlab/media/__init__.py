"""The media path between sound and packets: quality, encoder, playout buffer, aiortc adapter."""
