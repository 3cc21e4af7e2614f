"""The way to the pages: the script that app.py serves, and the sign-in before it."""
