"""The login: a person's consent in a browser, traded for a token."""
