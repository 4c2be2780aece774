"""Which of a GitHub user's public gists match a regular expression?"""
