"""Items of an iterable, which a thread computes while earlier ones are used."""

import contextlib
import queue
import threading


def computed_ahead(items, most):
    """Yields the items of an iterable, which a thread computes while earlier ones are used.

    The thread ends with this generator, also where its user stops early. What the iterable raises
    is raised here.

    Args:
      items: iterable; only the thread touches it.
      most: number of items that wait; the thread pauses when there are so many.
    """
    waiting, is_over = queue.Queue(most), threading.Event()

    def put(*result):
        while not is_over.is_set():
            with contextlib.suppress(queue.Full):
                waiting.put(result, timeout=0.1)
                return True
        return False

    def compute():
        try:
            if all(put(item, None) for item in items):
                put(None, StopIteration())
        except BaseException as error:
            put(None, error)

    thread = threading.Thread(target=compute, name=computed_ahead.__name__, daemon=True)
    thread.start()
    try:
        while True:
            item, error = waiting.get()
            if isinstance(error, StopIteration):
                return
            if error is not None:
                raise error
            yield item
    finally:
        is_over.set()
        thread.join()
