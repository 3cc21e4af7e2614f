"""Brain MRI: PyTorch's DCGAN recipe at 64x64, to balance a minority class; no classifier was published."""

from __future__ import annotations

from engine.publications.publication import COPIES_IN_POOL, Difference, Preset, Publication

PRESET = Preset(
    title="Brain MRI (DCGAN 64x64)",
    story=(
        "PyTorch's DCGAN recipe at 64x64, one generator a class, published to balance a minority class. "
        "The published batch of 128 would give one step an epoch on classes this small, so the batch is 16. Pictures "
        "that occur twice are dropped first. Grey pictures, published in three equal channels, are stored in one."
    ),
    importing={
        "name": "brain-mri",
        "layout": "folder",
        "size": 64,
        "resize": "crop",
        "remedies": ("drop-copies",),
    },
    train={
        "dcgan": {"architecture": "recipe", "kimg": 100.0, "batch": 16},
        "stylegan2-ada": {"kimg": 1000.0, "augpipe": "medical"},
    },
    # Whichever class has fewer images is topped up.
    sweep={
        "repeats": "brain-mri",
        "classifier": "resnet50",
        "lr": 1e-3,
        "ratio_of": "gap",
        "augmentation": "mild",
        "metric": "balanced_accuracy",
    },
)

PUBLICATION = Publication(
    name="brain-mri",
    title="Brain MRI, DCGAN 64x64 (PyTorch's DCGAN recipe)",
    preset=PRESET,
    differences=(
        Difference(
            what="Classifier",
            theirs="none: the images were made, and never tried",
            ours="classifier",
            why="Balance was their purpose; whether it helps is what a sweep can measure.",
        ),
        Difference(
            what="Batch of the GAN",
            theirs="128 images, 5 epochs",
            ours="gan-batch",
            why="128 of about 100 images would be one step an epoch, five in all.",
        ),
        Difference(
            what="Copies",
            theirs="all images of the published folders, in which about 25 are exact copies of others",
            ours="copies",
            why="A picture that stands twice counts twice, in the training and in the test.",
        ),
        Difference(
            what="Choice of images",
            theirs="all images",
            ours="choice",
            why=COPIES_IN_POOL,
        ),
    ),
    known=(
        "The authors say that a doctor must validate the images before use.",
        "About 25 pictures of the published folders are exact copies of others.",
    ),
)
