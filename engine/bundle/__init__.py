"""What a machine without internet needs, in one folder: wheels, weights, and the script that installs them."""
