"""Outlines to try things with, in the well-known text form."""

from planar.polygon import Polygon

SQUARE = 'POLYGON ((0 0, 4 0, 4 4, 0 4))'
ARROW = 'POLYGON ((0 0, 4 0, 4 3, 2 1, 0 3))'
# Traced from a map, hence the many corners.
LAKE = 'POLYGON ((37.181 0.000, 42.266 1.734, 40.006 3.945, 31.893 6.236, 30.787 8.003, 30.255 8.504, 33.994 13.618, 28.303 12.303, 32.946 18.310, 30.058 16.406, 31.864 15.209, 27.652 18.237, 18.383 17.881, 17.112 24.957, 13.521 23.799, 13.048 22.563, 9.308 20.083, 4.814 21.823, 2.693 24.228, -0.775 25.850, -4.103 22.872, -8.378 26.512, -9.656 24.796, -14.083 26.948, -18.594 20.702, -23.841 18.343, -22.081 22.640, -21.948 19.178, -22.828 19.064, -33.484 16.813, -37.221 13.600, -36.887 13.440, -36.973 10.921, -42.249 10.840, -37.896 7.700, -32.250 5.617, -42.020 3.751, -45.111 0.957, -38.139 -1.118, -32.106 -3.085, -33.931 -4.402, -31.537 -8.001, -31.677 -8.274, -34.266 -12.767, -28.474 -12.687, -33.001 -16.948, -34.147 -18.714, -25.506 -17.257, -24.057 -22.223, -27.008 -17.662, -17.410 -19.329, -15.215 -22.485, -14.440 -21.208, -8.623 -23.298, -7.103 -25.209, -4.939 -26.758, -0.843 -26.170, 2.689 -20.499, 6.777 -27.501, 10.502 -27.240, 11.829 -22.816, 13.042 -24.285, 15.287 -18.321, ))'


def read_wkt(text):
    """The polygon that a text in well-known form stands for."""
    if not text.startswith('POLYGON (('):
        raise ValueError('only polygons without holes can be read')
    inner = text[text.index('((') + 2:text.rindex('))')]
    return Polygon([tuple(float(v) for v in pair.split()) for pair in inner.split(',')])


def all_samples():
    for name, text in sorted(globals().items()):
        if name.isupper():
            yield name, read_wkt(text)


def largest():
    return max(all_samples(), key=lambda pair: pair[1].area())[0]
