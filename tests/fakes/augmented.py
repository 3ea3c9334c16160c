"""One sample as the network trains on it."""

from hmr_tf.data import augment


def crop_with_labels(sample, translation_px, scale, flip, image_size):
    """dict of image (S, S, 3) in [-1, 1] and of what `augment.move_labels` returns."""
    image, placement = augment.crop_image(sample, translation_px, scale, flip, image_size)
    return {"image": image, **augment.move_labels(sample, placement, image_size)}
