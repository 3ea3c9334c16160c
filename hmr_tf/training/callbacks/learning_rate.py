"""A learning rate that changes from step to step."""

from tensorflow import keras


class LinearLearningRate(keras.callbacks.Callback):
    """The encoder's learning rate: linear in the step, from step 0 to the last one.

    It depends on the step alone, so that a resumed training goes on with the same rates. With
    several steps per execution it changes once per execution.
    """

    def __init__(self, first, last, last_step):
        """Args:
        first: learning rate of step 0.
        last: learning rate of `last_step` and later.
        last_step: the step to stop after.
        """
        super().__init__()
        self._first, self._last, self._last_step = first, last, last_step

    def on_train_batch_begin(self, batch, logs=None):
        share = min(self.model.step / self._last_step, 1.0)
        rate = self._first + share * (self._last - self._first)
        self.model.encoder_optimizer.learning_rate = rate
