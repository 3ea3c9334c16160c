"""--mode=fit: SMPL parameters for people whose keypoints are labelled."""

from pathlib import Path

import numpy as np

from hmr_tf.cli.mode_steps import announce_and_load_tensorflow, load, output_folder, require_flags
from hmr_tf.files.errors import InputError

_POSED_AT_ONCE = 256  # people


def fit(options):
    """Fits SMPL parameters to people with labelled keypoints; writes TFRecords to --output_dir."""
    require_flags(options, "data_dir")
    if Path(options.output_dir).resolve() == Path(options.data_dir).resolve():
        raise InputError("--output_dir is --data_dir: name another folder for the fitted records.")
    from hmr_tf.data import shards

    files = {n: shards.find(options.data_dir, n, options.split) for n in options.datasets}
    announce_and_load_tensorflow(options)
    hmr = load(options)
    from hmr_tf.inference import fit_records
    from hmr_tf.networks import checkpoint

    discriminator = checkpoint.load_discriminator(options.load_path)
    with output_folder(options) as folder:
        for name, paths in files.items():
            fitted = fit_records.fit_dataset(
                hmr,
                discriminator,
                paths,
                options.data_dir,
                folder,
                options.batch_size,
                options.fit_steps,
            )
            print(summary(name, fitted, hmr.image_size))
            if options.fit_coco:
                print(write_coco(fitted.folder, paths, hmr))


def write_coco(folder, files, hmr):
    """Writes the people in fits.npz as COCO keypoints; returns the path."""
    from hmr_tf.body import camera
    from hmr_tf.exporters.annotations import fitted_records

    with np.load(folder / "fits.npz") as fits:
        thetas, is_fitted = fits["theta"], fits["is_fitted"]
    parts = [
        thetas[start : start + _POSED_AT_ONCE] for start in range(0, len(thetas), _POSED_AT_ONCE)
    ]
    keypoints_norm = [hmr.predictions_from_thetas([part])[0].keypoints2d_norm for part in parts]
    keypoints_px = camera.pixels_from_norm(np.concatenate(keypoints_norm), hmr.image_size)
    return fitted_records.write(folder, files, keypoints_px, is_fitted, hmr.image_size)


def summary(name, fitted, image_size):
    """One line about a dataset; fitted: `fit_records.Fitted`; image_size: of the crops."""
    error_px = fitted.mean_error_norm * image_size / 2
    error = f"{error_px:.1f} px of the crop on average, " if fitted.num_fitted else ""
    return (
        f"{name}: {fitted.num_fitted} of {fitted.num_people} people fitted, {error}{fitted.folder}"
    )
