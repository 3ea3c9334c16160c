"""TF_CONFIG of several workers: checked as a whole, wrong ones are refused in one line."""

import json
from types import SimpleNamespace

import pytest
import tensorflow as tf

from hmr_tf.files.errors import InputError
from hmr_tf.training import cluster, distribution


def config(kind="worker", index=0, **jobs):
    return json.dumps({"cluster": jobs, "task": {"type": kind, "index": index}})


@pytest.mark.parametrize(
    ("text", "index"),
    [
        (config(index=1, worker=["a:1", "b:2"]), 1),
        (config(index="1", worker=["a:1", "b:2"]), 1),
        (config("chief", chief=["c:3"], worker=["a:1", "b:2"]), 0),
        (config(index=1, chief=["c:3"], worker=["a:1", "b:2"]), 2),
        (config(index=1.0, worker=["a:1", "b:2"]), 1),
        (config(worker=["a.b-c.svc:2222", "[::1]:80", "tf_job-0.:1", "[::ffff:1.2.3.4]:2"]), 0),
    ],
)
def test_cluster_counts_the_chief_first_as_tensorflow_does(text, index):
    parsed = cluster.read_config(text)
    assert parsed.index == index
    content = json.loads(text)
    jobs = content["cluster"]
    resolver = tf.distribute.cluster_resolver.SimpleClusterResolver(
        tf.train.ClusterSpec(jobs),
        task_type=content["task"]["type"],
        task_id=int(content["task"]["index"]),
    )
    strategy = SimpleNamespace(cluster_resolver=resolver)
    assert distribution.worker_index(strategy) == index
    assert distribution.num_workers(strategy) == len(parsed.addresses)
    assert parsed.jobs == jobs
    assert parsed.task == (content["task"]["type"], int(content["task"]["index"]))


def test_cluster_leaves_out_jobs_that_do_not_train():
    """Kubernetes' TFJob names them; TensorFlow would wait for the evaluator for ever."""
    text = config("chief", chief=["c:3"], worker=["a:1"], ps=["p:1"], evaluator=["x"], other=5)
    assert cluster.read_config(text).jobs == {"chief": ["c:3"], "worker": ["a:1"]}


def test_cluster_knows_a_chief_by_its_old_name():
    for kind, task in (("master", ("chief", 0)), ("worker", ("worker", 0))):
        parsed = cluster.read_config(config(kind, master=["c:3"], worker=["a:1"]))
        assert parsed.jobs == {"chief": ["c:3"], "worker": ["a:1"]}
        assert parsed.task == task


def test_cluster_spells_an_address_in_one_way():
    parsed = cluster.read_config(config(worker=["grpc://A:1", "b:0002"]))
    assert parsed.addresses == ("a:1", "b:2")


def test_cluster_of_one_worker_needs_no_index():
    text = json.dumps({"cluster": {"worker": ["a:1"]}, "task": {"type": "worker"}})
    assert cluster.read_config(text).index == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (config(index=2, worker=["a:1", "b:2"]), "index is 2, of 2 of type worker"),
        (config(index=-1, worker=["a:1", "b:2"]), "index is -1"),
        (config(index=None, worker=["a:1"]), "index is null"),
        (config(index=True, worker=["a:1", "b:2"]), "index is true"),
        (config(index=0.5, worker=["a:1"]), "index is 0.5"),
        (config(index="x", worker=["a:1"]), 'index is "x"'),
        (config(index="9" * 9_999, worker=["a:1"]), r'index is "9+\.\.\., of 1'),
        ('{"cluster": {"worker": ["a:1", "b:1"]}, "task": {"type": "worker"}}', "index is null"),
        (config(worker=["a", "b:2"]), 'address "a" is not HOST:PORT'),
        (config(worker=["a:1", "b:"]), 'address "b:" is not HOST:PORT'),
        (config(worker=["a:1", "b:99999"]), 'address "b:99999" is not'),
        (config(worker=["a:1", "b:0"]), 'address "b:0" is not'),
        (config(worker=["a:1", "http://b:80"]), 'address "http://b:80" is not'),
        (config(worker=["a:1", "::1:80"]), 'address "::1:80" is not'),
        (config(worker=["a:1", "b..c:80"]), r'address "b\.\.c:80" is not'),
        (config(worker=["a:1", "b" * 64 + ":80"]), "is not HOST:PORT"),
        (config(worker=["a:1", "\x1b[2J\n:80"]), r'address "\\u001b\[2J\\n:80" is not'),
        (config(worker=["a:1", "\ud800:80"]), r'address "\\ud800:80" is not'),
        (config(worker=["a:1", 5]), "address 5 is not"),
        (config(worker="a:1,b:2"), 'worker is "a:1,b:2", not a list'),
        (config(worker={"0": "a:1"}), r'worker is {"0": "a:1"}, not a list'),
        (config(worker=["a:1", "a:1"]), "address a:1 comes twice"),
        (config(worker=["a:1", "grpc://A:01"]), "address a:1 comes twice"),
        (config(chief=["a:1"], worker=["a:1"]), "address a:1 comes twice"),
        (config("chief", chief=["a:1", "b:1"]), "2 chiefs"),
        (config("chief", chief=["a:1"], master=["b:1"]), "2 chiefs"),
        (config(workers=["a:1"]), "has no worker; it has: workers"),
        (config(), "has no worker; it has: nothing"),
        (config("evaluator", worker=["a:1"]), 'type is "evaluator"; only chief and worker'),
        (config("ps", ps=["a:1"]), 'type is "ps"'),
        (config(None, worker=["a:1"]), "task has no type"),
        ("[]", r"\[\] is no object with cluster and task"),
        ("{}", "no cluster"),
        ('{"cluster": {}, "task": null}', "task is null"),
        ('{"cluster": ["a:1"], "task": {}}', r'cluster is \["a:1"\]'),
        ("{'cluster': 1}", "is not JSON, which has double quotes"),
        ("[" * 100_000, "is not JSON"),
        (" ", "needs the environment variable TF_CONFIG"),
    ],
)
def test_cluster_names_what_is_wrong_in_one_line(text, message):
    with pytest.raises(InputError, match=message) as error:
        cluster.read_config(text)
    assert str(error.value).isprintable()
    assert len(str(error.value)) < 400
