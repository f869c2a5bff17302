"""The login: a person's consent in a browser, exchanged for a token."""
