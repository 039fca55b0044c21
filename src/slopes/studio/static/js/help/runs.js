// What every control of the runs page does: the tooltip, and for the help page more, with the name in slopes.

export default {
  filter: ["Show the runs whose name, recipe, state or figures contain all of these words.", ""],
  sort: ["Sort by this column; once more turns the order.", "slopes runs --sort FIGURE"],
  compare: ["Compare this run: its curves, figures and settings, beside those of up to seven others.", "slopes runs --compare"],
  look: ["All about this run: results, pictures, layers, and predictions.", "slopes report RUN"],
  figure: ["Which figure the curves are of.", "run.history"],
  axis: ["What the curves are drawn over.", ""],
  smooth: ["A running mean over so many steps: noise goes, the trend stays.", ""],
  log: ["A logarithmic scale.", ""],
  differing: ["Hide settings that are the same in all runs.", "slopes runs --compare"],
  file: ["A file to predict, of up to 16 MiB: a picture, a sound, a table, as the run takes it. It is removed afterwards.", "slopes predict RUN FILE"],
  text: ["A text to predict, or to continue.", "slopes predict RUN TEXT"],
  series: ["The name of the series; with a file of its past values choose the file afterwards.", "slopes predict RUN NAME=FILE.csv"],
  top: ["How many classes to show, the most probable first.", "slopes predict --top"],
};
