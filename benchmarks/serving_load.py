"""Latency of a served model against requests per second, at several batch sizes.

    python -m benchmarks.serving_load --saved_model=saved_model/1 [--batch_sizes=1,8,32]
    python -m benchmarks.serving_load --url=http://localhost:8501 [--rates=10,20,40]
    python -m benchmarks.serving_load --service_ms=4,0.7 [--rates=100,1000,1400]

A request is one photograph with one box. Requests arrive at random (Poisson, seeded) and do not
wait for earlier results, as those of many users, so that a server that is too slow shows it:
latency, counted from the arrival, grows and the rate stays at the server's capacity. Without a
server the SavedModel runs here behind a queue with the rules of TensorFlow Serving's batching. With
--url (http:// for REST, grpc:// for gRPC, which needs tensorflow-serving-api) the server batches.
--service_ms=FIXED,EACH computes the queue alone, without a model and without waiting: a batch of n
photographs takes FIXED + n * EACH milliseconds.
"""

import argparse
import functools
import math
import time
import urllib.parse
from pathlib import Path

import numpy as np

import benchmarks
from benchmarks.batching.batch_queue import Rules, read_rules
from benchmarks.batching.batch_threads import SimulatedThreads, Threads, serve
from examples import serving_client
from hmr_tf.files.errors import InputError
from hmr_tf.serving import saved_model

PHOTO = Path(__file__).parents[1] / "hmr_tf" / "assets" / "astronaut.jpg"
BOX = [20.0, 0.0, 440.0, 512.0]
CONNECTIONS = 256  # requests that a server has at once
PORTS = {"http": 8501, "grpc": 8500}
ROW = "{:>10}{:>12}{:>10}{:>9}{:>14}{:>9}{:>9}"
HEADER = ("max batch", "requests/s", "served/s", "refused", "mean batch", "p50 ms", "p99 ms")


def poisson_arrivals(rate, seconds, seed):
    """(N,) ascending times in seconds of independent requests, `rate` a second on average."""
    gaps = np.random.default_rng(seed).exponential(1 / rate, max(1, round(rate * seconds)))
    return np.cumsum(gaps)


def in_process(folder):
    """Function of the SavedModel: predicts a number of photographs."""
    if not (Path(folder) / "saved_model.pb").is_file():
        raise InputError(f"--saved_model={folder} holds no saved_model.pb: name an export.")
    import tensorflow as tf

    signature = tf.saved_model.load(str(folder)).signatures["predict_image_bytes"]
    photo = PHOTO.read_bytes()

    def predict(number):
        outputs = signature(image_bytes=tf.fill([number], photo), boxes=tf.constant([BOX] * number))
        return [value.numpy() for value in outputs.values()]

    return predict


def client(url):
    """Function that sends one request to a server: False if it is refused.

    Raises:
      InputError: no address; no server there; a first request is refused.
    """
    parts = urllib.parse.urlsplit(url)
    try:
        port = parts.port or PORTS.get(parts.scheme)
    except ValueError:  # not a number up to 65535
        port = None
    if not port or parts.scheme not in PORTS or not parts.hostname:
        raise InputError(
            f"--url={url} is not an address as http://localhost:8501 or grpc://host:8500."
        )
    model = parts.path.rpartition("/")[2].partition(":")[0] or "hmr"
    kinds = {"http": serving_client.request_rest, "grpc": serving_client.request_grpc}
    send = functools.partial(
        kinds[parts.scheme], parts.hostname, port, model, PHOTO.read_bytes(), [BOX]
    )
    try:
        send()
    except (SystemExit, ImportError) as error:
        raise InputError(f"--url={url}: {error}") from None

    def request(_):
        try:
            send()
        except SystemExit:  # how the client reports that it was refused
            return False
        return True

    return request


def best_seconds(predict, number, repeats=5):
    """Shortest time of a batch; the first call makes TensorFlow's plan."""
    predict(number)
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        predict(number)
        times.append(time.perf_counter() - start)
    return min(times)


def print_row(name, rate, report):
    latencies = report.latencies if len(report.latencies) else np.array([math.nan])
    p50, p99 = 1e3 * np.percentile(latencies, (50, 99))
    mean_batch = len(report.latencies) / max(report.num_batches, 1)
    row = (name, rate, f"{report.rate:.1f}", report.refused, f"{mean_batch:.1f}")
    print(ROW.format(*row, f"{p50:.1f}", f"{p99:.1f}"), flush=True)


def service_times(text):
    """For `add_argument(type=...)`: FIXED,EACH in milliseconds -> both in seconds."""
    try:
        fixed, each = (1e-3 * float(part) for part in text.split(","))
    except ValueError:
        fixed = each = math.nan
    if fixed >= 0 < each < math.inf:
        return fixed, each
    raise argparse.ArgumentTypeError(f"{text!r} is not FIXED,EACH in milliseconds, as 4,0.7")


def rules_of_export(max_batch_size, num_batch_threads=None):
    """Rules of the file that comes with an export, with another size and number of threads."""
    rules = read_rules(saved_model.BATCHING)
    smaller = (size for size in rules.allowed_batch_sizes if size < max_batch_size)
    return rules._replace(
        max_batch_size=max_batch_size,
        num_batch_threads=num_batch_threads or rules.num_batch_threads,
        allowed_batch_sizes=(*smaller, max_batch_size),
    )


def thread_maker(args, predict, rules):
    """Function that makes the threads of one load."""
    if args.service_ms:
        fixed, each = args.service_ms
        return lambda: SimulatedThreads(
            lambda size: fixed + each * rules.padded_size(size), rules.num_batch_threads
        )
    for number in rules.allowed_batch_sizes:
        seconds = best_seconds(predict, number)
    print(f"{number} at once, alone: {1e3 * seconds:.1f} ms, {number / seconds:.1f} photographs/s")
    return lambda: Threads(
        lambda size: bool(predict(rules.padded_size(size))), rules.num_batch_threads
    )


def measure(name, args, rules, make_threads):
    """Prints a row for each rate."""
    for rate in args.rates:
        arrivals = poisson_arrivals(rate, args.seconds, args.seed)
        print_row(name, rate, serve(arrivals, rules, make_threads()))


def main():
    parser = benchmarks.parser(__doc__)
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--saved_model", help="folder of --mode=export")
    what.add_argument("--url")
    what.add_argument("--service_ms", type=service_times, help="FIXED,EACH")
    parser.add_argument("--batch_sizes", type=benchmarks.positives, default="1,8,32")
    parser.add_argument("--rates", type=benchmarks.positives, default="5,10,20,40")
    parser.add_argument("--seconds", type=benchmarks.positive, default=10, help="of each rate")
    parser.add_argument("--num_batch_threads", type=benchmarks.positive)
    parser.add_argument("--seed", type=benchmarks.at_least(0), default=0)
    args = parser.parse_args()
    predict = in_process(args.saved_model) if args.saved_model else None
    send = client(args.url) if args.url else None
    print(ROW.format(*HEADER))
    if send:
        rules = Rules(1, 0, num_batch_threads=CONNECTIONS, max_enqueued_batches=1 << 40)
        measure("server's", args, rules, lambda: Threads(send, CONNECTIONS))
        return
    for size in args.batch_sizes:
        rules = rules_of_export(size, args.num_batch_threads)
        measure(size, args, rules, thread_maker(args, predict, rules))


if __name__ == "__main__":
    benchmarks.run(main)
