"""Options of files and folders, and the mode."""

import dataclasses
import functools

from hmr_tf.cli.option_flags import option

MODES = ("train", "evaluate", "predict", "fit", "export", "import_tf1", "quickstart")
LOADING_MODES = ("train", "evaluate", "predict", "fit", "export", "import_tf1")  # a trained model
READING_MODES = ("train", "evaluate", "fit")  # TFRecords

_train = functools.partial(option, modes="train")


@dataclasses.dataclass(frozen=True)
class FileOptions:
    """The mode, and the files and folders that the modes read and write."""

    mode: str = option("", "What to do.", modes=(), choices=MODES)

    smpl_model_path: str = option(
        "",
        "SMPL model, .pkl or .npz (smpl.is.tue.mpg.de), or a folder with one. Empty: that of "
        "--load_path, else $SMPL_MODEL_PATH, else one in models/, else the CC0 body of hmr_tf.",
        modes=LOADING_MODES,
        heading="Files",
    )
    keypoint_regressor: str = _train(
        "",
        "The 19 keypoints as weighted means of the vertices: .npy of 19 x V, or an SMPL file with "
        "them. Empty: those of the SMPL file, or SMPL's joints where it has none.",
    )
    mean_params_path: str = _train(
        "", "neutral_smpl_mean_params.h5, the mean theta of the regressor. Empty: the rest pose."
    )
    load_path: str = option(
        "",
        "Trained model: a checkpoint prefix, or a --model_dir, whose newest checkpoint is used; "
        "released: the network that comes with hmr_tf. Empty: the same, and for train a fresh "
        "network. For import_tf1 the original's checkpoint, such as model.ckpt-667589.",
        modes=LOADING_MODES,
    )
    pretrained_model_path: str = _train(
        "",
        "Weights to start from: slim's resnet_v2_50.ckpt or the original's checkpoint; for "
        "Keras's encoders their .h5 file, or imagenet to download it. Empty: random.",
    )
    keep_optimizer: bool = option(
        False,
        "Import the moments of Adam too, so that the training can be resumed.",
        modes="import_tf1",
    )
    data_dir: str = option(
        "",
        "Folder of TFRecords, as data_prep/to_tfrecords.py writes it; of photographs for "
        "--protocol=coco_keypoints.",
        modes=READING_MODES,
    )
    model_dir: str = option(
        "",
        "Folder for checkpoints and TensorBoard. Empty: that of --load_path, else "
        "logs/HMR_<date>_<time>.",
        modes=("train", "import_tf1"),
    )
    output_dir: str = option(
        "output",
        "Folder for the files that are written.",
        modes=("evaluate", "predict", "fit", "export", "quickstart"),
    )
    skip_training: bool = option(
        False, "Only the released network's body over the photograph.", modes="quickstart"
    )
