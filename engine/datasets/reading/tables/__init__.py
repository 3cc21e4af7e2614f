"""CSVs with the labels of images, however they are written, and arrays with theirs."""
