"""Picture files and volumes: headers and pixels of every format, frame by frame."""
