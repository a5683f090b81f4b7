"""Load jobs: an uploaded file becomes rows.

Takes: a file and the options of the job. Gives: all of its rows in the destination, or none and the
line and column at fault. Never: reads anything but the file that was uploaded for the job.
"""
