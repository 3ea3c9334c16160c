"""--mode=evaluate: errors of a trained model on labelled people."""

import json

from hmr_tf.cli.startup import load, model_name, needs, output, phase
from hmr_tf.files import atomic


def evaluate(options):
    """Measures errors on labelled people; prints them and writes results.json to --output_dir."""
    if options.compare:
        _compare(options)
    elif options.protocol:
        _evaluate_protocol(options)
    else:
        _evaluate_people(options)


def _compare(options):
    """Results of earlier runs side by side."""
    from hmr_tf.evaluation import evaluate_protocol

    with output(options) as folder:
        print(evaluate_protocol.compare(options.compare, folder))


def _evaluate_protocol(options):
    """One table of the paper."""
    needs(options, "data_dir")
    with phase("Loading TensorFlow"):
        from hmr_tf.evaluation import evaluate_protocol
        from hmr_tf.evaluation.protocols import published
        from hmr_tf.evaluation.report import results
    given = {name: getattr(options, name) for name in published.varying(options.protocol)}
    with phase("Reading the truth"):
        plan = evaluate_protocol.plan(
            options.protocol, options.data_dir, given, options.allow_missing
        )
    hmr = load(options)
    with output(options) as folder:
        found = evaluate_protocol.evaluate(
            plan, hmr, model_name(options), options.batch_size, folder
        )
    print(results.describe(found))
    print(f"\nwritten to {folder}: {', '.join(evaluate_protocol.written(folder))}")


def _evaluate_people(options):
    """The errors of mesh, joints and keypoints on any converted dataset."""
    needs(options, "data_dir")
    from hmr_tf.data import shards

    files = {name: shards.find(options.data_dir, name, options.split) for name in options.datasets}
    hmr = load(options)
    from hmr_tf.evaluation.protocols import body_errors

    with output(options) as folder:
        results = body_errors.Evaluation(hmr, files, options.batch_size).run()
        for name, text in body_errors.DESCRIPTIONS.items():
            if name in results:
                print(f"{results[name]:8.2f}  {text}")
        path = folder / "results.json"
        content = json.dumps({**results, "load_path": model_name(options)}, indent=2)
        atomic.write_text(path, content + "\n")
    print(f"{results['people']:8d}  people; written to {path}")
