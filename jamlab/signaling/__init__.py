"""How peers find each other: messages, and the channels that carry them."""
