"""--mode=evaluate: errors of a trained model on labelled people."""

from hmr_tf.cli.command_line import timed_phase
from hmr_tf.cli.mode_steps import (
    announce_and_load_tensorflow,
    load,
    make_engine,
    model_name,
    output_folder,
    require_flags,
)


def evaluate(options):
    """Measures errors on labelled people; prints them and writes results.json to --output_dir."""
    if options.compare:
        _compare(options)
    else:
        _evaluate(options)


def _compare(options):
    """Results of earlier runs side by side."""
    announce_and_load_tensorflow(options)
    from hmr_tf.evaluation import evaluate_protocol

    with output_folder(options) as folder:
        print(evaluate_protocol.compare(options.compare, folder))


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
