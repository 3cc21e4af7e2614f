"""Head CT with and without a hemorrhage: the da-dcgan system, a DCGAN at 32x32 and a frozen ResNet-50."""

from __future__ import annotations

from engine.publications.publication import (
    COPIES_IN_POOL,
    REPETITIONS,
    AugmentationPolicy,
    Difference,
    HeadLayers,
    Preset,
    Publication,
    PublishedRow,
)

PRESET = Preset(
    title="Head CT hemorrhage (DCGAN 32x32)",
    story=(
        "The published da-dcgan system: one DCGAN a class at 32x32, trained on the 144 training images only, "
        "then a frozen ResNet-50 with and without synthetic images. The test set is real only, unlike theirs."
    ),
    importing={
        "name": "head-ct",
        "layout": "csv",
        "class_names": {"0": "normal", "1": "hemorrhage"},
        "positive": "hemorrhage",
        "size": 32,
        "mode": "L",
        "resize": "pad",
        "split": "random",
        "split_counts": (144, 34, 22),
    },
    train={
        "dcgan": {
            "architecture": "da-dcgan",
            "kimg": 180.0,
            "batch": 16,
            "gradient_penalty": 10.0,
            "inverted_labels": True,
            "soft_labels": 0.1,
            "flip_probability": 0.05,
            "dropout": 0.4,
            "tick_kimg": 0.25,
        },
        "stylegan2-ada": {"kimg": 1000.0, "augpipe": "medical"},
    },
    pool={"images_per_class": 200},
    # Their test set held synthetic images; the number of epochs is not given.
    published={
        "repeats": "head-ct",
        "classifier": "resnet50",
        "head": "head-ct",
        "arms": ("real", "real+classical", "real+synthetic+classical", "synthetic+classical"),
        "ratios": (1.0,),
        "seeds": 1,
        "epochs": 20,
        "batch": 32,
        "optimizer": "rmsprop",
        "lr": 1e-3,
        "schedule": "constant",
        "dropout": 0.4,
        "select": "last",
        "augmentation": "head-ct",
        "flaws": ("synthetic-in-test",),
    },
    sweep={"repeats": "head-ct", "classifier": "resnet50", "batch": 32, "lr": 1e-3, "dropout": 0.4},
)

AUGMENTATION = AugmentationPolicy(rotation=40, shift=0.2, shear=0.2, zoom=0.2, mirror=True)

HEAD = HeadLayers(title="the head published with da-dcgan", dropout=0.4)

PUBLICATION = Publication(
    name="head-ct",
    title="Head CT hemorrhage, DCGAN 32x32 and ResNet-50 (da-dcgan)",
    preset=PRESET,
    augmentation=AUGMENTATION,
    head=HEAD,
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
            ours="test-set",
            why="A classifier is wanted for patients; recognising a generator's images is another task.",
        ),
        REPETITIONS,
        Difference(
            what="Shares",
            theirs="real, synthetic and both, each augmented classically",
            ours="shares",
            why="Without repeated real images nobody can say whether more images or synthetic images helped.",
        ),
        Difference(
            what="Length of training",
            theirs="not given",
            ours="length",
            why="A longer training can be better by itself. The preset's 20 epochs for the protocol as published, and "
            "the weights of the last one, are a guess.",
        ),
        Difference(
            what="Optimiser",
            theirs="RMSprop at 0.001, softmax head with dropout 0.4",
            ours="optimiser",
            why="Decoupled decay and the choice of the best look at the validation images keep a head on 144 "
            "images from overfitting.",
        ),
        Difference(
            what="Label flips of the GAN",
            theirs="int(0.05 x 16) = 0 labels are flipped in each batch, though 5 % were meant",
            ours="label-flips",
            why="Flips of 5 % are what they describe, and what their code does not do.",
        ),
        Difference(
            what="Choice of images",
            theirs="all images",
            ours="choice",
            why=COPIES_IN_POOL,
        ),
    ),
    known=(
        "The test set held synthetic images: with its 22 real images alone none of the accuracies is possible.",
        "Accuracy is an average of sensitivity and specificity weighted by the classes, so it cannot be 60.61 % "
        "where those two are 93.15 % and 68.48 %.",
        "The classes are sorted by file number (0 to 99 hemorrhage, 100 to 199 normal): a split by position would "
        "hold one class only.",
    ),
)
