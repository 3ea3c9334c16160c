"""Human Mesh Recovery (Kanazawa et al., CVPR 2018) for TensorFlow 2 and Keras."""

import os

# Keras 3 cannot run this trainer under tf.distribute; TensorFlow >= 2.16 reads this to hand out Keras 2 (tf_keras).
os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
