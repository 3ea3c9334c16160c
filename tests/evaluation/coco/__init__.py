"""Tests of the evaluation of photographs by COCO's rules."""
