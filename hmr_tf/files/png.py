"""PNG files."""

import cv2

from hmr_tf.files import atomic


def write_png(path, picture):
    """(H, W, 3) or (H, W, 4) uint8 RGB(A) -> a PNG file.

    Raises:
      OSError: the file cannot be written.
    """
    code = cv2.COLOR_RGBA2BGRA if picture.shape[-1] == 4 else cv2.COLOR_RGB2BGR
    done, content = cv2.imencode(".png", cv2.cvtColor(picture, code))
    if not done:
        raise ValueError(f"a picture of shape {picture.shape} cannot be saved as PNG")
    atomic.write_bytes(path, content)  # Python's error has the reason; OpenCV's does not
