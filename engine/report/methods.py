"""A methods paragraph ready for a paper, written from the configs: what was done, in the order it was done."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from engine.configs.evaluation import LEARNING_CURVE
from engine.configs.gans import gan_title
from engine.publications.table import AUGMENTATIONS
from engine.quality.patient_swaps import SWAPS
from engine.quality.quality_scores import COPIES_RULE
from engine.report.data_facts import methods_sentences, real_tested
from engine.report.headline_answers import excluded_images, primary_arm
from engine.report.learning_curve_figures import looks_in_words
from engine.report.ledger_facts import declared
from engine.report.ledger_facts import methods_sentences as ledger_sentences
from engine.report.limits import dependent_folds
from engine.report.pool_facts import origin_in_words
from engine.report.quality_tables import score_of
from engine.report.reader_study import methods_sentence, without_names
from engine.report.references import cited
from engine.report.sources import GeneratorSource, PoolSource, Sources
from engine.report.style import ARMS
from engine.report.sweep_words import (
    NETWORKS,
    OPTIMISERS,
    augmentation_in_words,
    head_in_words,
    shares_in_words,
)
from engine.report.tables import METRICS, measure_of
from engine.sweep.arms import arm_rule, baseline_of, control_of, has_ratios, ratios_of
from engine.sweep.extension import UNPLANNED
from engine.sweep.looks import is_planned
from engine.sweep.metrics import LOG_CLIP
from engine.sweep.statistics import QUICK_LOOK_BELOW
from engine.sweep.summary_model import SweepSummary
from engine.sweep.verdict import FORMER_RULE

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
        *ledger_sentences(sources),
        *[deviation.sentence for deviation in sources.summary.departures],
        _software(sources),
    ]
    text = " ".join(part for part in parts if part)
    references = cited(text)
    return f"{text} References: {' '.join(references)}" if references else text


def _data(sources: Sources) -> str:
    summary, dataset = sources.summary, sources.dataset
    classes = summary.classes
    text = f"The data set {sources.config.dataset} has {len(classes)} classes ({', '.join(classes)})."
    if summary.positive_class:
        text += f" The positive class was {summary.positive_in_words}."
    if dataset is None:
        return text
    if dataset.is_phantom:
        text += " Its images were drawn by a program and show no patients."
    counts = {"train": summary.n_train, "valid": summary.n_valid, "test": real_tested(sources)}
    text += f" {methods_sentences(sources, counts)}"
    if added := summary.n_test - counts["test"]:
        text += f" {added} synthetic images were set among the test images, as published."
    if sources.config.folds:
        text += f" {dependent_folds(len(sources.config.folds))}"
    if (external := summary.external) is not None:
        text += (
            f" Every classifier was also read on all {external.n_images} images of another data set, "
            f"{external.dataset}, of which nothing was seen in training."
        )
    form = "grey" if dataset.mode == "L" else "colour"
    how = {"pad": "padded with black to squares", "crop": "cropped to their central square", "stretch": "stretched"}
    resize = how.get(str(dataset.info.config.get("resize")))
    brought = f", {resize}" if resize and not dataset.is_phantom else ""
    return f"{text} Images were stored as {dataset.size} x {dataset.size} pixels, {form}{brought}."


def _generators(sources: Sources) -> list[str]:
    """One sentence for all generators that were trained alike but for the seed."""
    alike: dict[str, list[GeneratorSource]] = {}
    for generator in sources.generators:
        alike.setdefault(_trained(generator, ()), []).append(generator)
    sentences = []
    for generators in alike.values():
        how = _trained(generators[0], sorted({generator.config.get("seed", 0) for generator in generators}))
        made = list(dict.fromkeys(name for generator in generators for name in generator.info.classes))
        conditional = ", conditional on the class" if generators[0].info.conditional else ""
        were = "Generators" if len(generators) > 1 else "A generator"
        verb = "were" if len(generators) > 1 else "was"
        each = _one_of_each(generators, len(sources.config.folds))
        told = ", ".join(
            filter(None, (each + conditional, "; ".join(made) if len(made) < 9 else f"{len(made)} classes"))
        )
        sentences.append(f"{were} ({told.removeprefix(', ')}) {verb} {how}.")
    return sentences


def _one_of_each(generators: list[GeneratorSource], folds: int) -> str:
    """Of what there are equally many generators, where there are several: `one a class and fold`, `3 a class`."""
    if len(generators) == 1:
        return ""
    classes = len({tuple(generator.info.classes) for generator in generators})
    datasets = len({generator.info.dataset or generator.config.get("dataset") for generator in generators})
    of = [word for word, count in (("class", classes), ("fold", datasets if folds else 1)) if count > 1]
    each, rest = divmod(len(generators), classes * (datasets if folds else 1))
    if rest or not of:
        return f"{len(generators)} of them"
    return f"{'one' if each == 1 else each} a {' and '.join(of)}"


def _trained(generator: GeneratorSource, seeds: Sequence[int]) -> str:
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
    if config.get("aug") == "fixed":
        text += f", augmentation {config['augpipe']} with the probability {config['aug_p']:g}"
    flips = [
        name for name, flag in (("left to right", "mirror"), ("top to bottom", "mirror_vertical")) if config.get(flag)
    ]
    if flips:
        text += f", real images mirrored at random {' and '.join(flips)}"
    if config.get("gamma"):
        text += f", R1 weight {config['gamma']:g}"
    if config.get("gradient_penalty"):
        text += f", gradient penalty {config['gradient_penalty']:g}"
    text += f", seed{'s' * (len(seeds) > 1)} {', '.join(map(str, seeds))})"
    if config.get("start_from"):
        text += f", starting from the network {config['start_from']}"
    return text


def _pools(sources: Sources) -> str:
    known = [source for source in sources.pools if source.pool is not None]
    if not known:
        return ""
    if told := _other_pools(sources, known):
        return told
    config = known[0].config
    first, count = config["first_seed"], config["images_per_class"]
    classes = ", ".join(config.get("only_classes", ()))
    each = f"of the class{'es' * (',' in classes)} {classes}" if classes else "of each class"
    text = f"{count} image{'s' * (count != 1)} {each}{' and fold' if len(sources.pools) > 1 else ''} were sampled"
    text += f" (seeds {first} to {first + count - 1}"
    if any(generator.info.num_ws for generator in sources.generators):
        cutoff = f" in the first {config['psi_cutoff']} layers" if config.get("psi_cutoff") else ""
        text += f", truncation {config['psi']:g}{cutoff}, noise {config['noise']}"
    text += ")"
    gone = excluded_images(sources)
    reasons = _reasons(known, sources.summary)
    why = f" ({', '.join(reasons)})" if reasons else ""
    return text + (f"; {gone} of them were excluded{why} before the sweep." if gone else "; none was left out.")


def _other_pools(sources: Sources, known: list[PoolSource]) -> str:
    """Of pools that were not sampled here; empty where they were."""
    infos = [(source.pool.info, len(source.pool.manifest)) for source in known if source.pool is not None]
    told = list(dict.fromkeys(sentence for info, images in infos for sentence in origin_in_words(info, images)))
    if not told:
        return ""
    gone, reasons = excluded_images(sources), _reasons(known, sources.summary)
    why = f" ({', '.join(reasons)})" if reasons else ""
    return " ".join([*told, f"{gone} of the images were excluded{why} before the sweep." if gone else ""]).strip()


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
    scored = f"scored on {on} ({shown}; {config['k']} neighbours), each beside the same score of real images against "
    scored = f"{scored}real images, and " if names else ""
    shift = config["pixel_shift"]
    moved = f"shifts up to {shift} pixel{'s' * (shift != 1)}, mirrored ones too" if shift else "mirrored ones too"
    by = "pixels" if extractor == "pixels" else "features and by pixels"
    images = "images" if len(sources.qualities) == len(sources.pools) else f"images of {len(sources.qualities)} of "
    images += "" if len(sources.qualities) == len(sources.pools) else f"{len(sources.pools)} pools"
    compared = f"The {images} were {scored}compared with every training image by {by} ({moved}); "
    if found.copies_rule != COPIES_RULE:
        return f"{compared}held-out real images set the threshold of a copy."
    return (
        f"{compared}an image is called a copy where it lies so much nearer to one training image than to the next ones "
        "as hardly any held-out real image does, nor the pool to held-out images. DCR, C_T, AuthPct and the copy ratio "
        f"are held against {SWAPS} permutations of whole patients between training and validation part, and membership "
        "of patients was inferred from the pool (ratio of distances as a density ratio, arXiv 2302.12580; Newcombe's "
        "interval of the AUC)."
    )


def _classifier(sources: Sources) -> str:
    config, summary = sources.config, sources.summary
    network = NETWORKS.get(config.classifier, config.classifier)
    weights = f"weights {summary.classifier.weights or 'unknown'}"
    if config.classifier == "small-cnn":
        what = "A small convolutional network was trained from scratch"
    elif config.training == "frozen":
        head = head_in_words(config.head, len(summary.classes))
        what = f"{head[0].upper()}{head[1:]} on frozen features of {network} ({weights}) was trained"
    else:
        what = f"{network} ({weights}) was fine-tuned with {head_in_words(config.head, len(summary.classes))}"
    if config.head == "probe" and config.training == "frozen":
        return f"{what.removesuffix(' was trained')} was the classifier; validation images chose its regularisation."
    passes = f"{config.epochs} pass{'es' * (config.epochs != 1)} over each training set"
    length = passes if config.epochs else f"{summary.steps} step{'s' * (summary.steps != 1)}"
    decay = f", weight decay {config.weight_decay:g}" if config.optimizer == "adamw" else ""
    full = config.completed()
    how = f"{OPTIMISERS[config.optimizer]}, {SCHEDULES[full.schedule]}, beginning at {full.lr:g}{decay}"
    text = f"{what} for {length} in batches of {config.batch} ({how})"
    if config.patience:
        looks = f"{config.patience} look{'s' * (config.patience != 1)}"
        text += f", stopped when the validation loss had not fallen for {looks}"
    if not config.epochs:
        text += ", with the same limit in every arm" if config.patience else ", equally many in every arm"
    if config.select == "last":
        return f"{text}; the weights were those of {SELECTED[config.select]}."
    seen = "the test images" if "test-is-validation" in config.flaws else "real validation images only"
    return f"{text}; the weights were those of {SELECTED[config.select]}, on {seen}."


def _arms(sources: Sources) -> str:
    config = sources.config
    names = "; ".join(ARMS[arm].title[0].lower() + ARMS[arm].title[1:] for arm in config.arms)
    text = f"The arms were: {names}."
    if any(has_ratios(arm) for arm in config.arms):
        text += f" Shares were {shares_in_words(config)}"
        if max(config.ratios) >= 1 and any(arm_rule(arm).base == "replaced" for arm in config.arms):
            text += ", in arms that replace real images those below 100 % alone"
        text += "; smaller subsets lie within larger ones." if len(config.ratios) > 1 else "."
    if LEARNING_CURVE in config.arms:
        shares = " and ".join(f"{100 * share:g} %" for share in config.real_shares)
        text += (
            f" For a learning curve the classifier was also trained on {shares} of each class's real images (whole "
            "groups where known), smaller subsets within larger ones."
        )
    if any(arm_rule(arm).classical for arm in config.arms):
        views = f", {config.views} recorded views an image" if config.training == "frozen" else ""
        views = "" if config.classifier == "small-cnn" else views
        text += f" Classical augmentation: {augmentation_in_words(AUGMENTATIONS[config.augmentation])}{views}."
    return text


def _statistics(sources: Sources) -> str:
    config, summary = sources.config, sources.summary
    metric = measure_of(config.metric, summary.positive_class).title
    level = "by patient (mean score of the images)" if config.level == "patient" else "by image"
    if config.level == "patient" and summary.patients is not None and summary.patients.named:
        named = f"{summary.patients.named} of the patients are groups read from file names"
        level = f"by patient (mean score of the images; {named})"
    if config.level == "patient" and summary.positive_class and summary.patients and summary.patients.mixed:
        level += f", a patient with images of both classes as {summary.positive_class}"
    seeds = f"repeated with {config.seeds} seeds" if config.seeds > 1 else "trained with one seed"
    test = "real and synthetic ones" if "synthetic-in-test" in config.flaws else "real ones only"
    read = "validation images too" if "test-is-validation" in config.flaws else "read at the end of each trial"
    was = "were" if "test-is-validation" not in config.flaws else "served as"
    altered = ", altered at random" if "augmented-test" in config.flaws else ""
    text = (
        f"Each arm was {seeds}, which fix{'' if config.seeds > 1 else 'es'} initial weights, order and subsets alike "
        f"in all arms; the test images, {test}{altered}, {was} {read}. The outcome was "
        f"{metric if metric.isupper() else metric[0].lower() + metric[1:]} {level}{_loss(config.metric)}"
    )
    if not config.claims:
        return text + ". The protocol repeats a published one, and no claim was made from it."
    if config.seeds == 1:
        return text + ". No claim was made from a single repetition."
    looks = looks_in_words(config.looks, config.spending) if is_planned(config) else ""
    added = UNPLANNED if any(not look.planned for look in summary.looks) else ""
    return " ".join(filter(None, (f"{text}, declared {declared(sources)}. {_rule(sources)}", looks, added)))


def _loss(metric: str) -> str:
    """That less of it is better, and below what a probability does not count."""
    if not METRICS[metric].loss:
        return ""
    clip = f", probabilities below {LOG_CLIP:g} counted as that" if metric == "log_score" else ""
    return f" (lower is better, and differences are told as improvements{clip})"


def _rule(sources: Sources) -> str:
    """How differences were taken and when something was claimed of the arm that the verdict is about."""
    config, summary, arm = sources.config, sources.summary, primary_arm(sources)
    if arm not in config.arms:
        return "No arm held synthetic images, so nothing was compared for a verdict."
    control, baseline = control_of(arm), baseline_of(arm) or "real"
    against = ["the real images alone" + (" with classical augmentation" if baseline != "real" else "")]
    if control in config.arms:
        against.insert(0, f"{ARMS[control].title[0].lower()}{ARMS[control].title[1:]} at the same share")
    if summary.rule == FORMER_RULE:
        how, rule = _former(sources, control in config.arms)
    else:
        how, rule = _statistic(sources, arm), _decision(sources, control in config.arms)
    return f"Differences were taken seed by seed, to {' and to '.join(against)}; {how} {rule}"


def _statistic(sources: Sources, arm: str) -> str:
    """What p and interval are made of."""
    config = sources.config
    ratios = ratios_of(arm, config)
    generators = sources.summary.generators_a_class
    luck = f"generators ({generators} a class, seeds nested in them)" if generators > 1 else "seeds"
    level = "95 %" if not any(look.planned for look in sources.summary.looks) else "repeated confidence"
    text = (
        f"their p values and {level} intervals take {luck} and test images (whole groups where known) as random: a "
        "crossed analysis of variance of infinitesimal-jackknife pseudo-values (Jaeckel 1972; Dorfman, Berbaum and "
        "Metz 1992), with a t at Satterthwaite's degrees of freedom (Satterthwaite 1946; Hillis 2007)"
    )
    if config.primary_ratio is not None and len(ratios) > 1 and config.primary_ratio in ratios:
        share = f"The share of {100 * config.primary_ratio:g} %"
        return f"{text}. {share} was declared {declared(sources)}; others are exploratory."
    if len(ratios) == 1:
        return text + "."
    return (
        f"{text}, and hold for all {len(ratios)} shares and their mean together (single-step max-t), after Westfall "
        "and Young 1993 and Hothorn, Bretz and Westfall 2008."
    )


def _decision(sources: Sources, controlled: bool) -> str:
    """When something was claimed."""
    config = sources.config
    if config.seeds < QUICK_LOOK_BELOW:
        return f"With {config.seeds} seeds it is a quick look, from which nothing was claimed."
    harm = "harm when that to the real images lies below 0"
    rule = (
        "The rule of the program: synthetic images help when the interval of the difference to the repeated real "
        f"images lies above 0 and so does that to the real images alone, and {harm}."
        if controlled
        else f"The rule of the program: synthetic images {harm.replace('that', 'the interval of the difference')}; "
        "whether they help cannot be told without a control of repeated real images."
    )
    if config.margin is not None:
        points = METRICS[config.metric].show_difference(config.margin).removeprefix("+")
        rule += f" No relevant difference: all intervals of the difference to the real images within ±{points}."
    return rule


def _former(sources: Sources, controlled: bool) -> tuple[str, str]:
    """Of sweeps that were judged by sign flips: what p and interval were made of, and when something was claimed."""
    config, summary = sources.config, sources.summary
    both = any(not math.isnan(comparison.low_total) for comparison in summary.comparisons)
    together = f", for all {len(config.ratios)} shares together" if len(config.ratios) > 1 else ""
    intervals = (
        "their 95 % intervals take seeds and test images (whole groups where known) as random (crossed analysis of "
        f"variance of jackknife pseudo-values){together}"
        if both
        else "their 95 % intervals are BCa bootstrap intervals over the seeds"
    )
    shares = f"{len(config.ratios)} {'share' if len(config.ratios) == 1 else 'shares'}"
    if config.seeds < QUICK_LOOK_BELOW:
        rule = f"With {config.seeds} seeds it is a quick look, from which nothing was claimed."
    else:
        harm = "harm when that to the real images lies below 0 and its corrected p is below 0.05."
        rule = (
            "The rule of the program: synthetic images help when the interval of the difference to the repeated real "
            f"images lies above 0 and the corrected p is below 0.05, and {harm}"
            if controlled
            else "The rule of the program: synthetic images harm when the interval of the difference to the real "
            "images lies below 0 and the corrected p is below 0.05; whether they help cannot be told without a control "
            "of repeated real images."
        )
    how = (
        f"{intervals}. The p values are those of two-sided sign-flip permutations over the seeds, with Holm's "
        f"correction over {shares}."
    )
    return how, rule


def _software(sources: Sources) -> str:
    on = f" on {sources.status.device}" if sources.status.device else ""
    return (
        f"The sweep ran{on} with Ersatz and PyTorch; settings, seeds and hashes of every step are kept with the "
        "results."
    )
