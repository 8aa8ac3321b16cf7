"""Tests of what a source file says of its own licence."""

from __future__ import annotations

import time

import pytest

from preprocessing import licenses
from preprocessing.licenses import expressions, headers, phrases

_GPL = (
    "This program is free software; you can redistribute it and/or modify it under the terms of\n"
    "the GNU {name}General Public License as published by the Free Software Foundation; either\n"
    "version {version} of the License, or (at your option) any later version.\n"
)
_REDISTRIBUTION = (
    "Redistribution and use in source and binary forms, with or without modification, are\n"
    "permitted provided that the following conditions are met:\n"
)


def _commented(text: str, sign: str) -> bytes:
    return "".join(f"{sign} {line}\n" for line in text.splitlines()).encode("utf-8")


@pytest.mark.parametrize(
    ("line", "expression"),
    [
        (b"# SPDX-License-Identifier: MIT", "MIT"),
        (b"// SPDX-License-Identifier: (mit OR Apache-2.0)", "Apache-2.0 OR MIT"),
        (b"/* SPDX-License-Identifier: GPL-2.0 */", "GPL-2.0-only"),
        (b" * SPDX-License-Identifier:ISC", "ISC"),
        (b"<!-- SPDX-License-Identifier: Zlib -->", "Zlib"),
        (b"-- SPDX-License-Identifier: BSL-1.0", "BSL-1.0"),
        (b'"""SPDX-License-Identifier: MIT"""', "MIT"),
        (b"REM SPDX-License-Identifier: MIT", "MIT"),
        (b"# SPDX-License-Identifier: MIT\r", "MIT"),
        # What is no comment, or says nothing, is no tag.
        (b'write("SPDX-License-Identifier: MIT")', ""),
        (b'tag = "SPDX-License-Identifier: MIT"', ""),
        (b'    "SPDX-License-Identifier: MIT",', ""),
        (b"# SPDX-License-Identifier: NOASSERTION", ""),
        (b"# SPDX-License-Identifier: %s", ""),
        (b"# SPDX-License-Identifier:", ""),
        (b"# SPDX-License-Identifier: " + b"MIT OR " * 1000, ""),
    ],
)
def test_tag_is_read_from_a_comment_line(line, expression):
    found = licenses.find_file_license(b"#!/bin/x\n" + line + b"\nimport os\n")
    assert found == licenses.License(expression, "spdx_tag" if expression else "")


def test_several_tags_all_hold_and_a_tag_wins_over_a_header():
    content = (
        b"# SPDX-License-Identifier: MIT\n# SPDX-License-Identifier: ISC\n"
        b"# Licensed under the Apache License, Version 2.0\n"
    )
    assert licenses.find_file_license(content) == licenses.License("ISC AND MIT", "spdx_tag")


def test_only_the_head_counts_but_a_tag_that_begins_there_is_read_whole():
    tag = b"# SPDX-License-Identifier: GPL-2.0-or-later\n"
    filler = b"#" * (headers.HEAD_BYTES - len(tag) + 4) + b"\n"
    assert licenses.find_file_license(filler + tag).expression == "GPL-2.0-or-later"
    assert licenses.find_file_license(b"#" * headers.HEAD_BYTES + b"\n" + tag).expression == ""
    assert licenses.find_file_license(b"#\n" * 2048 + b"# MIT License\n").expression == ""


@pytest.mark.parametrize("sign", ["#", "//", " *", "--", ";;", "%", ""])
@pytest.mark.parametrize(
    ("text", "expression"),
    [
        ('Licensed under the Apache License, Version 2.0 (the "License");\nyou may', "Apache-2.0"),
        ("LICENSED UNDER THE\nAPACHE LICENSE,\n  VERSION 2.0", "Apache-2.0"),
        ("Part of the project, under the Apache License v2.0 with LLVM Exceptions.\n",
         "Apache-2.0 WITH LLVM-exception"),
        ("See http://www.apache.org/licenses/LICENSE-2.0", "Apache-2.0"),
        ("Permission is hereby granted, free of charge, to any person obtaining a\n"
         "copy of this software and associated documentation files", "MIT"),
        ("Released under the MIT license.", "MIT"),
        (":license: MIT, see there", "MIT"),
        (_REDISTRIBUTION + "1. Keep this.", "BSD-2-Clause"),
        (_REDISTRIBUTION + "3. Do not endorse or promote products.", "BSD-3-Clause"),
        (_REDISTRIBUTION + "3. All advertising materials mentioning it\n"
         "4. endorse or promote products", "BSD-4-Clause"),
        ("Use of this source code is governed by a BSD-style license that can be found there",
         "LicenseRef-BSD-unspecified"),
        ("BSD license\n" + _REDISTRIBUTION, "BSD-2-Clause"),
        ("License: BSD 3 clause", "BSD-3-Clause"),
        ("Permission to use, copy, modify, and/or distribute this software for any purpose with\n"
         "or without fee is hereby granted, provided that the above notice", "ISC"),
        ("Permission to use, copy, modify, and/or distribute this software for any purpose with\n"
         "or without fee is hereby granted.", "0BSD"),
        (_GPL.format(name="", version="2"), "GPL-2.0-or-later"),
        (_GPL.format(name="", version="3"), "GPL-3.0-or-later"),
        (_GPL.format(name="Lesser ", version="2.1"), "LGPL-2.1-or-later"),
        (_GPL.format(name="Library ", version="2"), "LGPL-2.0-or-later"),
        (_GPL.format(name="Affero ", version="3"), "AGPL-3.0-or-later"),
        ("under version 2 of the GNU General Public License.", "GPL-2.0-only"),
        ("under the GNU General Public License version 2.", "GPL-2.0-only"),
        ("GNU General Public License v3.0+ (see COPYING)", "GPL-3.0-or-later"),
        ("under the GNU General Public License.", "GPL-1.0-or-later"),
        ("This file is GPLv2 licensed", "GPL-2.0-only"),
        ("License: LGPLv3+", "LGPL-3.0-or-later"),
        ("subject to the terms of the Mozilla Public License, v. 2.0.", "MPL-2.0"),
        ("under the Mozilla Public License Version 1.1", "MPL-1.1"),
        ("the Eclipse Public License v1.0 which accompanies this license", "EPL-1.0"),
        ("under the terms of the Eclipse Public License 2.0", "EPL-2.0"),
        ("This is free and unencumbered software released into the public domain.", "Unlicense"),
        ("Permission is granted to anyone to use this software for any purpose,\n"
         "including commercial applications", "Zlib"),
        ("Distributed under the Boost Software License, Version 1.0.", "BSL-1.0"),
        ("Licensed to PSF under a Contributor Agreement.", "PSF-2.0"),
        ("Proprietary and confidential", "LicenseRef-proprietary"),
        ("Dual licensed under the MIT license or the GPLv3", "GPL-3.0-only OR MIT"),
        ("Under the Apache License, Version 2.0 or the MIT license, as you like",
         "Apache-2.0 OR MIT"),
        ("Under the Apache License, Version 2.0. Parts are under the MIT license.",
         "Apache-2.0 AND MIT"),
        ("All rights reserved. No licence is named, but licensing is talked about.", ""),
        ("Nothing here will permit license plates, and no permission is given.", ""),
    ],
)  # fmt: skip
def test_header_is_known_by_its_wording_in_any_comment(text, expression, sign):
    content = b"#!/usr/bin/env x\n" + _commented(f"Copyright someone\n\n{text}", sign) + b"\nx\n"
    found = licenses.find_file_license(content)
    assert found == licenses.License(expression, "header" if expression else "")


@pytest.mark.parametrize(
    "code",
    [
        "import os\n",
        "from os import path\n",
        "def f():\n",
        "class A:\n",
        "package main\n",
        "#include <x.h>\n",
        "const a = 1\n",
        "CITATION = 1\n",
    ],
)
def test_a_licence_named_below_the_first_code_is_none(code):
    header = b"# Tools for texts.\n"
    named = b'_LICENSES = "GNU General Public License version 2", "MIT License"\n'
    assert licenses.find_file_license(header + code.encode() + named).expression == ""
    assert licenses.find_file_license(header + b"# " + named).expression == ("GPL-2.0-only AND MIT")


def test_prose_that_begins_like_code_does_not_end_the_header():
    content = (
        b'"""Tools.\n\nfrom the department of texts,\nimport them freely,\nclass\n'
        b'use of this source code is governed by a BSD-style license\n"""\n'
    )
    assert licenses.find_file_license(content).expression == expressions.BSD_UNSPECIFIED


def test_every_phrase_of_the_table_holds_its_anchor_or_follows_it_and_is_plain():
    for anchor, group in phrases.GROUPS:
        for phrase, expression in group:
            text = anchor + b" " + phrase
            assert headers.plain_text(phrase).strip() == phrase.strip()
            named = {found.expression for found in headers.find_all(headers.plain_text(text))}
            assert named, phrase
            assert expressions.normalize(expression) == expression


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00license mit license\x00",
        b"license" * 1000,
        b"GNU General Public License " * 200,
        b"# SPDX-License-Identifier: " * 400,
        b"gpl" * 1500,
        b" gpl v" + b" " * 4000,
        b"\n" * 4096,
        b'"""' * 1400,
    ],
)
def test_hostile_heads_are_quick(content):
    start = time.process_time()
    for _ in range(20):
        licenses.find_file_license(content)
    assert time.process_time() - start < 1
