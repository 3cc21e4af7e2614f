"""A methods paragraph ready for a paper, written from the configs: what was done, in the order it was done."""

from __future__ import annotations

import math
from collections import Counter
from importlib.metadata import version

from engine.configs.gans import gan_title
from engine.publications.publication import AugmentationPolicy
from engine.publications.table import AUGMENTATIONS, HEADS
from engine.report.headline_answers import excluded_images, primary_arm
from engine.report.limits import dependent_folds
from engine.report.quality_tables import score_of
from engine.report.reader_study import methods_sentence, without_names
from engine.report.sources import GeneratorSource, PoolSource, Sources
from engine.report.style import ARMS
from engine.report.tables import METRICS
from engine.sweep.arms import arm_rule, control_of, has_ratios
from engine.sweep.summary_model import SweepSummary

OPTIMISERS = {"adamw": "AdamW", "adam": "Adam", "rmsprop": "RMSprop"}
SCHEDULES = {
    "constant": "a constant learning rate",
    "cosine": "a learning rate that fell to 0 along a cosine",
    "plateau": "a learning rate divided by 5 when the validation loss had not fallen twice",
}
SELECTED = {
    "within-error": "the latest look within one standard error of the best validation accuracy",
    "best-accuracy": "the best validation accuracy",
    "best-loss": "the lowest validation loss",
    "last": "the end of the training",
}
NETWORKS = {
    "resnet18": "ResNet-18",
    "resnet50": "ResNet-50",
    "efficientnet_b0": "EfficientNet-B0",
    "efficientnet_b2": "EfficientNet-B2",
    "densenet121": "DenseNet-121",
    "convnext_tiny": "ConvNeXt-Tiny",
    "vit_b_16": "ViT-B/16",
    "dinov2": "DINOv2 (ViT-S/14)",
    "inception": "Inception (the network of the FID)",
}
OUR_HEADS = {"linear": "dropout and one dense layer", "probe": "a logistic regression fitted to convergence"}


def methods_text(sources: Sources) -> str:
    """The paragraph; what the configs do not say (who, where, ethics) is not in it, and no result is."""
    parts = [
        _data(sources),
        *_generators(sources),
        _pools(sources),
        _quality(sources),
        methods_sentence(sources.studies),
        _classifier(sources),
        _arms(sources),
        _statistics(sources),
        *[deviation.sentence for deviation in sources.summary.departures],
        _software(sources),
    ]
    return " ".join(part for part in parts if part)


def _data(sources: Sources) -> str:
    summary, dataset = sources.summary, sources.dataset
    classes = summary.classes
    text = f"The data set {sources.config.dataset} has {len(classes)} classes ({', '.join(classes)})."
    if dataset is None:
        return text
    if dataset.is_phantom:
        text += " Its images were drawn by a program and show no patients."
    config = dataset.info.config
    form = "grey" if dataset.mode == "L" else "colour"
    rows = dataset.rows()
    groups = (rows["group"] != "").any()
    whole = f", images of one {'patient or group' if groups else 'source'} kept together" if groups else ""
    remedies = config.get("remedies") or ()
    if remedies:
        text += f" Before the split the audit's remedies {', '.join(remedies)} were applied."
    if sources.config.folds:
        n = len(rows)
        text += (
            f" Its {n} images were divided into {len(sources.config.folds)} folds{whole}; each image was tested in one "
            "fold at most, and each fold has generators, pool and validation images of its own. "
            f"{dependent_folds(len(sources.config.folds))}"
        )
    else:
        split = "split" if config.get("split") == "given" else f"split at random (seed {config.get('seed', 0)})"
        text += (
            f" It was {split} into {summary.n_train} training, {summary.n_valid} validation and "
            f"{summary.n_test} test images{whole}, and frozen before any training (SHA-256 "
            f"{sources.config.dataset_fingerprint[:12]})."
        )
        if "moved" in rows and (moved := int((rows["moved"] != "").sum())):
            text += f" Before the freeze {moved} of these images were put into their split by hand."
    if config.get("train_per_class"):
        text += f" At most {config['train_per_class']} training images of each class were kept."
    return text + f" Images were stored as {dataset.size} x {dataset.size} pixels, {form}."


def _generators(sources: Sources) -> list[str]:
    """One sentence for all generators that were trained alike."""
    alike: dict[str, list[GeneratorSource]] = {}
    for generator in sources.generators:
        alike.setdefault(_trained(generator), []).append(generator)
    sentences = []
    for how, generators in alike.items():
        made = list(dict.fromkeys(name for generator in generators for name in generator.info.classes))
        many = len(generators) > 1
        of = "one a class and fold" if sources.config.folds and many else "one a class" if many else "one"
        conditional = ", conditional on the class" if generators[0].info.conditional else ""
        sentences.append(f"Generators ({of}{conditional}; {', '.join(made)}) were {how}.")
    return sentences


def _trained(generator: GeneratorSource) -> str:
    info, config = generator.info, generator.config
    if config.get("kind") == "network":
        return f"networks imported from {config['source']}"
    text = (
        f"{gan_title(info.gan)} ({info.architecture}) trained on the training images alone for "
        f"{info.kimg:g} thousand images (batch {config['batch']}"
    )
    if "g_lr" in config:
        text += f", Adam, learning rates {config['g_lr']:g} and {config['d_lr']:g}"
    if config.get("aug") == "ada":
        text += f", adaptive augmentation {config['augpipe']} with target {config['ada_target']:g}"
    if config.get("gamma"):
        text += f", R1 weight {config['gamma']:g}"
    if config.get("gradient_penalty"):
        text += f", gradient penalty {config['gradient_penalty']:g}"
    text += f", seed {config['seed']})"
    if config.get("start_from"):
        text += f", starting from the network {config['start_from']}"
    return text


def _pools(sources: Sources) -> str:
    known = [source for source in sources.pools if source.pool is not None]
    if not known:
        return ""
    config = known[0].config
    first, count = config["first_seed"], config["images_per_class"]
    classes = ", ".join(config.get("only_classes", ()))
    each = f"of the class{'es' * (',' in classes)} {classes}" if classes else "of each class"
    text = f"{count} images {each}{' and fold' if len(sources.pools) > 1 else ''} were sampled"
    text += f" (seeds {first} to {first + count - 1}"
    if any(generator.info.num_ws for generator in sources.generators):
        text += f", truncation {config['psi']:g}, noise {config['noise']}"
    text += ")"
    gone = excluded_images(sources)
    reasons = _reasons(known, sources.summary)
    why = f" ({', '.join(reasons)})" if reasons else ""
    return text + (f"; {gone} of them were excluded{why} before the sweep." if gone else "; none was left out.")


def _reasons(pools: list[PoolSource], summary: SweepSummary) -> list[str]:
    if summary.pool_excluded is not None:
        return [f"{reason}: {count}" for reason, count in without_names(summary.pool_excluded).items()]
    excluded = Counter(reason for source in pools if source.pool for reason in source.pool.left_out["excluded"])
    return list(without_names(excluded))


def _quality(sources: Sources) -> str:
    if not sources.qualities:
        return ""
    found, config = sources.qualities[0].found, sources.qualities[0].config
    names = list(dict.fromkeys(row.metric for row in found.scores))
    shown = ", ".join("two-sample classifier" if name == "two_sample" else score_of(name).title for name in names)
    extractor = found.extractor.name
    on = "pixels of shrunk images" if extractor == "pixels" else f"features of {NETWORKS.get(extractor, extractor)}"
    return (
        f"The images were scored on {on} ({shown}; {config['k']} neighbours), each beside the same score of real "
        "images against real images, and compared with every training image by features and by pixels (shifts up to "
        f"{config['pixel_shift']} pixels, mirrored ones too); held-out real images set the threshold of a copy."
    )


def _classifier(sources: Sources) -> str:
    config, summary = sources.config, sources.summary
    network = NETWORKS.get(config.classifier, config.classifier)
    weights = f"weights {summary.classifier.weights or 'unknown'}"
    if config.classifier == "small-cnn":
        what = "A small convolutional network was trained from scratch"
    elif config.training == "frozen":
        what = f"{head_in_words(config.head).capitalize()} on frozen features of {network} ({weights}) was trained"
    else:
        what = f"{network} ({weights}) was fine-tuned with {head_in_words(config.head)}"
    if config.head == "probe" and config.training == "frozen":
        return f"{what.removesuffix(' was trained')} was the classifier; validation images chose its regularisation."
    length = f"{config.epochs} passes over each training set" if config.epochs else f"{summary.steps} steps"
    decay = f", weight decay {config.weight_decay:g}" if config.optimizer == "adamw" else ""
    full = config.completed()
    how = f"{OPTIMISERS[config.optimizer]}, {SCHEDULES[full.schedule]}, beginning at {full.lr:g}{decay}"
    text = f"{what} for {length} in batches of {config.batch} ({how})"
    if config.patience:
        text += f", stopped when the validation loss had not fallen for {config.patience} looks"
    if not config.epochs:
        text += ", with the same limit in every arm" if config.patience else ", equally many in every arm"
    seen = "the test images" if "test-is-validation" in config.flaws else "real validation images only"
    return f"{text}; the weights were those of {SELECTED[config.select]}, on {seen}."


def head_in_words(name: str) -> str:
    """The head in words; a published one with its layers for two classes, as it was published."""
    if name not in HEADS:
        return OUR_HEADS[name]
    layers = HEADS[name]
    units = [str(width) for width in (*layers.widths, 1 if layers.sigmoid else 2)]
    dense = f"dense layer{'s' * (len(units) > 1)} of {_listed(units)}"
    before = ["batch normalisation"] * layers.batch_norm + [f"dropout {layers.dropout:g}"] * bool(layers.dropout)
    return f"{layers.title} ({', '.join([*before, dense])})"


def augmentation_in_words(policy: AugmentationPolicy) -> str:
    """How far the policy moves an image: `rotation up to 10 degrees, shifts up to 5 %, no flip`."""
    by_share: dict[float, list[str]] = {}
    for name, share in (("shifts", policy.shift), ("shear", policy.shear), ("zoom", policy.zoom)):
        if share:
            by_share.setdefault(share, []).append(name)
    moved = [f"{_listed(names)} up to {100 * share:g} %" for share, names in by_share.items()]
    flips = ["horizontal"] * policy.mirror + ["vertical"] * policy.flip
    return ", ".join(
        [f"rotation up to {policy.rotation:g} degrees", *moved, f"{_listed(flips)} flip" if flips else "no flip"]
    )


def _listed(names: list[str]) -> str:
    """`a, b and c`."""
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _arms(sources: Sources) -> str:
    config = sources.config
    names = "; ".join(ARMS[arm].title[0].lower() + ARMS[arm].title[1:] for arm in config.arms)
    ratios = ", ".join(f"{100 * ratio:g}" for ratio in config.ratios)
    of = "of what a class lacks to the largest one" if config.ratio_of == "gap" else "of each class's real images"
    text = f"The arms were: {names}."
    if any(has_ratios(arm) for arm in config.arms):
        text += f" Shares were {ratios} % {of}"
        text += f", for {' and '.join(config.extra_classes)} only" if config.extra_classes else ""
        text += "; smaller subsets lie within larger ones."
    if any(arm_rule(arm).classical for arm in config.arms):
        views = f", {config.views} recorded views an image" if config.training == "frozen" else ""
        views = "" if config.classifier == "small-cnn" else views
        text += f" Classical augmentation: {augmentation_in_words(AUGMENTATIONS[config.augmentation])}{views}."
    return text


def _statistics(sources: Sources) -> str:
    config, summary = sources.config, sources.summary
    metric, arm = METRICS[config.metric].title, primary_arm(sources)
    control = control_of(arm)
    level = "by patient (mean score of the images)" if config.level == "patient" else "by image"
    seeds = f"repeated with {config.seeds} seeds" if config.seeds > 1 else "trained with one seed"
    test = "real and synthetic ones" if "synthetic-in-test" in config.flaws else "real ones only"
    text = (
        f"Each arm was {seeds}, which fix{'' if config.seeds > 1 else 'es'} initial weights, order and subsets alike "
        f"in all arms; the test images, {test}, were read at the end of each trial. The outcome was "
        f"{metric if metric.isupper() else metric.lower()} {level}"
    )
    if not config.claims:
        return text + ". The protocol repeats a published one, and no claim was made from it."
    if config.seeds == 1:
        return text + ". No claim was made from a single repetition."
    against = f"{ARMS[control].title.lower()} at the same share" if control in config.arms else "the real images alone"
    both = any(not math.isnan(comparison.low_total) for comparison in summary.comparisons)
    intervals = (
        "their 95 % intervals take seeds and test images (whole patients where known) as random (crossed analysis of "
        "variance of jackknife pseudo-values), for all shares together"
        if both
        else "their 95 % intervals are BCa bootstrap intervals over the seeds"
    )
    shares = f"{len(config.ratios)} {'share' if len(config.ratios) == 1 else 'shares'}"
    return (
        f"{text}, chosen before the sweep. Differences were taken seed by seed, to {against} and to the real images "
        f"alone; {intervals}. The p values are those of two-sided sign-flip permutations over the seeds, with Holm's "
        f"correction over {shares}. The rule, set beforehand: synthetic images help when the "
        "interval of the difference to the repeated real images lies above 0 and the corrected p is below 0.05, and "
        "harm when that to the real images lies below 0 and its corrected p is below 0.05."
    )


def _software(sources: Sources) -> str:
    on = f" on {sources.status.device}" if sources.status.device else ""
    return (
        f"The sweep ran{on} with Ersatz and PyTorch {version('torch').split('+')[0]}; settings, seeds and hashes of "
        "every step are kept with the results."
    )
