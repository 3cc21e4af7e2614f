"""Joining the dots of one seed in the plot of a sweep, while the pointer is on one of them: a script for any page.

The lines are in the figure already, invisible (`sweep_figures.py`), and `meta` of their traces names the seed; Plotly
draws nothing anew on a hover by itself. `joinSeeds` listens to the whole document, so that figures that come later are
heard too, and asks each for its events once it is pointed at.
"""

SCRIPT = """
function joinSeeds() {
  if (document.joinsSeeds) return;
  document.joinsSeeds = true;
  const show = (plot, seed) => {
    for (const line of plot.querySelectorAll(".scatterlayer .trace")) {
      const drawn = line.__data__ && line.__data__[0] && line.__data__[0].trace;
      if (drawn && drawn.meta && drawn.meta.seed !== undefined)
        line.style.opacity = seed !== null && drawn.meta.seed === seed ? 1 : 0;
    }
  };
  document.addEventListener("pointerover", (event) => {
    const plot = event.target instanceof Element && event.target.closest(".js-plotly-plot");
    if (!plot || typeof plot.on !== "function" || plot.joinedWith === plot._ev) return;
    plot.joinedWith = plot._ev;  // a figure that was thrown away and drawn again has new ones
    plot.on("plotly_hover", (found) => {
      const data = found.points.length ? found.points[0].customdata : null;
      show(plot, data && data[2] !== null && data[2] !== undefined ? data[2] : null);
    });
    plot.on("plotly_unhover", () => show(plot, null));
  });
}
"""
