"""From photographs to people: boxes, camera, crops, network, bodies.

`hmr_tf.load` returns a `Model`; `--mode=predict` for photographs and videos calls it, too.
"""

import numbers
import os

import numpy as np
import tensorflow as tf
from absl import logging

from hmr_tf.body import theta
from hmr_tf.files.errors import InputError
from hmr_tf.inference import person_crops, photo, tracking
from hmr_tf.inference.blazepose.refinement import Refiner
from hmr_tf.inference.detection import crop_choice
from hmr_tf.inference.detection.person_search import PersonSearch
from hmr_tf.networks import engines
from hmr_tf.networks.prediction import prediction_as_dict

_CROPS_PER_CALL = 32  # bounds the memory
# A person is followed from frame to frame while so many of the windows around it agree.
MIN_AGREEMENT = 0.6
_EACH_PROCESS = "call hmr_tf.load() in each process, which multiprocessing's method spawn starts"
SEARCHED = (
    "No box and no detector: the network searched for one person. For better results, pass "
    "--box=x,y,width,height or make the detector of all people once, "
    "python -m tools.movenet --output=models/movenet."
)


class Model:
    """A trained network that predicts the people of photographs; `hmr` is the network itself."""

    def __init__(self, hmr, body, detector=None, refine=False, engine=None):
        """Args:
        hmr: `networks.hmr.HMR`.
        body: its `body_model.BodyModel`.
        detector: `inference.detection.detector.Detector`, or None.
        refine: whether predictions are refined by default.
        engine: `networks.engines.Engine` of `hmr`; None: TensorFlow.

        Raises:
          InputError: refine, and BlazePose was not made.
        """
        self.hmr = hmr
        self.body = body
        self.engine = engine or engines.in_tensorflow(hmr)
        self.detector = detector
        self.refine = refine
        self._refiner = Refiner(hmr) if refine else None
        self._search = PersonSearch(self.engine.predict, hmr.image_size)
        self._choose = crop_choice.CropChoice(hmr)
        self._has_searched = False
        self._process = os.getpid()
        self._predict_all_stages = tf.function(
            lambda images: [
                prediction_as_dict(hmr.with_mesh(stage), hmr.image_size)
                for stage in hmr(images, training=False)
            ]
        )
        # (N, 24, 3, 3) rotations, (N, 10) betas -> (N, V, 3) vertices; one graph for all N.
        self.vertices_of = tf.function(
            lambda rotations, betas: hmr.smpl(rotations, betas).vertices,
            input_signature=[tf.TensorSpec([None, 24, 3, 3]), tf.TensorSpec([None, 10])],
            autograph=False,
        )

    def __repr__(self):
        engine, size = self.engine, self.image_size
        return f"hmr_tf Model: crops of {size} px, {engine.name} in {engine.precision}"

    def for_threads(self):
        """This model, to be called from several threads at once, see `Engine.for_threads`."""
        model = object.__new__(Model)
        vars(model).update(vars(self), engine=self.engine.for_threads)
        return model

    def __reduce_ex__(self, protocol):
        raise TypeError(f"a Model is not copied, pickled or sent to a process: {_EACH_PROCESS}")

    def _require_own_process(self):
        """RuntimeError in a forked process: there TensorFlow's threads are missing."""
        if os.getpid() != self._process:
            raise RuntimeError(
                "this process was forked after the network was loaded, where TensorFlow would wait "
                f"for ever: {_EACH_PROCESS}"
            )

    @property
    def image_size(self):
        """S, side of the network's crops, pixels."""
        return self.hmr.image_size

    @property
    def faces(self):
        """(F, 3) vertex ids of the mesh; empty for a model imported without an SMPL file."""
        return self.body.faces

    def predict(self, image, boxes=None, focal_px=None, principal_px=None, refine=None):
        """Predicts the bodies of all people in a photograph.

        Args:
          image: (H, W, 3) uint8 RGB (OpenCV's images are BGR: pass image[..., ::-1]), or the path
            of a photograph.
          boxes: (x, y, width, height) of each person in pixels, or one such box; a None among
            them means the whole photograph. None: the people that the detector finds, of whose
            crops `detection.crop_choice` takes the best; without a detector the one person that the
            network itself finds, see `detection.person_search`, as the mean of several crops.
          focal_px, principal_px: the photograph's camera, where it is known: see
            `body.camera.place_in_photograph`.
          refine: whether each body is fitted, from the network's prediction on, to the landmarks of
            BlazePose (`blazepose.refinement`); None: as the model was made, without.

        Returns:
          list of `person_crops.Person`, dicts of named arrays; empty where the detector finds no
          person.

        Raises:
          InputError: the file is not an image, a box is empty or outside; refine, no BlazePose.
          ValueError: an array of another shape or type.
        """
        if isinstance(image, (str, os.PathLike)):
            image = photo.read_image(image)
        if boxes is not None and len(boxes) == 4 and isinstance(boxes[0], numbers.Real):
            boxes = [boxes]
        (people,) = self.predict_batch([image], [boxes], focal_px, principal_px, refine)
        if isinstance(people, InputError):
            raise people
        return people

    def predict_batch(
        self, images, boxes, focal_px=None, principal_px=None, refine=None, people_before=None
    ):
        """Predicts the bodies of all people in several photographs, in common batches.

        Args:
          images: list of (H, W, 3) uint8 RGB.
          boxes: for each photograph a list of boxes, or None, as in `predict`.
          focal_px, principal_px: the camera that took them all, where it is known.
          refine: as in `predict`.
          people_before: the people of the frame before, where the images are successive frames of
            a video: then refined bodies of one person change little from frame to frame. None:
            the images are unrelated.

        Returns:
          list: for each photograph its list of `person_crops.Person`, or the InputError of a
          box that is empty or outside the photograph.

        Raises:
          ValueError: an array of another shape or type, not as many boxes as images.
        """
        self._require_own_process()
        if len(images) != len(boxes):
            raise ValueError(f"boxes must be one list or None for each of {len(images)} images")
        by_image = [
            self._crops_or_error(np.asarray(image), image_boxes, focal_px, principal_px)
            for image, image_boxes in zip(images, boxes)
        ]
        by_good_image = [[] if isinstance(x, InputError) else x for x in by_image]
        all_people = [person for of_image in by_good_image for person in of_image]
        sources = [image for image, of_image in zip(images, by_good_image) for _ in of_image]
        refine = self.refine if refine is None else refine
        motion = None
        if refine and people_before is not None:
            boxes_of_frames = [[person.crops[0].box for person in x] for x in by_good_image]
            motion = tracking.motion_of_frames(boxes_of_frames, people_before)
        people = iter(self._predict_people(all_people, sources if refine else None, motion))
        return [x if isinstance(x, InputError) else [next(people) for _ in x] for x in by_image]

    def _crops_or_error(self, image, boxes, focal_px, principal_px):
        """list of `CropsOfPerson` of one photograph, or the InputError of a box."""
        photo.check_array(image)
        pinhole = person_crops.pinhole_of(image, focal_px, principal_px)
        try:
            if boxes is None:
                return self._crops_of_detected(image, pinhole)
            boxes = [person_crops.as_box(box) for box in boxes]
            crops = person_crops.crop_people(image, boxes, pinhole, self.image_size)
            return [crop_choice.CropsOfPerson([crop]) for crop in crops]
        except InputError as error:
            return error

    def _crops_of_detected(self, image, pinhole):
        """list of `CropsOfPerson`: of all that the detector finds, or of the one searched for."""
        common = {"pinhole": pinhole, "image_size": self.image_size}
        if self.detector is None:
            box, variants = self._search_person(image).box, crop_choice.SEARCHED_VARIANTS
            return [crop_choice.crops_of_person(image, box, variants=variants, **common)]
        variants = crop_choice.DETECTED_VARIANTS
        return [
            crop_choice.crops_of_person(
                image, person.box, keypoints_px=person.keypoints_px, variants=variants, **common
            )
            for person in self.detector.detect(image)
        ]

    def _predict_people(self, crops_of_people, images=None, motion=None):
        """list of CropsOfPerson -> list of Person, refined where photographs are given."""
        if not crops_of_people:
            return []
        pixels = np.stack([crop.pixels for person in crops_of_people for crop in person.crops])
        predicted = self._predict_in_parts(pixels.astype(np.float32) / 127.5 - 1.0)
        predicted, crops = self._choose(predicted, crops_of_people)
        if images is not None:
            predicted = self._refine(predicted, images, [crop.crop for crop in crops], motion)
        predicted["pose"] = theta.split(predicted["theta"]).pose.numpy()
        return person_crops.people_from_crops(predicted, crops)

    def _refine(self, predicted, images, crops, motion):
        if self._refiner is None:
            self._refiner = Refiner(self.hmr)
        refined = self._refiner(predicted, images, crops, motion)
        logging.info("Refined %d of %d people.", refined.is_refined.sum(), len(crops))
        return refined.predicted

    def detect(self, image):
        """Boxes of the people in a photograph; without a detector, the one the network finds."""
        if self.detector is not None:
            return self.detector(image)
        return [self._search_person(image).box]

    def detect_in_frames(self, images, box_before=None):
        """As `detect` for each of the successive frames of a video.

        Args:
          images: list of (H, W, 3) uint8 RGB.
          box_before: of the person in the frame before; only of use without a detector, when the
            person is followed from frame to frame.
        """
        if self.detector is not None:
            return [self.detector(image) for image in images]
        boxes = []
        for image in images:
            result = None if box_before is None else self._search(image, box_before)
            if result is None or result.agreement < MIN_AGREEMENT:
                result = self._search_person(image)
            box_before = result.box
            boxes.append([box_before])
        return boxes

    def _search_person(self, image):
        if not self._has_searched:
            self._has_searched = True
            logging.warning("%s", SEARCHED)
        return self._search(image)

    def predict_crops(self, images, stages=False):
        """Predicts the bodies in crops that are made already, people about 150 px tall in 224.

        Args:
          images: (B, S, S, 3) float32 RGB in [-1, 1].
          stages: whether to return the predictions of every stage of the regressor, too.

        Returns:
          dict of float32 arrays: `theta` (B, 85), `camera` (B, 3), `rotations` (B, 24, 3, 3),
          `betas` (B, 10), `vertices` (B, V, 3), `joints3d` (B, 19, 3), `smpl_joints` (B, 24, 3) in
          metres, `keypoints2d_px` (B, 19, 2) in pixels of the crop; with `stages` also `stages`, a
          list of such dicts, which TensorFlow computes; the last one is the prediction.

        Raises:
          ValueError: images of another shape or range, or uint8; stages, and the model was loaded
            with the flip test or with another precision than float32.
        """
        if stages and (self.engine.flip_test or self.engine.precision != "float32"):
            raise ValueError(
                "stages=True is for float32 without the flip test: load the model with "
                "hmr_tf.load(precision='float32', flip_test=False)"
            )
        self._require_own_process()
        return self._predict_in_parts(person_crops.checked_crops(images, self.image_size), stages)

    def _predict_in_parts(self, images, stages=False):
        """`predict_crops` of (B, S, S, 3) float32 that were checked."""
        parts = [
            self._predict_stages(images[start : start + _CROPS_PER_CALL], stages)
            for start in range(0, len(images), _CROPS_PER_CALL)
        ]
        joined = [
            {name: np.concatenate([part[stage][name] for part in parts]) for name in names}
            for stage, names in enumerate(parts[0])
        ]
        return {**joined[-1], "stages": joined} if stages else joined[-1]

    def _predict_stages(self, images, all_stages):
        if all_stages:
            return self._predict_all_stages(tf.constant(images))
        return [self.engine.predict(images)]
