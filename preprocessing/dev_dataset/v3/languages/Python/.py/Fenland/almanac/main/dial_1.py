"""Hour lines of a flat sundial.

Angles are in degrees, at noon zero, in the afternoon positive.
"""

import math


class Dial:
    """A horizontal dial at some latitude."""

    def __init__(self, latitude):
        if not 0 < abs(latitude) < 90:
            raise ValueError("no shadow that turns at latitude %s" % latitude)
        self.latitude = latitude

    def line(self, hour):
        """Angle between the noon line and the line of an hour."""
        turn = math.radians(15.0 * (hour - 12.0))
        tilt = math.sin(math.radians(abs(self.latitude)))
        angle = math.degrees(math.atan2(tilt * math.sin(turn), math.cos(turn)))
        return angle if self.latitude > 0 else -angle

    def lines(self, first=6, last=18):
        """Hour and angle of all lines from the first to the last hour."""
        return [(hour, self.line(hour)) for hour in range(first, last + 1)]

    def hour(self, angle):
        """The hour that a shadow at an angle shows."""
        if self.latitude < 0:
            angle = -angle
        shadow = math.radians(angle)
        tilt = math.sin(math.radians(abs(self.latitude)))
        turn = math.atan2(math.sin(shadow), tilt * math.cos(shadow))
        return 12.0 + math.degrees(turn) / 15.0


def gnomon(latitude, length):
    """Height and foot of the edge that throws the shadow."""
    slope = math.radians(abs(latitude))
    return length * math.sin(slope), length * math.cos(slope)


def table(latitude):
    """The lines as text, one per row, for whoever cuts them into stone."""
    dial = Dial(latitude)
    return "\n".join("%2d h %7.2f" % row for row in dial.lines())
