"""What is learned: encoder, iterative regressor, discriminators."""
