"""Runs that outlive the tab and the server: submit, supervise, stop, resume, queue."""
