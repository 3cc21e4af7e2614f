"""Reviews of images and runs by people: blinded quizzes, decisions, comments."""
