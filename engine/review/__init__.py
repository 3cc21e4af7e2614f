"""What people say of images and runs: blinded quizzes, decisions, comments."""
