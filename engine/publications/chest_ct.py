"""Chest CT with and without a squamous-cell carcinoma: StyleGAN2-ADA at 256x256 and a frozen ResNet-50."""

from __future__ import annotations

from engine.publications.publication import (
    CONTROLS,
    COPIES_IN_POOL,
    REPETITIONS,
    TRAINING_LENGTH,
    Difference,
    HeadLayers,
    Preset,
    Publication,
    PublishedRow,
)

PRESET = Preset(
    title="Chest CT carcinoma (StyleGAN2-ADA 256x256)",
    story=(
        "The published chest-CT system: one unconditional StyleGAN2-ADA a class at 256x256, 80 kimg, then a frozen "
        "ResNet-50. Pictures that occur twice are dropped first: some stood in both the training and the test set. "
        "Grey pictures, published in three equal channels, are stored in one."
    ),
    importing={
        "name": "chest-ct",
        "layout": "folder",
        # The published folders carry a staging suffix in train and valid, and none in test.
        "class_names": {
            "squamous.cell.carcinoma_left.hilum_T1_N2_M0_IIIa": "squamous-cell-carcinoma",
            "squamous.cell.carcinoma": "squamous-cell-carcinoma",
        },
        "only_classes": ("normal", "squamous-cell-carcinoma"),
        "positive": "squamous-cell-carcinoma",
        "size": 256,
        "resize": "stretch",
        "remedies": ("drop-copies",),
    },
    train={
        "stylegan2-ada": {
            "cfg": "stylegan2",
            "kimg": 80.0,
            "batch": 8,
            "batch_gpu": 8,
            "gamma": 50.0,
            # The authors' program (the second reference implementation) scales the average with the batch.
            "ema_kimg": 2.5,
            "ema_ramp": 0.05,
            "augpipe": "bgc",
            "tick_kimg": 4.0,
            "snapshot_ticks": 10,
        },
    },
    pool={"images_per_class": 501},
    published={
        "repeats": "chest-ct",
        "classifier": "resnet50",
        "head": "chest-ct",
        "arms": ("real", "real+synthetic"),
        "ratios": (0.25, 0.5, 0.75, 1.0),
        "seeds": 1,
        "epochs": 5,
        "batch": 20,
        "optimizer": "adam",
        "lr": 0.005,
        "schedule": "plateau",
        "patience": 3,
        "dropout": 0.0,
        "select": "best-loss",
        "flaws": ("dropped-runs",),
    },
    sweep={"repeats": "chest-ct", "classifier": "resnet50", "batch": 20, "augmentation": "mild"},
)

HEAD = HeadLayers(
    title="the published chest-CT head",
    batch_norm=True,
    widths=(50176, 500, 200, 50),
    leak=0.2,
    kernel_l2=0.016,
    activity_l1=0.006,
    bias_l1=0.006,
    sigmoid=True,
    adam_epsilon=1e-7,
    alone=True,
)
"""In Keras. 128,013,521 weights for 2048 features and one unit, which take 4 GB while they train with Adam."""

PUBLICATION = Publication(
    name="chest-ct",
    title="Chest CT, StyleGAN2-ADA and ResNet-50 (Stebbins, Goldfried, Maizes, 2024)",
    preset=PRESET,
    head=HEAD,
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
        REPETITIONS,
        Difference(
            what="Runs left out",
            theirs="trainings with accuracy 1.0, or an extremely low one, were dropped, seen on the test set",
            ours="dropped-runs",
            why="Who drops results after seeing them chooses the answer.",
        ),
        CONTROLS,
        TRAINING_LENGTH,
        Difference(
            what="Head of the classifier",
            theirs="batch normalisation and dense layers of 50176, 500, 200, 50 and 1: 128 million weights for "
            "about 300 images",
            ours="head",
            why="So many weights learn so few images by heart, and cost hours where repetitions and controls are "
            "needed.",
        ),
        Difference(
            what="Copies",
            theirs="many normal pictures are identical to the pixel, also between training and test images",
            ours="copies",
            why="A picture that was trained on is no test.",
        ),
        Difference(
            what="Class names",
            theirs="the cancer's folder has a staging suffix in train and none in test",
            ours="class-names",
            why="Taken literally, the splits hold different classes.",
        ),
        Difference(
            what="Preparation",
            theirs="the classifier read the original pictures at 224 pixels, the synthetic ones came from 256",
            ours="preparation",
            why="A classifier must not be able to tell them apart by their preparation.",
        ),
        Difference(
            what="Choice of images",
            theirs="all 501 images of each class",
            ours="choice",
            why=COPIES_IN_POOL,
        ),
    ),
    known=(
        "Many normal pictures are copies to the pixel, some of them in both the training and the test set.",
        "The FID in the training log is numerically broken (1e87), so the generator was never scored.",
        "The augmentation probability stayed below 0.006: the adaptive augmentation was off in effect.",
        "Always guessing the larger class is right for 62.5 % of the 144 test images; one image is 0.69 points.",
        "The published set names no patient, so one patient's slices may be on both sides of its split.",
    ),
)
