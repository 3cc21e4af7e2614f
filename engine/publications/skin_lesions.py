"""Melanomas among skin lesions: one conditional StyleGAN2-ADA at 256x256 and a fine-tuned EfficientNet-B2."""

from __future__ import annotations

from engine.publications.publication import (
    CONTROLS,
    REPETITIONS,
    TRAINING_LENGTH,
    AugmentationPolicy,
    Difference,
    HeadLayers,
    Preset,
    Publication,
)

PRESET = Preset(
    title="Skin lesions (conditional StyleGAN2-ADA 256x256)",
    story=(
        "The published skin-lesion system: one class-conditional StyleGAN2-ADA at 256x256 with mirrored images and "
        "augmentations that leave the colour alone. Split by patient, unlike theirs. Their length is not given; "
        "5000 kimg is where results from scratch become reasonable."
    ),
    importing={
        "name": "skin-lesions",
        "layout": "csv",
        "image_column": "image_name",
        "label_column": "target",
        "group_column": "patient_id",
        "class_names": {"0": "other", "1": "melanoma"},
        "positive": "melanoma",
        "size": 256,
        "mode": "RGB",
        "resize": "crop",
    },
    train={
        "stylegan2-ada": {
            "cfg": "auto",
            "conditional": True,
            "kimg": 5000.0,
            "mirror": True,
            "mirror_vertical": True,
            "augpipe": "bg",
            "tick_kimg": 4.0,
            "snapshot_ticks": 10,
            "metrics": ("kid", "fid"),
            "metric_images": 5000,
        },
    },
    # They added 15 thousand melanomas, which is about half of what the class lacks in ISIC 2020.
    published={
        "repeats": "skin-lesions",
        "classifier": "efficientnet_b2",
        "training": "fine-tuned",
        "head": "skin-lesions",
        "arms": ("real", "real+classical", "real+synthetic+classical"),
        "ratios": (0.5,),
        "ratio_of": "gap",
        "extra_classes": ("melanoma",),
        "seeds": 1,
        "epochs": 30,
        "patience": 3,
        "batch": 32,
        "optimizer": "adam",
        "lr": 5e-4,
        "schedule": "plateau",
        "dropout": 0.0,
        "select": "best-loss",
        "augmentation": "skin-lesions",
        "flaws": ("test-is-validation", "augmented-test"),
    },
    sweep={
        "repeats": "skin-lesions",
        "classifier": "efficientnet_b2",
        "batch": 32,
        "ratio_of": "gap",
        "augmentation": "skin-lesions",
        "metric": "auroc",
    },
)

AUGMENTATION = AugmentationPolicy(rotation=30, mirror=True, flip=True)

HEAD = HeadLayers(title="the published skin-lesion head", widths=(500,), sigmoid=True, glorot=False)
"""No nonlinearity is known between the two layers; initial weights are PyTorch's, where it was published."""

PUBLICATION = Publication(
    name="skin-lesions",
    title="Skin lesions, conditional StyleGAN2-ADA and EfficientNet-B2 (Carrasco, Majchrowska)",
    preset=PRESET,
    augmentation=AUGMENTATION,
    head=HEAD,
    differences=(
        Difference(
            what="Test set",
            theirs="the validation images, by which the training was stopped, are the test images too",
            ours="test-is-validation",
            why="What was used to choose a model says nothing about new patients.",
        ),
        Difference(
            what="Augmented tests",
            theirs="test images were rotated and flipped at random too",
            ours="augmented-test",
            why="A test must give the same answer twice.",
        ),
        Difference(
            what="Patients",
            theirs="split by image, although patient ids exist",
            ours="patients",
            why="Another picture of a known patient is no new patient.",
        ),
        REPETITIONS,
        CONTROLS,
        TRAINING_LENGTH,
        Difference(
            what="Classifier",
            theirs="the whole EfficientNet-B2 fine-tuned, with dense layers of 500 and 1",
            ours="classifier",
            why="Features of a frozen network are computed once for all repetitions and controls; "
            "sweep.training=fine-tuned trains the whole network where the hardware allows it.",
        ),
        Difference(
            what="Number added",
            theirs="15 thousand melanomas, the minority class alone",
            ours="number-added",
            why="15 thousand is about half of what the class lacks in the whole of ISIC 2020; of a part of it the same "
            "number would be far more.",
        ),
        Difference(
            what="File format",
            theirs="JPEG for synthetic images, PNG for real ones",
            ours="file-format",
            why="A classifier can learn compression instead of lesions.",
        ),
        Difference(
            what="Metric",
            theirs="accuracy, where always guessing the larger class is right for 98 %",
            ours="metric",
            why="With 2 % melanomas accuracy hardly sees them.",
        ),
    ),
    known=(
        "2 % of the images are melanomas, so that a constant answer reaches an accuracy of 98 %.",
        "External melanomas were added to one class only: a classifier may learn their origin instead.",
    ),
)
