"""HTTP over the library: the API, the search page and the server that carries them."""

__version__ = "0.1.0"
