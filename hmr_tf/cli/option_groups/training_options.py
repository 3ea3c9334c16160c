"""Options of the network, its training data and the training."""

import dataclasses
import functools

from hmr_tf.cli.option_flags import option
from hmr_tf.cli.option_groups.file_options import READING_MODES

ENCODERS = ("resnet_v2_50", "resnet50", "resnet50v2")
IMAGE_DATASETS = ("lsp", "lsp_ext", "mpii", "coco", "h36m", "mpi_inf_3dhp")
MOCAP_DATASETS = ("CMU", "H3.6", "jointLim")

train_option = functools.partial(option, modes="train")
# Resuming with another value of these flags would give a different result.
training_option = functools.partial(train_option, affects_training=True)


@dataclasses.dataclass(frozen=True)
class TrainingOptions:
    """The network, its training data and the training."""

    encoder: str = training_option(
        "resnet_v2_50",
        "resnet_v2_50: the original's, of slim; the others: keras.applications.",
        choices=ENCODERS,
        heading="Network",
    )
    img_size: int = training_option(224, "Side of the network's input, pixels.", least=32)
    num_stage: int = training_option(
        3, "Stages of the iterative regressor.", modes=("train", "import_tf1"), least=1
    )
    bn_momentum: float = training_option(
        0.997, "Batch norm: share of the old moving statistics kept per step.", most=1
    )
    critic_spectral_norm: bool = training_option(
        False, "Spectral normalization in the discriminator (TensorFlow Addons)."
    )

    datasets: tuple[str, ...] = training_option(
        IMAGE_DATASETS, "Image datasets.", modes=READING_MODES, heading="Data"
    )
    mocap_datasets: tuple[str, ...] = training_option(
        MOCAP_DATASETS, "Motion capture, the discriminator's real bodies."
    )
    val_datasets: tuple[str, ...] = training_option((), "Datasets to validate on after each epoch.")
    val_shards: int = training_option(
        1, "Last shards of each of --val_datasets, held out of training to validate on.", least=1
    )
    split: str = option("test", "Split of --datasets.", modes=("evaluate", "fit"))
    use_3d_label: bool = training_option(
        True,
        "Use 3D labels, half of each batch from datasets that have them. --nouse_3d_label: none.",
    )
    trans_max: int = training_option(20, "Jitter: largest translation, pixels.")
    scale_max: float = training_option(1.23, "Jitter: largest scale.")
    scale_min: float = training_option(0.8, "Jitter: smallest scale.")
    augment_occlusion: bool = training_option(
        False, "Cut a square out of each crop (TensorFlow Addons)."
    )
    augment_color: bool = training_option(
        False, "Jitter hue, saturation, value (TensorFlow Addons)."
    )
    augment_truncation: float = training_option(
        0.0, "Share of the people that are cut off, as by the border of a photograph.", most=1
    )
    augment_rotation: float = training_option(
        0.0, "Largest rotation of the crop with its labels, degrees.", most=45
    )

    batch_size: int = training_option(
        64, "People per step.", modes=READING_MODES, least=1, heading="Training"
    )
    epoch: int = train_option(55, "Passes over the training people.", least=1)
    num_steps: int = train_option(0, "Stop after this many steps instead of --epoch epochs.")
    encoder_only: bool = training_option(False, "Train without the adversarial prior.")
    e_lr: float = training_option(1e-5, "Learning rate of the encoder.")
    e_lr_end: float = training_option(
        0.0, "Learning rate of the encoder at the last step, linear from --e_lr on. 0: constant."
    )
    d_lr: float = training_option(1e-4, "Learning rate of the discriminator.")
    e_loss_weight: float = training_option(60.0, "Weight of the keypoint loss.")
    d_loss_weight: float = training_option(1.0, "Weight of the adversarial losses.")
    e_3d_weight: float = training_option(60.0, "Weight of the 3D losses.")
    clip_gradients: float = training_option(
        0.0, "Largest norm of each network's gradient; longer ones are shortened. 0: no limit."
    )
    freeze_backbone: bool = training_option(
        False, "Train the regressor only, on the features of a fixed encoder."
    )
    frozen_stages: int = training_option(
        0,
        "Number of the encoder's first stages that are not trained, batch norm included: a third "
        "less time per step with 3.",
        most=4,
    )
    seed: int = training_option(
        0, "Seed of weights, shuffling, jitter and dropout.", most=2**31 - 1
    )
    allow_changed_flags: bool = train_option(
        False, "Resume from --load_path although flags differ from those it was trained with."
    )
