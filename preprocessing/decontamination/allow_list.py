"""Snippets so generic that sharing them with a benchmark says nothing.

Every one is our own wording of what any Python programmer writes; `--benchmark_allow` adds more.
Tokens count (`preprocessing.dedup.tokens`), so that spaces and operators make no difference; a
snippet of few tokens would cover too much and is refused by a test.
"""

from __future__ import annotations

SNIPPETS: tuple[str, ...] = (
    "from typing import Any, Dict, List, Optional, Tuple",
    "from typing import Dict, List, Optional, Tuple",
    "from typing import List, Optional, Tuple",
    "from typing import List, Tuple",
    "from __future__ import annotations",
    "import os\nimport re\nimport sys",
    "import numpy as np\nimport pandas as pd",
    "import math\nimport collections\nimport itertools",
    'if __name__ == "__main__":\n    import doctest\n    doctest.testmod()',
    'if __name__ == "__main__":\n    main()',
    "for i in range(len(n)):\n    for j in range(i + 1, len(n)):",
    "for i in range(n):\n    for j in range(n):",
    "for i in range(n):\n    for j in range(i + 1, n):",
    "for i in range(1, n + 1):\n    for j in range(1, n + 1):",
    "for i in range(1, m + 1):\n    for j in range(1, n + 1):",
    "for i in range(m + 1):\n    for j in range(n + 1):",
    "for i in range(0, n):\n    for j in range(0, n):",
    "if n == 0:\n    return 0\nif n == 1:\n    return 1",
    "def __init__(self, x, y):\n    self.x = x\n    self.y = y",
    "def __init__(self, value):\n    self.value = value",
    "self.left = None\n    self.right = None\n    self.parent = None",
    "def __init__(self, data):\n    self.data = data\n    self.next = None",
    "a, b = b, a + b",
    "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16",
    "1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16",
    "a b c d e f g h i j k l m n o p q r s t u v w x y z",
    "January February March April May June July August September October November December",
    "Monday Tuesday Wednesday Thursday Friday Saturday Sunday",
    "zero one two three four five six seven eight nine ten",
)
