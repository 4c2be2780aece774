"""What a request has to pass: address, key, captcha, limits, size, and the headers of answers."""
