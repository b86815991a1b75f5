"""Where things are around Walker Lake, roughly: ranges, valley floors, playas, fields, waters.

All places are kilometres east and north of the lake's centre. Positions and
heights were set by hand after the real landscape; they are meant to look like
it at first glance, not to be a map of it.
"""

from __future__ import annotations

from dataclasses import dataclass

CRS = "EPSG:32611"
CENTRE = (351453.0, 4284227.0)
CENTRE_LONLAT = (-118.7081, 38.6942)


@dataclass(frozen=True)
class Range:
    """A mountain range: crest line of (east, north, share of the height), in km and metres."""

    name: str
    half_width: float
    height: float
    crest: tuple[tuple[float, float, float], ...]


@dataclass(frozen=True)
class Spot:
    """An oval place with a ragged edge: centre and half axes in km, turned clockwise from north."""

    name: str
    east: float
    north: float
    half_east: float
    half_north: float
    turn: float = 0.0


@dataclass(frozen=True)
class Pond:
    """A shallow water body; its half axes grow from a dry (0) to a wet (1) year."""

    spot: Spot
    dry: float
    wet: float
    turbidity: float


RANGES = tuple(
    Range(name, width, height, crest)
    for name, width, height, crest in (
        (
            "Wassuk Range",
            6.2,
            1900,
            (
                (-22.9, 36.6, 0.45),
                (-16.3, 18.7, 0.75),
                (-11.5, 0.9, 1.0),
                (-9.1, -13.6, 1.25),
                (-6.0, -30.3, 0.9),
                (-1.8, -40.4, 0.5),
            ),
        ),
        (
            "Gillis Range",
            4.6,
            900,
            ((7.5, 31.5, 0.5), (13.6, 15.8, 1), (16.6, -1.9, 1), (21.3, -16.4, 0.6)),
        ),
        ("Garfield Hills", 5, 750, ((17.6, -29.6, 0.7), (32.4, -33.2, 1), (46.4, -31.2, 0.7))),
        ("Excelsior Mountains", 6, 1000, ((6.8, -47.2, 0.8), (24.3, -49.7, 1), (47.9, -55.6, 0.8))),
        ("Bodie Hills", 9, 900, ((-35.0, -39.7, 0.9), (-24.9, -56.6, 1), (-9.2, -63.6, 0.8))),
        (
            "Sweetwater Mountains",
            6,
            1500,
            ((-54.3, -7.0, 0.7), (-52.2, -26.0, 1.1), (-48.1, -39.4, 0.8)),
        ),
        (
            "Sierra Nevada",
            15,
            1700,
            (
                (-107.1, 31.1, 0.8),
                (-99.1, 8.7, 1),
                (-88.7, -19.4, 1.15),
                (-74.5, -44.3, 1.2),
                (-57.7, -70.3, 1.2),
            ),
        ),
        ("Sierra crest", 14, 1200, ((-111.1, -13.2, 1), (-96.1, -35.9, 1.1), (-79.3, -58.6, 1.1))),
        (
            "Pine Nut Mountains",
            7.5,
            1150,
            ((-74.4, 52.4, 0.7), (-66.4, 29.9, 1.1), (-64.4, 7.7, 0.9)),
        ),
        ("Singatse Range", 3.6, 600, ((-47.7, 46.1, 0.8), (-45.7, 23.8, 1), (-42.6, 7.1, 0.8))),
        (
            "Pine Grove Hills",
            6.5,
            1000,
            ((-35.8, 3.6, 0.8), (-32.7, -15.3, 1), (-27.8, -29.9, 0.8)),
        ),
        ("Virginia Range", 9, 850, ((-82.7, 63.7, 0.9), (-71.0, 80.0, 1), (-59.5, 93.1, 0.8))),
        ("Desert Mountains", 5, 650, ((-43.2, 53.8, 0.8), (-22.6, 48.8, 1), (-0.3, 39.5, 0.7))),
        ("Dead Camel Mountains", 4, 350, ((-22.2, 65.5, 0.8), (-19.4, 78.8, 0.8))),
        (
            "Hot Springs Mountains",
            5,
            500,
            ((-21.4, 103.2, 0.8), (-5.7, 114.0, 1), (3.1, 128.3, 0.8)),
        ),
        ("Cocoon Mountains", 5, 600, ((10.3, 53.7, 0.7), (27.7, 57.9, 1), (38.2, 66.6, 0.8))),
        ("Sand Springs Range", 4, 700, ((25.6, 33.5, 0.7), (31.0, 50.1, 1), (36.4, 63.3, 0.8))),
        ("Stillwater Range", 6.5, 1150, ((34.8, 72.2, 0.8), (43.7, 94.3, 1.1), (56.1, 121.9, 1))),
        (
            "Clan Alpine Mountains",
            8,
            1350,
            ((60.7, 71.9, 0.8), (71.2, 94.0, 1.1), (86.9, 121.6, 1)),
        ),
        ("Fairview Peak", 4, 900, ((49.1, 44.3, 0.8), (50.2, 60.9, 1))),
        ("Desatoya Mountains", 7.5, 1350, ((75.0, 44.0, 0.8), (83.0, 66.1, 1.1), (92.7, 88.2, 1))),
        ("Paradise Range", 7, 1200, ((65.9, -0.3, 0.9), (77.4, 21.8, 1.1), (83.6, 38.4, 0.9))),
        ("Gabbs Valley Range", 6, 950, ((35.6, 5.6, 0.8), (48.4, -11.2, 1), (56.9, -28.0, 1))),
        ("Monte Cristo Range", 7, 700, ((69.8, -50.3, 0.8), (85.5, -56.0, 1))),
        ("Cedar Mountains", 5.5, 800, ((65.8, -17.0, 0.8), (78.7, -31.5, 1))),
        ("Royston Hills", 5, 600, ((96.3, -17.2, 0.7), (104.9, -39.5, 0.8))),
        ("Shoshone Mountains", 6.5, 1250, ((100.8, 16.0, 0.9), (109.6, 43.7, 1), (118.4, 71.4, 1))),
        ("Pah Rah Range", 7, 900, ((-70.3, 104.5, 0.8), (-61.4, 118.7, 1))),
        ("Truckee Range", 5, 550, ((-40.2, 107.0, 0.7), (-31.1, 129.0, 0.9))),
    )
)

# Height of valley floors in metres.
FLOORS = (
    ("Walker Lake", -0.2, -0.5, 1250),
    ("Hawthorne", 7.3, -21.7, 1310),
    ("Schurz", -7.4, 28.5, 1260),
    ("Fallon", -4.6, 86.2, 1207),
    ("Carson Sink", 20.1, 122.4, 1180),
    ("Yerington", -38.5, 33.7, 1335),
    ("Smith Valley", -53.8, 12.9, 1440),
    ("Carson Valley", -90.6, 30.6, 1435),
    ("Bridgeport Valley", -45.7, -47.2, 1970),
    ("Antelope Valley", -69.2, -8.9, 1540),
    ("East Walker", -29.5, 12.4, 1450),
    ("Gabbs Valley", 57.6, 27.5, 1260),
    ("Rawhide Flats", 18.7, 35.8, 1190),
    ("Dixie Valley", 64.5, 110.7, 1060),
    ("Fairview Valley", 45.1, 66.5, 1270),
    ("Columbus", 60.8, -69.1, 1380),
    ("Mina", 52.5, -33.5, 1400),
    ("Ione Valley", 92.1, 16.1, 1600),
    ("Reese", 105.6, 88.2, 1850),
    ("Silver Springs", -45.2, 77.1, 1275),
    ("Teels Marsh", 30.3, -55.4, 1500),
    ("Fernley", -40.3, 101.4, 1265),
    ("Big Smoky", 104.8, -56.1, 1500),
    ("Whisky Flat", -4.4, -38.1, 1700),
)

PLAYAS = (
    Spot("Rawhide Flats", 18.7, 36.5, 4.0, 5.5, 20),
    Spot("Gabbs Valley", 41.0, 22.0, 6.5, 3.2, -30),
    Spot("Dixie Valley", 62.0, 103.0, 4.0, 11.0, 25),
    Spot("Humboldt Salt Marsh", 104.0, 68.0, 4.2, 5.0, 15),
    Spot("Fairview Valley", 45.5, 71.0, 2.6, 4.5, 10),
    Spot("Carson Sink", 17.0, 118.0, 17.0, 14.0, 60),
    Spot("Eightmile Flat", 22.0, 70.0, 5.0, 3.0, -40),
    Spot("Fourmile Flat", 28.0, 67.5, 3.0, 2.0, -40),
    Spot("Columbus Salt Marsh", 60.8, -69.5, 6.0, 8.0, -20),
    Spot("Rhodes Salt Marsh", 49.0, -51.5, 2.8, 3.2),
    Spot("Teels Marsh", 30.5, -58.0, 3.6, 1.8, -20),
    Spot("Whisky Flat", -5.0, -38.5, 1.0, 1.6),
    Spot("Hawthorne", 10.5, -18.4, 1.6, 1.1, -30),
    Spot("Double Spring", -7.8, 17.5, 0.9, 1.3, 20),
    Spot("Lahontan", -31.0, 90.0, 2.0, 2.4),
    Spot("Fernley", -31.0, 102.0, 4.0, 3.0, 30),
)

FARMLAND = (
    Spot("Schurz", -5.6, 28.0, 2.6, 6.0, -15),
    Spot("Walker River delta", -0.4, 17.0, 1.5, 3.8, -8),
    Spot("Mason Valley", -39.0, 33.0, 4.6, 11.0, -4),
    Spot("Smith Valley", -55.0, 14.0, 4.5, 7.5, -8),
    Spot("Carson Valley", -92.0, 28.0, 5.2, 10.5, 8),
    Spot("Fallon", -3.5, 87.5, 12.0, 9.0, 35),
    Spot("Bridgeport Valley", -45.7, -46.0, 4.2, 4.6, 20),
    Spot("Antelope Valley", -69.0, -9.0, 2.4, 5.2, -15),
    Spot("Dayton", -76.0, 60.0, 2.0, 1.2, -30),
    Spot("Gabbs", 58.0, 12.0, 0.9, 1.4),
)

# The Walker River from Schurz into the lake.
RIVER = (
    (-7.2, 32.0),
    (-5.8, 28.0),
    (-4.6, 24.6),
    (-2.6, 21.0),
    (-1.3, 17.6),
    (-0.2, 14.4),
    (0.3, 8.5),
)

PONDS = (
    Pond(Spot("Lahontan Reservoir", -34.5, 78.0, 1.7, 5.0, 55), 0.55, 1.0, 0.35),
    Pond(Spot("Carson Lake", 1.0, 68.5, 4.6, 3.4, 30), 0.25, 1.0, 1.0),
    Pond(Spot("Stillwater Marsh", 26.0, 108.0, 3.0, 4.4, 15), 0.2, 1.0, 1.0),
    Pond(Spot("Humboldt Sink", 4.0, 124.5, 6.0, 2.6, 60), 0.2, 1.0, 0.8),
    Pond(Spot("Weber Reservoir", -14.0, 38.6, 0.8, 2.2, -60), 0.6, 0.9, 0.2),
    Pond(Spot("Topaz Lake", -75.5, 0.3, 1.6, 2.7, 10), 0.8, 0.95, 0.0),
    Pond(Spot("Bridgeport Reservoir", -44.0, -40.5, 1.7, 3.3, 20), 0.6, 0.95, 0.3),
    Pond(Spot("Artesia Lake", -60.0, 27.5, 1.5, 1.0, 0), 0.0, 0.7, 0.9),
)

# Corners of the imaged area (north, east, south, west), fitted to the valid area
# of the two real acquisitions, and their product grids: upper left corner in
# EPSG:32611, rows and columns at 30 m.
FOOTPRINTS = {
    "tm": ((-57.92, 128.54), (123.16, 91.14), (77.49, -84.94), (-103.25, -47.46)),
    "oli": ((-56.87, 141.01), (123.22, 94.84), (73.97, -95.55), (-105.78, -48.33)),
    # The swath of 290 km covers whatever window there is.
    "msi": ((-300.0, 300.0), (300.0, 300.0), (300.0, -300.0), (-300.0, -300.0)),
}
FULL_GRIDS = {
    "tm": (242385.0, 4414215.0, 7241, 7961),
    "oli": (243285.0, 4425915.0, 7941, 7821),
}
