"""--mode=evaluate: errors of a trained model on labelled people."""

from hmr_tf.cli.command_line import timed_phase
from hmr_tf.cli.mode_steps import (
    announce_and_load_tensorflow,
    load,
    load_with_body,
    make_engine,
    model_name,
    output_folder,
    report_left_out,
    require_flags,
)


def evaluate(options):
    """Measures errors on labelled people; prints them and writes results.json to --output_dir."""
    if options.compare:
        return _compare(options)
    if options.protocol == "coco_keypoints":
        return _evaluate_photographs(options)
    return _evaluate(options)


def _compare(options):
    """Results of earlier runs side by side."""
    announce_and_load_tensorflow(options)
    from hmr_tf.evaluation import evaluate_protocol

    with output_folder(options) as folder:
        print(evaluate_protocol.compare(options.compare, folder, options.smpl_model_path))
        print(f"\nwritten to {folder}: comparison.html")


def _evaluate(options):
    require_flags(options, "data_dir")
    announce_and_load_tensorflow(options)
    from hmr_tf.evaluation import evaluate_protocol
    from hmr_tf.evaluation.protocols import body_errors, protocol_registry
    from hmr_tf.evaluation.report import results

    protocol = options.protocol or protocol_registry.DEFAULT
    # Without --protocol the flags of the protocols are ignored.
    names = protocol_registry.variant_flags(protocol) if options.protocol else ("datasets", "split")
    given = {name: getattr(options, name) for name in names}
    with timed_phase("Reading the labels"):
        plan = evaluate_protocol.plan(
            protocol, options.data_dir, given, allow_missing=options.allow_missing
        )
    hmr = load(options)
    with output_folder(options) as folder:
        content = evaluate_protocol.evaluate(
            plan,
            hmr,
            model_name(options),
            batch_size=options.batch_size,
            output_dir=folder,
            engine=make_engine(options, hmr),
        )
    print(results.describe(content) if options.protocol else body_errors.describe(content))
    print(f"\nwritten to {folder}: {', '.join(evaluate_protocol.report_files(folder))}")


def _evaluate_photographs(options):
    """Returns the exit code: 1 where a box among others was left out."""
    require_flags(options, "data_dir")
    announce_and_load_tensorflow(options)
    from hmr_tf.evaluation.coco import evaluate_photographs
    from hmr_tf.evaluation.protocols import protocol_registry
    from hmr_tf.evaluation.report import results

    names = protocol_registry.variant_flags(options.protocol)
    with timed_phase("Reading the labels"):
        plan = evaluate_photographs.plan(
            options.data_dir,
            {name: getattr(options, name) for name in names},
            allow_missing=options.allow_missing,
        )
    model = _model_of_photographs(options)
    with output_folder(options) as folder:
        content, problems = evaluate_photographs.evaluate(
            plan, model, model_name(options), output_dir=folder
        )
    print(results.describe(content))
    print(f"\nwritten to {folder}: {', '.join(evaluate_photographs.FILES)}")
    return report_left_out(problems)


def _model_of_photographs(options):
    from hmr_tf.inference.detection.detector import Detector
    from hmr_tf.inference.model import Model

    hmr, body = load_with_body(options)
    detector = Detector(options.detector) if options.detector else None
    return Model(hmr, body, detector, engine=make_engine(options, hmr))
