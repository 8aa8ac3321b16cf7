"""A token cache of format version 1 as it was written when that format was new.

The files of `small_token_source.small_source()`, encoded with `store_words`, compressed by zlib.
They are never made anew: every later version must read them.
"""

from __future__ import annotations

import base64
import pathlib
import zlib

_FILES = {
    "COMPLETED": "eNoDAAAAAAE=",
    "config.json": (
        "eNqr5lJQUEpJLEksTi2Jz0vMTVWyUlAqzk3MyVHSAUkVpZZlFmfm54GEDSFCpcWp8an5xfEl+dmpIPGSotJUrlou"
        "AETMFnc="
    ),
    "manifest.json": (
        "eNrdVctuG1cM3ecrDK0Dg7zv2w/ouovsB7yXpDONLAmasVE38L+XIyl6xSnQbZfDyzl8HR5+//TwsOL5bSer3x5W"
        "L+NmxrT6vBhl07csezN/t08z9O3zjvbCQ3ubZTK7Dy77+vn4KpuncXMAmbffZDP+LftpdXpbj21P+7fbxwd4dPgY"
        "VubyfgrIw1aHWf6ah5HNGQ9mHTdPst/tLbUFoIhjqk1TSdCK9JYpQc7cXA5BE7cW1an5MDTPJDFJIIWWYkdRyKt7"
        "0MGKmqdLmUwznb/sey+v4zRuN0twPFVk5iXN5a8VIwkAUAjQtHVpIQPH6FBTTAwhuVBKYdeIfM9Y1RUI0VWvABGx"
        "rg6I76dW6Xb/TPPwag06xsTTw3Y3m2G6zuxlkkG203DoqT3M+xe5ATs3+/qvvqbpkPgfe/myJxsaf/nh9ztN86XE"
        "BfsyiIPp27hZDKuvL0827qdBqcvlh2m3Hudh2kkfaX1Ma4mktJ7k0rirpFY2JBVWl2P0vfTKQlxdT9RVJIVUMgVK"
        "7ItrGAqgiDYtQAjgQGo8Ne/MoVP7NvR8oOLC4GGOx1SGTv2rrK797tq8mr6Si+ma8hsdnx7/nI7jD6G1xk5rz1IL"
        "FhGnbCMVFwJl4cypomaQYIQQc1QXqTMwRegpxR/7MC9tf1ySnB43u8Ne+GjbFFlSjNzFyBS0c/A+5QzdURWvXpLP"
        "yRf0kj2mzLUzF8JYocEH0LZMOsl8CeGVOHvIpVSIzCGxsLFTO4DtMaXmpNgseom1OXPKHB0HrBkpJu13IY6gRvbS"
        "MzRKLmbw1INVUGtyDpRq9LYHSKDqLaYsDxXBa66+BR8D3YHeZSyOMASxzW0xNbSlT7EuDU9ADUJxGGqwRYdiTSgS"
        "AkZM3UTJoSSFcgs+GenO0D2CAnJqOfZQPFFp1RpAGhJl8ka1YKFbLxkbWWhAwtZ691yp15h+QL/SejTFMBLdzrNm"
        "AQ3AuVRSLj75ypqzxiYlmXY178Rh851qFzE+t9TU15TMLLW2X+HfDxUYc+LI1nmHzKlEEoHODSWqVdOyzRpsCMXK"
        "4NZT9d4oZYSK3YGHj+IckXOtyhXFqreGqqs59YIWzvrjongumn2O1mbrXbYFZuuQJ03NZI3Jf4B8lzu7wLYey7qr"
        "rUfKXbF7KtSMpL4UqiFCJUCf0bQhS6cciigqe8zlowg3M44lmBDX0jUammg2YhstWzER9qpgViwoh6JCKNEZJZOg"
        "xbG6COLlNB2E7epGHAh1Lapr2j/JdLpb8ax1m5fn87V0eGPmbX95ls0BNd28nHUT642aX8r8j5HLLwO7jwPnO1X9"
        "+Y78dBvsoq7l5jrdnoHhmXZnHc3aJIi3G4hUkSXmslAHvcqifSY8xWRIxVVHwbFPxAubW3GxQY9XF+ec2RkbTA9c"
        "bhxVEV12Rk/TViq1gsloisFW3idXui/qfTXdI6yNMiQEVwt8gD3cnYEmCYVDVCFi5WZSbIc8haKC3L2pHObm1WTR"
        "RF2iS1BctcTBtwji/O3FH9mGMc5v//cbfSr3X7JbvW47tWHZ4WUpFvp9ev/0D0eU8tA="
    ),
    "tokenizer/special_tokens_map.json": (
        "eNqr5lJQUErNL44vyc9OzVOyUlCySc1LsVPSAYmX5mUjiQN5dkpctVwAgpYOnw=="
    ),
    "tokenizer/tokenizer.json": (
        "eNrNksFOwzAMhu99iijnCm0MLgjxBNw4cEBTFRID0bI4itMimPbuOM2WtVofgEskf44d/79zaISQA0Sy6OWDkOub"
        "lWwzS7H3WqWCfe/cSIMyxvrPKWICpku4A0/M35gJcRhPzlrDbNWeQ40+gU/5pcfe755kzRC3ddB9Y8wVH8oR1Jyj"
        "FG24wnEZe4x75ewvXDeiANoqx5zlwUiP7cLA68WBwZv/MDCf29H5WhdnK4pQtnFKFGUy/QTIKl6/bAIKSsNLcDbJ"
        "5mSBDEipCxE1EOGsowGNZv7InoFbaM5mPMPAqaJADqjVe70nzluffoli69RzxdFtjXL55rIPju5qlA27n65Rcvui"
        "/vLFssLm+AedHsKS"
    ),
    "tokenizer/tokenizer_config.json": (
        "eNrNksFuwyAMhu95iohzD83WRdk07Rl26B1Z8K9DJSYyRKta9d1LQ1p163YfJ/g/bP/GHKq6VmQtrE5hC47awgQL"
        "US/1IbNMl9dtPpjACZyypF5H3r6pxYX4mMQNGXyQj7jKHKQn7/awd0h+j4iONx76K8h9SBxgHPmsJxkxqccCVfOX"
        "TbD9Dzar2aoyHsR6HMqDuz0lF1jHgQzibSaFEMud720o7JKQnmvMYzs3X9L3eXpe97TTHrxJn5k0yx+ree66Vfuw"
        "6h679qmdwmYzEG08xXM+9S5YCzmGXV9gMZAHf2Ns+gbVsToBKUungQ=="
    ),
    "train.names.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBeU2qorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RqGRjqaOgq1"
        "CuQDLi4DLkMuIy5jLhMuUwDLZR0h"
    ),
    "train.names_offsets.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrmOpo6CrUK"
        "FAAuBihggtIsUJoNSnNAaZhCHigNAFi4G48="
    ),
    "train.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuU2qkrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RqGljqaOgq1"
        "CuQDLiYGZgYWBkYgZAViJjhkBIozgMVAsgB1+Buo"
    ),
    "train.offsets.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrmOpo6CrUK"
        "FAAuBihggdKsUJodSvNCaUEoLQylAVqAG6Y="
    ),
    "train.sizes.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpmOpo6CrUK"
        "FAAuVgZUwAilOaE0K5o4AHvOG3k="
    ),
    "validation.names.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBeU2qorqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RomOpo6CrUK"
        "FAAuLgMuQwDibxwc"
    ),
    "validation.names_offsets.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOpo6CrUK"
        "FAAuBihggtIsUBoA5zAbZw=="
    ),
    "validation.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuU2qkrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrmOpo6CrUK"
        "FAAuVgZWBkYGFgZmBiYgDQDZ+RuA"
    ),
    "validation.offsets.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RrGOpo6CrUK"
        "FAAuBihghtLsUBoA51gbaw=="
    ),
    "validation.sizes.npy": (
        "eNqb7BfqGxDJyFDGUK2eklqcXKRupaBuk2mhrqOgnpZfVFKUmBefX5SSChJ3S8wpTgWKF2ckFqQC+RpGOpo6CrUK"
        "FAAuZgYIYIXSAAvtG2g="
    ),
}


def write_golden_cache(cache_dir: pathlib.Path) -> None:
    """Writes the cache, whose marker is empty, as it was at first."""
    for name, content in _FILES.items():
        path = cache_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(zlib.decompress(base64.b64decode(content)))
