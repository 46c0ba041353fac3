"""One module per kind of TTHC system that dossiers are handed to."""
