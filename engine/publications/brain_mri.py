"""Brain MRI: PyTorch's DCGAN recipe at 64x64, to balance a minority class; no classifier was published."""

from __future__ import annotations

from engine.publications.publication import Difference, Preset, Publication

PRESET = Preset(
    title="Brain MRI (DCGAN 64x64)",
    story=(
        "PyTorch's DCGAN recipe at 64x64 RGB, one generator a class, published to balance a minority class. "
        "The published batch of 128 would give one step an epoch on classes this small, so the batch is 16."
    ),
    importing={"name": "brain-mri", "layout": "folder", "size": 64, "mode": "RGB", "resize": "crop"},
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
)
