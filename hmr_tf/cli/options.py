"""Every option of `python -m hmr_tf.main`: default, unit, help, and the modes that use it.

Names and meanings are the original's `config.py`; values are the paper's, as in its `do_train.sh`.
`cli.option_flags` makes the flags.
"""

import dataclasses
import functools
from typing import Optional

from hmr_tf.cli.option_flags import joint_names, option, pixels, step_range, trials
from hmr_tf.files.errors import InputError

MODES = ("train", "evaluate", "predict", "fit", "export", "import_tf1", "quickstart")
PRECISIONS = ("float32", "bfloat16", "float16")
ENGINES = ("auto", "tensorflow", "openvino")
ENGINE_PRECISIONS = ("float32", "bfloat16")
DISTRIBUTIONS = ("none", "mirrored", "multi_worker")
ENCODERS = ("resnet_v2_50", "resnet50", "resnet50v2")
PHOTO_FORMATS = ("overlay", "panels", "transparent", "obj", "ply", "npz")
MOTION_FORMATS = ("glb", "bvh", "amass", "viewer", "measure")
IMAGE_DATASETS = ("lsp", "lsp_ext", "mpii", "coco", "h36m", "mpi_inf_3dhp")
PROTOCOLS = (
    "h36m_p1",
    "h36m_p2",
    "mpi_inf_3dhp",
    "lsp_parts",
    "keypoints2d",
    "body_errors",
)
MOCAP_DATASETS = ("CMU", "H3.6", "jointLim")
EXPORT_FORMATS = ("saved_model", "tflite")
EXPORT_DTYPES = ("float32", "bfloat16", "float16")


# Names of MODES: those that load a trained model, those that read TFRecords.
_LOADING = ("train", "evaluate", "predict", "fit", "export", "import_tf1")
_READING = ("train", "evaluate", "fit")


_train = functools.partial(option, modes="train")
_predict = functools.partial(option, modes="predict")
_evaluate = functools.partial(option, modes="evaluate")
_export = functools.partial(option, modes="export")
# Resuming with another value of these flags would give a different result.
_training_option = functools.partial(_train, affects_training=True)


@dataclasses.dataclass(frozen=True)
class Options:
    """The flags of one run. An empty path or tuple means "not given"."""

    mode: str = option("", "What to do.", modes=(), choices=MODES)

    smpl_model_path: str = option(
        "",
        "SMPL model, .pkl or .npz (smpl.is.tue.mpg.de), or a folder with one. Empty: that of "
        "--load_path, else $SMPL_MODEL_PATH, else one in models/, else the CC0 body of hmr_tf.",
        modes=_LOADING,
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
        modes=_LOADING,
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
        "", "Folder of TFRecords, as data_prep/to_tfrecords.py writes it.", modes=_READING
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

    img_path: str = option(
        "",
        "Photograph (JPEG, PNG, BMP, WebP, TIFF), a folder of them, or a pattern such as "
        "'a/*.jpg'. For quickstart one photograph.",
        modes=("predict", "quickstart"),
        heading="Prediction",
    )
    video_path: str = _predict("", "Video file, instead of --img_path.")
    webcam: int = _predict(
        -1,
        "Number of a camera: it is recorded, while a page on this computer shows its people; then "
        "the recording is predicted.",
        least=-1,
    )
    num_frames: int = _predict(0, "Frames to record with --webcam; 0: until Ctrl-C.")
    box: tuple[float, ...] = _predict(
        (),
        "Box around the person: x,y,width,height in pixels. Empty: --boxes or --json_path, else "
        "the people that --detector finds, else the one person that the network itself finds.",
        parse=pixels("x,y,width,height"),
    )
    boxes: str = _predict(
        "",
        "Boxes of people: OpenPose's JSON or a folder of it, COCO's JSON, or a CSV with "
        "image,x,y,width,height.",
    )
    category: str = _predict(
        "", "Category of COCO's JSON in --boxes that is predicted. Empty: person."
    )
    strict: bool = _predict(
        False,
        "Refuse files with unusable entries before the work. Otherwise these are left out and "
        "named, exit code 1.",
    )
    json_path: str = _predict(
        "", "OpenPose's JSON of the photograph; the most confident person is predicted."
    )
    detector: str = _predict(
        "",
        "Folder of the person detector, as tools.movenet makes it. Empty: models/movenet if it is "
        "there.",
    )
    focal_px: float = _predict(0.0, "Focal length, pixels of the photograph; 0: a default.")
    principal_px: tuple[float, ...] = _predict(
        (), "Principal point: x,y in pixels. Empty: the middle.", parse=pixels("x,y")
    )
    smooth: str = _predict(
        "none", "Filter of the motion in a video.", choices=("none", "one_euro", "savgol")
    )
    refine: bool = _predict(
        False,
        "Refine each predicted body by fitting it to BlazePose landmarks (install: "
        "tools.blazepose).",
    )
    fit_steps: int = option(250, "Steps of gradient descent.", modes="fit", least=5)
    write: tuple[str, ...] = _predict(
        ("overlay", "obj", "npz"),
        f"Output formats of photographs: {', '.join(PHOTO_FORMATS)}, {', '.join(MOTION_FORMATS)}. "
        f"Of videos: overlay, npz, {', '.join(MOTION_FORMATS)}.",
    )
    up_axis: str = _predict("y", "Up axis of meshes and motions.", choices=("y", "z"))

    encoder: str = _training_option(
        "resnet_v2_50",
        "resnet_v2_50: the original's, of slim; the others: keras.applications.",
        choices=ENCODERS,
        heading="Network",
    )
    img_size: int = _training_option(224, "Side of the network's input, pixels.", least=32)
    num_stage: int = _training_option(
        3, "Stages of the iterative regressor.", modes=("train", "import_tf1"), least=1
    )
    bn_momentum: float = _training_option(
        0.997, "Batch norm: share of the old moving statistics kept per step.", most=1
    )
    critic_spectral_norm: bool = _training_option(
        False, "Spectral normalization in the discriminator (TensorFlow Addons)."
    )

    datasets: tuple[str, ...] = _training_option(
        IMAGE_DATASETS, "Image datasets.", modes=_READING, heading="Data"
    )
    mocap_datasets: tuple[str, ...] = _training_option(
        MOCAP_DATASETS, "Motion capture, the discriminator's real bodies."
    )
    val_datasets: tuple[str, ...] = _training_option(
        (), "Datasets to validate on after each epoch."
    )
    val_shards: int = _training_option(
        1, "Last shards of each of --val_datasets, held out of training to validate on.", least=1
    )
    split: str = option("test", "Split of --datasets.", modes=("evaluate", "fit"))
    use_3d_label: bool = _training_option(
        True,
        "Use 3D labels, half of each batch from datasets that have them. --nouse_3d_label: none.",
    )
    trans_max: int = _training_option(20, "Jitter: largest translation, pixels.")
    scale_max: float = _training_option(1.23, "Jitter: largest scale.")
    scale_min: float = _training_option(0.8, "Jitter: smallest scale.")
    augment_occlusion: bool = _training_option(
        False, "Cut a square out of each crop (TensorFlow Addons)."
    )
    augment_color: bool = _training_option(
        False, "Jitter hue, saturation, value (TensorFlow Addons)."
    )
    augment_truncation: float = _training_option(
        0.0, "Share of the people that are cut off, as by the border of a photograph.", most=1
    )
    augment_rotation: float = _training_option(
        0.0, "Largest rotation of the crop with its labels, degrees.", most=45
    )

    batch_size: int = _training_option(
        64, "People per step.", modes=_READING, least=1, heading="Training"
    )
    epoch: int = _train(55, "Passes over the training people.", least=1)
    num_steps: int = _train(0, "Stop after this many steps instead of --epoch epochs.")
    encoder_only: bool = _training_option(False, "Train without the adversarial prior.")
    e_lr: float = _training_option(1e-5, "Learning rate of the encoder.")
    e_lr_end: float = _training_option(
        0.0, "Learning rate of the encoder at the last step, linear from --e_lr on. 0: constant."
    )
    d_lr: float = _training_option(1e-4, "Learning rate of the discriminator.")
    e_loss_weight: float = _training_option(60.0, "Weight of the keypoint loss.")
    d_loss_weight: float = _training_option(1.0, "Weight of the adversarial losses.")
    e_3d_weight: float = _training_option(60.0, "Weight of the 3D losses.")
    clip_gradients: float = _training_option(
        0.0, "Largest norm of each network's gradient; longer ones are shortened. 0: no limit."
    )
    freeze_backbone: bool = _training_option(
        False, "Train the regressor only, on the features of a fixed encoder."
    )
    frozen_stages: int = _training_option(
        0,
        "Number of the encoder's first stages that are not trained, batch norm included: a third "
        "less time per step with 3.",
        most=4,
    )
    seed: int = _training_option(
        0, "Seed of weights, shuffling, jitter and dropout.", most=2**31 - 1
    )
    allow_changed_flags: bool = _train(
        False, "Resume from --load_path although flags differ from those it was trained with."
    )

    mixed_precision: str = _training_option(
        "float32",
        "Precision of the encoder; float16 scales the loss. Weights and bodies are float32.",
        choices=PRECISIONS,
        heading="Machine",
    )
    engine: str = option(
        "auto",
        "What computes the network. openvino: the fastest on CPUs (pip install openvino). auto: "
        "that, where it is installed and there is no GPU, else TensorFlow.",
        modes=("evaluate", "predict"),
        choices=ENGINES,
    )
    precision: str = option(
        "float32",
        "Precision of the encoder in prediction. bfloat16: for CPUs that have it (AVX-512 BF16, "
        "AMX) and GPUs; joints move by millimetres.",
        modes=("evaluate", "predict"),
        choices=ENGINE_PRECISIONS,
    )
    xla: Optional[bool] = _training_option(
        None, "Compile forward, losses and gradients with XLA. Not given: on where there is a GPU."
    )
    steps_per_execution: int = _train(
        1, "Steps that TensorFlow runs per call from Python.", least=1
    )
    deterministic: bool = _training_option(
        False, "The same bits in every run, on GPUs too, at the price of speed."
    )
    distribute: str = _training_option(
        "none",
        "mirrored: all GPUs of this machine; multi_worker: those of all machines in TF_CONFIG. "
        "--batch_size is that of all together.",
        choices=DISTRIBUTIONS,
    )
    worker_timeout: float = _train(
        0.0, "Seconds to wait for the other workers of --distribute=multi_worker; 0: for ever."
    )
    tf_data_service: str = _training_option(
        "",
        "Address of a tf.data service that decodes and crops, as grpc://host:port; the order of "
        "the people is then the service's.",
    )

    log_step: int = _train(
        10, "Steps between lines and TensorBoard's curves.", least=1, heading="Logs and checkpoints"
    )
    log_img_step: int = _train(
        100, "Steps between TensorBoard's pictures, meshes and histograms; 0: none."
    )
    profile_steps: tuple[int, ...] = _train(
        (), "Steps to record for TensorBoard's profiler: first,last.", parse=step_range
    )
    save_step: int = _train(1000, "Steps between checkpoints.", least=1)
    save_minutes: float = _train(
        30.0, "Largest number of minutes between checkpoints; 0: no limit."
    )
    keep_checkpoints: int = _train(
        3, "Number of the newest checkpoints to keep, beside the best by validation.", least=1
    )

    export_format: str = _export(
        "saved_model",
        "saved_model: for TensorFlow Serving and OpenVINO; tflite: for phones, one crop at a time.",
        choices=EXPORT_FORMATS,
        heading="Export",
    )
    export_dtype: str = _export(
        "float32",
        "Precision of the encoder. bfloat16: for CPUs that have it (AVX-512 BF16, AMX) and "
        "GPUs; float16: for GPUs, and for a tflite file of half the size.",
        choices=EXPORT_DTYPES,
    )

    protocol: str = _evaluate(
        "",
        "Table of the paper to measure; or, on any --datasets, keypoints2d, or body_errors: mesh, "
        "joints and keypoints. Not given: body_errors.",
        choices=PROTOCOLS,
        heading="Evaluation",
    )
    allow_missing: bool = _evaluate(
        False, "Evaluate a test set that is incomplete; the results list what is missing."
    )
    root: str = _evaluate(
        "",
        "Origin of both bodies before distances are taken, for h36m and mpi_inf_3dhp: the middle "
        "of the hips, or the pelvis joint. Not given: hips.",
        choices=("hips", "pelvis"),
    )
    joints: tuple[str, ...] = _evaluate(
        (),
        "Joints to measure, for h36m and mpi_inf_3dhp: 14 (LSP's), 17 (mpi_inf_3dhp only), or "
        "names. Empty: 14.",
        parse=joint_names,
    )
    trials: tuple[int, ...] = _evaluate(
        (),
        "Trials of h36m: 0, 1 or 0,1. Empty: both in protocol 1, 0 in protocol 2.",
        parse=trials,
    )
    universal: Optional[bool] = _evaluate(
        None,
        "Compare with univ_annot3 of mpi_inf_3dhp, all people in one size, or with annot3. Not "
        "given: univ_annot3.",
    )
    perspective_correction: Optional[bool] = _evaluate(
        None,
        "Rotate bodies of mpi_inf_3dhp from the crop's view to the camera's, as Mehta et al. Not "
        "given: on.",
    )
    segmentation_dir: str = _evaluate(
        "", "Folder of UPi-S1h with im1001_segmentation.png and so on, for lsp_parts."
    )
    part_labels: str = _evaluate(
        "",
        "Part of each face of the mesh, for lsp_parts: .npy, or the folder with GraphCMR's "
        "cube_parts.npy and vertex_texture.npy. Empty: from the skinning weights.",
    )
    mocap_ranges: str = _evaluate(
        "",
        "Folder of motion capture, as tfrecords/mocap_neutrMosh, for keypoints2d: joint angles "
        "outside its middle 99 % are counted as impossible. Empty: not measured.",
    )
    compare: tuple[str, ...] = _evaluate(
        (), "results.json files of one protocol, to put side by side; no model needed."
    )

    def __post_init__(self):
        if not 0 < self.scale_min <= self.scale_max:
            raise InputError(
                f"--scale_min={self.scale_min} and --scale_max={self.scale_max}: the jitter's "
                "scales must be above 0, the smaller one first."
            )

    def training_flags(self):
        """Name -> value of the flags that affect the training result."""
        return {name: getattr(self, name) for name in training_flags()}


def training_flags():
    """Names of the flags that affect the training result."""
    return [
        field.name for field in dataclasses.fields(Options) if field.metadata["affects_training"]
    ]
