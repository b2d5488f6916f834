"""One ICE agent for everything at once: all servers, all candidate pairs, one that is sent on."""
