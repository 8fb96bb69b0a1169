"""One request done properly: credential, limits, retries, errors that can be read. Knows no stream and no Singer."""
