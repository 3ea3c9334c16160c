"""Options of devices, precision and speed, and of logs and checkpoints."""

import dataclasses
from typing import Optional

from hmr_tf.cli.option_flags import option, step_range
from hmr_tf.cli.option_groups.training_options import train_option, training_option

PRECISIONS = ("float32", "bfloat16", "float16")
ENGINES = ("auto", "tensorflow", "openvino")
ENGINE_PRECISIONS = ("float32", "bfloat16")
DISTRIBUTIONS = ("none", "mirrored", "multi_worker")


@dataclasses.dataclass(frozen=True)
class MachineOptions:
    """Devices, precision and speed; logs and checkpoints."""

    mixed_precision: str = training_option(
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
    flip_test: bool = option(
        False,
        "Predict each crop and its mirror image, and take the mean body: somewhat better, at twice "
        "the time.",
        modes=("evaluate", "predict"),
    )
    xla: Optional[bool] = training_option(
        None, "Compile forward, losses and gradients with XLA. Not given: on where there is a GPU."
    )
    steps_per_execution: int = train_option(
        1, "Steps that TensorFlow runs per call from Python.", least=1
    )
    deterministic: bool = training_option(
        False, "The same bits in every run, on GPUs too, at the price of speed."
    )
    distribute: str = training_option(
        "none",
        "mirrored: all GPUs of this machine; multi_worker: those of all machines in TF_CONFIG. "
        "--batch_size is the global batch size.",
        choices=DISTRIBUTIONS,
    )
    worker_timeout: float = train_option(
        0.0, "Seconds to wait for the other workers of --distribute=multi_worker; 0: for ever."
    )
    tf_data_service: str = training_option(
        "",
        "Address of a tf.data service that decodes and crops, as grpc://host:port; the order of "
        "the people is then the service's.",
    )

    log_step: int = train_option(
        10, "Steps between lines and TensorBoard's curves.", least=1, heading="Logs and checkpoints"
    )
    log_img_step: int = train_option(
        100, "Steps between TensorBoard's pictures, meshes and histograms; 0: none."
    )
    profile_steps: tuple[int, ...] = train_option(
        (), "Steps to record for TensorBoard's profiler: first,last.", parse=step_range
    )
    save_step: int = train_option(1000, "Steps between checkpoints.", least=1)
    save_minutes: float = train_option(
        30.0, "Largest number of minutes between checkpoints; 0: no limit."
    )
    keep_checkpoints: int = train_option(
        3, "Number of the newest checkpoints to keep, beside the best by validation.", least=1
    )
