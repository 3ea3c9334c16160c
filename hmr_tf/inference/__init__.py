"""From photographs and videos to people: boxes, crops, network, tracks."""
