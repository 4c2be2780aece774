"""Checks of a request: address, key, captcha, limits, size; and the headers of answers."""
