"""People in the forms of annotated datasets: COCO's keypoints, 3DPW's sequences."""
