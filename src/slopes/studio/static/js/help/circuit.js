// What every control of the circuit page does: the tooltip, and for the help page more.

export default {
  preset: ["Circuits of the lectures to begin with.", "Each has a paragraph that says what to look at."],
  text: ["Formulas, values and functions: f = x * y; x = 2; y = 3; def s(t): return t * t", "+ - * / ** @, brackets, lists such as [1, 2] and [[1, 2], [3, 4]], elements x[0] and W[0, 1], pi, and the functions exp log sqrt square abs sin cos tan tanh sigmoid relu softplus softmax log_softmax logsumexp cross_entropy sum mean max min dot transpose. The result is an expression without a name, or the last formula that no other one uses."],
  values: ["A value that the text states: change it, and everything that depends on it follows.", ""],
  next: ["The next product of the chain rule: the gradient from above times the local gradient (right arrow key in the circuit).", "sl.explain(f, ...).steps"],
  back: ["Take back the last product (left arrow key in the circuit).", ""],
  none: ["Values only, no gradient.", ""],
  all: ["All products: every gradient.", ""],
  open: ["Show the operations that functions such as sigmoid consist of, instead of one gate for each.", "Gradients do not change: the local gradient of a function is the product of what is inside."],
  python: ["Copy a program that prints these values, gradients and products.", "sl.explain"],
  svg: ["Save the whole circuit as a picture.", "sl.explain(f, ...).save"],
  edge: ["An edge: values flow along it to the right, a gradient to the left. Select it to see its product.", ""],
};
