"""--mode=evaluate: errors on people whose truth is known; printed and written to results.json."""

import json

from hmr_tf import atomic
from hmr_tf.modes.steps import load, needs, output, phase


def evaluate(options):
    """--mode=evaluate: errors on people whose truth is known; prints them, writes results.json."""
    if options.compare:
        _compare(options)
    elif options.protocol:
        _evaluate_protocol(options)
    else:
        _evaluate_people(options)


def _compare(options):
    """Results of earlier runs side by side."""
    from hmr_tf.evaluation import run

    with output(options) as folder:
        print(run.compare(options.compare, folder))


def _evaluate_protocol(options):
    """One table of the paper."""
    needs(options, "load_path", "data_dir")
    with phase("Loading TensorFlow"):
        from hmr_tf.evaluation import protocols, results, run
    given = {name: getattr(options, name) for name in protocols.varying(options.protocol)}
    with phase("Reading the truth"):
        plan = run.plan(options.protocol, options.data_dir, given, options.allow_missing)
    hmr = load(options)
    with output(options) as folder:
        found = run.evaluate(plan, hmr, options.load_path, options.batch_size, folder)
    print(results.describe(found))
    print(f"\nwritten to {folder}: {', '.join(run.written(folder))}")


def _evaluate_people(options):
    """The errors of mesh, joints and keypoints on any converted dataset."""
    needs(options, "load_path", "data_dir")
    from hmr_tf.data import shard_files

    files = {
        name: shard_files.find(options.data_dir, name, options.split) for name in options.datasets
    }
    hmr = load(options)
    from hmr_tf.evaluation import people

    with output(options) as folder:
        results = people.Evaluation(hmr, files, options.batch_size).run()
        for name, text in people.DESCRIPTIONS.items():
            if name in results:
                print(f"{results[name]:8.2f}  {text}")
        path = folder / "results.json"
        content = json.dumps({**results, "load_path": options.load_path}, indent=2)
        atomic.write_text(path, content + "\n")
    print(f"{results['people']:8d}  people; written to {path}")
