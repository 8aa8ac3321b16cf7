"""The table of licence phrases: what to look for, as data.

All phrases are *plain text*: lower case, one space between words, and spaces in place of comment
signs, quotes, commas, parentheses, slashes and hyphens (`headers.plain_text`). A phrase is looked
for only where its group's *anchor* occurs. They are the short fixed wordings by which licences are
known, not the licences' texts.
"""

from __future__ import annotations

from preprocessing.licenses import expressions

_BSD = expressions.BSD_UNSPECIFIED

# Anchor, and the phrases that hold it, each with its SPDX expression.
GROUPS: tuple[tuple[bytes, tuple[tuple[bytes, str], ...]], ...] = (
    (
        b" apache",
        (
            (b" apache license version 2", "Apache-2.0"),
            (b" apache license 2", "Apache-2.0"),
            (b" apache license v2", "Apache-2.0"),
            (b" apache license v. 2", "Apache-2.0"),
            (b" apache licence version 2", "Apache-2.0"),
            (b" apache software license 2", "Apache-2.0"),
            (b" apache software license version 2", "Apache-2.0"),
            (b" apache 2.0 license", "Apache-2.0"),
            (b" apache 2 license", "Apache-2.0"),
            (b" apache v2", "Apache-2.0"),
            (b"license: apache", "Apache-2.0"),
            (b" __license__ = apache 2.0", "Apache-2.0"),
            (b" apache2 licensed", "Apache-2.0"),
            (b" apache software license version 1.1", "Apache-1.1"),
        ),
    ),
    (b"apache.org licenses", ((b"apache.org licenses license 2.0", "Apache-2.0"),)),
    (
        b" mit ",
        (
            (b" mit license", "MIT"),
            (b" mit licence", "MIT"),
            (b" mit x11 license", "MIT"),
            (b" mit open source license", "MIT"),
            (b" mit style license", "MIT"),
            (b"license: mit ", "MIT"),
            (b"licence: mit ", "MIT"),
            (b" licensed under mit ", "MIT"),
            (b" mit licensed", "MIT"),
            (b" __license__ = mit ", "MIT"),
            (b"opensource.org licenses mit ", "MIT"),
        ),
    ),
    (b" expat license", ((b" expat license", "MIT"),)),
    # Take away what the licence beside them grants.
    (b" commons clause", ((b" commons clause", "LicenseRef-Commons-Clause"),)),
    (
        b" noncommercial",
        (
            (b" attribution noncommercial", "LicenseRef-noncommercial"),
            (b" polyform noncommercial license", "LicenseRef-noncommercial"),
        ),
    ),
    (
        b" non commercial",
        ((b" attribution non commercial", "LicenseRef-noncommercial"),),
    ),
    (
        b" permission is hereby granted",
        (
            (b" free of charge to any person obtaining a copy of this software", "MIT"),
            (b" free of charge to any person or organization obtaining a copy", "BSL-1.0"),
            (b" to any person obtaining a copy of the unicode data files", "Unicode-DFS-2016"),
        ),
    ),
    (b" boost software license", ((b" boost software license", "BSL-1.0"),)),
    (
        b" bsd",
        (
            (b" bsd 3 clause", "BSD-3-Clause"),
            (b" 3 clause bsd", "BSD-3-Clause"),
            (b" three clause bsd", "BSD-3-Clause"),
            (b" bsd style 3 clauses", "BSD-3-Clause"),
            (b" bsd 3 license", "BSD-3-Clause"),
            (b" new bsd license", "BSD-3-Clause"),
            (b" modified bsd license", "BSD-3-Clause"),
            (b" revised bsd license", "BSD-3-Clause"),
            (b" bsd 2 clause", "BSD-2-Clause"),
            (b" 2 clause bsd", "BSD-2-Clause"),
            (b" two clause bsd", "BSD-2-Clause"),
            (b" simplified bsd license", "BSD-2-Clause"),
            (b" freebsd license", "BSD-2-Clause"),
            (b" bsd license", _BSD),
            (b" bsd licence", _BSD),
            (b" bsd style license", _BSD),
            (b"license: bsd", _BSD),
            (b"licence: bsd", _BSD),
            (b"license: [bsd]", _BSD),
            (b" bsd licensed", _BSD),
            (b" __license__ = bsd ", _BSD),
        ),
    ),
    (b" numpy license", ((b" terms of the numpy license", "BSD-3-Clause"),)),
    (b" isc license", ((b" isc license", "ISC"),)),
    (
        b"creative",
        (
            (b" creative commons zero", "CC0-1.0"),
            (b"creativecommons.org publicdomain zero 1.0", "CC0-1.0"),
            (b" creative commons attribution noncommercial", "CC-BY-NC-4.0"),
            (b" creative commons attribution sharealike", "CC-BY-SA-4.0"),
            (b" creative commons attribution share alike", "CC-BY-SA-4.0"),
            (b" creative commons attribution 4.0", "CC-BY-4.0"),
            (b"creativecommons.org licenses by nc", "CC-BY-NC-4.0"),
            (b"creativecommons.org licenses by sa 3", "CC-BY-SA-3.0"),
            (b"creativecommons.org licenses by sa 4", "CC-BY-SA-4.0"),
        ),
    ),
    (b" cc0 ", ((b" cc0 1.0", "CC0-1.0"), (b"license: cc0", "CC0-1.0"))),
    (
        b" public domain",
        (
            (b" unencumbered software released into the public domain", "Unlicense"),
            (b" placed in the public domain", expressions.PUBLIC_DOMAIN),
            (b" released into the public domain", expressions.PUBLIC_DOMAIN),
            (b" released to the public domain", expressions.PUBLIC_DOMAIN),
            (b" file is in the public domain", expressions.PUBLIC_DOMAIN),
            (b" code is in the public domain", expressions.PUBLIC_DOMAIN),
            (b" module is in the public domain", expressions.PUBLIC_DOMAIN),
        ),
    ),
    (b" the unlicense", ((b" the unlicense", "Unlicense"),)),
    (
        b" permission is granted to anyone to use this software",
        ((b" for any purpose including commercial applications", "Zlib"),),
    ),
    (b" zlib", ((b" zlib license", "Zlib"), (b" zlib libpng license", "Zlib"))),
    (
        b" psf ",
        (
            (b" licensed to psf under a contributor agreement", "PSF-2.0"),
            (b" psf license", "PSF-2.0"),
            (b"license: psf ", "PSF-2.0"),
        ),
    ),
    (
        b" python software foundation",
        (
            (b" python software foundation license", "PSF-2.0"),
            (b" licensed to the python software foundation under a contributor", "PSF-2.0"),
        ),
    ),
    (b" you want to public license", ((b" you want to public license", "WTFPL"),)),
    (b" university of illinois", ((b" university of illinois open source license", "NCSA"),)),
    (b" mulan", ((b" mulan permissive software license v2", "MulanPSL-2.0"),)),
    (b" postgresql license", ((b" postgresql license", "PostgreSQL"),)),
    (b" artistic license", ((b" artistic license", "Artistic-2.0"),)),
    (b" server side public license", ((b" server side public license", "SSPL-1.0"),)),
    (b" business source license", ((b" business source license", "BUSL-1.1"),)),
    (b" elastic license", ((b" elastic license", "Elastic-2.0"),)),
    (
        b" proprietary",
        (
            (b" proprietary and confidential", "LicenseRef-proprietary"),
            (b" confidential and proprietary", "LicenseRef-proprietary"),
        ),
    ),
    (
        b" end user license agreement",
        ((b" end user license agreement", "LicenseRef-proprietary"),),
    ),
    (
        b" unauthorized copying",
        ((b" unauthorized copying of this file", "LicenseRef-proprietary"),),
    ),
)

# Families whose identifier has a version: anchor, stem, versions that SPDX has, and which of them
# where the text names none.
VERSIONED: tuple[tuple[bytes, str, tuple[str, ...], str], ...] = (
    (b" mozilla public license", "MPL-", ("1.0", "1.1", "2.0"), "2.0"),
    (b" mozilla public licence", "MPL-", ("1.0", "1.1", "2.0"), "2.0"),
    (b"license: mpl", "MPL-", ("1.1", "2.0"), "2.0"),
    (b" eclipse public license", "EPL-", ("1.0", "2.0"), "2.0"),
    (b" common development and distribution license", "CDDL-", ("1.0", "1.1"), "1.0"),
    (b" european union public licence", "EUPL-", ("1.0", "1.1", "1.2"), "1.2"),
    (b" academic free license", "AFL-", ("2.1", "3.0"), "3.0"),
)

# GNU families: words before "general public license", short name, SPDX's stem, versions, and the
# lowest, which holds "or later" where the text names no version.
GNU: tuple[tuple[bytes, bytes, str, tuple[str, ...], str], ...] = (
    (b"lesser ", b"lgpl", "LGPL-", ("2.0", "2.1", "3.0"), "2.0"),
    (b"library ", b"lgpl", "LGPL-", ("2.0", "2.1", "3.0"), "2.0"),
    (b"affero ", b"agpl", "AGPL-", ("1.0", "3.0"), "3.0"),
    (b"", b"gpl", "GPL-", ("1.0", "2.0", "3.0"), "1.0"),
)

# Exceptions: their wording, how the licences begin that they go with, and SPDX's name.
EXCEPTIONS = (
    (b" llvm exception", "Apache-2.0", "LLVM-exception"),
    (b" classpath exception", "GPL-", "Classpath-exception-2.0"),
)

# Wordings that offer a choice between the licences that a header names.
CHOICES = (
    b" dual licensed",
    b" dually licensed",
    b" dual license",
    b" either the mit license or",
    b" either the apache license",
    b" or the mit license",
    b" or the apache license",
    b" or the bsd license",
    b" the contents of this file may be used under the terms of either",
    b" alternatively the contents of this file may be used under",
    b" alternatively this software may be distributed under",
    b" alternatively this software may be",
)
