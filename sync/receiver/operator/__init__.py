"""The operator's page: a program of its own over the receiver's database; it holds no key and opens no dossier."""
