"""Every option of `python -m hmr_tf.main`: default, unit, help. `config_flags` makes the flags.

Names and meanings are the original's `config.py`; values are the paper's, as in its `do_train.sh`.
"""

import dataclasses
import functools
from typing import Optional

MODES = ("train", "evaluate", "predict", "fit", "export", "import_tf1", "quickstart")
PRECISIONS = ("float32", "bfloat16", "float16")
DISTRIBUTIONS = ("none", "mirrored", "multi_worker")
ENCODERS = ("resnet_v2_50", "resnet50", "resnet50v2")
PHOTO_FORMATS = ("overlay", "panels", "transparent", "obj", "ply", "npz")
MOTION_FORMATS = ("glb", "bvh", "amass", "viewer", "measure")
IMAGE_DATASETS = ("lsp", "lsp_ext", "mpii", "coco", "h36m", "mpi_inf_3dhp")
PROTOCOLS = ("h36m_p1", "h36m_p2", "mpi_inf_3dhp", "lsp_parts", "keypoints2d")
MOCAP_DATASETS = ("CMU", "H3.6", "jointLim")
EXPORT_FORMATS = ("saved_model", "tflite")
EXPORT_DTYPES = ("float32", "bfloat16", "float16")


def _option(default, help, choices=None, least=0, most=None, heading=None, steers=False):
    """A field of `Config`; `heading` begins a group of flags in --help."""
    metadata = {"help": help, "choices": choices, "heading": heading, "steers": steers}
    metadata["bounds"] = {"lower_bound": least, "upper_bound": most}
    return dataclasses.field(default=default, metadata=metadata)


# What a training becomes depends on it: to go on with another value is another training.
_steering = functools.partial(_option, steers=True)


@dataclasses.dataclass(frozen=True)
class Config:
    """One run. Lists are tuples of str; an empty path means "not given"."""

    mode: str = _option("", "What to do.", choices=MODES)

    smpl_model_path: str = _option(
        "",
        "SMPL model, .pkl or .npz (smpl.is.tue.mpg.de), or a folder with one. Empty: that of "
        "--load_path, else $SMPL_MODEL_PATH, else one in models/, else the CC0 body of hmr_tf.",
        heading="Files",
    )
    keypoint_regressor: str = _option(
        "",
        "Where the 19 keypoints are on the body: .npy of 19 x V, or an SMPL file that says it. "
        "Empty: as the SMPL file says, or from SMPL's joints where it does not.",
    )
    mean_params_path: str = _option(
        "", "neutral_smpl_mean_params.h5, where the regressor starts. Empty: the rest pose."
    )
    load_path: str = _option(
        "",
        "Trained model: a checkpoint prefix, or a --model_dir, whose newest checkpoint is taken. "
        "import_tf1: the original's checkpoint, as model.ckpt-667589.",
    )
    pretrained_model_path: str = _option(
        "",
        "train: weights to start from: slim's resnet_v2_50.ckpt or the original's checkpoint; for "
        "Keras's encoders their .h5 file, or imagenet to download it. Empty: random.",
    )
    keep_optimizer: bool = _option(
        False, "import_tf1: import Adam's moments too, so that its training goes on."
    )
    data_dir: str = _option("", "Folder of TFRecords, as data_prep/to_tfrecords.py writes it.")
    model_dir: str = _option(
        "",
        "train, import_tf1: folder for checkpoints and TensorBoard. Empty: that of --load_path, "
        "else logs/HMR_<date>_<time>.",
    )
    output_dir: str = _option("output", "predict, evaluate, export: folder for what they write.")
    img_path: str = _option(
        "",
        "predict: the photograph (JPEG, PNG, BMP), a folder of them, or a pattern as 'a/*.jpg'.",
        heading="Prediction",
    )
    video_path: str = _option("", "predict: a video file instead of --img_path.")
    webcam: int = _option(
        -1, "predict: number of a camera; what it sees is recorded, then predicted.", least=-1
    )
    num_frames: int = _option(0, "predict: so many frames of --webcam; 0: until Ctrl-C.")
    box: tuple = _option(
        (),
        "predict: box around the person, x,y,width,height in pixels. Empty: as --boxes says, else "
        "whom --detector finds, else the whole photograph is one person's crop.",
    )
    boxes: str = _option(
        "",
        "predict: where people are: OpenPose's JSON or a folder of it, COCO's JSON, or a CSV with "
        "image,x,y,width,height.",
    )
    json_path: str = _option(
        "",
        "predict: OpenPose's JSON of the photograph; its most confident person is taken.",
    )
    detector: str = _option("", "predict: folder of the person detector, see the README.")
    focal_px: float = _option(0.0, "predict: focal length, pixels of the photograph; 0: assumed.")
    principal_px: tuple = _option((), "predict: x,y of the principal point. Empty: the middle.")
    smooth: str = _option(
        "none", "predict, videos: filter of the motion.", choices=("none", "one_euro", "savgol")
    )
    fit_steps: int = _option(250, "fit: steps of the descent.", least=5)
    write: tuple = _option(
        ("overlay", "obj", "npz"),
        f"predict: what to write of each photograph, of {', '.join(PHOTO_FORMATS)}; and of "
        f"{', '.join(MOTION_FORMATS)}. Videos: overlay, npz and the latter.",
    )
    up_axis: str = _option("y", "predict: up in meshes and motions.", choices=("y", "z"))

    encoder: str = _steering(
        "resnet_v2_50",
        "resnet_v2_50: the original's, of slim; the others: keras.applications.",
        choices=ENCODERS,
        heading="Network",
    )
    img_size: int = _steering(224, "Side of the network's input, pixels.", least=32)
    num_stage: int = _steering(3, "How often the regressor corrects its answer.", least=1)
    bn_momentum: float = _steering(
        0.997, "Batch norm: share of the old moving statistics kept per step.", most=1
    )
    critic_spectral_norm: bool = _steering(
        False, "Spectral normalisation in the discriminator (TensorFlow Addons)."
    )

    datasets: tuple = _steering(
        IMAGE_DATASETS, "Image datasets to train on or to evaluate on.", heading="Data"
    )
    mocap_datasets: tuple = _steering(MOCAP_DATASETS, "Motion capture the prior is learned from.")
    val_datasets: tuple = _steering((), "train: datasets to validate on after each epoch.")
    val_shards: int = _steering(
        1,
        "train: this many last shards of each of --val_datasets are kept out of training.",
        least=1,
    )
    split: str = _option("test", "evaluate, fit: which split of --datasets.")
    use_3d_label: bool = _steering(
        True,
        "Use 3D labels, half of each batch from datasets that have them. --nouse_3d_label: none.",
    )
    trans_max: int = _steering(20, "Jitter: largest shift, pixels.")
    scale_max: float = _steering(1.23, "Jitter: largest scale.")
    scale_min: float = _steering(0.8, "Jitter: smallest scale.")
    augment_occlusion: bool = _steering(False, "Cut a square out of each crop (TensorFlow Addons).")
    augment_color: bool = _steering(False, "Jitter hue, saturation, value (TensorFlow Addons).")

    batch_size: int = _steering(64, "People per step.", least=1, heading="Training")
    epoch: int = _option(55, "Passes over the training people.", least=1)
    num_steps: int = _option(0, "Stop after this many steps instead of --epoch epochs.")
    encoder_only: bool = _steering(False, "Train without the adversarial prior.")
    e_lr: float = _steering(1e-5, "Learning rate of the encoder.")
    d_lr: float = _steering(1e-4, "Learning rate of the discriminator.")
    e_loss_weight: float = _steering(60.0, "Weight of the keypoint loss.")
    d_loss_weight: float = _steering(1.0, "Weight of the adversarial losses.")
    e_3d_weight: float = _steering(60.0, "Weight of the 3D losses.")
    clip_gradients: float = _steering(
        0.0, "Largest norm of each network's gradient; longer ones are shortened. 0: any."
    )
    freeze_backbone: bool = _steering(
        False, "Train the regressor alone, on the features of a fixed encoder."
    )
    seed: int = _steering(0, "Seed of weights, shuffling, jitter and dropout.", most=2**31 - 1)
    allow_changed_flags: bool = _option(
        False, "Go on from --load_path although flags differ from those it was trained with."
    )

    mixed_precision: str = _steering(
        "float32",
        "What the encoder computes in; float16 scales the loss. Weights and bodies are float32.",
        choices=PRECISIONS,
        heading="Machine",
    )
    xla: Optional[bool] = _steering(
        None, "Compile forward, losses and gradients with XLA. Not given: on where there is a GPU."
    )
    steps_per_execution: int = _option(
        1, "Steps that TensorFlow makes before it returns to Python.", least=1
    )
    deterministic: bool = _steering(
        False, "The same bits in every run, on GPUs too, at the price of speed."
    )
    distribute: str = _steering(
        "none",
        "mirrored: all GPUs of this machine; multi_worker: those of all machines in TF_CONFIG. "
        "--batch_size is that of all together.",
        choices=DISTRIBUTIONS,
    )
    tf_data_service: str = _steering(
        "",
        "Address of a tf.data service that decodes and crops, as grpc://host:port; the order of "
        "the people is then the service's.",
    )

    log_step: int = _option(
        10, "Steps between lines and TensorBoard's curves.", least=1, heading="Watching"
    )
    log_img_step: int = _option(
        100, "Steps between TensorBoard's pictures, meshes and histograms; 0: none."
    )
    profile_steps: tuple = _option((), "Record these steps for TensorBoard's profiler: first,last.")
    save_step: int = _option(1000, "Steps between checkpoints.", least=1)
    save_minutes: float = _option(
        30.0, "Minutes after which a checkpoint is due in any case; 0: never."
    )
    keep_checkpoints: int = _option(
        3, "How many of the newest are kept, beside the best by validation.", least=1
    )

    export_format: str = _option(
        "saved_model",
        "saved_model: for TensorFlow Serving and OpenVINO; tflite: for phones, one crop at a time.",
        choices=EXPORT_FORMATS,
        heading="Export",
    )
    export_dtype: str = _option(
        "float32",
        "What the encoder computes in. bfloat16: for CPUs that have it (AVX-512 BF16, AMX) and "
        "GPUs; float16: for GPUs, and for a tflite file of half the size.",
        choices=EXPORT_DTYPES,
    )

    protocol: str = _option(
        "",
        "evaluate: which table of the paper. Not given: the errors of mesh, joints and keypoints "
        "on --datasets.",
        choices=PROTOCOLS,
        heading="Evaluation",
    )
    allow_missing: bool = _option(
        False, "Evaluate what there is of a test set; the results say what is missing."
    )
    root: str = _option(
        "",
        "h36m, mpi_inf_3dhp: what is put upon each other before the distances are taken: the "
        "middle of the hips, or the pelvis joint. Not given: hips.",
        choices=("hips", "pelvis"),
    )
    joints: tuple = _option(
        (),
        "h36m, mpi_inf_3dhp: joints that count: 14 (LSP's), 17 (mpi_inf_3dhp only), or names. "
        "Empty: 14.",
    )
    trials: tuple = _option((), "h36m: 0, 1 or 0,1. Empty: both in protocol 1, 0 in protocol 2.")
    universal: Optional[bool] = _option(
        None,
        "mpi_inf_3dhp: compare with univ_annot3, all people in one size, or with annot3. Not "
        "given: univ_annot3.",
    )
    perspective_correction: Optional[bool] = _option(
        None,
        "mpi_inf_3dhp: turn bodies from the crop's view to the camera's, as Mehta et al. Not "
        "given: on.",
    )
    segmentation_dir: str = _option(
        "", "lsp_parts: folder of UPi-S1h with im1001_segmentation.png and so on."
    )
    part_labels: str = _option(
        "",
        "lsp_parts: which part each face of the mesh is: .npy, or the folder with GraphCMR's "
        "cube_parts.npy and vertex_texture.npy. Empty: as the skinning weights say.",
    )
    compare: tuple = _option(
        (), "evaluate: results.json files of one protocol, to put side by side; no model needed."
    )


def headings():
    """First flag of a group -> the group's title."""
    fields = dataclasses.fields(Config)
    return {f.name: f.metadata["heading"] for f in fields if f.metadata["heading"]}


def steering():
    """Names of the flags that decide what a training becomes."""
    return [field.name for field in dataclasses.fields(Config) if field.metadata["steers"]]
