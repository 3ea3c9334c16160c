"""Keypoints by COCO's rules: average precision of the people in photographs, by pycocotools."""
