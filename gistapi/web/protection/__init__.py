"""What a request must pass: address, key, captcha, limits, size; and the headers of answers."""
