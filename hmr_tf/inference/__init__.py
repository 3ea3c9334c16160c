"""From photographs and videos to people: boxes, crops, the network, tracks."""
