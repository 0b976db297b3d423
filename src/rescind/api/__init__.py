"""How it is said over HTTP: a folder per face, and what all faces share, which has no word of any of them."""
