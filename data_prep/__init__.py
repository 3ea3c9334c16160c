"""From the files people download to TFRecords: one reader per dataset, one writer for all."""
