"""What the four published systems reported, and where the sound protocol departs from theirs.

Everything here is a fact of a publication or of its code, kept as data: the report shows the rows beside our own
results, runs the same self-checks on them, and lists the differences.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class PublishedRow:
    """One row of a published table of results; shares of 1, None where a number was not given."""

    name: str
    """What it was trained on, in the authors' words."""
    arm: str
    """The arm of ours that comes nearest, such as `real+synthetic`."""
    ratio: float
    """Synthetic images per real one, as the publication counts them."""
    accuracy: float | None = None
    sensitivity: float | None = None
    specificity: float | None = None
    n_test: int | None = None
    """Real images in the test split that they describe."""
    note: str = ""
    """What has to be known to read the row."""


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One point at which the sound protocol is not theirs."""

    what: str
    """Two or three words."""
    theirs: str
    ours: str
    why: str
    repeated: bool = True
    """Whether the sweep "as published" does it their way; what it does not is said in `why`."""


@dataclass(frozen=True, kw_only=True)
class Publication:
    """A published system: what it reported, what is known to be wrong with it, and what we do otherwise."""

    preset: str
    title: str
    rows: tuple[PublishedRow, ...] = ()
    differences: tuple[Difference, ...] = ()
    known: tuple[str, ...] = ()
    """Defects of its data or numbers, known from reading them."""


_SEEDS = Difference(
    what="Repetitions",
    theirs="one training for each share of synthetic images",
    ours="at least 8 seeds, paired between the arms",
    why="One training cannot tell an effect from the luck of its initial weights; with 8 pairs p can reach 0.008.",
)
_CONTROLS = Difference(
    what="Controls",
    theirs="only the real images alone",
    ours="real images repeated to the same count, and classical augmentation",
    why="More images mean more of everything else too; only a control of equal size tells what the synthetic ones did.",
)
_STEPS = Difference(
    what="Length of training",
    theirs="a number of epochs, so that larger training sets get more optimiser steps",
    ours="the same number of optimiser steps in every arm",
    why="A longer training can be better by itself, and would be credited to the synthetic images.",
)
_HEAD = Difference(
    what="Head of the classifier",
    theirs="their own",
    ours="dropout and one dense layer",
    why="A small head on frozen features trains so fast that repetitions and controls cost little.",
)

PUBLICATIONS: dict[str, Publication] = {
    "chest-ct": Publication(
        preset="chest-ct",
        title="Chest CT, StyleGAN2-ADA and ResNet-50 (Stebbins, Goldfried, Maizes, 2024)",
        rows=(
            PublishedRow(
                name="100 % synthetic images added",
                arm="real+synthetic",
                ratio=1.0,
                accuracy=142 / 144,
                n_test=144,
                note="The only number that can be recovered: 142 of 144 right (95 % interval 95.1 to 99.6 %), of one "
                "training.",
            ),
        ),
        differences=(
            _SEEDS,
            Difference(
                what="Runs left out",
                theirs="trainings with accuracy 1.0, or an extremely low one, were dropped, seen on the test set",
                ours="every training counts",
                why="Who drops results after seeing them chooses the answer; both versions are shown.",
            ),
            _CONTROLS,
            _STEPS,
            Difference(
                what=_HEAD.what,
                theirs="batch normalisation and dense layers of 50176, 500, 200, 50 and 1: 128 million weights for "
                "about 300 images",
                ours=_HEAD.ours,
                why=_HEAD.why,
            ),
            Difference(
                what="Copies",
                theirs="many normal pictures are identical to the pixel, also between training and test images",
                ours="one of each is kept, in the test set first",
                why="A picture that was trained on is no test. Both sweeps here run on the set without copies.",
                repeated=False,
            ),
            Difference(
                what="Class names",
                theirs="the cancer's folder has a staging suffix in train and none in test",
                ours="both names are one class",
                why="Otherwise the splits hold different classes.",
                repeated=False,
            ),
            Difference(
                what="Preparation",
                theirs="the classifier read the original pictures at 224 pixels, the synthetic ones came from 256",
                ours="real and synthetic images are stored alike at 256 pixels and brought to 224 from there",
                why="A classifier must not be able to tell them apart by their preparation.",
                repeated=False,
            ),
            Difference(
                what="Choice of images",
                theirs="all 501 images of each class",
                ours="copies of training images leave the pool first",
                why="A copy adds nothing new, and a patient's picture must not travel in a pool.",
                repeated=False,
            ),
        ),
        known=(
            "Many normal pictures are copies to the pixel, some of them in both the training and the test set.",
            "The FID in the training log is numerically broken (1e87), so the generator was never scored.",
            "The augmentation probability stayed below 0.006: the adaptive augmentation was off in effect.",
            "Always guessing the larger class is right for 62.5 % of the 144 test images; one image is 0.69 points.",
            "No patient is known by id, so one patient's slices may be on both sides of the split.",
        ),
    ),
    "head-ct": Publication(
        preset="head-ct",
        title="Head CT hemorrhage, DCGAN 32x32 and ResNet-50 (da-dcgan)",
        rows=(
            PublishedRow(
                name="real",
                arm="real+classical",
                ratio=0.0,
                accuracy=0.7651,
                sensitivity=0.7237,
                specificity=0.8304,
                n_test=22,
            ),
            PublishedRow(
                name="synthetic only",
                arm="synthetic+classical",
                ratio=1.0,
                accuracy=0.6061,
                sensitivity=0.9315,
                specificity=0.6848,
                n_test=22,
            ),
            PublishedRow(
                name="real and synthetic",
                arm="real+synthetic+classical",
                ratio=1.0,
                accuracy=0.7865,
                sensitivity=0.7314,
                specificity=0.8660,
                n_test=22,
            ),
        ),
        differences=(
            Difference(
                what="Test set",
                theirs="synthetic images stood in the test set",
                ours="real images only",
                why="A classifier is wanted for patients; recognising a generator's images is another task.",
            ),
            _SEEDS,
            Difference(
                what="Shares",
                theirs="real, synthetic and both, each augmented classically",
                ours="shares of 25, 50, 75 and 100 % added, with the real images alone, augmented, and repeated",
                why="Without repeated real images nobody can say whether more images or synthetic images helped.",
            ),
            Difference(
                what="Length of training",
                theirs="not given",
                ours="the same number of optimiser steps in every arm",
                why="The sweep as published takes 20 epochs, which is our guess, and the weights of the last one.",
                repeated=False,
            ),
            Difference(
                what="Optimiser",
                theirs="RMSprop at 0.001, softmax head with dropout 0.4",
                ours="AdamW at 0.001, the same head",
                why="Decoupled decay and the choice of the best look at the validation images keep a head on 144 "
                "images from overfitting.",
            ),
            Difference(
                what="Label flips of the GAN",
                theirs="int(0.05 x 16) = 0 labels are flipped in each batch, though 5 % were meant",
                ours="each label is flipped with a chance of 5 %",
                why="It is what they describe, and what their code does not do.",
                repeated=False,
            ),
            Difference(
                what="Choice of images",
                theirs="all images",
                ours="copies of training images leave the pool first",
                why="A copy adds nothing new, and a patient's picture must not travel in a pool.",
                repeated=False,
            ),
        ),
        known=(
            "The test set held synthetic images: with its 22 real images alone none of the accuracies is possible.",
            "Accuracy is an average of sensitivity and specificity weighted by the classes, so it cannot be 60.61 % "
            "where those two are 93.15 % and 68.48 %.",
            "The classes are sorted by file number (0 to 99 hemorrhage, 100 to 199 normal): a split by position would "
            "hold one class only.",
        ),
    ),
    "skin-lesions": Publication(
        preset="skin-lesions",
        title="Skin lesions, conditional StyleGAN2-ADA and EfficientNet-B2 (Carrasco, Majchrowska)",
        differences=(
            Difference(
                what="Test set",
                theirs="the validation images, by which the training was stopped, are the test images too",
                ours="three parts; the test images are read once, at the end",
                why="What was used to choose a model says nothing about new patients.",
            ),
            Difference(
                what="Augmented tests",
                theirs="test images were rotated and flipped at random too",
                ours="test images are prepared the same way every time",
                why="A test must give the same answer twice.",
            ),
            Difference(
                what="Patients",
                theirs="split by image, although patient ids exist",
                ours="split by patient",
                why="Another picture of a known patient is no new patient. Both sweeps here keep patients together.",
                repeated=False,
            ),
            _SEEDS,
            _CONTROLS,
            _STEPS,
            Difference(
                what="Classifier",
                theirs="the whole EfficientNet-B2 fine-tuned, with dense layers of 500 and 1",
                ours="the same network with its weights frozen and one dense layer",
                why="Features of a frozen network are computed once for all repetitions and controls. Set "
                "sweep.training=fine-tuned where the hardware allows it.",
            ),
            Difference(
                what="Number added",
                theirs="15 thousand melanomas, the minority class alone",
                ours="25, 50, 75 and 100 % of what the minority class lacks to the majority",
                why="15 thousand is about half of what the class lacks in the whole of ISIC 2020; the sweep as "
                "published adds half of what it lacks here.",
                repeated=False,
            ),
            Difference(
                what="File format",
                theirs="JPEG for synthetic images, PNG for real ones",
                ours="PNG for both",
                why="A classifier can learn compression instead of lesions.",
                repeated=False,
            ),
            Difference(
                what="Metric",
                theirs="accuracy, where always guessing the larger class is right for 98 %",
                ours="the area under the ROC curve, with all other metrics beside it",
                why="With 2 % melanomas accuracy hardly sees them.",
            ),
        ),
        known=(
            "2 % of the images are melanomas, so that a constant answer reaches an accuracy of 98 %.",
            "External melanomas were added to one class only: a classifier may learn their origin instead.",
        ),
    ),
    "brain-mri": Publication(
        preset="brain-mri",
        title="Brain MRI, DCGAN 64x64 (PyTorch's DCGAN recipe)",
        differences=(
            Difference(
                what="Classifier",
                theirs="none: the images were made, and never tried",
                ours="a frozen ResNet-50, with the class that has fewer images topped up to balance",
                why="Balance was their purpose; whether it helps is what a sweep can measure.",
                repeated=False,
            ),
            Difference(
                what="Batch of the GAN",
                theirs="128 images, 5 epochs",
                ours="16 images, by default 100 thousand of them",
                why="128 of about 100 images would be one step an epoch, five in all.",
                repeated=False,
            ),
        ),
        known=("The authors say that a doctor must validate the images before use.",),
    ),
}
"""By preset."""
