"""All figures of pages and reports: pure functions from tables to Plotly figures, no files and no Streamlit."""

from engine.report.comparison_figures import (
    figure_confusion,
    figure_differences,
    figure_reliability,
    figure_subgroups,
)
from engine.report.dataset_figures import figure_class_counts, figure_sizes
from engine.report.map_figures import figure_dataset_map
from engine.report.quality_figures import (
    figure_embedding,
    figure_neighbour_distances,
    figure_neighbour_map,
    figure_ranking,
    figure_scores,
)
from engine.report.review_figures import figure_reader_roc, figure_reviewers
from engine.report.sweep_figures import figure_sweep
from engine.report.training_figures import (
    figure_augmentation,
    figure_d_outputs,
    figure_diversity,
    figure_fid,
    figure_gradients,
    figure_held_out,
    figure_kid,
    figure_losses,
    figure_overlay,
    figure_penalties,
    figure_throughput,
)

__all__ = [
    "figure_augmentation",
    "figure_class_counts",
    "figure_confusion",
    "figure_d_outputs",
    "figure_dataset_map",
    "figure_differences",
    "figure_diversity",
    "figure_embedding",
    "figure_fid",
    "figure_gradients",
    "figure_held_out",
    "figure_kid",
    "figure_losses",
    "figure_neighbour_distances",
    "figure_neighbour_map",
    "figure_overlay",
    "figure_penalties",
    "figure_ranking",
    "figure_reader_roc",
    "figure_reliability",
    "figure_reviewers",
    "figure_scores",
    "figure_sizes",
    "figure_subgroups",
    "figure_sweep",
    "figure_throughput",
]
