"""Positions along a coast, for tests of long and thin shapes.

The line below is as long as a line may be: a program made it, and nobody reads
it. Everything around it is short.
"""

import re

from planar.vector import Vec2

WEST_COAST = '58°00′N 3°00′W; 58°07′N 4°13′W; 58°14′N 5°26′W; 58°21′N 6°39′W; 58°28′N 3°52′W; 58°35′N 4°05′W; 57°42′N 5°18′W; 57°49′N 6°31′W; 57°56′N 3°44′W; 57°03′N 4°57′W; 57°10′N 5°10′W; 57°17′N 6°23′W; 56°24′N 3°36′W; 56°31′N 4°49′W; 56°38′N 5°02′W; 56°45′N 6°15′W; 56°52′N 3°28′W; 56°59′N 4°41′W; 55°06′N 5°54′W; 55°13′N 6°07′W; 55°20′N 3°20′W; 55°27′N 4°33′W; 55°34′N 5°46′W; 55°41′N 6°59′W; 54°48′N 3°12′W; 54°55′N 4°25′W; 54°02′N 5°38′W; 54°09′N 6°51′W; 54°16′N 3°04′W; 54°23′N 4°17′W; 53°30′N 5°30′W; 53°37′N 6°43′W; 53°44′N 3°56′W; 53°51′N 4°09′W; 53°58′N 5°22′W; 53°05′N 6°35′W; 52°12′N 3°48′W; 52°19′N 4°01′W; 52°26′N 5°14′W; 52°33′N 6°27′W; 52°40′N 3°40′W; 52°47′N 4°53′W; 51°54′N 5°06′W; 51°01′N 6°19′W; 51°08′N 3°32′W; 51°15′N 4°45′W; 51°22′N 5°58′W; 51°29′N 6°11′W; 50°36′N 3°24′W; 50°43′N 4°37′W; 50°50′N 5°50′W; 50°57′N 6°03′W; 50°04′N 3°16′W; 50°11′N 4°29′W; 49°18′N 5°42′W; 49°25′N 6°55′W; 49°32′N 3°08′W; 49°39′N 4°21′W; 49°46′N 5°34′W; 49°53′N 6°47′W; 48°00′N 3°00′W; 48°07′N 4'

_POSITION = re.compile(
    r"(?P<lat>\d+)°(?P<lat_min>\d+)′(?P<ns>[NS]) "
    r"(?P<lon>\d+)°(?P<lon_min>\d+)′(?P<ew>[EW])"
)


def degrees(whole, minutes, positive):
    value = int(whole) + int(minutes) / 60.0
    return value if positive else -value


def positions(text):
    """Vectors of longitude and latitude."""
    found = []
    for match in _POSITION.finditer(text):
        found.append(Vec2(
            degrees(match.group("lon"), match.group("lon_min"), match.group("ew") == "E"),
            degrees(match.group("lat"), match.group("lat_min"), match.group("ns") == "N"),
        ))
    return found


def length(points):
    pairs = zip(points, points[1:])
    return sum(a.distance_to(b) for a, b in pairs)


def thinned(points, step):
    """Every `step`-th point, and the last one in any case."""
    chosen = points[::step]
    if points and chosen[-1] != points[-1]:
        chosen.append(points[-1])
    return chosen


if __name__ == "__main__":
    coast = positions(WEST_COAST)
    print(len(coast), "positions,", round(length(coast), 2), "degrees")
    print(round(length(thinned(coast, 5)), 2), "degrees with every fifth")
