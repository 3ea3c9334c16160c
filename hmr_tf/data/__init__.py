"""From TFRecords to batches: the record schema, the crop, the augmentation, the pipeline."""
