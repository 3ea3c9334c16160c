"""From a trained model to what people use: predictions, files, SavedModels."""
