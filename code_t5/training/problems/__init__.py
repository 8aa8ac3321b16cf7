"""Programming problems (HumanEval, MBPP): generated programs, run behind a fence, and pass@k."""
