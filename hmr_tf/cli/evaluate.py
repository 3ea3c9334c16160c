"""--mode=evaluate: errors of a trained model on labelled people."""

from hmr_tf.cli.startup import begin, load, model_name, needs, output, phase


def evaluate(options):
    """Measures errors on labelled people; prints them and writes results.json to --output_dir."""
    if options.compare:
        _compare(options)
    else:
        _evaluate(options)


def _compare(options):
    """Results of earlier runs side by side."""
    begin(options)
    from hmr_tf.evaluation import evaluate_protocol

    with output(options) as folder:
        print(evaluate_protocol.compare(options.compare, folder))


def _evaluate(options):
    needs(options, "data_dir")
    begin(options)
    from hmr_tf.evaluation import evaluate_protocol
    from hmr_tf.evaluation.protocols import body_errors, published
    from hmr_tf.evaluation.report import results

    protocol = options.protocol or published.DEFAULT
    # Without --protocol the flags of the protocols are ignored.
    names = published.varying(protocol) if options.protocol else ("datasets", "split")
    given = {name: getattr(options, name) for name in names}
    with phase("Reading the labels"):
        plan = evaluate_protocol.plan(
            protocol, options.data_dir, given, allow_missing=options.allow_missing
        )
    hmr = load(options)
    with output(options) as folder:
        content = evaluate_protocol.evaluate(
            plan, hmr, model_name(options), options.batch_size, folder
        )
    print(results.describe(content) if options.protocol else body_errors.describe(content))
    print(f"\nwritten to {folder}: {', '.join(evaluate_protocol.written(folder))}")
